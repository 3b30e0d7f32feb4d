"""Replicas: every work and the log go to each, and one that is away loses and blocks nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from preservation.holdings import preservation_of
from preservation.validation import validate_object
from repository import paths
from repository.config import Settings
from repository.errors import NotHeld, StoreFault
from repository.folder_store import FolderStore
from repository.handle import memory_repository
from repository.jobs import JobState
from repository.storage import open_replicas
from web.ingest_command import ingest_order
from workers.local import working_here
from workers.prepare import make_ready
from workers.replicate import replicate, replicate_log, replication_orders, work_order
from workers.tiling import ChildExaminer
from workers.workshop import Workshop

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def near(tmp_path: Path) -> FolderStore:
    """The replica in the next room."""
    return FolderStore(tmp_path / "near")


@pytest.fixture
def workshop(tmp_path: Path, examiner: ChildExaminer) -> Workshop:
    """A repository in memory with two replicas, both folders; the second is away: a file lies in its place."""
    replicas = (str(tmp_path / "near"), str(tmp_path / "far"))
    (tmp_path / "far").write_text("no folder")
    settings = Settings(data=tmp_path / "var", replicas=replicas)
    return Workshop(make_ready(memory_repository(settings, lambda: NOON)), examiner)


@pytest.fixture
def work(workshop: Workshop, deposit: Path) -> str:
    """A work that was taken in while one replica was away."""
    with working_here(workshop) as here:
        job = here.do(ingest_order(deposit), lambda: None)
    assert job.state is JobState.DONE
    assert job.result is not None
    return str(job.result["identifier"])


def name(tmp_path: Path, store: str) -> str:
    return str(tmp_path / store)


def test_a_replica_that_is_away_delays_and_shows_and_the_other_has_all(
    workshop: Workshop, work: str, near: FolderStore, tmp_path: Path
) -> None:
    repository = workshop.repository
    replicate(workshop, work_order(name(tmp_path, "near"), work).arguments)
    with pytest.raises(StoreFault) as away:
        replicate(workshop, work_order(name(tmp_path, "far"), work).arguments)
    assert away.value.passing
    assert validate_object(near, paths.ocfl_object(work)).valid
    held = preservation_of(repository, work)
    assert [(holding.main, holding.version, holding.current) for holding in held.holdings] == [
        (True, 1, True),
        (False, 1, True),
        (False, 0, False),
    ]
    assert [holding.verified for holding in held.holdings] == ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", None]
    assert (held.held, held.stores, held.preserved) == (2, 3, False)
    (tmp_path / "far").unlink()
    replicate(workshop, work_order(name(tmp_path, "far"), work).arguments)
    assert preservation_of(repository, work).preserved
    assert repository.copies.is_preserved(work, list(repository.replicas))
    assert replication_orders(repository, failed=True) == []
    with pytest.raises(NotHeld):
        preservation_of(repository, "unknown")


def test_what_is_not_noted_is_ordered_again(workshop: Workshop, work: str, tmp_path: Path) -> None:
    """As after a rebuild into an empty database, or when a replica is newly named."""
    repository = workshop.repository
    orders = {order.key: order for order in replication_orders(repository, failed=True)}
    assert work_order(name(tmp_path, "far"), work).key in orders
    replicate(workshop, work_order(name(tmp_path, "near"), work).arguments)
    (order,) = replication_orders(repository, failed=True)
    assert order == work_order(name(tmp_path, "far"), work)


def test_the_log_follows_into_the_replica(workshop: Workshop, work: str, near: FolderStore, tmp_path: Path) -> None:
    done = replicate_log(workshop, {"store": name(tmp_path, "near")})
    assert done["entries"] == 4
    assert near.read(paths.LOG_CHECKPOINT) == workshop.repository.store.read(paths.LOG_CHECKPOINT)
    with pytest.raises(StoreFault):
        replicate_log(workshop, {"store": name(tmp_path, "far")})


def test_a_job_for_a_replica_that_is_no_longer_named_is_over(workshop: Workshop, work: str) -> None:
    bare = replace(workshop, repository=replace(workshop.repository, replicas={}))
    assert replicate(bare, work_order("gone", work).arguments) == {"store": "gone", "skipped": True}
    assert replicate_log(bare, {"store": "gone"}) == {"store": "gone", "skipped": True}
    assert preservation_of(bare.repository, work).preserved


def test_a_replica_whose_bucket_is_absent_gets_one(workshop: Workshop, work: str, endpoint: str) -> None:
    address = f"s3://replica/of/it?endpoint={endpoint}&access_key=k&secret_key=s"
    settings = replace(workshop.repository.settings, replicas=(address,))
    replicas = open_replicas(settings)
    (name,) = replicas
    moved = replace(workshop, repository=replace(workshop.repository, settings=settings, replicas=replicas))
    assert "secret" not in name
    assert replicate(moved, work_order(name, work).arguments)["version"] == 1
    assert validate_object(replicas[name], paths.ocfl_object(work)).valid
