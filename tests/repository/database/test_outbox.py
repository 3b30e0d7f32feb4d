"""The outbox: jobs start once, are leased to a worker, are retried, and fan out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from repository.database.engine import migrate, open_database, sessions_of
from repository.database.outbox import Job, JobProgress, Jobs, JobState, NewJob
from repository.errors import Busy

KINDS = ("journal", "collection")


class Watch:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def jobs(tmp_path: Path, watch: Watch) -> Jobs:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    migrate(engine)
    return Jobs(sessions_of(engine), watch)


def order(key: str = "journal", kind: str = "journal", **arguments: str) -> NewJob:
    return NewJob(key, kind, arguments)


def pages(count: int) -> list[NewJob]:
    return [order(f"page:{number}", "page", file=f"{number}.tif") for number in range(count)]


def held(jobs: Jobs, key: str = "journal", holder: str = "a", seconds: float = 60) -> Job:
    job = jobs.start(key, holder, seconds)
    assert job is not None
    return job


def state(jobs: Jobs, key: str = "journal") -> JobState:
    job = jobs.get(key)
    assert job is not None
    return job.state


def fanned_out(jobs: Jobs, count: int = 2) -> None:
    jobs.enqueue(order("ingest:1", "ingest"))
    held(jobs, "ingest:1")
    assert jobs.fan_out("ingest:1", "a", pages(count), {"work": "w1"}, "w1")


def test_jobs_under_many_keys_come_in_the_order_of_the_keys(jobs: Jobs) -> None:
    for new_job in (order("b"), order("a"), order("c")):
        jobs.enqueue(new_job)
    keys = ["a", *(f"absent {number}" for number in range(1200)), "b", "a"]
    assert jobs.among(keys) == [jobs.get("a"), jobs.get("b")]
    assert jobs.among([]) == []


def test_a_job_delivered_twice_starts_once(jobs: Jobs) -> None:
    jobs.enqueue(order())
    assert held(jobs).attempts == 1
    assert jobs.start("journal", "b", 60) is None
    jobs.finish("journal", "a", {"entries": 1})
    assert state(jobs) is JobState.DONE
    assert jobs.start("journal", "b", 60) is None


def test_one_of_many_workers_starts_a_job(jobs: Jobs) -> None:
    jobs.enqueue(order())
    with ThreadPoolExecutor(8) as executor:
        taken = list(executor.map(lambda number: jobs.start("journal", f"{number}", 60), range(8)))
    assert sum(job is not None for job in taken) == 1


def test_an_expired_lease_releases_the_job_and_ignores_its_worker(jobs: Jobs, watch: Watch) -> None:
    jobs.enqueue(order())
    held(jobs, seconds=60)
    watch.pass_by(50)
    assert jobs.renew("journal", "a", 60)
    watch.pass_by(50)
    assert jobs.release_expired() == 0
    watch.pass_by(50)
    assert jobs.release_expired() == 1
    assert held(jobs, holder="b").attempts == 2
    assert not jobs.renew("journal", "a", 60)
    jobs.finish("journal", "a", {"entries": 1})
    assert state(jobs) is JobState.RUNNING


def test_jobs_of_a_dead_worker_are_released(jobs: Jobs) -> None:
    for key, holder in (("journal", "dead"), ("collection", "alive")):
        jobs.enqueue(order(key, key))
        held(jobs, key, holder)
    assert jobs.release("dead") == 1
    assert (state(jobs, "journal"), state(jobs, "collection")) == (JobState.QUEUED, JobState.RUNNING)


def test_a_transient_error_postpones_the_job(jobs: Jobs, watch: Watch) -> None:
    jobs.enqueue(order())
    held(jobs)
    assert jobs.postpone("journal", "a", {"code": "store"}, 30)
    assert [(job.key, job.result) for job in jobs.delayed()] == [("journal", {"code": "store"})]
    assert jobs.start("journal", "a", 60) is None
    assert jobs.due(10) == []
    watch.pass_by(30)
    assert [job.key for job in jobs.due(10)] == ["journal"]
    assert held(jobs).attempts == 2


def test_enqueueing_a_running_job_runs_it_again_afterwards(jobs: Jobs) -> None:
    jobs.enqueue(order())
    held(jobs)
    jobs.enqueue(order())
    assert state(jobs) is JobState.RUNNING
    assert jobs.finish("journal", "a", {})
    assert state(jobs) is JobState.QUEUED
    held(jobs)
    jobs.finish("journal", "a", {})
    assert state(jobs) is JobState.DONE


def test_enqueueing_a_postponed_job_makes_it_due(jobs: Jobs) -> None:
    jobs.enqueue(order())
    held(jobs)
    jobs.postpone("journal", "a", {"code": "store"}, 300)
    jobs.enqueue(order())
    assert held(jobs).attempts == 1


def test_a_job_continues_when_its_last_child_has_finished(jobs: Jobs) -> None:
    fanned_out(jobs, 3)
    for number in range(3):
        assert state(jobs, "ingest:1") is JobState.WAITING
        assert jobs.progress("ingest:1") == JobProgress(number, 3)
        held(jobs, f"page:{number}")
        ended: Callable[..., bool] = jobs.fail if number == 1 else jobs.finish
        assert ended(f"page:{number}", "a", {"page": number}) is (number == 2)
    job = held(jobs, "ingest:1", "b")
    assert (job.plan, job.attempts) == ({"work": "w1"}, 2)
    assert [child.result for child in jobs.children("ingest:1")] == [{"page": number} for number in range(3)]
    jobs.finish("ingest:1", "b", {})
    assert jobs.children("ingest:1") == []


def test_a_child_reported_twice_is_counted_once(jobs: Jobs) -> None:
    fanned_out(jobs)
    held(jobs, "page:0")
    jobs.finish("page:0", "a", {})
    jobs.finish("page:0", "a", {})
    assert state(jobs, "ingest:1") is JobState.WAITING


def test_a_claim_is_exclusive_until_its_job_finishes(jobs: Jobs) -> None:
    fanned_out(jobs)
    jobs.enqueue(order("ingest:2", "ingest"))
    held(jobs, "ingest:2", "b")
    with pytest.raises(Busy):
        jobs.fan_out("ingest:2", "b", [order("page:9", "page")], {}, "w1")
    assert state(jobs, "ingest:2") is JobState.RUNNING
    for number in range(2):
        held(jobs, f"page:{number}")
        jobs.finish(f"page:{number}", "a", {})
    held(jobs, "ingest:1")
    jobs.fail("ingest:1", "a", {})
    assert jobs.fan_out("ingest:2", "b", [order("page:9", "page")], {}, "w1")


def test_enqueueing_a_job_with_a_plan_keeps_the_plan(jobs: Jobs) -> None:
    fanned_out(jobs)
    jobs.enqueue(order("ingest:1", "ingest"))
    assert (state(jobs, "ingest:1"), jobs.progress("ingest:1")) == (JobState.WAITING, JobProgress(0, 2))


def test_a_restart_drops_the_plan_and_the_children(jobs: Jobs) -> None:
    fanned_out(jobs, 1)
    held(jobs, "page:0")
    jobs.finish("page:0", "a", {})
    held(jobs, "ingest:1")
    assert jobs.restart("ingest:1", "a")
    job = held(jobs, "ingest:1")
    assert job.plan is None
    assert jobs.children("ingest:1") == []


def test_children_are_due_before_new_jobs(jobs: Jobs) -> None:
    jobs.enqueue(order("ingest:0", "ingest"))
    fanned_out(jobs)
    assert [job.key for job in jobs.due(10)] == ["page:0", "page:1", "ingest:0"]


def test_due_jobs_can_be_limited_to_kinds_or_to_one_job_and_its_children(jobs: Jobs) -> None:
    jobs.enqueue(order("ingest:0", "ingest"))
    jobs.enqueue(order("journal", "journal"))
    fanned_out(jobs)
    assert [job.key for job in jobs.due(10, ("ingest", "journal"))] == ["ingest:0", "journal"]
    assert jobs.due(10, ()) == []
    assert [job.key for job in jobs.due_within("ingest:1", 10)] == ["page:0", "page:1"]
    assert [job.key for job in jobs.due_within("ingest:0", 10)] == ["ingest:0"]


def test_jobs_with_lost_messages_are_dispatched_again(jobs: Jobs, watch: Watch) -> None:
    jobs.enqueue(order("journal", "journal"))
    assert [job.key for job in jobs.claim_undispatched(KINDS, 10)] == ["journal"]
    jobs.enqueue(order("collection", "collection"))
    assert [job.key for job in jobs.claim_undispatched(KINDS, 10)] == ["collection"]
    watch.pass_by(20)
    assert jobs.requeue_undelivered(KINDS, 30) == 0
    assert jobs.requeue_undelivered(KINDS, 10) == 2
    assert len(jobs.claim_undispatched(("journal",), 10)) == 1


def test_postponed_jobs_are_dispatched_when_due(jobs: Jobs, watch: Watch) -> None:
    jobs.enqueue(order())
    jobs.claim_undispatched(KINDS, 10)
    held(jobs)
    jobs.postpone("journal", "a", {}, 30)
    assert jobs.claim_undispatched(KINDS, 10) == []
    watch.pass_by(30)
    assert [job.key for job in jobs.claim_undispatched(KINDS, 10)] == ["journal"]


def test_failed_jobs_are_listed_with_their_reason(jobs: Jobs) -> None:
    jobs.enqueue(order())
    held(jobs)
    jobs.fail("journal", "a", {"code": "log"})
    assert [job.result for job in jobs.failed()] == [{"code": "log"}]
    assert jobs.counts() == {"queued": 0, "running": 0, "waiting": 0, "done": 0, "failed": 1}


def test_old_finished_jobs_are_purged(jobs: Jobs, watch: Watch) -> None:
    for key in ("journal", "collection"):
        jobs.enqueue(order(key, key))
        held(jobs, key)
    jobs.finish("journal", "a", {})
    watch.pass_by(100)
    jobs.fail("collection", "a", {})
    assert jobs.purge_finished(200, 200) == 0
    watch.pass_by(200)
    assert jobs.purge_finished(200, 200) == 1
    assert jobs.get("journal") is None
    assert state(jobs, "collection") is JobState.FAILED


def test_of_old_failures_only_refused_deposits_are_purged(jobs: Jobs, watch: Watch) -> None:
    for key, branch in (("refused", "content"), ("failed", "system")):
        jobs.enqueue(order(key, "ingest"))
        held(jobs, key)
        jobs.fail(key, "a", {"branch": branch})
    watch.pass_by(300)
    assert jobs.purge_finished(200, 400) == 0
    assert jobs.purge_finished(200, 200) == 1
    assert jobs.get("refused") is None
    assert state(jobs, "failed") is JobState.FAILED
