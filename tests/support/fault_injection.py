"""Failures of an installation's parts, each of which ends after some time as it would without an operator.

A killed program is started again, a connection comes back, a full disk is cleared. Nothing makes the application
resume. `Durations` sets how long a part is away: `SHORT` just exceeds the application's own timeouts.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from instance import FIRST, SECOND, Instance
from server_process import descendants
from tile_reader import TileReader


@dataclass(frozen=True)
class Durations:
    """Seconds for which each part is away."""

    gateway: float
    storage: float
    database: float
    disk: float
    restart: float


LONG: Final = Durations(gateway=20, storage=10, database=6, disk=20, restart=2)
SHORT: Final = Durations(gateway=8, storage=6, database=3, disk=6, restart=1)

Failure = Callable[[Instance, TileReader, random.Random, Durations], None]


def kill_workers(instance: Instance, _: TileReader, chance: random.Random, durations: Durations) -> None:
    """Kill one worker after the other with all its children, and restart it as systemd does."""
    for machine in chance.sample([FIRST, SECOND], 2):
        instance.workers[machine].kill()
        time.sleep(durations.restart)
        instance.start_worker(machine)
        time.sleep(durations.restart)


def kill_decoders(instance: Instance, _: TileReader, chance: random.Random, __: Durations) -> None:
    """Kill the sandboxed children of a worker, but not the worker."""
    machine = chance.choice([FIRST, SECOND])
    _kill_children(instance.workers[machine].pid)


def kill_broker(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Kill the broker; it restarts empty."""
    instance.redis.kill()
    time.sleep(durations.restart)
    instance.redis.start()


def freeze_broker(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Stop the broker from answering, without breaking a connection."""
    instance.redis.process.send(signal.SIGSTOP)
    time.sleep(durations.gateway)
    instance.redis.process.send(signal.SIGCONT)


def freeze_database(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Stop every process of the database from answering, without breaking a connection."""
    pid = instance.postgres.process.pid
    assert pid
    family = [pid, *descendants(pid)]
    for number, pause in ((signal.SIGSTOP, durations.gateway / 2), (signal.SIGCONT, 0)):
        for member in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, number)
        time.sleep(pause)


def stop_gateway(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Stop the S3 gateway: neither the store nor the replica can be reached."""
    instance.ceph.stop("rgw")
    time.sleep(durations.gateway)
    instance.ceph.start("rgw")


def kill_storage(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Kill the storage daemon: the gateway accepts connections and answers none."""
    instance.ceph.stop("osd", signal.SIGKILL)
    time.sleep(durations.storage)
    instance.ceph.start("osd")
    instance.ceph.wait_until_ready()


def kill_database(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Kill the database, which then recovers from its own log."""
    instance.postgres.kill()
    time.sleep(durations.database)
    instance.postgres.start()


def fill_disk(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Fill the second machine's disk to the last byte and the last file, and clear it."""
    ballast = instance.data(SECOND) / "ballast"
    ballast.mkdir()
    for _round in range(2):
        _fill(ballast)
        time.sleep(durations.disk / 2)
    for path in ballast.iterdir():
        path.unlink()
    ballast.rmdir()


def drop_replica(instance: Instance, _: TileReader, __: random.Random, durations: Durations) -> None:
    """Break the connection to the replica; the store stays reachable."""
    instance.replica_gateway.kill()
    time.sleep(durations.gateway)
    instance.replica_gateway.start()


def kill_web(instance: Instance, reader: TileReader, _: random.Random, durations: Durations) -> None:
    """Kill the serving processes, which their parent replaces; then kill the whole web application."""
    with reader.without_a_server():
        _kill_children(instance.web.pid)
        reader.wait_for_a_tile(30)
        instance.web.kill()
        time.sleep(durations.restart)
        instance.start_web()


def _fill(ballast: Path) -> None:
    """Write files until no byte, and then until no file name, is left on a small disk."""
    _has_room_for(lambda: _write(ballast / f"bytes-{time.monotonic_ns()}", 64 << 20))
    for number in range(100_000):
        if not _has_room_for(lambda number=number: _write(ballast / f"{time.monotonic_ns()}-{number}", 0)):
            return


def _write(path: Path, size: int) -> None:
    with path.open("wb", buffering=0) as file:
        block = b"\0" * (1 << 16)
        while size > 0:
            size -= file.write(block)


def _has_room_for(write: Callable[[], None]) -> bool:
    """Call `write`, and return whether the disk had room for it."""
    try:
        write()
    except OSError as fault:
        if fault.errno != errno.ENOSPC:
            raise
        return False
    return True


def _kill_children(pid: int | None) -> None:
    for child in descendants(pid) if pid else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
