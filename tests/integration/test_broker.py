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
from partner_server import OaiProvider, dublin_core, partner_server
from ports import reserve_port
from server_process import running
from servers import RabbitServer, RedisServer

from repository.config import Settings
from repository.database.outbox import FINISHED, Jobs, JobState
from repository.model.accounts import Account, Role
from repository.model.text import TextLine
from repository.model.work import Rectangle
from repository.repository import Repository, open_repository
from repository.texts import TextChanged, text_digest, texts_of_page
from web.cli import ocr
from workers.ocr.pages import installed_engine
from workers.service.celery_app import OCR_QUEUE, QUEUE, create_celery
from workers.service.dispatch import is_served
from workers.tasks.jobs import recognise_work_job
from workers.tasks.text_correction import SentText, request_correction

pytestmark = pytest.mark.integration
PAGES = 12
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
        time.sleep(0.05)


def add_pages(deposit: Path) -> None:
    """Add pages that keep a worker busy for a second or two."""
    for number in range(4, PAGES + 1):
        noise(1200, 1200, mean=128, seed=number).tiffsave(str(deposit / f"{number:04d}.tif"))


def test_a_killed_broker_that_comes_back_empty_loses_no_job(
    broker: RedisServer | RabbitServer, deposit: Path, tmp_path: Path
) -> None:
    add_pages(deposit)
    shanben = ShanbenHere(tmp_path, broker=broker.url, sweep_seconds=2, similar_pages=0)
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
    shanben = ShanbenHere(tmp_path, broker=redis.url, similar_pages=0)
    with shanben.start("ingest", deposit) as ingest:
        with worker(shanben) as victim:
            jobs = jobs_of(tmp_path / "var")
            wait_until(lambda: jobs.counts()["running"] == 1)
            victim.kill()
        assert jobs.counts()["running"] == 1
        with worker(shanben):
            assert ingest.wait(WAIT_SECONDS) == 0
    assert shanben.run("status", "--json").document["works"] == 1


def test_a_worker_does_what_staff_request_on_postgresql_but_no_ocr_without_the_engine(
    redis: RedisServer, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deposit = write_deposit(tmp_path / "deposit", 1)
    (deposit / "text").mkdir()
    (deposit / "text" / "0001.txt").write_text("天地玄黃\n宇宙洪荒\n", "utf-8")
    shanben = ShanbenHere(
        tmp_path, broker=redis.url, database=database_url, sweep_seconds=1, harvest_private="127.0.0.1"
    )
    with worker(shanben):
        work = str(shanben.run_json("ingest", deposit).document["works"][0]["identifier"])
        repository = open_repository(Settings(data=tmp_path / "var", broker=redis.url, database=database_url))
        assert_correction_is_kept(repository, work)
        assert_harvest_is_kept(shanben)
        celery = create_celery(repository.settings)
        has_engine = installed_engine() is not None
        assert [is_served(celery, queue, 5.0) for queue in (QUEUE, OCR_QUEUE)] == [True, has_engine]
    monkeypatch.setattr(ocr, "_PATIENCE", 0.0)
    unread = shanben.run_json("ocr", work)
    assert (unread.code, unread.document) == (3, {"works": [{"identifier": work, "code": "system.absent"}]})
    assert "No worker with the packages of OCR answers, and 1 work is not recognised yet" in unread.errors
    assert state_of(repository.jobs, recognise_work_job(work).key) is JobState.QUEUED


def state_of(jobs: Jobs, key: str) -> JobState | None:
    job = jobs.get(key)
    return job.state if job else None


def assert_correction_is_kept(repository: Repository, work: str) -> None:
    """Assert that a worker keeps a correction that the page of staff requests, and that the next one is compared."""
    held = repository.catalogue.work(work)
    assert held
    page = next(iter(held.pages()))
    [text] = texts_of_page(repository.store, work, page.key)
    lines = (TextLine("天地玄黃", Rectangle(10, 20, 30, 40)), TextLine("宇宙洪流", is_note=True))
    sent = SentText(text.kind, text_digest(text), lines)
    key = request_correction(repository, work, page, Account("anna", Role.LIBRARIAN, ""), sent)
    assert key
    wait_until(lambda: state_of(repository.jobs, key) in FINISHED)
    assert state_of(repository.jobs, key) is JobState.DONE, repository.jobs.get(key)
    assert texts_of_page(repository.store, work, page.key)[0].lines == lines
    with pytest.raises(TextChanged):
        request_correction(repository, work, page, Account("bo", Role.LIBRARIAN, ""), sent)


def assert_harvest_is_kept(shanben: Shanben) -> None:
    """Assert that workers harvest a partner's records, and that a second run changes nothing."""
    provider = OaiProvider()
    for number in range(5):
        provider.put(f"oai:x:{number}", f"2025-01-0{number + 1}T00:00:00Z", dublin_core(f"書{number}"))
    with partner_server() as partner:
        partner.answer = provider
        added = shanben.run("harvest", "add", "partner", f"{partner.url}/oai", "--rate", 100)
        assert added.code == 0, added.errors
        runs = [shanben.run_json("harvest", "run", "partner") for _ in range(2)]
    assert [(run.code, run.document["sources"][0]["added"]) for run in runs] == [(0, 5), (0, 0)], runs
    assert shanben.run_json("harvest", "list").document["sources"][0]["records"] == 5


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
