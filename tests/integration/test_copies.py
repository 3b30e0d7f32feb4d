"""The status of replicas, on SQLite and on PostgreSQL, with ten thousand works."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from repository.clock import system_clock
from repository.database.engine import migrate, open_database, sessions_of
from repository.database.outbox import Jobs, NewJob
from repository.database.replica_status import ReplicaCopy, ReplicaStatus
from repository.database.tables import ReplicaCopyRow, WorkRow
from repository.errors import DatabaseFault

pytestmark = pytest.mark.integration
WORKS = 10_000
NOW = "2026-01-02T03:04:05Z"
NEAR, FAR = "s3://near/copy", "/mnt/far"


def work_row(number: int) -> dict[str, object]:
    text = {
        "state": "published",
        "access": "open",
        "access_pending": False,
        "watermark": False,
        "title": "書",
        "accessioned": NOW,
    }
    figures = {"version": 2 if number % 10 == 0 else 1, "images": 1, "master_bytes": 1}
    return {"identifier": f"w{number:05d}", **text, **figures, "creator": [], "document": b""}


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An empty database."""
    url = request.getfixturevalue("database_url") if request.param == "postgresql" else f"sqlite:///{tmp_path / 'x'}"
    engine = open_database(url)
    migrate(engine)
    return engine


@pytest.fixture
def replica_status(engine: Engine) -> ReplicaStatus:
    """10,000 works: all near, every tenth at an older version than its newest; those below 5,000 also far."""
    rows = [{"work": f"w{number:05d}", "store": NEAR, "version": 1, "verified": NOW} for number in range(WORKS)]
    rows += [{"work": f"w{number:05d}", "store": FAR, "version": 1, "verified": NOW} for number in range(WORKS // 2)]
    with engine.begin() as connection:
        connection.execute(insert(WorkRow), [work_row(number) for number in range(WORKS)])
        connection.execute(insert(ReplicaCopyRow), rows)
    return ReplicaStatus(sessions_of(engine))


def seconds(action: Callable[[], object]) -> float:
    action()
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def test_the_summary_of_replication_is_right_and_takes_less_than_a_second(replica_status: ReplicaStatus) -> None:
    summary = replica_status.summary([NEAR, FAR])
    assert summary.works == WORKS
    assert summary.verified == {NEAR: 9000, FAR: 4500}
    assert summary.preserved == 4500
    assert replica_status.summary([NEAR]).preserved == summary.verified[NEAR]
    assert replica_status.summary([]).preserved == WORKS
    assert replica_status.summary(["elsewhere"]).preserved == 0
    duration = seconds(lambda: replica_status.summary([NEAR, FAR]))
    print(f"summary of {WORKS} works: {duration * 1000:.1f} ms")
    assert duration < 1


def test_a_verified_copy_makes_a_work_preserved_until_its_next_version(replica_status: ReplicaStatus) -> None:
    preserved = replica_status.summary([NEAR, FAR]).preserved
    replica_status.record_verified("w00010", NEAR, 2, "2026-02-02T00:00:00Z")
    replica_status.record_verified("w00010", FAR, 2, "2026-02-02T00:00:00Z")
    assert replica_status.summary([NEAR, FAR]).preserved == preserved + 1
    replica_status.record_verified("w00010", FAR, 1, "2026-03-03T00:00:00Z")
    assert replica_status.replicas_of("w00010") == [
        ReplicaCopy(FAR, 2, "2026-02-02T00:00:00Z"),
        ReplicaCopy(NEAR, 2, "2026-02-02T00:00:00Z"),
    ]
    assert replica_status.work_head("w00010", "accession") == (2, None)
    assert replica_status.work_head("unknown", "accession") is None


def test_missing_copies_exclude_those_with_a_job(replica_status: ReplicaStatus, engine: Engine) -> None:
    jobs = Jobs(sessions_of(engine), system_clock)
    prefix = f"replicate:{NEAR}:"
    assert replica_status.works_without_replica(NEAR, prefix, 3) == ["w00000", "w00010", "w00020"]
    jobs.enqueue(NewJob(f"{prefix}w00010", "replicate", {"work": "w00010", "store": NEAR}))
    assert replica_status.works_without_replica(NEAR, prefix, 3) == ["w00000", "w00020", "w00030"]
    assert len(replica_status.works_without_replica("new", "replicate:new:", WORKS * 2)) == WORKS
    duration = seconds(lambda: replica_status.works_without_replica(NEAR, prefix, 1000))
    print(f"what is missing of {WORKS} works: {duration * 1000:.1f} ms")
    assert duration < 1


def test_an_absent_database_is_a_transient_fault() -> None:
    with pytest.raises(DatabaseFault) as fault:
        ReplicaStatus(sessions_of(open_database("postgresql+psycopg://127.0.0.1:1/x"))).replicas_of("w00001")
    assert fault.value.transient
