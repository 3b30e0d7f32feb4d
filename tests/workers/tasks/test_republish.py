"""After an upgrade, or a change of a setting, all manifests are published again, once, and the feed says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from publications import NOW, publication

from iiif_server.presentation import edition
from preservation.store_identity import recognise_primary
from repository import paths
from repository.config import Settings
from repository.database.outbox import JobState
from repository.model.changes import ChangeKind
from repository.repository import Repository, memory_repository
from workers.execution.context import TaskContext
from workers.execution.runner import Runner
from workers.published_edition import begin_edition, is_outdated, prepare_edition, wanted_edition
from workers.tasks import republish as module
from workers.tasks.access import withdraw
from workers.tasks.fixity_derived import check_published
from workers.tasks.jobs import PUBLISH_MANIFEST, manifest_job, republish_job
from workers.tasks.publish import publish_all, publish_work
from workers.tasks.registry import TASKS
from workers.tasks.republish import queue_republishing

pytestmark = pytest.mark.slow

NAMES = ("一", "二", "三", "四")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A library of four works, one of them withdrawn, whose documents are of this edition."""
    repository = memory_repository(Settings(data=tmp_path))
    recognise_primary(repository)
    prepare_edition(repository)
    assert not queue_republishing(repository)
    for name in NAMES:
        made = publication(name)
        repository.catalogue.publish(made, [], NOW)
        publish_work(repository, made.work, made.access_held, made.pyramids)
    withdraw(repository, work_of("四"), "試")
    publish_all(repository)
    for job in repository.jobs.due(10):
        repository.jobs.forget(job.key)
    return repository


def work_of(name: str) -> str:
    return publication(name).work.identifier


def providers(repository: Repository) -> list[str | None]:
    """The institution that each manifest names, in the order of `NAMES`."""
    documents = [json.loads(repository.store.read(paths.manifest(work_of(name)))) for name in NAMES]
    return [document.get("provider", [{}])[0].get("label", {}).get("none", [None])[0] for document in documents]


def with_provider(repository: Repository, provider: str) -> Repository:
    return replace(repository, settings=replace(repository.settings, provider=provider))


def run_due(repository: Repository, most: int = 100) -> int:
    """Do the recurring work and run jobs until nothing is due, or after so many jobs. Return how many ran."""
    runner, count = Runner(TaskContext(repository, None), TASKS, "worker", 0), 0  # type: ignore[arg-type]
    while queue_republishing(repository) and count < most:
        for job in repository.jobs.due(most - count):
            runner.run(job.key)
            count += 1
    return count


def updates(repository: Repository) -> list[str | None]:
    feed = repository.changes
    return [each.work for each in feed.activities(0, feed.size()) if each.kind is ChangeKind.UPDATE]


def test_a_change_of_a_setting_publishes_every_manifest_again_once(repository: Repository) -> None:
    changed = with_provider(repository, "某館")
    assert providers(repository) == [None] * 4
    assert is_outdated(changed)
    run_due(changed)
    assert providers(repository) == ["某館", "某館", "某館", None], "a withdrawn work is not published"
    assert sorted(filter(None, updates(repository))) == sorted(map(work_of, NAMES[:3]))
    assert not is_outdated(changed)
    assert run_due(changed) == 0


def test_an_upgrade_that_changes_no_document_writes_none(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edition, "EDITION", edition.EDITION + 1)
    assert is_outdated(repository)
    run_due(repository)
    assert (updates(repository), is_outdated(repository)) == ([], False)


@pytest.mark.parametrize("jobs", [1, 3, 5])
def test_a_process_that_ends_is_continued_by_the_next(repository: Repository, jobs: int) -> None:
    changed = with_provider(repository, "某館")
    run_due(changed, jobs)
    run_due(with_provider(repository, "某館"))
    assert providers(repository) == ["某館", "某館", "某館", None]
    assert len(updates(repository)) == 3
    assert not is_outdated(changed)


def test_an_update_is_not_lost_between_the_manifest_and_the_feed(repository: Repository) -> None:
    changed, work = with_provider(repository, "某館"), work_of("一")
    runner = Runner(TaskContext(changed, None), TASKS, "worker", 0)  # type: ignore[arg-type]
    changed.jobs.enqueue(manifest_job(work))
    runner.run(manifest_job(work).key)  # it claims the work
    made = publication("一")
    publish_work(changed, made.work, made.access_held, made.pyramids)  # and dies after this
    runner.run(manifest_job(work).key)
    assert updates(repository) == [work]


