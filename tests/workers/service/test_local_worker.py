"""The local worker runs jobs of every kind, and leaves ingests to a command that runs meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from preservation.replication.status import replication_status_of
from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.errors import Busy, DatabaseFault, SettingInvalid
from repository.model.work import Work
from repository.repository import Repository
from repository.storage.folder import FolderStore
from repository.storage.lock_files import hold_lock_file
from workers.execution.context import TaskContext
from workers.execution.liveness import registered_worker
from workers.execution.scratch import scratch_directory
from workers.service import local_worker
from workers.service.local import local_runner
from workers.service.local_worker import GROUPS, INGEST_KINDS, LocalWorker, run_local_worker
from workers.tasks.jobs import ingest_job, pyramid_job
from workers.tasks.registry import TASKS


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def working(repository: Repository) -> Iterator[LocalWorker]:
    """A local worker of a repository in memory, in threads of this process."""
    stop = threading.Event()
    with scratch_directory(repository.settings.staging) as scratch, registered_worker(repository) as holder:
        worker = LocalWorker(repository, holder, scratch, stop)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker
        finally:
            stop.set()
            thread.join()
            assert worker.join(30)


def state(repository: Repository, order: NewJob) -> JobState | None:
    job = repository.jobs.get(order.key)
    return job.state if job else None


@pytest.fixture
def work(context: TaskContext, deposit: Path) -> Work:
    """An ingested work."""
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.result is not None
    work = context.repository.catalogue.work(str(job.result["identifier"]))
    assert work is not None
    return work


def test_groups_hold_every_kind_of_job_once() -> None:
    kinds = [kind for group in GROUPS for kind in group]
    assert sorted(kinds) == sorted(TASKS)


def test_worker_runs_queued_jobs_and_repairs_a_pyramid(context: TaskContext, work: Work) -> None:
    repository, image = context.repository, next(iter(work.images()))
    key = repository.catalogue.pyramids(work.identifier)[image.identifier].key
    before = repository.store.read(key)
    repository.store.put(key, before[:1000] + bytes([before[1000] ^ 1]) + before[1001:])
    order = pyramid_job(image.identifier, work.identifier)
    with working(repository):
        repository.jobs.enqueue(order)
        wait_until(lambda: state(repository, order) is JobState.DONE)
    job = repository.jobs.get(order.key)
    assert job is not None
    assert job.result == {"remade": True}
    assert len(repository.store.read(key)) == len(before)


def test_worker_takes_over_a_job_past_its_lease(context: TaskContext, work: Work) -> None:
    repository, image = context.repository, next(iter(work.images()))
    order = pyramid_job(image.identifier, work.identifier)
    repository.jobs.enqueue(order)
    assert repository.jobs.start(order.key, "killed", -1)
    with working(repository):
        wait_until(lambda: state(repository, order) is JobState.DONE)


def test_worker_fills_a_new_replica_with_works_and_the_log(context: TaskContext, work: Work, tmp_path: Path) -> None:
    repository = replace(context.repository, replicas={"new": FolderStore(tmp_path / "new")})
    with working(repository):
        wait_until(lambda: replication_status_of(repository, work.identifier).preserved)
        wait_until((tmp_path / "new" / "log" / "checkpoint").is_file)


def test_worker_ingests_what_a_killed_command_left(context: TaskContext, deposit: Path) -> None:
    repository, order = context.repository, ingest_job(deposit)
    repository.jobs.enqueue(order)
    assert repository.jobs.start(order.key, "killed", -1)
    with working(repository):
        wait_until(lambda: state(repository, order) is JobState.DONE)
        wait_until(lambda: not repository.log_sequence.has_unlogged_events())


def test_worker_leaves_ingests_to_a_command_that_runs(
    context: TaskContext, deposit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_worker, "POLL_SECONDS", 0.05)
    repository, order = context.repository, ingest_job(deposit)
    other = NewJob("replicate:gone:w1", "replicate", {"work": "w1", "store": "gone"})
    with working(repository):
        with registered_worker(repository):  # the command
            repository.jobs.enqueue(order)
            repository.jobs.enqueue(other)
            wait_until(lambda: state(repository, other) is JobState.DONE)
            time.sleep(1)
            assert state(repository, order) is JobState.QUEUED
        wait_until(lambda: state(repository, order) is JobState.DONE)


def test_worker_postpones_the_ingest_of_a_folder_that_it_cannot_read(context: TaskContext, tmp_path: Path) -> None:
    """Another machine may: it is not refused as an absent folder would be by a command."""
    repository, order = context.repository, ingest_job(tmp_path / "unmounted")
    repository = replace(repository, settings=replace(repository.settings, sweep_seconds=1))
    with working(repository):
        repository.jobs.enqueue(order)
        wait_until(repository.jobs.delayed)
    job = repository.jobs.get(order.key)
    assert job is not None
    assert job.result is not None
    assert job.result["code"] == "deposit.unseen"


def test_worker_leaves_the_log_to_machines_with_its_key(context: TaskContext, work: Work) -> None:
    repository = context.repository
    (repository.settings.keys / "log.key").unlink()
    order, other = NewJob("journal", "journal", {}), NewJob("collection", "collection", {})
    repository.jobs.enqueue(order)
    repository.jobs.enqueue(other)
    with working(repository):
        wait_until(lambda: state(repository, other) is JobState.DONE)
    assert state(repository, order) is JobState.QUEUED


def test_ingest_kinds_are_those_that_read_deposits() -> None:
    assert {"ingest", "page"} == INGEST_KINDS


def run_in_thread(settings: Settings, stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=run_local_worker, args=(settings, stop))
    thread.start()
    return thread


def test_a_second_worker_of_a_data_folder_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began, stop = threading.Event(), threading.Event()
    monkeypatch.setattr(local_worker, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(local_worker, "_work", lambda repository, stop: began.set() or stop.wait())
    settings = Settings(data=tmp_path / "var")
    with hold_lock_file(settings.data / "local-worker.lock", 0, Busy(what="x")):
        thread = run_in_thread(settings, stop)
        assert not began.wait(0.5)
    assert began.wait(30)
    stop.set()
    thread.join()


def test_worker_waits_for_a_database_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began, stop, faults = threading.Event(), threading.Event(), iter([DatabaseFault(reason="away")] * 2)

    def bootstrap(_settings: Settings) -> None:
        for fault in faults:
            raise fault

    monkeypatch.setattr(local_worker, "bootstrap", bootstrap)
    monkeypatch.setattr(local_worker, "_work", lambda repository, stop: began.set() or stop.wait())
    thread = run_in_thread(Settings(data=tmp_path / "var", sweep_seconds=1), stop)
    assert began.wait(30)
    stop.set()
    thread.join()


def test_worker_ends_with_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid):
        run_local_worker(Settings(data=tmp_path / "var", log_origin="no spaces"), threading.Event())


def test_worker_goes_on_after_a_database_fault(context: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = replace(context.repository, settings=replace(context.repository.settings, sweep_seconds=1))
    order, due, faults = NewJob("collection", "collection", {}), repository.jobs.due, iter([1] * 4)

    def fail_first(*arguments: object) -> object:
        if next(faults, None):
            raise DatabaseFault(reason="away")
        return due(*arguments)

    monkeypatch.setattr(repository.jobs, "due", fail_first)
    repository.jobs.enqueue(order)
    with working(repository):
        wait_until(lambda: state(repository, order) is JobState.DONE)


def test_worker_gives_back_a_job_that_outlasts_the_grace_period(
    context: TaskContext, deposit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, order = context.repository, NewJob("collection", "collection", {})
    began, stop, ended, end = (threading.Event() for _ in range(4))
    tasks = {**TASKS, "collection": lambda _context, _job: began.set() or end.wait(60) or {}}
    monkeypatch.setattr(local_worker, "_TASKS", tasks)
    monkeypatch.setattr(local_worker, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(os, "_exit", lambda code: ended.set())
    repository.jobs.enqueue(order)
    thread = threading.Thread(target=local_worker._work, args=(repository, stop))
    thread.start()
    assert began.wait(30)
    stop.set()
    assert ended.wait(30)
    assert state(repository, order) is JobState.QUEUED
    end.set()
    thread.join()
