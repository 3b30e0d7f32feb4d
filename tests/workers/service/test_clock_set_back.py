"""A clock that is set back holds up no job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.repository import Repository, memory_repository
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.execution.runner import Runner
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

MOST_POLLS = 600
SET_BACK = [timedelta(seconds=90), timedelta(hours=1), timedelta(days=400)]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def context(tmp_path: Path, examiner: ChildDepositExaminer, clock: Clock) -> TaskContext:
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var"), clock))
    return TaskContext(repository, examiner)


def interrupt_at(poll: int) -> Callable[[], None]:
    polls = iter(range(poll))

    def count() -> None:
        if next(polls, None) is None:
            raise KeyboardInterrupt

    return count


def give_up() -> Callable[[], None]:
    """Return a poll that fails after many calls, when the ingest would have ended long before."""
    polls = iter(range(MOST_POLLS))

    def count() -> None:
        assert next(polls, None) is not None, "the ingest hangs"

    return count


@pytest.mark.parametrize("back", SET_BACK)
@pytest.mark.parametrize("poll", [0, 1, 2])
def test_ingest_ends_after_the_clock_was_set_back_during_the_one_before(
    context: TaskContext, deposit: Path, clock: Clock, back: timedelta, poll: int
) -> None:
    with pytest.raises(KeyboardInterrupt), local_runner(context) as runner:
        runner.run(ingest_job(deposit), interrupt_at(poll))
    clock.now -= back
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit), give_up())
        assert (job.state, runner.unfinished()) == (JobState.DONE, []), job.result


@pytest.mark.parametrize("back", SET_BACK)
def test_ingest_ends_after_the_clock_is_set_back_while_it_runs(
    context: TaskContext, deposit: Path, clock: Clock, back: timedelta
) -> None:
    polls = give_up()

    def set_back() -> None:
        polls()
        clock.now = min(clock.now, datetime(2026, 1, 1, 12, tzinfo=UTC) - back)

    with local_runner(context) as runner:
        assert runner.run(ingest_job(deposit), set_back).state is JobState.DONE


@pytest.fixture
def repository(context: TaskContext) -> Repository:
    return context.repository


def test_lease_of_a_dead_machine_expires_after_the_clock_was_set_back(repository: Repository, clock: Clock) -> None:
    repository.jobs.enqueue(NewJob("key", "kind", {}))
    assert repository.jobs.start("key", "dead", 60)
    clock.now -= timedelta(days=1)
    assert repository.jobs.release_expired() == 1


def test_postponed_job_is_due_after_the_clock_was_set_back(repository: Repository, clock: Clock) -> None:
    repository.jobs.enqueue(NewJob("key", "kind", {}))
    assert repository.jobs.start("key", "holder", 60)
    assert repository.jobs.postpone("key", "holder", {"code": "x"}, 300)
    assert repository.jobs.due(1) == []
    clock.now -= timedelta(days=1)
    assert [job.key for job in repository.jobs.due(1)] == ["key"]
    assert repository.jobs.start("key", "holder", 60)


def test_impatient_runner_gives_up_after_the_clock_was_set_back(context: TaskContext, clock: Clock) -> None:
    jobs = context.repository.jobs
    jobs.enqueue(NewJob("key", "kind", {}))
    assert jobs.start("key", "holder", 60)
    first = {"code": "x", "tries": 1, "first": "2026-01-01T12:00:00Z"}
    assert jobs.postpone("key", "holder", first, 0)
    clock.now -= timedelta(hours=1)

    def fail(*_: object) -> dict[str, object]:
        raise RuntimeError

    Runner(context, {"kind": fail}, "holder", patience=0).run("key")
    job = jobs.get("key")
    assert job
    assert job.state is JobState.FAILED
