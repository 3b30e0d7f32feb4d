"""`shanben status`, `retry` and the staff's page while things go wrong: real processes, servers that are taken away."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import pyvips
from ports import reserve_port

from repository.config import Settings
from repository.database.outbox import NewJob
from repository.repository import open_repository

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")
UNTIL = 60

# A shell that runs the tests in the background has them ignore SIGINT, and all that they start.
HEEDING = ["env", "--default-signal=SIGINT"]


class House:
    """A data folder and settings of its own, and the command in it."""

    def __init__(self, folder, **settings):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SHANBEN_")}
        told = {f"SHANBEN_{name.upper()}": str(value) for name, value in settings.items()}
        self.folder = folder
        self.environment = {**kept, "SHANBEN_DATA": str(folder / "var"), "LC_ALL": "en_GB.UTF-8", **told}

    def run(self, *arguments):
        command = [SHANBEN, *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=UNTIL
        )

    def start(self, *arguments, out=subprocess.DEVNULL):
        command = [*HEEDING, SHANBEN, *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=out, stderr=subprocess.DEVNULL, text=True
        )

    def status(self):
        ended = self.run("status", "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


@contextlib.contextmanager
def running(process, ending=signal.SIGTERM):
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(ending)
        process.wait(UNTIL)
        if process.stdout:
            process.stdout.close()


def wait_until(holds):
    deadline = time.monotonic() + UNTIL
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def line_where(process, holds):
    """The next document of `status --watch --json` of which something holds."""
    for line in process.stdout:
        document = json.loads(line)
        if holds(document):
            return document
    raise AssertionError("it has stopped watching")


def write_pages(deposit, count):
    for number in range(4, count + 1):
        picture = pyvips.Image.gaussnoise(1500, 1500, mean=128, seed=number).cast("uchar")
        picture.tiffsave(str(deposit / f"{number:04d}.tif"))


@pytest.mark.slow
def test_an_ingest_whose_worker_was_killed_is_shown_under_way_and_then_done(redis, deposit, tmp_path):
    write_pages(deposit, 30)
    house = House(tmp_path, broker=redis.url)
    assert house.run("init").returncode == 0
    with running(house.start("ingest", deposit)), running(house.start("status", "--watch", "--json", out=-1)) as watch:
        with running(house.start("worker")) as victim:
            line_where(watch, lambda told: any(0 < item["done"] < item["total"] for item in told["ingests"]))
            victim.kill()
        (item,) = house.status()["ingests"]
        assert (item["deposit"], item["total"]) == (deposit.name, 30)
        assert item["state"] in {"waiting", "running", "queued"}
        assert 0 < item["done"] < 30
        with running(house.start("worker")):
            told = line_where(watch, lambda told: told["works"] == 1 and not told["ingests"])
        assert (told["images"], told["failed"], told["delayed"]) == (30, [], [])


def test_a_failed_deposit_shows_its_reason_in_the_readers_language(deposit, tmp_path):
    (deposit / "0002.tif").write_bytes(b"II*\0nonsense")
    house = House(tmp_path)
    assert house.run("ingest", deposit).returncode == 1
    (failed,) = house.status()["failed"]
    assert (failed["kind"], failed["deposit"]) == ("ingest", deposit.name)
    assert "0002.tif" in failed["reason"]
    assert not re.search("[一-鿿]", failed["reason"])
    told = house.run("status").stdout
    assert "run shanben ingest on this folder again" in told
    house.environment["LC_ALL"] = "zh_CN.UTF-8"
    assert "再次运行 shanben ingest" in house.run("status").stdout
    pyvips.Image.black(60, 80).tiffsave(str(deposit / "0002.tif"))
    assert house.run("ingest", deposit).returncode == 0
    assert house.status()["failed"] == []


def test_a_job_that_failed_for_good_is_done_by_a_retry(deposit, tmp_path):
    house = House(tmp_path)
    assert house.run("ingest", deposit).returncode == 0
    jobs = open_repository(Settings(data=tmp_path / "var")).jobs
    fault = {"code": "x", "branch": "system", "message": {"zh": "无", "en": "no disk"}, "faults": []}
    for order in (NewJob("journal", "journal", {}), NewJob("ingest:gone", "ingest", {"deposit": "/gone"})):
        jobs.enqueue(order)
        assert jobs.start(order.key, "test", 60)
        jobs.fail(order.key, "test", fault)
    assert {job["key"] for job in house.status()["failed"]} == {"journal", "ingest:gone"}
    done = house.run("retry", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"queued": ["journal"], "failed": []})
    assert [job["key"] for job in house.status()["failed"]] == ["ingest:gone"]
    again = house.run("retry", "ingest:gone", "--json")
    assert (again.returncode, json.loads(again.stdout)["failed"]) == (3, ["ingest:gone"])
    unknown = house.run("retry", "collection:top")
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (2, False)
    assert "There is nothing to retry" in house.run("retry").stdout


def test_a_watch_outlives_the_database_and_a_single_look_says_that_it_is_away(postgres, tmp_path):
    house = House(tmp_path, database=postgres.create_database())
    assert house.run("init").returncode == 0
    with running(house.start("status", "--watch", "--json", out=-1), signal.SIGINT) as watch:
        line_where(watch, lambda told: told.get("works") == 0)
        postgres.kill()
        try:
            gone = line_where(watch, lambda told: "fault" in told)
            assert gone["fault"]["code"] == "database"
            ended = house.run("status")
            assert (ended.returncode, "Traceback" in ended.stderr) == (3, False), ended.stderr
            assert "database" in ended.stderr
        finally:
            postgres.start()
        line_where(watch, lambda told: told.get("works") == 0)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(UNTIL) == 0


def test_a_store_that_is_away_leaves_only_the_log_unknown(tmp_path):
    away = {"s3_endpoint": f"http://127.0.0.1:{reserve_port()}", "s3_access_key": "k", "s3_secret_key": "hidden"}
    assert House(tmp_path).run("init").returncode == 0
    house = House(tmp_path, store="s3://bucket/house", **away)
    told = house.status()
    assert (told["works"], told["log"]["size"], told["log"]["root"]) == (0, None, None)
    assert "reached" in told["log"]["reason"]
    shown = house.run("status").stdout
    assert "unknown" in shown
    assert "hidden" not in shown


def test_a_store_that_is_silent_holds_nobody_up(tmp_path):
    assert House(tmp_path).run("init").returncode == 0
    with silent_server() as port:
        secrets = {"s3_access_key": "k", "s3_secret_key": "s"}
        house = House(tmp_path, store="s3://bucket/house", s3_endpoint=f"http://127.0.0.1:{port}", **secrets)
        began = time.monotonic()
        assert house.status()["log"]["size"] is None
        assert time.monotonic() - began < 20
        with running(house.start("status", "--watch", "--json", out=-1), signal.SIGINT) as watch:
            for _ in range(3):
                assert line_where(watch, lambda told: told["works"] == 0)["log"]["size"] is None


@contextlib.contextmanager
def silent_server():
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_terminal_is_drawn_on_and_a_file_is_given_lines(tmp_path):
    house = House(tmp_path)
    assert house.run("init").returncode == 0
    ours, theirs = pty.openpty()
    with running(house.start("status", "--watch", out=theirs), signal.SIGINT) as watch:
        os.close(theirs)
        drawn = b""
        while drawn.count(b"works") < 2:
            assert select.select([ours], [], [], UNTIL)[0]
            drawn += os.read(ours, 65536)
        assert b"\x1b[" in drawn
        watch.send_signal(signal.SIGINT)
        assert watch.wait(UNTIL) == 0
    os.close(ours)
    with running(house.start("status", "--watch", out=-1), signal.SIGINT) as watch:
        lines = [watch.stdout.readline() for _ in range(2)]
    assert all(re.match(r"\d\d:\d\d:\d\d  works 0", line) for line in lines), lines


def test_the_staffs_page_is_for_this_machine(deposit, tmp_path):
    (deposit / "0002.tif").write_bytes(b"II*\0nonsense")
    house = House(tmp_path)
    assert house.run("ingest", deposit).returncode == 1
    port = reserve_port()
    address = f"http://127.0.0.1:{port}/status"
    with running(house.start("serve", "--port", port, "--workers", 1)):
        wait_until(lambda: answer(f"http://127.0.0.1:{port}/health/live")[0] == 200)
        code, page = answer(address)
        assert code == 200
        assert "0002.tif" in page
        assert str(tmp_path) not in page
        assert answer(address, {"X-Forwarded-For": "198.51.100.7"})[0] == 403
        assert answer(address, {"Host": "books.example"})[0] == 403


def answer(address, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers or {}), timeout=10) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, ""
    except OSError:
        return 0, ""
