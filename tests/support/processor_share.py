"""A limited share of the processor for some processes, by a temporary cgroup. For benchmarks; needs root."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

ROOTS = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
"""The roots of the control groups: of the processor in version 1, of all resources in version 2."""

PERIOD = 100_000
"""The period of the quota in microseconds."""

END_SECONDS = 10.0


class NoShares(Exception):
    """The machine does not allow groups to be created; the message says why."""


@contextlib.contextmanager
def processor_share(name: str, share: float) -> Iterator[Path]:
    """Yield a file; the processes whose ids are written to it share the fraction `share` of one core.

    Raises `NoShares`. All these processes must have ended when the context ends.
    """
    quota = int(share * PERIOD)
    for root in ROOTS:
        group = root / f"shanben-{os.getpid()}-{name}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_period_us").write_text(str(PERIOD))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
            elif (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{quota} {PERIOD}")
            else:
                continue
            yield group / "cgroup.procs"
            return
        finally:
            _remove(group)
    raise NoShares("no cgroup with a quota of the processor can be created")


def _remove(group: Path) -> None:
    deadline = time.monotonic() + END_SECONDS
    while True:
        try:
            group.rmdir()
        except OSError:  # a process has just ended
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