def test_a_work_that_another_job_changes_waits(repository: Repository) -> None:
    changed, work = with_provider(repository, "某館"), work_of("一")
    other = replace(manifest_job(work), key="another")
    changed.jobs.enqueue(other)
    runner = Runner(TaskContext(changed, None), TASKS, "worker", 60)  # type: ignore[arg-type]
    runner.run(other.key)
    assert changed.jobs.is_claimed(work)
    changed.jobs.enqueue(manifest_job(work))
    runner.run(manifest_job(work).key)
    waiting = changed.jobs.get(manifest_job(work).key)
    assert waiting
    assert (waiting.state, (waiting.result or {})["code"]) == (JobState.QUEUED, "system.busy")
    assert providers(repository)[0] is None


def test_a_job_of_another_release_does_nothing(repository: Repository) -> None:
    changed = with_provider(repository, "某館")
    repository.jobs.enqueue(republish_job("another"))
    Runner(TaskContext(changed, None), TASKS, "worker", 0).run(republish_job("another").key)  # type: ignore[arg-type]
    assert repository.jobs.active(PUBLISH_MANIFEST) == []
    assert is_outdated(changed)


@contextmanager
def earlier_release() -> Iterator[None]:
    """Have this process be of the release before the last one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edition, "EDITION", edition.EDITION - 1)
        yield


def test_an_earlier_release_leaves_the_documents_to_the_later_one(repository: Repository) -> None:
    later = with_provider(repository, "某館")
    with earlier_release():
        queued = republish_job(wanted_edition(repository))
    repository.jobs.enqueue(queued)  # before the later release has begun
    begin_edition(later)
    with earlier_release():
        Runner(TaskContext(repository, None), TASKS, "worker", 0).run(queued.key)  # type: ignore[arg-type]
    run_due(later)
    record = repository.store.read(paths.PUBLISHED_EDITION)
    with earlier_release():
        assert is_outdated(repository)
        assert not queue_republishing(repository)
        prepare_edition(repository)
        [check] = check_published(repository, work_of("一"), lambda _: None).checks
        assert (check.finding, check.reason is not None) == (None, True)
    assert repository.store.read(paths.PUBLISHED_EDITION) == record
    assert providers(repository) == ["某館", "某館", "某館", None]
    assert run_due(later) == 0


def test_what_an_earlier_release_publishes_meanwhile_is_published_again(repository: Repository) -> None:
    later, made = with_provider(repository, "某館"), publication("一")
    run_due(later)
    with earlier_release():
        publish_work(repository, made.work, made.access_held, made.pyramids)
    assert providers(repository)[0] is None
    [check] = check_published(later, work_of("一"), lambda _: None).checks
    assert check.finding is None
    run_due(later)
    assert providers(repository) == ["某館", "某館", "某館", None]
    assert run_due(later) == 0


def test_a_job_that_a_worker_of_an_earlier_release_takes_is_done_by_the_later_one(repository: Repository) -> None:
    later = with_provider(repository, "某館")
    while not repository.jobs.active(PUBLISH_MANIFEST):
        assert run_due(later, 1) == 1
    jobs = [job for job in repository.jobs.due(10) if job.kind == PUBLISH_MANIFEST]
    assert jobs
    with earlier_release():
        for job in jobs:
            Runner(TaskContext(repository, None), TASKS, "worker", 0).run(job.key)  # type: ignore[arg-type]
    run_due(later)
    assert providers(repository) == ["某館", "某館", "某館", None]
    assert not is_outdated(later)


def test_a_sweep_does_not_take_manifests_of_an_earlier_release_for_damaged(repository: Repository) -> None:
    changed, work = with_provider(repository, "某館"), work_of("一")
    [check] = check_published(changed, work, lambda _: None).checks
    assert (check.finding, check.reason is not None) == (None, True)
    run_due(changed)
    assert check_published(changed, work, lambda _: None).checks[0].reason is None
    repository.store.put(paths.manifest(work), b"{}")
    assert check_published(changed, work, lambda _: None).checks[0].finding
