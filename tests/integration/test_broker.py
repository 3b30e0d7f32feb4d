"""Ingests with a message broker: no job is lost when a worker or the broker is killed.

The broker is a real Redis or RabbitMQ; the command and the workers are processes of their own.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import SHANBEN, Shanben, ShanbenHere
from deposits import write_deposit
from noise import noise
from ports import reserve_port
from server_process import running
from servers import RabbitServer, RedisServer

from repository.config import Settings
from repository.database.outbox import Jobs
from repository.repository import open_repository

pytestmark = pytest.mark.integration
PAGES = 20
WAIT_SECONDS = 60.0


@contextmanager
def worker(shanben: Shanben) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker, and end it by SIGTERM unless the test has ended it before."""
    with (shanben.folder / "worker.log").open("ab") as log:
        command = [SHANBEN, "worker"]
        with running(command, cwd=shanben.folder, env=shanben.environment, stdout=log, stderr=log) as process:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_SECONDS)


def jobs_of(data: Path) -> Jobs:
    wait_until((data / "shanben.sqlite").exists)
    return open_repository(Settings(data=data)).jobs


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def add_pages(deposit: Path) -> None:
    """Add pages that keep a worker busy for some seconds."""
    for number in range(4, PAGES + 1):
        noise(1200, 1200, mean=128, seed=number).tiffsave(str(deposit / f"{number:04d}.tif"))


def test_a_killed_broker_that_comes_back_empty_loses_no_job(
    broker: RedisServer | RabbitServer, deposit: Path, tmp_path: Path
) -> None:
    add_pages(deposit)
    shanben = ShanbenHere(tmp_path, broker=broker.url, sweep_seconds=2)
    with shanben.start("ingest", deposit, "--json", stdout=subprocess.PIPE) as ingest, worker(shanben):
        jobs = jobs_of(tmp_path / "var")
        wait_until(lambda: jobs.counts()["done"] >= 3)
        broker.kill()
        assert jobs.counts()["queued"] > 0
        broker.start()
        assert ingest.wait(90) == 0
        (work,) = json.load(ingest.stdout)["works"]
        assert work["images"] == PAGES
        wait_until(lambda: jobs.counts()["queued"] == jobs.counts()["running"] == 0)
        assert jobs.counts()["failed"] == 0
        assert_refusal_is_shown(shanben, tmp_path / "refused")
    assert shanben.run_json("status").document["images"] == PAGES


def assert_refusal_is_shown(shanben: Shanben, folder: Path) -> None:
    """Assert that the command shows why a worker has refused a deposit."""
    deposit = write_deposit(folder, 1, seed=50)
    (deposit / "0001.tif").write_bytes(b"II*\0")
    refused = shanben.run_json("ingest", deposit)
    assert refused.code == 1
    assert "0001.tif" in refused.output


def test_the_job_of_a_killed_worker_is_done_by_the_next(redis: RedisServer, deposit: Path, tmp_path: Path) -> None:
    add_pages(deposit)
    shanben = ShanbenHere(tmp_path, broker=redis.url)
    with shanben.start("ingest", deposit) as ingest:
        with worker(shanben) as victim:
            jobs = jobs_of(tmp_path / "var")
            wait_until(lambda: jobs.counts()["running"] == 1)
            victim.kill()
        assert jobs.counts()["running"] == 1
        with worker(shanben):
            assert ingest.wait(WAIT_SECONDS) == 0
    assert shanben.run("status", "--json").document["works"] == 1


def test_the_command_reports_an_absent_broker_and_does_not_wait_for_it(deposit: Path, tmp_path: Path) -> None:
    shanben = ShanbenHere(tmp_path, broker=f"redis://127.0.0.1:{reserve_port()}/0")
    done = shanben.run("ingest", deposit, "--json")
    assert (done.code, "Traceback" in done.errors) == (3, False), done.errors


def test_a_worker_first_reports_that_its_broker_is_absent(tmp_path: Path) -> None:
    shanben = Shanben(tmp_path, broker=f"redis://127.0.0.1:{reserve_port()}/0")
    log = tmp_path / "worker.log"
    with worker(shanben) as process:
        wait_until(lambda: log.read_text("utf-8").count("\n") > 1)
        process.kill()
    sandbox, first = log.read_text("utf-8").splitlines()[:2]
    assert sandbox.startswith("sandbox: ")
    assert all(words in first for words in ("消息代理", "the message broker", "SHANBEN_BROKER")), first


@pytest.mark.parametrize("command", [["worker"], ["ingest", "."]])
@pytest.mark.parametrize("address", ["http://x", "nonsense"])
def test_an_address_that_names_no_broker_is_a_setting_error(address: str, command: list[str], tmp_path: Path) -> None:
    done = ShanbenHere(tmp_path, broker=address).run(*command)
    assert (done.code, "SHANBEN_BROKER" in done.errors, "Traceback" in done.errors) == (2, True, False)
