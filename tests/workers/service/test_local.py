"""Jobs run in the calling process: what other processes hold is waited for, and taken over when they die."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from preservation.replication.status import replication_status_of
from repository.database.outbox import JobState, NewJob
from repository.storage.folder import FolderStore
from workers.execution.context import TaskContext
from workers.service.local import LocalRunner, local_runner
from workers.tasks.jobs import ingest_job, replicate_work_job, sequence_events_job


@pytest.fixture
def work(context: TaskContext, deposit: Path) -> str:
    """An ingested work."""
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.result is not None
    return str(job.result["identifier"])


def test_runner_takes_over_a_job_whose_holder_died(context: TaskContext, deposit: Path) -> None:
    order = ingest_job(deposit)
    context.repository.jobs.enqueue(order)
    assert context.repository.jobs.start(order.key, "killed", -1)
    with local_runner(context) as runner:
        assert runner.run(order).state is JobState.DONE


def test_runner_waits_for_a_job_that_another_process_holds(context: TaskContext, deposit: Path) -> None:
    order, jobs = ingest_job(deposit), context.repository.jobs
    jobs.enqueue(order)
    assert jobs.start(order.key, "elsewhere", 60)
    result = {"identifier": "w1", "images": 1, "changed": False}
    threading.Timer(1, lambda: jobs.finish(order.key, "elsewhere", result)).start()
    with local_runner(context) as runner:
        assert runner.run(order).result is not None


def test_runner_releases_what_it_holds_when_it_is_interrupted(context: TaskContext, deposit: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), local_runner(context) as runner:
        runner.run(ingest_job(deposit), interrupt)
    assert context.repository.jobs.counts()["running"] == 0


def test_attempt_leaves_a_job_queued_whose_replica_is_away(context: TaskContext, work: str, tmp_path: Path) -> None:
    (tmp_path / "far").write_text("no folder")
    store = FolderStore(tmp_path / "far")
    away = replace(context, repository=replace(context.repository, replicas={"far": store}))
    order = replicate_work_job("far", work)
    with local_runner(away) as runner:
        (job,) = runner.attempt([order])
        assert (job.state, job.result is not None) == (JobState.QUEUED, True)
        (tmp_path / "far").unlink()
        (job,) = runner.attempt([order])
    assert job.state is JobState.DONE
    assert replication_status_of(away.repository, work).preserved


def test_attempt_runs_more_jobs_than_a_batch_and_their_follow_up(context: TaskContext, tmp_path: Path) -> None:
    repository = replace(context.repository, replicas={"near": FolderStore(tmp_path / "near")})
    orders = [replicate_work_job("gone", f"w{number}") for number in range(45)]
    with local_runner(replace(context, repository=repository)) as runner:
        jobs = runner.attempt([sequence_events_job(), *orders])
    assert {job.state for job in jobs} == {JobState.DONE}
    log = repository.jobs.get("replicate-log:near")
    assert log is not None
    assert log.state is JobState.DONE


def test_runner_reports_a_follow_up_job_that_failed(context: TaskContext, work: str) -> None:
    order, jobs = NewJob("replicate:near:w1", "replicate", {"work": "w1", "store": "near"}), context.repository.jobs
    fault = {"code": "store.denied", "branch": "system", "message": {"zh": "拒绝", "en": "denied"}, "faults": []}
    jobs.enqueue(order)
    assert jobs.start(order.key, "elsewhere", 60)
    jobs.fail(order.key, "elsewhere", fault)
    runner = LocalRunner(context, "here")
    runner._follow_up[order.key] = None
    (unfinished,) = runner.unfinished()
    assert (unfinished.job.key, unfinished.reason.en) == (order.key, "denied")


def test_runner_queries_the_events_of_a_work_only_until_they_are_logged(context: TaskContext, deposit: Path) -> None:
    """A command with a thousand deposits would otherwise query all earlier works for each of them."""
    with local_runner(context) as runner:
        runner.run(ingest_job(deposit))
        assert (runner.unfinished(), runner._unlogged_works) == ([], {})
