"""Desks for work in progress, and what becomes of a job when there is no room for one."""

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


def test_a_desk_is_held_while_it_is_used_and_gone_afterwards(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as folder, scratch_directory(tmp_path):
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_desk_that_cannot_be_made_is_a_fault_of_the_staging(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StagingFault), scratch_directory(tmp_path / "file" / "staging"):
        pass
    with pytest.raises(StagingFault), hold_scratch_mark(tmp_path / "absent" / "mark"):
        pass


def test_what_goes_wrong_at_a_desk_is_not_taken_for_its_own_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch_directory(tmp_path) as folder:
        (folder / "absent").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_room_puts_its_job_off_and_rests(context: TaskContext) -> None:
    def no_room(_: TaskContext, __: Job) -> Mapping[str, object]:
        raise StagingFault(reason="ENOSPC")

    repository = context.repository
    impatient = replace(context, repository=replace(repository, settings=replace(repository.settings, sweep_seconds=1)))
    repository.jobs.enqueue(NewJob("job", "page", {}))
    began = time.monotonic()
    Runner(impatient, {"page": no_room}, "here", patience=60).run("job")
    assert time.monotonic() - began >= 1
    job = repository.jobs.get("job")
    assert job
    assert (job.state, (job.result or {})["code"]) == (JobState.QUEUED, "staging")
