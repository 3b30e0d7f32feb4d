"""What may happen to a house: every strike does its damage, waits a while, and gives back what nobody else would.

Only what an operator's machines do by themselves is done here: a killed program is started again, a cut line comes
back, a full disk is cleared. Nothing tells the house to go on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import time
from collections.abc import Callable

from instance import FIRST, SECOND, House
from server_process import descendants
from tile_reader import TileReader

Strike = Callable[[House, TileReader, random.Random], None]

GATEWAY_SECONDS = 20.0
STORAGE_SECONDS = 10.0
DATABASE_SECONDS = 6.0
RESTART_SECONDS = 2.0


def kill_workers(house: House, _: TileReader, chance: random.Random) -> None:
    """One after the other, with all their children; each is started again, as systemd does."""
    for machine in chance.sample([FIRST, SECOND], 2):
        house.workers[machine].kill()
        time.sleep(RESTART_SECONDS)
        house.start_worker(machine)
        time.sleep(RESTART_SECONDS)


def kill_decoders(house: House, _: TileReader, chance: random.Random) -> None:
    """The children of a worker that decode, but not the worker."""
    machine = chance.choice([FIRST, SECOND])
    _kill_children(house.workers[machine].pid)


def kill_broker(house: House, _: TileReader, __: random.Random) -> None:
    """It comes back empty."""
    house.redis.kill()
    time.sleep(RESTART_SECONDS)
    house.redis.start()


def freeze_broker(house: House, _: TileReader, __: random.Random) -> None:
    """It answers nothing for a while, and breaks no connection."""
    house.redis.process.send(signal.SIGSTOP)
    time.sleep(GATEWAY_SECONDS)
    house.redis.process.send(signal.SIGCONT)


def freeze_database(house: House, _: TileReader, __: random.Random) -> None:
    """The same of the database, every process of it."""
    pid = house.postgres.process.pid
    assert pid
    family = [pid, *descendants(pid)]
    for number, pause in ((signal.SIGSTOP, GATEWAY_SECONDS / 2), (signal.SIGCONT, 0)):
        for member in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, number)
        time.sleep(pause)


def stop_gateway(house: House, _: TileReader, __: random.Random) -> None:
    """No store at all, for 20 s; not the replica either, which is behind the same."""
    house.ceph.stop("rgw")
    time.sleep(GATEWAY_SECONDS)
    house.ceph.start("rgw")


def kill_storage(house: House, _: TileReader, __: random.Random) -> None:
    """The gateway answers no more, while its connections stay open."""
    house.ceph.stop("osd", signal.SIGKILL)
    time.sleep(STORAGE_SECONDS)
    house.ceph.start("osd")
    house.ceph.wait_until_ready()


def kill_database(house: House, _: TileReader, __: random.Random) -> None:
    """It recovers from its own log."""
    house.postgres.kill()
    time.sleep(DATABASE_SECONDS)
    house.postgres.start()


def fill_disk(house: House, _: TileReader, __: random.Random) -> None:
    """The second machine's disk, to the last byte and the last file; cleared after a while."""
    ballast = house.data(SECOND) / "ballast"
    ballast.mkdir()
    fill(ballast)
    time.sleep(GATEWAY_SECONDS / 2)
    fill(ballast)
    time.sleep(GATEWAY_SECONDS / 2)
    empty(house)


def drop_replica(house: House, _: TileReader, __: random.Random) -> None:
    """The way to it; the store itself is at hand."""
    house.replica_gateway.kill()
    time.sleep(GATEWAY_SECONDS)
    house.replica_gateway.start()


def kill_web(house: House, reader: TileReader, _: random.Random) -> None:
    """Its serving processes: the one that started them starts others. Then all of them."""
    with reader.without_a_server():
        _kill_children(house.web.pid)
        reader.wait_for_a_tile(30)
        house.web.kill()
        time.sleep(RESTART_SECONDS)
        house.start_web()


def fill(ballast: os.PathLike[str]) -> None:
    """Files of all bytes, and then of all names, that are left on a small disk."""
    _until_full(lambda: _write(os.path.join(ballast, f"bytes-{time.monotonic_ns()}"), 64 << 20))
    for number in range(100_000):
        if not _until_full(lambda number=number: _write(os.path.join(ballast, f"{time.monotonic_ns()}-{number}"), 0)):
            return


def empty(house: House) -> None:
    """Take away what `fill` wrote."""
    ballast = house.data(SECOND) / "ballast"
    for path in ballast.iterdir():
        path.unlink()
    ballast.rmdir()


def _write(path: str, size: int) -> None:
    with open(path, "wb", buffering=0) as file:
        block = b"\0" * (1 << 16)
        while size > 0:
            size -= file.write(block)


def _until_full(write: Callable[[], None]) -> bool:
    """Whether there was room."""
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
