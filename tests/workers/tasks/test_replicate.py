"""Works and the log are copied to every replica; an unavailable replica delays only its own jobs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from repairable_library import FailingStore

from preservation.ocfl.validation import validate_object
from preservation.replication.status import replication_status_of
from repository import paths
from repository.config import Settings
from repository.database.outbox import Job, JobState, NewJob
from repository.errors import NotFound, StoreFault
from repository.repository import memory_repository
from repository.storage.folder import FolderStore
from repository.storage.store import open_replicas
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.masters.examine import ChildExaminer
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job, replicate_log_job, replicate_work_job
from workers.tasks.replicate import replicate_log, replicate_work, replication_jobs

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def near(tmp_path: Path) -> FolderStore:
    """The replica that is available."""
    return FolderStore(tmp_path / "near")


@pytest.fixture
def context(tmp_path: Path, examiner: ChildExaminer) -> TaskContext:
    """A repository in memory with two folders as replicas; the second is unavailable, because it is a file."""
    replicas = (str(tmp_path / "near"), str(tmp_path / "far"))
    (tmp_path / "far").write_text("no folder")
    settings = Settings(data=tmp_path / "var", replicas=replicas)
    return TaskContext(prepare_repository(memory_repository(settings, lambda: NOON)), examiner)


@pytest.fixture
def work(context: TaskContext, deposit: Path) -> str:
    """A work that was ingested while one replica was unavailable."""
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.state is JobState.DONE
    assert job.result is not None
    return str(job.result["identifier"])


def running(job: NewJob) -> Job:
    """A job as its task receives it."""
    return Job(job.key, job.kind, job.arguments, JobState.RUNNING, 1, None, None, "", "")


def name(tmp_path: Path, store: str) -> str:
    return str(tmp_path / store)


def test_unavailable_replica_raises_a_transient_fault_and_the_other_holds_the_work(
    context: TaskContext, work: str, near: FolderStore, tmp_path: Path
) -> None:
    repository = context.repository
    replicate_work(context, running(replicate_work_job(name(tmp_path, "near"), work)))
    with pytest.raises(StoreFault) as away:
        replicate_work(context, running(replicate_work_job(name(tmp_path, "far"), work)))
    assert away.value.transient
    assert validate_object(near, paths.ocfl_object(work)).valid
    held = replication_status_of(repository, work)
    assert [(holding.is_primary, holding.version, holding.current) for holding in held.holdings] == [
        (True, 1, True),
        (False, 1, True),
        (False, 0, False),
    ]
    assert [holding.verified for holding in held.holdings] == ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", None]
    assert (held.verified_stores, held.stores, held.preserved) == (2, 3, False)
    (tmp_path / "far").unlink()
    replicate_work(context, running(replicate_work_job(name(tmp_path, "far"), work)))
    assert replication_status_of(repository, work).preserved
    assert replication_jobs(repository, failed=True) == []
    with pytest.raises(NotFound):
        replication_status_of(repository, "unknown")


def test_new_replica_gets_a_job_for_each_work(context: TaskContext, work: str, tmp_path: Path) -> None:
    """So does every replica after a rebuild into an empty database, which records no replicas."""
    new = name(tmp_path, "new")
    repository = replace(context.repository, replicas={**context.repository.replicas, new: FolderStore(tmp_path / "n")})
    (job,) = replication_jobs(repository, failed=True)
    assert job == replicate_work_job(new, work)
    moments = [NOON]
    source = FailingStore(repository.store, lambda *_: moments.append(moments[-1] + timedelta(hours=1)))
    watched = replace(repository, store=cast(Any, source), clock=lambda: moments[-1])
    replicate_work(replace(context, repository=watched), running(job))
    assert replication_jobs(repository, failed=True) == []
    (copy,) = (each for each in repository.replica_status.replicas_of(work) if each.store == new)
    assert (copy.verified, len(moments) > 1) == ("2026-01-01T12:00:00Z", True)


def test_log_is_copied_to_the_replica(context: TaskContext, work: str, near: FolderStore, tmp_path: Path) -> None:
    done = replicate_log(context, running(replicate_log_job(name(tmp_path, "near"))))
    assert done["entries"] == 4
    assert near.read(paths.LOG_CHECKPOINT) == context.repository.store.read(paths.LOG_CHECKPOINT)
    with pytest.raises(StoreFault):
        replicate_log(context, running(replicate_log_job(name(tmp_path, "far"))))


def test_machine_without_the_signing_key_replicates_the_log(
    context: TaskContext, work: str, near: FolderStore, tmp_path: Path
) -> None:
    near.delete(paths.LOG_CHECKPOINT)
    shutil.rmtree(context.repository.settings.keys)
    assert replicate_log(context, running(replicate_log_job(name(tmp_path, "near"))))["entries"] == 4
    assert near.read(paths.LOG_CHECKPOINT) == context.repository.store.read(paths.LOG_CHECKPOINT)


def test_job_for_a_removed_replica_is_skipped(context: TaskContext, work: str) -> None:
    bare = replace(context, repository=replace(context.repository, replicas={}))
    assert replicate_work(bare, running(replicate_work_job("gone", work))) == {"store": "gone", "skipped": True}
    assert replicate_log(bare, running(replicate_log_job("gone"))) == {"store": "gone", "skipped": True}
    assert replication_status_of(bare.repository, work).preserved


def test_missing_bucket_of_a_replica_is_created(context: TaskContext, work: str, endpoint: str) -> None:
    address = f"s3://replica/of/it?endpoint={endpoint}&access_key=k&secret_key=s"
    settings = replace(context.repository.settings, replicas=(address,))
    replicas = open_replicas(settings)
    (name,) = replicas
    moved = replace(context, repository=replace(context.repository, settings=settings, replicas=replicas))
    assert "secret" not in name
    assert replicate_work(moved, running(replicate_work_job(name, work)))["version"] == 1
    assert validate_object(replicas[name], paths.ocfl_object(work)).valid
