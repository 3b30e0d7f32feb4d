"""Fixity checks while a work is ingested, revised and replicated: an unfinished change is no finding."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from deposits import write_deposit

from preservation.fixity.findings import FixityFinding
from preservation.fixity.store_check import StoreCheck
from repository.config import Settings
from repository.database.outbox import JobState
from repository.repository import Repository, open_repository
from repository.storage.store import ObjectStore
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

CHANGES = ("put", "put_new", "delete")


class CheckedStore:
    """A store that calls `check` after each of its changes."""

    def __init__(self, store: Any, check: Any) -> None:
        self._store, self._check = store, check

    def __getattr__(self, name: str) -> Any:
        action = getattr(self._store, name)
        return self._changing(action) if name in CHANGES else action

    def _changing(self, action: Any) -> Any:
        def change(*arguments: Any) -> None:
            action(*arguments)
            self._check()

        return change


class Checks:
    """Checks every store of a repository, one check at a time, and collects what they find."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self.found: set[FixityFinding] = set()
        self.files = 0

    def run(self) -> None:
        with self._lock:
            for name in ("", *self._repository.replicas):
                check = StoreCheck(self._repository, name)
                self.found |= {each.finding for each in check.run() if each.finding}
                self.files += check.totals.checked

    @contextmanager
    def after_each_change(self) -> Iterator[Repository]:
        """Yield the repository with stores that are checked after each change."""
        replicas = {name: self._watch(store) for name, store in self._repository.replicas.items()}
        yield replace(self._repository, store=self._watch(self._repository.store), replicas=replicas)

    def _watch(self, store: ObjectStore) -> ObjectStore:
        return cast(ObjectStore, CheckedStore(store, self.run))


@pytest.mark.slow
def test_ingest_revision_and_replication_give_no_finding_at_any_moment(
    tmp_path: Path, examiner: ChildDepositExaminer
) -> None:
    settings = Settings(data=tmp_path / "var", replicas=(str(tmp_path / "replica"),))
    repository = prepare_repository(open_repository(settings))
    ingest(TaskContext(repository, examiner), write_deposit(tmp_path / "other", 1, "另書", seed=50))
    checks, deposit = Checks(repository), write_deposit(tmp_path / "deposit", 2)
    with checks.after_each_change() as watched:
        ingest(TaskContext(watched, examiner), deposit)
        record = deposit / "work.toml"
        record.write_text(record.read_text("utf-8").replace("試書", "試書二"), "utf-8")
        ingest(TaskContext(watched, examiner), deposit)
    assert [f"{finding.kind.value}: {finding.key}" for finding in checks.found] == []
    assert checks.files > 500


def ingest(context: TaskContext, deposit: Path) -> None:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
        assert job.state is JobState.DONE, job.result
        assert runner.unfinished() == []
