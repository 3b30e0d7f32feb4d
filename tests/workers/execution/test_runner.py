"""The runner refuses jobs while the primary store is not the library's own, except the one that decides alarms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from publications import NOW, publication

from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.repository import Repository, memory_repository
from repository.storage.s3 import memory_store
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.execution.runner import Runner
from workers.tasks.jobs import search_index_job, watch_job
from workers.tasks.registry import TASKS


@pytest.fixture
def unmounted(tmp_path: Path) -> Repository:
    """Return a repository that holds a work, with an empty store in the place of its own."""
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var")))
    repository.catalogue.publish(publication("甲", images=1), [], NOW)
    return replace(repository, store=memory_store())


def run(repository: Repository, job: NewJob) -> tuple[JobState, dict[str, Any]]:
    examiner: Any = None
    repository.jobs.enqueue(job)
    Runner(TaskContext(repository, examiner), TASKS, "holder", patience=3600).run(job.key)
    done = repository.jobs.get(job.key)
    assert done is not None
    return done.state, dict(done.result or {})


def test_alarms_are_decided_while_the_primary_store_is_unmounted(unmounted: Repository) -> None:
    state, result = run(unmounted, watch_job())
    assert (state, result["alarms"]) == (JobState.DONE, ["unchecked:store"]), result


def test_other_jobs_wait_for_the_primary_store(unmounted: Repository) -> None:
    state, result = run(unmounted, search_index_job())
    assert (state, result["code"]) == (JobState.QUEUED, "store.identity")
