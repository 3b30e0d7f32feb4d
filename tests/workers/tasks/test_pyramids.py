"""A damaged or absent pyramid is made from its master, and from no other bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from preservation.ocfl import objects
from repository.database.outbox import Job
from repository.errors import MasterDamaged, NotFound
from repository.model.work import Image, Pyramid, Work
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.masters.duplicates import pyramid_key
from workers.masters.examine import open_child_examiner
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job, pyramid_job
from workers.tasks.pyramids import repair_pyramid


@pytest.fixture
def work(context: TaskContext, deposit: Path) -> Work:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.result is not None
    work = context.repository.catalogue.work(str(job.result["identifier"]))
    assert work is not None
    return work


@pytest.fixture
def image(work: Work) -> Image:
    return next(iter(work.images()))


def queued_repair(repository: Repository, work: Work, image: Image) -> Job:
    new_job = pyramid_job(image.identifier, work.identifier)
    repository.jobs.enqueue(new_job)
    job = repository.jobs.get(new_job.key)
    assert job is not None
    return job


def recorded_pyramid(repository: Repository, work: Work, image: Image) -> Pyramid:
    return repository.catalogue.pyramids(work.identifier)[image.identifier]


def flip_bit(repository: Repository, key: str, position: int) -> None:
    """Change one bit of an object."""
    content = bytearray(repository.store.read(key))
    content[position] ^= 1
    repository.store.put(key, bytes(content))


@pytest.mark.parametrize("position", [1000, -1000, -30], ids=["a tile", "the directory", "the end"])
def test_damaged_pyramid_is_remade_once(context: TaskContext, work: Work, image: Image, position: int) -> None:
    repository = context.repository
    pyramid = recorded_pyramid(repository, work, image)
    flip_bit(repository, pyramid.key, position)
    assert repair_pyramid(context, queued_repair(repository, work, image)) == {"remade": True}
    again = recorded_pyramid(repository, work, image)
    assert again == pyramid
    assert repair_pyramid(context, queued_repair(repository, work, image)) == {"remade": False}


def test_absent_pyramid_is_remade(context: TaskContext, work: Work, image: Image) -> None:
    repository = context.repository
    key = recorded_pyramid(repository, work, image).key
    repository.store.delete(key)
    assert repair_pyramid(context, queued_repair(repository, work, image)) == {"remade": True}
    assert repository.store.exists(key)


def test_pyramid_is_remade_with_the_current_settings_and_the_catalogue_updated(
    context: TaskContext, work: Work, image: Image, tmp_path: Path
) -> None:
    repository = context.repository
    before = recorded_pyramid(repository, work, image)
    flip_bit(repository, before.key, 1000)
    current = replace(repository, settings=replace(repository.settings, tile_size=256))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with open_child_examiner(current.settings, scratch, 1) as examiner:
        repair_pyramid(TaskContext(current, examiner), queued_repair(repository, work, image))
    assert not repository.store.exists(before.key)
    after = recorded_pyramid(repository, work, image)
    assert after.key == pyramid_key(current.settings, image.identifier) != before.key
    assert after.tile_size == 256
    assert after.fingerprint != before.fingerprint
    assert repository.store.exists(after.key)


def test_damaged_master_is_not_used(context: TaskContext, work: Work, image: Image) -> None:
    repository = context.repository
    pyramid = recorded_pyramid(repository, work, image)
    flip_bit(repository, pyramid.key, 1000)
    inventory = objects.read_inventory(repository.store, work.identifier)
    assert inventory is not None
    damaged = repository.store.read(pyramid.key)
    flip_bit(repository, objects.file_key(inventory, work.identifier, image.master.path), 5000)
    with pytest.raises(MasterDamaged, match="replica"):
        repair_pyramid(context, queued_repair(repository, work, image))
    assert repository.store.read(pyramid.key) == damaged
    assert recorded_pyramid(repository, work, image) == pyramid


def test_repair_of_an_unknown_image_is_not_found(context: TaskContext, work: Work, image: Image) -> None:
    unknown = replace(image, identifier="i0000000000000")
    with pytest.raises(NotFound):
        repair_pyramid(context, queued_repair(context.repository, work, unknown))
