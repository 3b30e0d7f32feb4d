"""A whole house of servers for tests: PostgreSQL, Redis, S3 with a replica, two worker machines, the web application.

A machine is a data folder of its own: what dies on one is known to the other by its lease alone. Both have the log's
key. The replica lies in a bucket of the same Ceph, reached through an nginx of its own that can be killed by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import pyvips
from ceph_server import CephServer
from database_server import PostgresServer
from ports import reserve_port
from prerequisites import require
from server_process import ServerProcess, answers, descendants, wait_for_end
from servers import NginxServer, RedisServer, temporary_paths

from repository.config import PREFIX, Settings
from repository.repository import Repository
from workers.bootstrap import bootstrap

SHANBEN = Path(sys.executable).with_name("shanben")
FIRST, SECOND = MACHINES = ("first", "second")
COMMAND_SECONDS = 120.0
STOP_SECONDS = 60.0
MOMENT_SECONDS = 5.0
DISK = "size=48m,nr_inodes=600"

GATEWAY = """
events {{ worker_connections 256; }}
http {{
    {paths}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass {target};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
            proxy_buffering off;
        }}
    }}
}}
"""


class House:
    """Started as a context; at its end every process of it has ended, and `folder` is left to be looked at.

    `small_disk`: the second machine has a file system of its own, 48 MiB and few files, which a test may fill.
    """

    def __init__(
        self,
        folder: Path,
        postgres: PostgresServer,
        ceph: CephServer,
        *,
        cache_bytes: int = 0,
        small_disk: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.postgres, self.ceph = folder, postgres, ceph
        self.small_disk = small_disk
        self.redis = RedisServer(folder / "redis")
        self.replica_gateway = NginxServer(folder / "replica-gateway", self._replica_configuration)
        self.buckets = {"store": ceph.create_bucket(), "replica": ceph.create_bucket()}
        database = postgres.create_database()
        self._settings = {name: self._settings_of(name, database, cache_bytes) for name in MACHINES}
        self.web_port = reserve_port()
        self.address = f"http://127.0.0.1:{self.web_port}"
        serve = ["serve", "--port", str(self.web_port), "--workers", "2"]
        self.web = self._process("web", FIRST, *serve)
        self.workers = {name: self._process(name, name, "worker") for name in MACHINES}
        self.repository: Repository
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as started:
            if self.small_disk:
                started.enter_context(_Disk(self.data(SECOND)))
            started.enter_context(self.redis)
            started.enter_context(self.replica_gateway)
            self.repository = bootstrap(self._settings[FIRST])
            shutil.copytree(self._settings[FIRST].keys, self._settings[SECOND].keys)
            for process in (self.web, *self.workers.values()):
                started.callback(process.kill)
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda start: start(), (self.start_web, *map(self._starter, MACHINES))))
            self._ending = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def data(self, machine: str) -> Path:
        """A machine's data folder."""
        return self._settings[machine].data

    def environment(self, machine: str = FIRST) -> dict[str, str]:
        """The environment of a machine's processes."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return own | _variables(self._settings[machine])

    def start_web(self) -> None:
        """Start the web application, unless it runs, and wait until it answers."""
        self.web.start(lambda: answers(f"{self.address}/health/live"))

    def start_worker(self, machine: str) -> None:
        """Start a machine's worker, unless it runs; it is at work some seconds later."""
        self.workers[machine].start(lambda: True)

    def ingest(self, deposit: Path) -> Ingest:
        """`shanben ingest` on the first machine, begun."""
        return Ingest(self, deposit)

    def ask(self, *arguments: str) -> Any:
        """What a command answers as JSON; it must end with 0."""
        command = [SHANBEN, *arguments, "--json"]
        done = subprocess.run(
            command, env=self.environment(), cwd=self.folder, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def stop(self) -> None:
        """End the web application and the workers as an operator does; none may have to be killed, or leave a child."""
        ending = [process for process in (self.web, *self.workers.values()) if process.pid is not None]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda process: process.end_in_order(STOP_SECONDS), ending))

    def logs(self) -> str:
        """The last lines of every process of ours."""
        return "\n".join(f"--- {each.name}\n{each.end_of_log()}" for each in (self.web, *self.workers.values()))

    def _starter(self, machine: str) -> Any:
        return lambda: self.start_worker(machine)

    def _process(self, name: str, machine: str, *arguments: str) -> OrderlyProcess:
        log = self.folder / f"{name}.log"
        return OrderlyProcess(name, [SHANBEN, *arguments], log, environment=self.environment(machine))

    def _settings_of(self, machine: str, database: str, cache_bytes: int) -> Settings:
        replica = f"s3://{self.buckets['replica']}?endpoint={self.replica_gateway.address}"
        return Settings(
            data=self.folder / machine,
            database=database,
            broker=self.redis.url,
            replicas=(replica,),
            cache_bytes=cache_bytes,
            lease_seconds=5,
            sweep_seconds=1,
            **self.ceph.settings(self.buckets["store"]),
        )

    def _replica_configuration(self, folder: Path, port: int) -> str:
        return GATEWAY.format(paths=temporary_paths(folder), port=port, target=self.ceph.endpoint)


