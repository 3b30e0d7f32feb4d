"""A pyramid that is damaged or absent is made again from its master, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from preservation.ocfl import objects
from repository.database.outbox import Job
from repository.errors import MasterDamaged, NotFound
from repository.model import Image, Pyramid, Work
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.masters.duplicates import pyramid_key
from workers.masters.examine import open_child_examiner
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job, pyramid_job
from workers.tasks.pyramids import repair_pyramid


@pytest.fixture
def work(context: TaskContext, deposit: Path) -> Work:
    with local_runner(context) as here:
        job = here.do(ingest_job(deposit), lambda: None)
    assert job.result is not None
    work = context.repository.catalogue.work(str(job.result["identifier"]))
    assert work is not None
    return work


@pytest.fixture
def image(work: Work) -> Image:
    return next(iter(work.images()))


def order_of(repository: Repository, work: Work, image: Image) -> Job:
    order = pyramid_job(image.identifier, work.identifier)
    repository.jobs.enqueue(order)
    job = repository.jobs.get(order.key)
    assert job is not None
    return job


def known(repository: Repository, work: Work, image: Image) -> Pyramid:
    return repository.catalogue.pyramids(work.identifier)[image.identifier]


def flip(repository: Repository, key: str, place: int) -> bytes:
    """Change one byte of an object; what it was before."""
    before = repository.store.read(key)
    changed = bytearray(before)
    changed[place] ^= 1
    repository.store.put(key, bytes(changed))
    return before


@pytest.mark.parametrize("place", [1000, -1000, -30], ids=["a tile", "the directory", "the end"])
def test_a_damaged_pyramid_is_made_again(context: TaskContext, work: Work, image: Image, place: int) -> None:
    repository = context.repository
    pyramid = known(repository, work, image)
    flip(repository, pyramid.key, place)
    assert repair_pyramid(context, order_of(repository, work, image)) == {"remade": True}
    again = known(repository, work, image)
    assert again == pyramid
    assert repair_pyramid(context, order_of(repository, work, image)) == {"remade": False}


def test_one_that_is_absent_too(context: TaskContext, work: Work, image: Image) -> None:
    repository = context.repository
    key = known(repository, work, image).key
    repository.store.delete(key)
    assert repair_pyramid(context, order_of(repository, work, image)) == {"remade": True}
    assert repository.store.exists(key)


def test_it_is_made_as_todays_settings_say_and_the_catalogue_and_the_manifest_follow(
    context: TaskContext, work: Work, image: Image, tmp_path: Path
) -> None:
    repository = context.repository
    before = known(repository, work, image)
    flip(repository, before.key, 1000)
    today = replace(repository, settings=replace(repository.settings, tile_size=256))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with open_child_examiner(today.settings, scratch, 1) as examiner:
        repair_pyramid(TaskContext(today, examiner), order_of(repository, work, image))
    assert not repository.store.exists(before.key)
    after = known(repository, work, image)
    assert after.key == pyramid_key(today.settings, image.identifier) != before.key
    assert after.tile_size == 256
    assert after.fingerprint != before.fingerprint
    assert repository.store.exists(after.key)


def test_a_damaged_master_makes_nothing(context: TaskContext, work: Work, image: Image) -> None:
    repository = context.repository
    pyramid = known(repository, work, image)
    flip(repository, pyramid.key, 1000)
    inventory = objects.read_inventory(repository.store, work.identifier)
    assert inventory is not None
    damaged = repository.store.read(pyramid.key)
    flip(repository, objects.file_key(inventory, work.identifier, image.master.path), 5000)
    with pytest.raises(MasterDamaged, match="replica"):
        repair_pyramid(context, order_of(repository, work, image))
    assert repository.store.read(pyramid.key) == damaged
    assert known(repository, work, image) == pyramid


def test_an_image_that_is_not_held_any_more_is_told(context: TaskContext, work: Work, image: Image) -> None:
    gone = replace(image, identifier="i0000000000000")
    with pytest.raises(NotFound):
        repair_pyramid(context, order_of(context.repository, work, gone))
