"""Without a broker `shanben serve` starts a local worker: real processes fill a replica, are killed, and go on.

What does not depend on the server is done by the local worker alone, in the process that `serve` would start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import SHANBEN, ShanbenHere
from deposits import write_deposit
from moto.server import ThreadedMotoServer
from ports import reserve_port
from server_process import ServerProcess, answers, descendants, is_alive, running
from tcp_proxy import TcpProxy

from repository.config import read_settings
from repository.database.outbox import JobState, NewJob
from repository.repository import Repository, open_repository
from repository.storage.address import store_name
from web.operations.status import Status, StatusReader
from workers.service.local_process import COMMAND

pytestmark = pytest.mark.integration

WAIT_SECONDS = 60.0


class Instance:
    """A data folder on one machine, and the commands run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shanben = ShanbenHere(folder, sweep_seconds=1, similar_pages=0)
        self.environment = self.shanben.environment
        self.address = f"http://127.0.0.1:{reserve_port()}"
        port = self.address.rpartition(":")[2]
        command = [SHANBEN, "serve", "--port", port, "--workers", "1"]
        self.server = ServerProcess("serve", command, folder / "serve.log", environment=self.environment)
        self.log = folder / "worker.log"

    def command(self, *arguments: str | Path) -> list[str]:
        return [str(SHANBEN), *map(str, arguments), "--json"]

    def run(self, *arguments: str | Path) -> Mapping[str, Any]:
        """Run a command that must end with 0. Return its JSON document."""
        done = self.shanben.run_json(*arguments)
        assert done.code == 0, done.errors
        document: Mapping[str, Any] = done.document
        return document

    def open(self) -> Repository:
        """Open the repository in this process."""
        return open_repository(read_settings(self.environment))

    def status(self) -> Status:
        """The status now, read in this process."""
        return StatusReader(self.open()).read(5.0)

    @contextmanager
    def working(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a local worker without a server, until the end of the context."""
        with (
            self.log.open("ab") as log,
            # Its standard input is a pipe whose end would end it.
            running(COMMAND, stdin=-1, stdout=log, stderr=log, env=self.environment, cwd=self.folder) as process,
        ):
            yield process

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve, until the end of the context at the latest."""
        try:
            self.server.start(lambda: answers(f"{self.address}/health/live"))
            yield
        finally:
            self.server.kill()

    def local_worker(self) -> int | None:
        """Return the process id of the local worker, if it runs."""
        server = self.server.pid
        pids = descendants(server) if server else []
        return next((pid for pid in pids if b"workers.service.local_worker" in command_line(pid)), None)

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.server.end_of_log()
            time.sleep(0.1)


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_new_replica_fills_by_itself_while_a_local_worker_runs(instance: Instance, tmp_path: Path) -> None:
    deposits = [write_deposit(tmp_path / f"deposit-{number}", pages=1, seed=10 * number) for number in range(3)]
    instance.run("ingest", *deposits)
    replica = tmp_path / "replica"
    instance.environment["SHANBEN_REPLICAS"] = str(replica)
    assert instance.run("status")["replicas"][0]["behind"] == 3
    with instance.working():
        instance.wait_until(lambda: instance.status().preserved == 3)
        instance.wait_until((replica / "log" / "checkpoint").is_file)
    store = tmp_path / "var" / "store"
    assert files_of(replica / "ocfl") == files_of(store / "ocfl")
    log = files_of(replica / "log")
    assert log["checkpoint"] == (store / "log" / "checkpoint").read_bytes()
    assert log.items() <= files_of(store / "log").items()  # a replica holds only the newest partial tiles


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class StalledReplica:
    """A replica in S3 whose connection lets no master through until it is opened."""

    def __init__(self, endpoint: str, bucket: str) -> None:
        self.stalled, self._opened = threading.Event(), threading.Event()
        self.proxy = TcpProxy(endpoint, sent=self._pass)
        self.address = f"s3://{bucket}?endpoint={self.proxy.endpoint}&access_key=k&secret_key=s"

    def open(self) -> None:
        self._opened.set()

    def _pass(self, piece: bytes) -> bytes:
        if piece.startswith(b"PUT ") and b".tif" in piece.partition(b"\r\n")[0]:
            self.stalled.set()
            self._opened.wait(WAIT_SECONDS)
        return piece


@pytest.fixture
def stalled(endpoint: str, request: pytest.FixtureRequest, stack: ExitStack) -> StalledReplica:
    replica = StalledReplica(endpoint, f"replica-{abs(hash(request.node.name))}")
    stack.enter_context(replica.proxy)
    stack.callback(replica.open)
    return replica


@pytest.fixture
def replicating(instance: Instance, deposit: Path, stalled: StalledReplica, stack: ExitStack) -> str:
    """An instance whose local worker is in the middle of a replication. The key of its job."""
    instance.run("ingest", deposit)
    instance.environment["SHANBEN_REPLICAS"] = stalled.address
    stack.enter_context(instance.served())
    assert stalled.stalled.wait(WAIT_SECONDS), instance.server.end_of_log()
    (work,) = instance.open().catalogue.works()
    return f"replicate:{store_name(stalled.address)}:{work.identifier}"


def state(repository: Repository, key: str) -> JobState | None:
    job = repository.jobs.get(key)
    return job.state if job else None


def test_a_local_worker_killed_during_a_replication_is_replaced_and_loses_nothing(
    instance: Instance, replicating: str, stalled: StalledReplica
) -> None:
    repository = instance.open()
    assert state(repository, replicating) is JobState.RUNNING
    killed = instance.local_worker()
    assert killed
    os.kill(killed, signal.SIGKILL)
    stalled.open()
    instance.wait_until(lambda: instance.local_worker() not in {killed, None})
    instance.wait_until(lambda: state(repository, replicating) is JobState.DONE)
    assert instance.run("status")["preserved"] == 1
    assert instance.run("store", "validate", "--store", store_name(stalled.address))["faults"] == []


def test_a_stopped_server_gives_the_job_of_its_local_worker_back(instance: Instance, replicating: str) -> None:
    repository, worker = instance.open(), instance.local_worker()
    assert worker
    began = time.monotonic()
    instance.server.stop()
    assert time.monotonic() - began < 15
    assert not is_alive(worker)
    assert state(repository, replicating) is JobState.QUEUED


def test_a_local_worker_ends_with_a_server_that_is_killed(instance: Instance, replicating: str) -> None:
    """Its job, which it gave back, is found by the next server."""
    repository, worker = instance.open(), instance.local_worker()
    assert worker
    assert instance.server.pid
    os.kill(instance.server.pid, signal.SIGKILL)
    instance.wait_until(lambda: not is_alive(worker))
    assert state(repository, replicating) is JobState.QUEUED


def test_commands_ingest_beside_a_local_worker(instance: Instance, tmp_path: Path) -> None:
    replica = tmp_path / "replica"
    instance.environment["SHANBEN_REPLICAS"] = str(replica)
    deposits = [write_deposit(tmp_path / f"deposit-{number}", pages=2, seed=10 * number) for number in range(2)]
    with instance.working():
        commands = [
            subprocess.Popen(instance.command("ingest", deposit), env=instance.environment, stdout=-1, stderr=-1)
            for deposit in deposits
        ]
        ended = [(command, *command.communicate(timeout=WAIT_SECONDS * 2)) for command in commands]
        for command, output, messages in ended:
            assert command.returncode == 0, messages.decode()
            document = json.loads(output)
            assert (len(document["works"]), document["unfinished"]) == (1, [])
        status = instance.run("status")
    assert (status["works"], status["images"], status["preserved"]) == (2, 4, 2)
    assert status["log"]["size"] == 6
    assert status["failed"] == []
    assert instance.run("log", "verify")["ok"]


def test_a_local_worker_ingests_what_a_killed_command_left(instance: Instance, tmp_path: Path) -> None:
    deposit = write_deposit(tmp_path / "deposit", pages=12)
    with instance.working():
        repository = instance.open()
        command = subprocess.Popen(
            instance.command("ingest", deposit), env=instance.environment, stdout=-3, stderr=-3, process_group=0
        )
        instance.wait_until(lambda: repository.jobs.active("ingest"))
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        instance.wait_until(lambda: instance.status().counts.works == 1)
        instance.wait_until(lambda: instance.status().log.size == 13)


def test_a_local_worker_waits_for_a_store_that_is_away(instance: Instance) -> None:
    port = reserve_port()
    instance.environment |= {
        "SHANBEN_STORE": "s3://library",
        "SHANBEN_S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "SHANBEN_S3_ACCESS_KEY": "key",
        "SHANBEN_S3_SECRET_KEY": "secret",
    }
    with instance.working() as worker:
        instance.wait_until(lambda: "shanben.jobs: " in instance.log.read_text("utf-8"))
        store = ThreadedMotoServer("127.0.0.1", port=port, verbose=False)
        store.start()
        try:
            jobs, order = instance.open().jobs, NewJob("collection", "collection", {})
            jobs.enqueue(order)
            instance.wait_until(lambda: state(instance.open(), order.key) is JobState.DONE)
        finally:
            store.stop()
        assert worker.poll() is None
