"""A whole installation on real servers: PostgreSQL, Redis, S3 with a replica, two worker machines, the web application.

A machine is a data folder of its own: another machine notices only by the lease that a worker has died. Both machines
have the log's key. The replica is a bucket of the same Ceph, reached through an nginx of its own, which can be killed
separately.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from ceph_server import CephServer
from command_line import SHANBEN, environment
from database_server import PostgresServer
from noise import noise
from ports import reserve_port
from prerequisites import require
from server_process import Guard, ServerProcess, answers, descendants, kill_family, wait_for_end
from servers import NginxServer, RedisServer, temporary_paths

from repository.config import Settings
from repository.repository import Repository
from workers.bootstrap import bootstrap
from workers.tasks.jobs import SEQUENCE_EVENTS

FIRST, SECOND = MACHINES = ("first", "second")
STOP_SECONDS = 60.0
DESCENDANT_SECONDS = 5.0
SMALL_DISK = "size=48m,nr_inodes=600"

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


class Instance:
    """An installation; a context manager that starts it, and at the end kills every process and keeps `folder`.

    `small_disk`: the second machine has a file system of its own, of 48 MiB and 600 files, which a test may fill.
    `settings` are further settings of both machines.
    """

    def __init__(
        self,
        folder: Path,
        postgres: PostgresServer,
        ceph: CephServer,
        *,
        small_disk: bool = False,
        **settings: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.postgres, self.ceph = folder, postgres, ceph
        self.small_disk = small_disk
        self.redis = RedisServer(folder / "redis")
        self.replica_gateway = NginxServer(folder / "replica-gateway", self._replica_configuration)
        self.buckets = {"store": ceph.create_bucket(), "replica": ceph.create_bucket()}
        database = postgres.create_database()
        self._settings = {name: self._settings_of(name, database, settings) for name in MACHINES}
        self.web_port = reserve_port()
        self.address = f"http://127.0.0.1:{self.web_port}"
        serve = ["serve", "--port", str(self.web_port), "--workers", "2"]
        self.web = self._process("web", FIRST, *serve)
        self.workers = {name: self._process(name, name, "worker") for name in MACHINES}
        self.repository: Repository
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as started:
            if self.small_disk:
                started.enter_context(_SmallDisk(self.data(SECOND)))
            started.enter_context(self.redis)
            started.enter_context(self.replica_gateway)
            self.repository = bootstrap(self._settings[FIRST])
            shutil.copytree(self._settings[FIRST].keys, self._settings[SECOND].keys)
            for process in (self.web, *self.workers.values()):
                started.callback(process.kill)
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda start: start(), (self.start_web, *map(self._starter, MACHINES))))
            self._running = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def data(self, machine: str) -> Path:
        """A machine's data folder."""
        return self._settings[machine].data

    def environment(self, machine: str = FIRST) -> dict[str, str]:
        """The environment of a machine's processes."""
        settings = self._settings[machine]
        values = {field.name: getattr(settings, field.name) for field in fields(settings)}
        texts = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return environment(**{name: text for name, text in texts.items() if text != ""})

    def start_web(self) -> None:
        """Start the web application unless it runs, and wait until it answers."""
        self.web.start(lambda: answers(f"{self.address}/health/live"))

    def start_worker(self, machine: str) -> None:
        """Start a machine's worker unless it runs; it takes its first job some seconds later."""
        self.workers[machine].start(lambda: True)

    def ingest(self, deposit: Path) -> IngestCommand:
        """Start `shanben ingest` on the first machine."""
        return IngestCommand(self, deposit)

    def stop(self) -> None:
        """Stop the web application and the workers by SIGTERM; none may have to be killed, or leave a child."""
        running = [process for process in (self.web, *self.workers.values()) if process.pid is not None]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda process: process.stop_gracefully(STOP_SECONDS), running))

    def logs(self) -> str:
        """The last lines of the logs of the web application and the workers."""
        return "\n".join(f"--- {each.name}\n{each.end_of_log()}" for each in (self.web, *self.workers.values()))

    def _starter(self, machine: str) -> Any:
        return lambda: self.start_worker(machine)

    def _process(self, name: str, machine: str, *arguments: str) -> ShanbenProcess:
        log = self.folder / f"{name}.log"
        return ShanbenProcess(name, [SHANBEN, *arguments], log, environment=self.environment(machine))

    def _settings_of(self, machine: str, database: str, settings: Mapping[str, Any]) -> Settings:
        replica = f"s3://{self.buckets['replica']}?endpoint={self.replica_gateway.address}"
        return Settings(
            data=self.folder / machine,
            database=database,
            broker=self.redis.url,
            replicas=(replica,),
            lease_seconds=5,
            sweep_seconds=2,
            **settings,
            **self.ceph.settings(self.buckets["store"]),
        )

    def _replica_configuration(self, folder: Path, port: int) -> str:
        return GATEWAY.format(paths=temporary_paths(folder), port=port, target=self.ceph.endpoint)


