"""After an upgrade, or a change of a setting, all manifests are published again, once, and the feed says so."""

from __future__ import annotations

import json
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
from workers.published_edition import is_outdated, prepare_edition
from workers.tasks import republish as module
from workers.tasks.access import withdraw
from workers.tasks.fixity_derived import check_published
from workers.tasks.jobs import PUBLISH_MANIFEST, manifest_job, republish_job
from workers.tasks.publish import publish_all, publish_work
from workers.tasks.registry import TASKS
from workers.tasks.republish import queue_republishing

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


def test_a_sweep_does_not_take_manifests_of_an_earlier_release_for_damaged(repository: Repository) -> None:
    changed, work = with_provider(repository, "某館"), work_of("一")
    [check] = check_published(changed, work, lambda _: None).checks
    assert (check.finding, check.reason is not None) == (None, True)
    run_due(changed)
    assert check_published(changed, work, lambda _: None).checks[0].reason is None
    repository.store.put(paths.manifest(work), b"{}")
    assert check_published(changed, work, lambda _: None).checks[0].finding
