"""Pages a minute by one worker and by two, from a deposit folder to an S3 store; and what the queue costs a page.

Real servers: PostgreSQL, Redis, a Ceph gateway that keeps its objects in memory. Each worker is a process that decodes
one page at a time on one core; all servers share the machine with them. Two kinds of master: raw ones, which are mostly
bytes to be moved, and compressed ones, which are mostly pixels.

On two cores, one worker and its servers use a large part of both, so two workers cannot be twice as fast; nor can two
cores that share caches and memory. The limit is measured in the same run: the same pages are decoded and tiled by one
bare process and by two, without any server. A second measurement shows whether workers delay each other: each gets
`SHARE` of a core, like a small machine, and the servers get what they need. Workers run long, so they have ingested
something before.

What the queue costs is measured with jobs that look at nothing: a page job with an examiner that answers at once, from
the outbox through the broker and back.
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
from processor_share import NoShares, processor_share
from servers import RedisServer

from repository.config import PREFIX, Settings
from repository.database.outbox import JobState, NewJob
from repository.repository import open_repository

SHANBEN: Final = Path(sys.executable).with_name("shanben")
MASTERS: Final = {
    "uncompressed": (40, 2600, {"compression": "none"}),
    "JPEG in TIFF": (40, 4400, {"compression": "jpeg", "Q": 90}),
}
"""How many pages of each kind of master, pixels a side, and how it is written."""
SHARE: Final = 0.4
"""Of one core, for each worker: two of them and the servers leave some of the two cores idle."""
NOTHING: Final = 1000
IDLE_WORKER: Final = """
from pathlib import Path
from repository.config import process_settings
from repository.repository import open_repository
from workers.service.worker import run_worker
from workers.masters.examine import Examined
from workers.execution.context import TaskContext
class Nothing:
    concurrency = 1
    def __call__(self, path, pyramid, algorithms=frozenset()):
        return Examined("0" * 64, 1, "image/tiff", 1, 1, "0" * 64, None)
run_worker(TaskContext(open_repository(process_settings()), Nothing()), 1)
"""
BARE: Final = """
import os, sys
os.environ["VIPS_CONCURRENCY"] = "1"
from pathlib import Path
from tempfile import TemporaryFile
from repository.config import Settings
from workers.masters.examination import examine_with_pyramid
from workers.masters.examine import MasterSettings
target, *pages = map(Path, sys.argv[1:])
settings = MasterSettings.of(Settings(data=target.parent))
for page in pages:
    with page.open("rb") as master, target.open("w+b") as pyramid, TemporaryFile() as spool:
        examine_with_pyramid(master.fileno(), spool.fileno(), pyramid.fileno(), page.name, settings)
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
        _deposit(folder / "first", 4, 1000, {})
        for kind, (pages, side, options) in MASTERS.items():
            deposit, megabytes = _deposit(folder / kind, pages, side, options)
            shape = f"{pages} pages of {side * side / 1e6:.1f} Mpx and {megabytes:.0f} MB, {kind}, to Ceph"
            rates = {count: _measure_pages(house(f"{kind} {count}"), deposit, pages, count) for count in (1, 2)}
            limit = _bare(deposit, folder, 2) / _bare(deposit, folder, 1)
            _print_pages("two workers", shape, rates, f"; two bare processes against one: {limit:.2f} times")
            try:
                held = {
                    count: _measure_pages(house(f"{kind} {count} held"), deposit, pages, count, SHARE)
                    for count in (1, 2)
                }
            except NoShares as why:
                print(f"pages a minute, two workers with a share each | {shape} | not measured: {why} | | ")
            else:
                _print_pages(f"two workers with {SHARE:.0%} of a core each", shape, held)


def environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a process these settings."""
    names = ("data", "database", "broker", "store", "s3_endpoint", "s3_access_key", "s3_secret_key")
    return {**os.environ, **{PREFIX + name.upper(): str(getattr(settings, name)) for name in names}}


def _print_pages(who: str, shape: str, rates: dict[int, float], more: str = "") -> None:
    result = f"{rates[2] / rates[1]:.2f} times"
    print(f"pages a minute, {who} | {shape} | {rates[2]:.0f} | one worker: {rates[1]:.0f}{more} | {result}", flush=True)


def _bare(deposit: Path, folder: Path, count: int) -> float:
    """Pages a minute of `count` processes that only decode and tile, each its share of the pages."""
    pages = sorted(deposit.glob("*.tif"))
    started = time.monotonic()
    processes = [
        subprocess.Popen([sys.executable, "-c", BARE, folder / f"bare-{number}.zip", *pages[number::count]])
        for number in range(count)
    ]
    if any(process.wait() for process in processes):
        raise SystemExit("a bare process failed")
    return len(pages) / (time.monotonic() - started) * 60


@contextmanager
def _workers(settings: Settings, command: list[str | Path], count: int, share: float = 0) -> Iterator[None]:
    """Workers, each with a `share` of a core, or with what they get."""
    with (settings.data / "workers.log").open("wb") as log, ExitStack() as groups:
        processes = []
        for number in range(count):
            group = groups.enter_context(processor_share(str(number), share)) if share else "/dev/null"
            started = ["sh", "-c", f'echo $$ > {group}; exec "$@"', "worker", *command]
            processes.append(
                subprocess.Popen(started, env=environment(settings), stdout=log, stderr=log, cwd=settings.data)
            )
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


def _measure_pages(settings: Settings, deposit: Path, pages: int, count: int, share: float = 0) -> float:
    """Pages a minute of one ingest by `count` workers, which are up and idle when it begins. Raises `NoShares`."""
    repository = open_repository(settings)
    with _workers(settings, [SHANBEN, "worker"], count, share):
        _await(lambda: len(list(settings.staging.glob("at-work-*"))) == count)
        _ingest(settings, deposit.parent / "first")
        started = time.monotonic()
        _ingest(settings, deposit)
        took = time.monotonic() - started
    assert repository.catalogue.counts().works == 2
    print(f"{count} worker(s): {took:.1f} s", file=sys.stderr)
    return pages / took * 60


def _ingest(settings: Settings, deposit: Path) -> None:
    command = [SHANBEN, "ingest", deposit]
    done = subprocess.run(command, env=environment(settings), cwd=settings.data, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode())


def _measure_queue(settings: Settings) -> None:
    jobs = open_repository(settings).jobs
    page = settings.data / "page.tif"
    page.write_bytes(b"")
    arguments = {"deposit": str(settings.data), "file": page.name, "work": "", "version": "0"}
    parent = NewJob("parent", "collection", {})
    jobs.enqueue(parent)
    jobs.start(parent.key, "bench", 60)
    orders = [NewJob(f"page:{number:06d}", "page", arguments) for number in range(NOTHING)]
    jobs.fan_out(parent.key, "bench", orders, {}, None)
    with _workers(settings, [sys.executable, "-c", IDLE_WORKER], 1):
        _await(lambda: jobs.progress(parent.key).finished > 0)
        first, started = jobs.progress(parent.key).finished, time.monotonic()
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
