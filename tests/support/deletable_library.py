"""A library with one work and one replica, whose clock a test sets, for deletions by two people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deposits import write_deposit

from repository import paths
from repository.clock import Clock
from repository.config import Settings
from repository.database.deletions import DeletionState
from repository.database.outbox import Job, JobState
from repository.model.accounts import Account, Role
from repository.repository import Repository
from repository.storage.s3 import memory_store
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import DepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks import access as changes
from workers.tasks.delete_decision import confirm_deletion, request_deletion
from workers.tasks.jobs import (
    ALL,
    access_job,
    delete_copy_job,
    delete_work_job,
    ingest_job,
    sequence_events_job,
    sweep_job,
)

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANNA = Account("anna", Role.CONSERVATOR, "")
BO = Account("bo", Role.ADMINISTRATOR, "")
REPLICA = "replica"


class SetClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class DeletableLibrary:
    """A library with one work, one replica, and a clock that the test sets."""

    context: TaskContext
    clock: SetClock
    work: str
    deposit: Path

    @property
    def repository(self) -> Repository:
        return self.context.repository

    def run(self, *jobs: Any) -> list[Job]:
        with local_runner(self.context) as runner:
            return runner.attempt(jobs)

    def withdraw(self) -> None:
        changes.withdraw(self.repository, self.work, "權利人要求")
        self.run(access_job(self.work))

    def request(self, account: Account = ANNA) -> None:
        request_deletion(self.repository, self.work, account, "權利人要求")

    def confirm(self, account: Account = BO) -> None:
        confirm_deletion(self.repository, self.work, account)

    def decide(self) -> None:
        self.withdraw()
        self.request()
        self.clock.now += timedelta(days=8)
        self.confirm()

    def carry_out(self) -> None:
        self.run(sequence_events_job())
        self.run(delete_work_job(self.work))
        self.run(delete_copy_job(REPLICA, self.work))

    def sweep(self, store: str) -> None:
        """Check every file of a store."""
        with local_runner(self.context) as runner:
            assert runner.run(sweep_job(store, ALL)).state is JobState.DONE

    def images(self) -> set[str]:
        """Return the images that the work ever had."""
        history = self.repository.log_sequence.history_of(self.work, 0, 99)
        return {event.image for event, _ in history if event.image}

    def files(self, store: Any = None) -> list[str]:
        """Return the keys of everything that is left of the work, but for its tombstone."""
        below = [paths.ocfl_object(self.work), *(paths.pyramids_of(image) for image in self.images())]
        store = store or self.repository.store
        left = [stored.key for prefix in below for stored in store.list(prefix)]
        return left + [
            key for key in (paths.manifest(self.work), paths.unfinished_version(self.work)) if store.exists(key)
        ]

    def state(self) -> DeletionState | None:
        deletion = self.repository.deletions.get(self.work)
        return deletion.state if deletion else None


def build_deletable_library(
    folder: Path, examiner: DepositExaminer, open_repository: Callable[[Settings, Clock], Repository]
) -> DeletableLibrary:
    """Return a library with data in a folder, its replica in memory."""
    clock = SetClock()
    repository = open_repository(Settings(data=folder / "var"), clock)
    repository = prepare_repository(replace(repository, replicas={REPLICA: memory_store()}))
    context = TaskContext(repository, examiner)
    deposit = write_deposit(folder / "deposit", pages=1)
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.result
    return DeletableLibrary(context, clock, str(job.result["identifier"]), deposit)
