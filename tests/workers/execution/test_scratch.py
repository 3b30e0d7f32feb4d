"""Scratch directories are deleted after use; a machine without disk space postpones its jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from repository.database.outbox import Job, JobState, NewJob
from repository.errors import StagingFault
from workers.execution.context import TaskContext
from workers.execution.runner import Runner
from workers.execution.scratch import hold_scratch_mark, scratch_directory


def test_scratch_directory_exists_in_its_context_only(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as folder, scratch_directory(tmp_path):
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_scratch_directory_that_cannot_be_created_is_a_staging_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StagingFault), scratch_directory(tmp_path / "file" / "staging"):
        pass
    with pytest.raises(StagingFault), hold_scratch_mark(tmp_path / "absent" / "mark"):
        pass


def test_scratch_directory_passes_on_errors_of_its_user(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch_directory(tmp_path) as folder:
        (folder / "absent").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_scratch_directory_whose_deletion_was_interrupted_is_deleted_by_the_next_process(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as folder:
        (folder / "pyramid.zip").touch()
        (folder / "held").rename(tmp_path / "deleted")
        with scratch_directory(tmp_path):
            assert not folder.exists()


def test_runner_postpones_a_job_and_pauses_when_the_disk_is_full(context: TaskContext) -> None:
    def fill_disk(_: TaskContext, __: Job) -> Mapping[str, object]:
        raise StagingFault(reason="ENOSPC")

    repository = context.repository
    short_pause = replace(
        context, repository=replace(repository, settings=replace(repository.settings, sweep_seconds=1))
    )
    repository.jobs.enqueue(NewJob("job", "page", {}))
    started = time.monotonic()
    Runner(short_pause, {"page": fill_disk}, "here", patience=60).run("job")
    assert time.monotonic() - started >= 1
    job = repository.jobs.get("job")
    assert job
    assert (job.state, (job.result or {})["code"]) == (JobState.QUEUED, "staging")
