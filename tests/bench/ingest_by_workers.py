"""Pages a minute by one worker and by two, from a deposit folder to an S3 store; and what the queue costs a page.

Real servers: PostgreSQL, Redis, a Ceph gateway that keeps its objects in memory. Each worker is a process that decodes
one page at a time on one core; all servers share the machine with them. Two kinds of master: raw ones, which are mostly
bytes to be moved, and compressed ones, which are mostly pixels. What the queue costs is measured with jobs that look at
nothing: a page job with an examiner that answers at once, from the outbox through the broker and back.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pyvips
from ceph_server import CephServer
from database_server import PostgresServer
from servers import RedisServer

from repository.config import PREFIX, Settings
from repository.handle import open_repository
from repository.jobs import JobOrder, JobState

SHANBEN: Final = Path(sys.executable).with_name("shanben")
MASTERS: Final = {
    "uncompressed": (40, 2600, {"compression": "none"}),
    "JPEG in TIFF": (100, 4400, {"compression": "jpeg", "Q": 90}),
}
"""How many pages of each kind of master, pixels a side, and how it is written."""
NOTHING: Final = 1000
IDLE_WORKER: Final = """
from pathlib import Path
from repository.config import process_settings
from repository.handle import open_repository
from workers.service import run_worker
from workers.tiling import Examined
from workers.workshop import Workshop
class Nothing:
    concurrency = 1
    def __call__(self, path, pyramid):
        return Examined("0" * 64, 1, "image/tiff", 1, 1, "0" * 64, None)
run_worker(Workshop(open_repository(process_settings()), Nothing()), 1)
"""


def main() -> None:
    """Print the rows."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        postgres = stack.enter_context(PostgresServer())
        redis = stack.enter_context(RedisServer(folder / "redis"))
        ceph = stack.enter_context(CephServer(folder / "ceph"))

        def house(data: str) -> Settings:
            settings = Settings(
                data=folder / data,
                database=postgres.create_database(),
                broker=redis.url,
                **ceph.settings(ceph.create_bucket()),
            )
            subprocess.run([SHANBEN, "init"], env=environment(settings), check=True, stdout=subprocess.DEVNULL)
            return settings

        _measure_queue(house("nothing"))
        for kind, (pages, side, options) in MASTERS.items():
            deposit, megabytes = _deposit(folder / kind, pages, side, options)
            rates = {count: _measure_pages(house(f"{kind} {count}"), deposit, pages, count) for count in (1, 2)}
            shape = f"{pages} pages of {side * side / 1e6:.1f} Mpx and {megabytes:.0f} MB, {kind}, to Ceph"
            result = f"{rates[2] / rates[1]:.2f} times"
            print(f"pages a minute, two workers | {shape} | {rates[2]:.0f} | one worker: {rates[1]:.0f} | {result}")


def environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a process these settings."""
    names = ("data", "database", "broker", "store", "s3_endpoint", "s3_access_key", "s3_secret_key")
    return {**os.environ, **{PREFIX + name.upper(): str(getattr(settings, name)) for name in names}}


@contextmanager
def _workers(settings: Settings, command: list[str | Path], count: int) -> Iterator[None]:
    with (settings.data / "workers.log").open("wb") as log:
        processes = [
            subprocess.Popen(command, env=environment(settings), stdout=log, stderr=log, cwd=settings.data)
            for _ in range(count)
        ]
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def _deposit(folder: Path, pages: int, side: int, options: dict[str, object]) -> tuple[Path, float]:
    """A deposit of pages, and the megabytes of one."""
    folder.mkdir()
    (folder / "work.toml").write_text(f'title = "量"\nidentifier = "{folder.name}"\n', "utf-8")
    for number in range(1, pages + 1):
        bands = [
            pyvips.Image.gaussnoise(side // 4, side // 4, mean=190, sigma=25, seed=3 * number + i) for i in range(3)
        ]
        page = bands[0].bandjoin(bands[1:]).resize(4).cast("uchar").copy(interpretation="srgb")
        page.tiffsave(str(folder / f"{number:04d}.tif"), **options)
    return folder, (folder / "0001.tif").stat().st_size / 1e6


def _measure_pages(settings: Settings, deposit: Path, pages: int, count: int) -> float:
    """Pages a minute of one ingest by `count` workers, which are up and idle when it begins."""
    repository = open_repository(settings)
    with _workers(settings, [SHANBEN, "worker"], count):
        _await(lambda: len(list(settings.staging.glob("at-work-*"))) == count)
        time.sleep(3)
        started = time.monotonic()
        done = subprocess.run(
            [SHANBEN, "ingest", deposit], env=environment(settings), cwd=settings.data, capture_output=True, check=False
        )
        took = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    assert repository.catalogue.counts().images == pages
    print(f"{count} worker(s): {took:.1f} s", file=sys.stderr)
    return pages / took * 60


def _measure_queue(settings: Settings) -> None:
    jobs = open_repository(settings).jobs
    page = settings.data / "page.tif"
    page.write_bytes(b"")
    arguments = {"deposit": str(settings.data), "file": page.name, "work": "", "version": "0"}
    parent = JobOrder("parent", "collection", {})
    jobs.enqueue(parent)
    jobs.begin(parent.key, "bench", 60)
    orders = [JobOrder(f"page:{number:06d}", "page", arguments) for number in range(NOTHING)]
    jobs.fan_out(parent.key, "bench", orders, {}, None)
    with _workers(settings, [sys.executable, "-c", IDLE_WORKER], 1):
        _await(lambda: jobs.steps(parent.key).ended > 0)
        first, started = jobs.steps(parent.key).ended, time.monotonic()
        _await(lambda: _state(jobs.get(parent.key)) is JobState.DONE)
        took = time.monotonic() - started
    milliseconds = 1000 * took / (NOTHING - first)
    print(f"queue, a page | {NOTHING:,} jobs that do nothing, one worker, PostgreSQL and Redis | {milliseconds:.1f} ms")


def _state(job: object) -> object:
    return getattr(job, "state", None)


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("nothing came of it in five minutes")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
