"""Reports of damage: however many requests meet it, the database hears of it once a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from repository.config import Settings
from repository.database.outbox import JobState
from repository.repository import Repository, memory_repository
from web.telemetry.damage_reports import AGAIN_SECONDS, FAILED_SECONDS, Mender
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
    """With a broker that is away: jobs are asked for, and not done here."""
    return memory_repository(Settings(broker="redis://127.0.0.1:1/0"), clock)


@pytest.fixture
def mender(repository: Repository, clock: Clock) -> Mender:
    mender = Mender(repository, clock.monotonic)
    mender._send = lambda: None  # type: ignore[method-assign]
    return mender


def notes(mender: Mender) -> int:
    found = 0
    while not mender._notes.empty():
        mender.attend(mender._notes.get_nowait())
        found += 1
    return found


def test_an_image_is_reported_once_a_while_however_often_it_is_asked_for(mender: Mender, clock: Clock) -> None:
    for _ in range(1000):
        mender.report("image", "work", "CRC-32")
    mender.report("another", "work", "CRC-32")
    assert notes(mender) == 2
    clock.passes(AGAIN_SECONDS - 1)
    mender.report("image", "work", "CRC-32")
    assert notes(mender) == 0
    clock.passes(1)
    mender.report("image", "work", "CRC-32")
    assert notes(mender) == 1


def test_a_flood_of_damage_neither_waits_nor_fills_the_memory(mender: Mender) -> None:
    for number in range(3000):
        mender.report(f"image-{number}", "work", "absent")
    assert mender._notes.qsize() == 1000


def test_a_note_becomes_a_job_and_a_second_one_is_the_same(mender: Mender, repository: Repository) -> None:
    mender.attend(("image", "work"))
    mender.attend(("image", "work"))
    job = repository.jobs.get(ORDER.key)
    assert job is not None
    assert (job.kind, job.arguments, job.state) == ("pyramid", {"image": "image", "work": "work"}, JobState.QUEUED)
    assert repository.jobs.counts()["queued"] == 1


def test_what_failed_for_good_is_not_tried_again_for_an_hour(
    mender: Mender, repository: Repository, clock: Clock
) -> None:
    mender.attend(("image", "work"))
    repository.jobs.begin(ORDER.key, "somebody", 60)
    repository.jobs.fail(ORDER.key, "somebody", {})
    mender.attend(("image", "work"))
    assert repository.jobs.counts() == {**dict.fromkeys(repository.jobs.counts(), 0), "failed": 1}
    clock.passes(FAILED_SECONDS)
    mender.attend(("image", "work"))
    assert repository.jobs.counts()["queued"] == 1


def test_what_was_just_done_is_not_done_again_for_another_process(
    mender: Mender, repository: Repository, clock: Clock
) -> None:
    mender.attend(("image", "work"))
    repository.jobs.begin(ORDER.key, "somebody", 60)
    repository.jobs.finish(ORDER.key, "somebody", {"remade": True})
    mender.attend(("image", "work"))
    assert repository.jobs.counts()["queued"] == 0
    clock.passes(AGAIN_SECONDS)
    mender.attend(("image", "work"))
    assert repository.jobs.counts()["queued"] == 1


def test_without_a_broker_and_without_damage_nothing_is_held(repository: Repository) -> None:
    here = replace(repository, settings=replace(repository.settings, broker=""))
    Mender(here).attend(None)