class ShanbenProcess(ServerProcess):
    """The web application or a worker, which must end cleanly by SIGTERM."""

    def stop_gracefully(self, seconds: float) -> None:
        """Send SIGTERM; the process must end with 0 in time, and its descendants shortly after."""
        assert self._process is not None
        family = descendants(self._process.pid)
        self._process.terminate()
        try:
            assert self._process.wait(seconds) == 0, f"{self.name} ended with an error\n{self.end_of_log()}"
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {seconds:.0f} s\n{self.end_of_log()}") from None
        wait_for_end(family, DESCENDANT_SECONDS)
        self.kill()


class IngestCommand:
    """A running `shanben ingest --json` of one deposit."""

    def __init__(self, instance: Instance, deposit: Path) -> None:
        self._instance = instance
        self._log = instance.folder / f"ingest-{deposit.name}.log"
        self._document = instance.folder / f"ingest-{deposit.name}.json"
        with self._log.open("wb") as log, self._document.open("wb") as document:
            command = [SHANBEN, "ingest", deposit, "--json"]
            self.process = subprocess.Popen(
                command,
                env=instance.environment(),
                cwd=instance.folder,
                stdin=subprocess.DEVNULL,
                stdout=document,
                stderr=log,
                start_new_session=True,
            )
        self._guard = Guard(self.process.pid)

    def wait_for_pages(self, pages: int, seconds: float) -> None:
        """Wait until `pages` of its pages are done, or the command has ended."""
        deadline, jobs = time.monotonic() + seconds, self._instance.repository.jobs
        while self.process.poll() is None and not any(s.finished >= pages for _, s in jobs.active("ingest")):
            assert time.monotonic() < deadline, f"fewer than {pages} pages in {seconds:.0f} s\n{self._instance.logs()}"
            time.sleep(0.05)

    def wait(self, seconds: float, *, log_may_wait: bool = False) -> str:
        """Wait until the command has ended, and return the work's identifier.

        It must end with 0, or if `log_may_wait` is true with 3, because only the job that writes the log is not done.
        """
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the ingest did not end in {seconds:.0f} s\n{self.output()}") from None
        self._guard.dismiss()
        document = json.loads(self._document.read_text("utf-8") or "{}")
        unfinished = [job["kind"] for job in document.get("unfinished", ())]
        is_done = code == 0 or (log_may_wait and code == 3 and unfinished == [SEQUENCE_EVENTS])
        assert is_done, f"shanben ingest ended with {code}\n{self.output()}"
        return str(document["works"][0]["identifier"])

    def output(self) -> str:
        """All that the command has written."""
        return self._log.read_text("utf-8", "replace") + self._document.read_text("utf-8", "replace")

    def kill(self) -> None:
        """End the command and its children by SIGKILL, if it runs."""
        kill_family(self.process)
        self._guard.dismiss()
        self.process.wait()


class _SmallDisk:
    """A file system in memory; only root may mount it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", SMALL_DISK, "shanben-test", self._folder]
        mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
        require(self._folder if mounted else None, "the right to mount a small disk (root)")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", self._folder], check=True)


def write_book(folder: Path, pages: int, large: int = 0, seed: int = 0, identifier: str = "") -> Path:
    """Write a deposit of pages of noise, 450 by 600 pixels; `large` of them have 19 MiB, and are sent in parts."""
    folder.mkdir(parents=True)
    step = pages // large if large else pages + 1
    for number in range(1, pages + 1):
        width, height, bands = (450, 600, 1) if number % step else (2600, 2600, 3)
        grey = noise(width, height, mean=200, seed=seed * 10_000 + number)
        page = grey.bandjoin([grey] * (bands - 1)).copy(interpretation="srgb") if bands > 1 else grey
        page.tiffsave(str(folder / f"{number:04d}.tif"), compression="none")
    named = f'identifier = "{identifier}"\n' if identifier else ""
    (folder / "work.toml").write_text(f'title = "試書{seed}"\nlanguage = ["lzh"]\n{named}', "utf-8")
    return folder
