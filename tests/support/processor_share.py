"""A share of the processor for some processes: a cgroup of our own, taken away again. For measuring; needs root."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

ROOTS = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
"""Where version 1 has its groups for the processor, and version 2 all."""

PERIOD = 100_000
"""Microseconds in which the share may be used up."""

END_SECONDS = 10.0


class NoShares(Exception):
    """This machine does not let us make groups; the message tells why."""


@contextlib.contextmanager
def processor_share(name: str, share: float) -> Iterator[Path]:
    """A group whose processes together get `share` of one core; a process joins by writing its id into the file given.

    Raises `NoShares`. All its processes must have ended when the context ends.
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
            _take_away(group)
    raise NoShares("no cgroup with shares of the processor can be made here")


def _take_away(group: Path) -> None:
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
