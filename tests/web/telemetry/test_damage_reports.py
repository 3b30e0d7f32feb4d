"""Damage reports: however many requests meet the damage, the outbox gets one job."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.errors import DatabaseFault
from repository.repository import Repository, memory_repository
from web.telemetry.damage_reports import AGAIN_SECONDS, FAILED_SECONDS, DamageReporter
from workers.tasks.jobs import pyramid_job

ORDER = pyramid_job("image", "work")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repository(clock: Clock) -> Repository:
    """A repository in memory, with nobody to run its jobs."""
    return memory_repository(Settings(), clock)


@pytest.fixture
def reporter(repository: Repository, clock: Clock) -> DamageReporter:
    """The reporter of a process, its thread not started."""
    return DamageReporter(repository, clock.monotonic)


def enqueue_notes(reporter: DamageReporter) -> int:
    """Do what the thread does with the notes that wait. Return their number."""
    count = 0
    while not reporter._notes.empty():
        reporter.enqueue(*reporter._notes.get_nowait())
        count += 1
    return count


def test_an_image_is_reported_once_in_a_while_however_often_it_is_requested(
    reporter: DamageReporter, clock: Clock
) -> None:
    for _ in range(1000):
        reporter.report("image", "work", "CRC-32")
    reporter.report("another", "work", "CRC-32")
    assert enqueue_notes(reporter) == 2
    clock.passes(AGAIN_SECONDS - 1)
    reporter.report("image", "work", "CRC-32")
    assert enqueue_notes(reporter) == 0
    clock.passes(1)
    reporter.report("image", "work", "CRC-32")
    assert enqueue_notes(reporter) == 1


def test_a_flood_of_reports_neither_waits_nor_fills_the_memory(reporter: DamageReporter) -> None:
    for number in range(3000):
        reporter.report(f"image-{number}", "work", "absent")
    assert reporter._notes.qsize() == 1000


def test_reports_of_one_image_become_one_job(reporter: DamageReporter, repository: Repository) -> None:
    reporter.enqueue("image", "work")
    reporter.enqueue("image", "work")
    job = repository.jobs.get(ORDER.key)
    assert job is not None
    assert (job.kind, job.arguments, job.state) == ("pyramid", {"image": "image", "work": "work"}, JobState.QUEUED)
    assert repository.jobs.counts()["queued"] == 1


def test_a_repair_that_failed_for_good_is_not_queued_again_for_an_hour(
    reporter: DamageReporter, repository: Repository, clock: Clock
) -> None:
    reporter.enqueue("image", "work")
    repository.jobs.start(ORDER.key, "somebody", 60)
    repository.jobs.fail(ORDER.key, "somebody", {})
    reporter.enqueue("image", "work")
    assert repository.jobs.counts() == {**dict.fromkeys(repository.jobs.counts(), 0), "failed": 1}
    clock.passes(FAILED_SECONDS)
    reporter.enqueue("image", "work")
    assert repository.jobs.counts()["queued"] == 1


def test_a_repair_just_done_is_not_queued_again_by_another_process(
    reporter: DamageReporter, repository: Repository, clock: Clock
) -> None:
    reporter.enqueue("image", "work")
    repository.jobs.start(ORDER.key, "somebody", 60)
    repository.jobs.finish(ORDER.key, "somebody", {"remade": True})
    reporter.enqueue("image", "work")
    assert repository.jobs.counts()["queued"] == 0
    clock.passes(AGAIN_SECONDS)
    reporter.enqueue("image", "work")
    assert repository.jobs.counts()["queued"] == 1


def test_a_report_that_met_a_database_fault_is_made_again(
    reporter: DamageReporter, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def refuse(order: NewJob) -> None:
        refused.set()
        raise DatabaseFault(reason="away")

    with monkeypatch.context() as away:
        away.setattr(repository.jobs, "enqueue", refuse)
        reporter.start()
        reporter.report("image", "work", "CRC-32")
        assert refused.wait(30)
    deadline = time.monotonic() + 30
    while repository.jobs.get(ORDER.key) is None:
        assert time.monotonic() < deadline
        reporter.report("image", "work", "CRC-32")
        time.sleep(0.01)


def test_reporting_loads_neither_celery_nor_a_decoder() -> None:
    code = (
        "import sys, web.telemetry.damage_reports; print(*{'celery', 'pyvips', 'workers.service'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout.split() == []
