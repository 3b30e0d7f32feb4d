"""Recurring work: what is lost is queued again, new replicas get jobs, and finished jobs are purged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from publications import NOW, publication

from repository import paths
from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.errors import StoreFault
from repository.repository import Repository, memory_repository
from repository.storage.folder import FolderStore
from workers.bootstrap import prepare_repository
from workers.published_edition import wanted_edition
from workers.service import schedule
from workers.service.schedule import DONE_SECONDS, FIRST_WATCH_SECONDS, WATCH_SECONDS, Schedule
from workers.tasks.jobs import replicate_log_job, replicate_work_job, republish_job, sequence_events_job

JOB = NewJob("pyramid:i1", "pyramid", {"image": "i1", "work": "w1"})


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repository(tmp_path: Path, clock: Clock) -> Repository:
    """A repository in memory with one replica and nothing in it."""
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var"), clock))
    return replace(repository, replicas={"new": FolderStore(tmp_path / "new")})


def publish(repository: Repository, *titles: str) -> list[str]:
    """Enter works into the catalogue, none of which a replica holds. Return their identifiers."""
    works = [publication(title, NOW, images=1) for title in titles]
    for work in works:
        repository.catalogue.publish(work, [], NOW)
    return [work.work.identifier for work in works]


def queued_keys(repository: Repository) -> set[str]:
    return {job.key for job in repository.jobs.due(100)}


def test_schedule_queues_a_job_past_its_lease_again(repository: Repository) -> None:
    repository.jobs.enqueue(JOB)
    assert repository.jobs.start(JOB.key, "killed", -1)
    Schedule(repository).run()
    assert JOB.key in queued_keys(repository)


def test_schedule_queues_the_log_job_while_events_are_staged(repository: Repository) -> None:
    Schedule(repository).run()
    assert sequence_events_job().key not in queued_keys(repository)
    publish(repository, "一")
    Schedule(repository).run()
    assert sequence_events_job().key in queued_keys(repository)


def test_schedule_queues_works_and_the_log_for_a_new_replica(repository: Repository) -> None:
    works = publish(repository, "一", "二")
    Schedule(repository).run()
    expected = {replicate_log_job("new").key, *(replicate_work_job("new", work).key for work in works)}
    assert expected <= queued_keys(repository)


def test_schedule_queues_the_next_batch_when_the_first_has_ended(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "REPLICATION_JOBS", 2)
    works = publish(repository, "一", "二", "三")
    recurring = Schedule(repository)
    for _ in range(2):  # while a batch is under way nothing is added
        recurring.run()
        first = {job.key for job, _ in repository.jobs.active("replicate")}
        assert len(first) == 2
    for key in first:
        work = key.rpartition(":")[2]
        repository.jobs.start(key, "worker", 60)
        repository.replica_status.record_verified(work, "new", 1, NOW)
        repository.jobs.finish(key, "worker", {})
    recurring.run()
    (last,) = (job.key for job, _ in repository.jobs.active("replicate"))
    assert {last, *first} == {replicate_work_job("new", work).key for work in works}


def test_schedule_retries_failed_replication_once_after_its_start(repository: Repository) -> None:
    (work,) = publish(repository, "一")
    orders = [replicate_work_job("new", work), replicate_log_job("new")]

    def fail_all() -> None:
        for order in orders:
            assert repository.jobs.start(order.key, "worker", 60)
            repository.jobs.fail(order.key, "worker", {"code": "store.denied"})

    for order in orders:
        repository.jobs.enqueue(order)
    fail_all()
    recurring = Schedule(repository)
    recurring.run()
    assert {order.key for order in orders} <= queued_keys(repository)
    fail_all()
    recurring._next_hour = 0.0
    recurring.run()
    assert not {order.key for order in orders} & queued_keys(repository)


def test_schedule_purges_finished_jobs(repository: Repository, clock: Clock) -> None:
    repository.jobs.enqueue(JOB)
    repository.jobs.start(JOB.key, "worker", 60)
    repository.jobs.finish(JOB.key, "worker", {})
    Schedule(repository).run()
    job = repository.jobs.get(JOB.key)
    assert job is not None
    assert job.state is JobState.DONE
    clock.now += timedelta(seconds=DONE_SECONDS + 1)
    Schedule(repository).run()
    assert repository.jobs.get(JOB.key) is None


class UploadingStore:
    """A store that counts the removals of incomplete uploads, or is away."""

    def __init__(self, fault: StoreFault | None = None) -> None:
        self.removals = 0
        self._fault = fault

    def remove_incomplete_uploads(self, _seconds: float) -> None:
        if self._fault:
            raise self._fault
        self.removals += 1


def test_schedule_removes_incomplete_uploads_once_an_hour_from_every_store_that_answers(
    repository: Repository,
) -> None:
    away, present = UploadingStore(StoreFault(key="", reason="away")), UploadingStore()
    stores: Any = {"away": away, "present": present}
    recurring = Schedule(replace(repository, replicas=stores))
    recurring.run()
    recurring.run()
    assert present.removals == 1


def test_schedule_has_alarms_decided_each_minute(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 1000.0
    monkeypatch.setattr(schedule, "monotonic", lambda: seconds)
    recurring = Schedule(repository)
    queued = []
    for passed in (0, FIRST_WATCH_SECONDS, 1, WATCH_SECONDS):
        seconds += passed
        recurring.run()
        queued.append("alarms" in queued_keys(repository))
        if queued[-1]:
            repository.jobs.start("alarms", "somebody", 60)
            repository.jobs.finish("alarms", "somebody", {})
    assert queued == [False, True, False, True]


def test_schedule_has_alarms_decided_while_the_primary_store_is_away(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1000.0
    monkeypatch.setattr(schedule, "monotonic", lambda: seconds)

    class AwayStore:
        def __getattr__(self, name: str) -> Any:
            raise StoreFault(key="", reason="away")

    away: Any = AwayStore()
    recurring = Schedule(replace(repository, store=away))
    seconds += FIRST_WATCH_SECONDS
    with pytest.raises(StoreFault):
        recurring.run()
    assert "alarms" in queued_keys(repository)


def test_schedule_queues_republishing_as_soon_as_a_store_that_was_away_is_back(repository: Repository) -> None:
    class Store:
        is_away = True

        def __getattr__(self, name: str) -> Any:
            if self.is_away:
                raise StoreFault(key="", reason="away")
            return getattr(repository.store, name)

    repository.store.put(paths.PUBLISHED_BY_OLDER, b"")
    store: Any = Store()
    replica: Any = UploadingStore()
    recurring = Schedule(replace(repository, store=store, replicas={"replica": replica}))
    with pytest.raises(StoreFault):
        recurring.run()
    assert replica.removals == 1
    store.is_away = False
    recurring.run()
    assert republish_job(wanted_edition(repository)).key in queued_keys(repository)
