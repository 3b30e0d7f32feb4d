"""`shanben status`, `retry` and the staff's page in real processes, while servers fail."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pyvips
from command_line import ShanbenHere
from database_server import PostgresServer
from noise import noise
from ports import reserve_port
from server_process import descendants
from servers import RedisServer
from web_server import NO_LOCAL_WORKER, WebServer

from repository.config import Settings
from repository.database.outbox import NewJob
from repository.repository import open_repository
from workers.bootstrap import bootstrap

pytestmark = pytest.mark.integration

WAIT_SECONDS = 60
PAGES = 12


class Installation(ShanbenHere):
    """A data folder that is ready for use, with settings of its own, and the command.

    What runs to its end is run in this process; what is started beside the test is a process.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder, **settings)
        known = {name: value for name, value in settings.items() if not name.startswith(("s3_", "store"))}
        bootstrap(Settings(data=folder / "var", **known))  # type: ignore[arg-type]

    def status(self) -> Any:
        done = self.run("status", "--json")
        assert done.code == 0, done.errors
        return done.document


def matching_document(process: subprocess.Popen[str], matches: Callable[[Any], bool]) -> Any:
    """Return the next document of `status --watch --json` that matches."""
    assert process.stdout
    deadline = time.monotonic() + WAIT_SECONDS
    for line in process.stdout:
        document = json.loads(line)
        if matches(document):
            return document
        assert time.monotonic() < deadline, document
    raise AssertionError("the command has ended")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Send SIGINT, as Ctrl-C does; the command must end with 0."""
    process.send_signal(signal.SIGINT)
    assert process.wait(WAIT_SECONDS) == 0


@pytest.mark.slow
def test_an_ingest_whose_worker_was_killed_is_shown_in_progress_and_then_done(
    redis: RedisServer, deposit: Path, tmp_path: Path
) -> None:
    for number in range(4, PAGES + 1):
        noise(1500, 1500, mean=128, seed=number).tiffsave(str(deposit / f"{number:04d}.tif"))
    shanben = Installation(tmp_path, broker=redis.url, similar_pages=0)
    jobs = open_repository(Settings(data=tmp_path / "var")).jobs
    with shanben.start("ingest", deposit), shanben.start("status", "--watch", "--json", stdout=-1) as watch:
        with shanben.start("worker") as victim:
            # The worker is stopped meanwhile: a fast one may ingest all pages between two documents.
            wait_until(lambda: any(0 < item.finished < item.total for _, item in jobs.active("ingest")))
            for pid in (victim.pid, *descendants(victim.pid)):
                os.kill(pid, signal.SIGSTOP)
            matching_document(watch, lambda now: any(0 < item["done"] < item["total"] for item in now["ingests"]))
            victim.kill()
        (item,) = shanben.status()["ingests"]
        assert (item["deposit"], item["total"]) == (deposit.name, PAGES)
        assert item["state"] in {"waiting", "running", "queued"}
        assert 0 < item["done"] < PAGES
        with shanben.start("worker"):
            now = matching_document(watch, lambda now: now["works"] == 1 and not now["ingests"])
        assert (now["images"], now["failed"], now["delayed"]) == (PAGES, [], [])


def test_a_failed_deposit_shows_its_reason_in_the_readers_language(deposit: Path, tmp_path: Path) -> None:
    (deposit / "0002.tif").write_bytes(b"II*\0nonsense")
    shanben = Installation(tmp_path)
    assert shanben.run("ingest", deposit).code == 1
    (failed,) = shanben.status()["failed"]
    assert (failed["kind"], failed["deposit"]) == ("ingest", deposit.name)
    assert "0002.tif" in failed["reason"]
    assert not re.search("[一-鿿]", failed["reason"])
    assert "run shanben ingest on this folder again" in shanben.run("status").output
    assert "再次运行 shanben ingest" in shanben.run("status", LC_ALL="zh_CN.UTF-8").output
    pyvips.Image.black(60, 80).tiffsave(str(deposit / "0002.tif"))
    assert shanben.run("ingest", deposit).code == 0
    assert shanben.status()["failed"] == []


def test_a_retry_runs_a_job_that_had_failed_for_good(deposit: Path, tmp_path: Path) -> None:
    shanben = Installation(tmp_path)
    assert shanben.run("ingest", deposit).code == 0
    jobs = open_repository(Settings(data=tmp_path / "var")).jobs
    fault = {"code": "x", "branch": "system", "message": {"zh": "无", "en": "no disk"}, "faults": []}
    for order in (NewJob("journal", "journal", {}), NewJob("ingest:gone", "ingest", {"deposit": "/gone"})):
        jobs.enqueue(order)
        assert jobs.start(order.key, "test", 60)
        jobs.fail(order.key, "test", fault)
    assert {job["key"] for job in shanben.status()["failed"]} == {"journal", "ingest:gone"}
    done = shanben.run("retry", "--json")
    assert (done.code, done.document) == (0, {"queued": ["journal"], "failed": [], "unfinished": []})
    assert [job["key"] for job in shanben.status()["failed"]] == ["ingest:gone"]
    again = shanben.run("retry", "ingest:gone", "--json")
    assert (again.code, again.document["failed"]) == (3, ["ingest:gone"])
    unknown = shanben.run("retry", "collection:top")
    assert (unknown.code, "Traceback" in unknown.errors) == (2, False)
    assert "There is nothing to retry" in shanben.run("retry").output


def test_a_watch_outlives_a_killed_database_and_a_single_status_reports_it(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    shanben = Installation(tmp_path, database=postgres.create_database())
    with shanben.start("status", "--watch", "--json", stdout=-1) as watch:
        matching_document(watch, lambda now: now.get("works") == 0)
        postgres.kill()
        try:
            gone = matching_document(watch, lambda now: "fault" in now)
            assert gone["fault"]["code"] == "database"
            done = shanben.run("status")
            assert (done.code, "Traceback" in done.errors) == (3, False), done.errors
            assert "database" in done.errors
        finally:
            postgres.start()
        matching_document(watch, lambda now: now.get("works") == 0)
        interrupt(watch)


def test_an_absent_store_leaves_only_the_log_unknown(tmp_path: Path) -> None:
    absent = {"s3_endpoint": f"http://127.0.0.1:{reserve_port()}", "s3_access_key": "k", "s3_secret_key": "hidden"}
    shanben = Installation(tmp_path, store="s3://bucket/store", **absent)
    now = shanben.status()
    assert (now["works"], now["log"]["size"], now["log"]["root"]) == (0, None, None)
    assert "reached" in now["log"]["reason"]
    shown = shanben.run("status").output
    assert "unknown" in shown
    assert "hidden" not in shown


def test_a_store_that_never_answers_does_not_delay_the_status(tmp_path: Path) -> None:
    with silent_server() as port:
        secrets = {"s3_access_key": "k", "s3_secret_key": "s"}
        shanben = Installation(tmp_path, store="s3://bucket/store", s3_endpoint=f"http://127.0.0.1:{port}", **secrets)
        began = time.monotonic()
        assert shanben.status()["log"]["size"] is None
        assert time.monotonic() - began < 20
        with shanben.start("status", "--watch", "--json", stdout=-1) as watch:
            for _ in range(3):
                assert matching_document(watch, lambda now: now["works"] == 0)["log"]["size"] is None


@contextmanager
def silent_server() -> Iterator[int]:
    """Yield a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_watch_draws_on_a_terminal_and_writes_lines_to_a_file(tmp_path: Path) -> None:
    shanben = Installation(tmp_path)
    ours, theirs = pty.openpty()
    with shanben.start("status", "--watch", stdout=theirs) as watch:
        os.close(theirs)
        drawn = b""
        while drawn.count(b"works") < 2:
            assert select.select([ours], [], [], WAIT_SECONDS)[0]
            drawn += os.read(ours, 65536)
        assert b"\x1b[" in drawn
        interrupt(watch)
    os.close(ours)
    with shanben.start("status", "--watch", stdout=-1) as watch:
        lines = [watch.stdout.readline() for _ in range(2)]
    assert all(re.match(r"\d\d:\d\d:\d\d  works 0", line) for line in lines), lines


def test_the_staffs_page_is_for_this_machine_alone(deposit: Path, tmp_path: Path) -> None:
    (deposit / "0002.tif").write_bytes(b"II*\0nonsense")
    shanben = Installation(tmp_path)
    assert shanben.run("ingest", deposit).code == 1
    with WebServer(tmp_path, shanben.environment | NO_LOCAL_WORKER, processes=1) as server:
        address = f"{server.address}/status"
        status, page = get(address)
        assert status == 200
        assert "0002.tif" in page
        assert str(tmp_path) not in page
        assert get(address, {"X-Forwarded-For": "198.51.100.7"})[0] == 403
        assert get(address, {"Host": "books.example"})[0] == 403


def get(address: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers or {}), timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, ""
