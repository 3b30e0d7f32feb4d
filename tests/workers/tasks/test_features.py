"""The index of features follows the catalogue and what is stored, and rewrites only the shards that changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest
from publications import NOW, publication

from iiif_server.pyramid.grid import Box
from iiif_server.similarity.records import FEATURE, DescribedPicture
from iiif_server.similarity.shards import ShardList
from iiif_server.similarity.work_features import pack, recipe
from repository import paths
from repository.config import Settings
from repository.database.outbox import Job, JobState
from repository.model.work import Access, WorkAccess, WorkState
from repository.repository import Repository, memory_repository
from workers.execution.context import TaskContext
from workers.tasks.features import describe_work, index_features
from workers.tasks.jobs import DESCRIBE_WORK, feature_index_job, features_job

WITHDRAWN = WorkAccess(state=WorkState.WITHDRAWN)
RESTRICTED = WorkAccess(access=Access.RESTRICTED)


@pytest.fixture
def repository() -> Repository:
    return memory_repository(Settings())


def hold(repository: Repository, name: str, access: WorkAccess = WorkAccess()) -> str:  # noqa: B008 - it is frozen
    """Publish a work without files."""
    held = replace(publication(name), access=access)
    repository.catalogue.publish(held, [], NOW)
    return held.work.identifier


def describe(repository: Repository, work: str, pages: int = 2, name: str = "") -> str:
    """Store features of a work, as a job does."""
    key = paths.page_features(work, recipe([(name,)]))
    picture = DescribedPicture(bytes(8), bytes(400 * FEATURE.itemsize), 1, 1)
    repository.store.put(key, b"".join(pack([(f"i{number}", Box(0, 0, 9, 9), picture) for number in range(pages)])))
    return key


def run(repository: Repository) -> ShardList:
    """Run the job of the index, and return the list that it wrote."""
    context = TaskContext(repository, None)  # type: ignore[arg-type] - it examines nothing
    job = feature_index_job()
    index_features(context, Job(job.key, job.kind, {}, JobState.RUNNING, 1, None, None, "", ""))
    return ShardList.of_json(repository.store.read(paths.SIMILAR_SHARDS))


def queued(repository: Repository) -> set[str]:
    return {job.key for job, *_ in repository.jobs.active(DESCRIBE_WORK)}


def keys(jobs: Iterable[str]) -> set[str]:
    return {features_job(work).key for work in jobs}


def test_works_that_are_shown_are_described_and_others_are_not(repository: Repository) -> None:
    shown = [hold(repository, name) for name in ("一", "二", "三")]
    hidden = [hold(repository, "四", WITHDRAWN), hold(repository, "五", RESTRICTED)]
    describe(repository, shown[0])
    describe(repository, hidden[0])
    repository.store.put(f"{paths.features_of_work(shown[1])}/0-of-an-old-fmt.features", b"")
    run(repository)
    assert queued(repository) == keys([shown[1], shown[2], hidden[0]])


def test_features_of_a_work_that_is_not_held_are_removed(repository: Repository) -> None:
    key = describe(repository, publication("六").work.identifier)
    job = features_job(publication("六").work.identifier)
    context = TaskContext(repository, None)  # type: ignore[arg-type]
    done = describe_work(context, Job(job.key, job.kind, job.arguments, JobState.RUNNING, 1, None, None, "", ""))
    assert done == {"described": 0, "removed": 1}
    assert not repository.store.exists(key)
    assert repository.jobs.get(feature_index_job().key) is not None


def test_only_the_shard_of_a_changed_work_is_written_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iiif_server.similarity.shards.SHARD_PAGES", 4)
    works = [hold(repository, str(number)) for number in range(12)]
    for work in works:
        describe(repository, work)
    first = run(repository)
    assert sum(shard.pages for shard in first.shards) == 24
    assert len(first.shards) == len({work[:2] for work in works})
    assert run(repository) == first

    describe(repository, works[0], pages=3, name="changed")
    repository.store.delete(paths.page_features(works[0], recipe([("",)])))
    second = run(repository)
    changed = {shard.key for shard in second.shards} - {shard.key for shard in first.shards}
    assert [key.rpartition("/")[2].startswith(works[0][:2]) for key in changed] == [True]
    stored = {item.key for item in repository.store.list(f"{paths.SIMILAR}/shards")}
    assert stored == {f"{s.key}{end}" for s, end in itertools.product(second.shards, (".npy", ".ivf"))}


def test_damaged_features_are_made_again_and_leave_the_other_pages(repository: Repository) -> None:
    works = [hold(repository, name) for name in ("一", "二")]
    describe(repository, works[0])
    repository.store.put(describe(repository, works[1]), b"damaged")
    assert [shard.pages for shard in run(repository).shards] == [2]
    run(repository)
    assert queued(repository) == keys([works[1]])


def test_without_the_search_nothing_is_indexed() -> None:
    repository = memory_repository(Settings(similar_pages=0))
    work = hold(repository, "一")
    describe(repository, work)
    context = TaskContext(repository, None)  # type: ignore[arg-type]
    job = feature_index_job()
    done = index_features(context, Job(job.key, job.kind, {}, JobState.RUNNING, 1, None, None, "", ""))
    assert done == {"shards": 0, "pages": 0}
    assert queued(repository) == set()
    assert not repository.store.exists(paths.SIMILAR_SHARDS)