class OrderlyProcess(ServerProcess):
    """One of our own processes, which ends when it is told to."""

    def end_in_order(self, seconds: float) -> None:
        """SIGTERM; it must end in time, and all it started a moment later."""
        assert self._process is not None
        family = descendants(self._process.pid)
        self._process.terminate()
        try:
            assert self._process.wait(seconds) == 0, f"{self.name} ended badly\n{self.end_of_log()}"
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {seconds:.0f} s\n{self.end_of_log()}") from None
        wait_for_end(family, MOMENT_SECONDS)
        self.kill()


class Ingest:
    """`shanben ingest --json` of one deposit, waited for like a person at a terminal waits."""

    def __init__(self, house: House, deposit: Path) -> None:
        self._house = house
        self._log = house.folder / f"ingest-{deposit.name}.log"
        self._answer = house.folder / f"ingest-{deposit.name}.json"
        with self._log.open("wb") as log, self._answer.open("wb") as answer:
            command = [SHANBEN, "ingest", deposit, "--json"]
            self.process = subprocess.Popen(
                command, env=house.environment(), cwd=house.folder, stdin=subprocess.DEVNULL, stdout=answer, stderr=log
            )

    def wait_for_pages(self, pages: int, seconds: float) -> None:
        """Wait until so many of its pages are done, or it has ended."""
        deadline, jobs = time.monotonic() + seconds, self._house.repository.jobs
        while self.process.poll() is None and not any(s.finished >= pages for _, s in jobs.active("ingest")):
            assert time.monotonic() < deadline, f"fewer than {pages} pages in {seconds:.0f} s\n{self._house.logs()}"
            time.sleep(0.05)

    def wait(self, seconds: float) -> str:
        """The work's identifier, when the command has ended with 0."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"the ingest did not end in {seconds:.0f} s\n{self.told()}") from None
        assert code == 0, f"shanben ingest ended with {code}\n{self.told()}"
        return str(json.loads(self._answer.read_text("utf-8"))["works"][0]["identifier"])

    def told(self) -> str:
        """What the command said."""
        return self._log.read_text("utf-8", "replace") + self._answer.read_text("utf-8", "replace")

    def end(self) -> None:
        """Whatever state it is in."""
        self.process.kill()
        self.process.wait()


class _Disk:
    """A file system in memory, mounted by root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._folder.mkdir(parents=True)
        mounted = ["mount", "-t", "tmpfs", "-o", DISK, "shanben-test", self._folder]
        allowed = os.geteuid() == 0 and subprocess.run(mounted, capture_output=True).returncode == 0
        require(self._folder if allowed else None, "the right to mount a small disk (root)")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", self._folder], check=True)


def write_book(folder: Path, pages: int, large: int = 0, seed: int = 0, identifier: str = "") -> Path:
    """A deposit of small pages of noise, 450 by 600 pixels, some of them `large`: 19 MiB, sent in parts."""
    folder.mkdir(parents=True)
    step = pages // large if large else pages + 1
    for number in range(1, pages + 1):
        width, height, bands = (450, 600, 1) if number % step else (2600, 2600, 3)
        noise = pyvips.Image.gaussnoise(width, height, mean=200, sigma=30, seed=seed * 10_000 + number).cast("uchar")
        page = noise.bandjoin([noise] * (bands - 1)).copy(interpretation="srgb") if bands > 1 else noise
        page.tiffsave(str(folder / f"{number:04d}.tif"), compression="none")
    named = f'identifier = "{identifier}"\n' if identifier else ""
    (folder / "work.toml").write_text(f'title = "試書{seed}"\nlanguage = ["lzh"]\n{named}', "utf-8")
    return folder


def _variables(settings: Settings) -> dict[str, str]:
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    told = {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in values.items()}
    return {f"{PREFIX}{name.upper()}": value for name, value in told.items() if value}
