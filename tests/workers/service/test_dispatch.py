"""The sweep of a broker's worker finds jobs that no process dispatched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from celery import Celery
from ports import reserve_port

from repository.config import Settings
from repository.errors import DependencyMissing
from repository.repository import Repository, memory_repository
from workers.bootstrap import prepare_repository
from workers.service.celery_app import KINDS, QUEUE, create_celery
from workers.service.dispatch import Sweeper, queued, send_due, send_if_due
from workers.tasks.jobs import pyramid_job


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository in memory whose broker is in memory too."""
    return prepare_repository(memory_repository(Settings(data=tmp_path / "var", broker="memory://", similar_pages=0)))


@pytest.fixture
def celery(repository: Repository) -> Celery:
    celery = create_celery(repository.settings)
    with celery.connection_for_write() as connection:
        for queue in KINDS:
            connection.default_channel.queue_purge(queue)
    return celery


def test_sweep_dispatches_a_job_that_a_web_process_only_queued(celery: Celery, repository: Repository) -> None:
    repository.jobs.enqueue(pyramid_job("i1", "w1"))
    assert queued(celery, QUEUE) == 0
    sweeper = Sweeper(celery, repository)
    sweeper.sweep()
    assert queued(celery, QUEUE) == 1
    sweeper.sweep()
    assert queued(celery, QUEUE) == 1  # it has its message


def test_broker_is_asked_only_if_a_job_needs_a_message(repository: Repository) -> None:
    absent = create_celery(replace(repository.settings, broker=f"redis://127.0.0.1:{reserve_port()}/0"))
    send_if_due(absent, repository)
    repository.jobs.enqueue(pyramid_job("i1", "w1"))
    with pytest.raises(DependencyMissing):
        send_if_due(absent, repository)


def test_sweeper_sweeps_immediately_and_then_at_most_sweep_seconds_apart(
    celery: Celery, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = Sweeper(celery, repository)
    pauses: list[float] = []

    def wait(pause: float) -> bool:
        pauses.append(pause)
        return len(pauses) > 20

    monkeypatch.setattr(sweeper._stopped, "wait", wait)
    sweeper.run()
    assert pauses[0] == 0
    assert all(0 < pause <= repository.settings.sweep_seconds for pause in pauses[1:])


def test_sweep_dispatches_again_what_the_broker_lost(
    celery: Celery, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.jobs.enqueue(pyramid_job("i1", "w1"))
    assert send_due(celery, repository) == 1
    with celery.connection_for_write() as connection:
        connection.default_channel.queue_purge(QUEUE)
    ages: list[float] = []
    requeue = repository.jobs.requeue_undelivered
    monkeypatch.setattr(
        repository.jobs, "requeue_undelivered", lambda kinds, age: ages.append(age) or requeue(kinds, -1)
    )
    Sweeper(celery, repository).sweep()
    assert queued(celery, QUEUE) == 1
    assert set(ages) == {repository.settings.sweep_seconds}
