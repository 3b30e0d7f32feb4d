"""A pyramid made again from its master, when it is damaged or absent.

1. The stored pyramid is read whole. One that is what the catalogue says is left alone: somebody else made it again, or
   whoever reported it met a fault on its own way to it.
2. The master is fetched and held to its digest: nothing is ever made of other bytes. One that is damaged ends the job
   for good, and says so.
3. It is decoded and tiled in a child process, and the pyramid put in the place where today's settings and software
   have it.
4. If it is another than before (they have changed), the manifest and the catalogue are told, and the one that nothing
   leads to any more is deleted.

Killed anywhere, it is done again. It is no event of the provenance log: see decision 11.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from iiif_server.pyramid.file import check_tiles, read_directory
from preservation.ocfl import objects
from repository import paths
from repository.database.outbox import Job
from repository.errors import KeyNotFound, MasterDamaged, NotFound, ObjectInvalid, PyramidCorrupt, StagingFault
from repository.model import Image, Pyramid, Work
from repository.repository import Repository
from repository.storage.content import MovableFile
from workers.execution.context import TaskContext
from workers.execution.scratch import scratch_directory
from workers.masters.duplicates import pyramid_key
from workers.masters.examine import Examiner
from workers.tasks.publish import publish_work

_LOG: Final = logging.getLogger("shanben.pyramids")


def repair_pyramid(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Kind ``pyramid``. Raises `MasterDamaged`, `MasterUnreadable`, `NotFound`, `StagingFault`, `StoreFault`."""
    repository, arguments = context.repository, job.arguments
    work, image, known = _held(repository, arguments["work"], arguments["image"])
    if _is_whole(repository, image, known):  # 1
        return {"remade": False}
    pyramid = make_pyramid(repository, work, image, context.examiner)  # 2, 3
    if pyramid != known:  # 4
        publish_work(repository, work, repository.catalogue.pyramids(work.identifier) | {image.identifier: pyramid})
        repository.catalogue.replace_pyramid(image.identifier, pyramid)
        if known.key != pyramid.key:
            repository.store.delete(known.key)
    _LOG.warning("已由原图重制浏览图 / made again from its master: %s", pyramid.key)
    return {"remade": True}


def make_pyramid(repository: Repository, work: Work, image: Image, examiner: Examiner) -> Pyramid:
    """Make the pyramid of an image anew, from its master in the store, and put it in its place.

    Raises as `repair_pyramid` does, and `ObjectInvalid` for a work that is not preserved.
    """
    inventory = objects.read_inventory(repository.store, work.identifier)
    if inventory is None:
        raise ObjectInvalid(key=paths.ocfl_object(work.identifier), reason="inventory.json")
    source = objects.file_key(inventory, work.identifier, image.master.path)
    with scratch_directory(repository.settings.staging) as folder:
        master = folder / Path(image.master.path).name
        if _fetch(repository, source, master) != image.master.sha256:
            raise MasterDamaged(key=source)
        examiner(master, folder / "pyramid.zip")
        repository.store.put(pyramid_key(repository.settings, image.identifier), MovableFile(folder / "pyramid.zip"))
    return found_pyramid(repository, image)


def found_pyramid(repository: Repository, image: Image) -> Pyramid:
    """The pyramid of an image as it lies in its place today, by its directory.

    Raises `KeyNotFound`, `PyramidCorrupt`.
    """
    key = pyramid_key(repository.settings, image.identifier)
    directory = read_directory(partial(repository.store.read_range, key), key)
    return Pyramid(key, directory.fingerprint, repository.store.size(key), directory.grid.tile_size)


def _held(repository: Repository, identifier: str, image: str) -> tuple[Work, Image, Pyramid]:
    work = repository.catalogue.work(identifier)
    found = next((each for each in work.images() if each.identifier == image), None) if work else None
    pyramid = repository.catalogue.pyramids(identifier).get(image)
    if work is None or found is None or pyramid is None:
        raise NotFound(what=image)
    return work, found, pyramid


def _is_whole(repository: Repository, image: Image, known: Pyramid) -> bool:
    """Whether the pyramid that the catalogue knows is in the store, every byte of it."""
    with scratch_directory(repository.settings.staging) as folder:
        copy = folder / "pyramid.zip"
        try:
            _fetch(repository, known.key, copy)
            with copy.open("rb") as file:
                directory = check_tiles(file, known.key)
        except (KeyNotFound, PyramidCorrupt) as fault:
            _LOG.warning("%s", fault)
            return False
    sides = directory.grid.width, directory.grid.height, directory.grid.tile_size
    return directory.fingerprint == known.fingerprint and sides == (image.width, image.height, known.tile_size)


def _fetch(repository: Repository, key: str, target: Path) -> str:
    """Copy an object to a local file; its sha256. Raises `StagingFault` when it cannot be written, `StoreFault`."""
    digest = hashlib.sha256()
    try:
        with target.open("wb") as file:
            for chunk in repository.store.chunks(key):
                digest.update(chunk)
                file.write(chunk)
    except OSError as fault:
        raise StagingFault(reason=fault.strerror) from fault
    return digest.hexdigest()
