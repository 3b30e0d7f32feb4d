"""With a broker, an ingest is a message: a worker does it in its own process, and what a killed one left is done."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pyvips
from ports import reserve_port

from repository.config import Settings
from repository.repository import open_repository

SHANBEN = Path(sys.executable).with_name("shanben")


@contextlib.contextmanager
def worker(environment, folder):
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen([SHANBEN, "worker"], cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def ingest(environment, folder, deposit):
    command = [SHANBEN, "ingest", deposit, "--json"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def status(environment, folder):
    return subprocess.run(
        [SHANBEN, "status", "--json"], cwd=folder, env=environment, capture_output=True, text=True
    ).stdout


def test_a_worker_takes_in_what_the_command_asked_for(broker, deposit, tmp_path):
    environment = {**os.environ, "SHANBEN_BROKER": broker.url, "SHANBEN_DATA": str(tmp_path / "var")}
    with worker(environment, tmp_path):
        ended = ingest(environment, tmp_path, deposit)
        assert ended.returncode == 0, ended.stderr + (tmp_path / "worker.log").read_text()
        assert '"images": 3' in ended.stdout
        (deposit / "0001.tif").write_bytes(b"II*\0")
        refused = ingest(environment, tmp_path, deposit)
        assert refused.returncode == 1
        assert "0001.tif" in refused.stdout


def jobs_of(data):
    wait_until((data / "shanben.sqlite").exists)
    return open_repository(Settings(data=data)).jobs


def wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def add_pages(deposit):
    """36 pages that keep a worker busy for some seconds."""
    for number in range(4, 40):
        pyvips.Image.gaussnoise(1500, 1500, mean=128, seed=number).cast("uchar").tiffsave(
            str(deposit / f"{number:04d}.tif")
        )


def test_a_broker_that_is_killed_and_comes_back_empty_loses_nothing(broker, deposit, tmp_path):
    add_pages(deposit)
    environment = {**os.environ, "SHANBEN_BROKER": broker.url, "SHANBEN_DATA": str(tmp_path / "var")}
    environment["SHANBEN_SWEEP_SECONDS"] = "2"
    asking = subprocess.Popen([SHANBEN, "ingest", deposit], cwd=tmp_path, env=environment, stdout=-3, stderr=-3)
    try:
        with worker(environment, tmp_path):
            jobs = jobs_of(tmp_path / "var")
            wait_until(lambda: jobs.counts()["done"] >= 3)
            broker.kill()
            assert jobs.counts()["queued"] > 0
            broker.start()
            assert asking.wait(90) == 0
            wait_until(lambda: jobs.counts()["queued"] == jobs.counts()["running"] == 0)
            assert jobs.counts()["failed"] == 0
    finally:
        asking.kill()
        asking.wait()
    assert '"images": 39' in status(environment, tmp_path)


def test_the_job_of_a_killed_worker_is_done_by_the_next(redis, deposit, tmp_path):
    add_pages(deposit)
    environment = {**os.environ, "SHANBEN_BROKER": redis.url, "SHANBEN_DATA": str(tmp_path / "var")}
    asking = subprocess.Popen([SHANBEN, "ingest", deposit], cwd=tmp_path, env=environment, stdout=-3, stderr=-3)
    try:
        with worker(environment, tmp_path) as victim:
            jobs = jobs_of(tmp_path / "var")
            wait_until(lambda: jobs.counts()["running"] == 1)
            victim.kill()
        assert jobs.counts()["running"] == 1
        with worker(environment, tmp_path):
            assert asking.wait(60) == 0
    finally:
        asking.kill()
        asking.wait()
    assert '"works": 1' in status(environment, tmp_path)


def test_a_broker_that_is_away_is_told_and_not_waited_for(deposit, tmp_path):
    gone = f"redis://127.0.0.1:{reserve_port()}/0"
    environment = {**os.environ, "SHANBEN_BROKER": gone, "SHANBEN_DATA": str(tmp_path / "var")}
    ended = ingest(environment, tmp_path, deposit)
    assert (ended.returncode, "Traceback" in ended.stderr) == (3, False), ended.stderr


def test_a_worker_begins_by_telling_that_its_broker_is_away(tmp_path):
    gone = f"redis://127.0.0.1:{reserve_port()}/0"
    environment = {**os.environ, "SHANBEN_BROKER": gone, "SHANBEN_DATA": str(tmp_path / "var")}
    log = tmp_path / "worker.log"
    with worker(environment, tmp_path) as process:
        wait_until(lambda: "\n" in log.read_text("utf-8"))
        process.kill()
    first = log.read_text("utf-8").splitlines()[0]
    assert all(words in first for words in ("消息代理", "the message broker", "SHANBEN_BROKER")), first


@pytest.mark.parametrize("command", [["worker"], ["ingest", "."]])
@pytest.mark.parametrize("address", ["http://x", "nonsense"])
def test_a_broker_whose_address_is_none_is_a_setting_at_fault(address, command, tmp_path):
    environment = {**os.environ, "SHANBEN_BROKER": address, "SHANBEN_DATA": str(tmp_path / "var")}
    ended = subprocess.run([SHANBEN, *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (ended.returncode, "SHANBEN_BROKER" in ended.stderr, "Traceback" in ended.stderr) == (2, True, False)
