"""Makes a pyramid from its master if it is damaged or absent.

1. Read the stored pyramid completely. If it is what the catalogue records, leave it: another job has made it already,
   or the process that reported it met a fault of its own.
2. Read the master and compare its digest: a pyramid is never made from other bytes. A damaged master is a final fault.
3. Decode and tile the master in a sandbox, and store the pyramid under the key of the current settings and software.
4. If the new pyramid differs from the recorded one (settings or software have changed), update the manifest and the
   catalogue, and delete the old pyramid, which nothing refers to any more.

After a crash at any point the job runs again. The provenance log records no event (decision 11).
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
from repository.model.work import Image, Pyramid, Work
from repository.repository import Repository
from repository.storage.content import MovableFile
from workers.execution.context import TaskContext
from workers.execution.scratch import scratch_directory
from workers.masters.duplicates import pyramid_key
from workers.masters.examine import Examiner
from workers.tasks.delete import erase_remade_meanwhile
from workers.tasks.publish import publish_work

_LOG: Final = logging.getLogger("shanben.pyramids")


def repair_pyramid(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``pyramid`` for `image` of `work`.

    Raises `MasterDamaged`, `MasterUnreadable`, `NotFound`, `StagingFault`, `StoreFault`, `DatabaseFault`.
    """
    work, image = job.arguments["work"], job.arguments["image"]
    try:
        key = remake_if_damaged(context, work, image)
    finally:
        is_deleted = erase_remade_meanwhile(context.repository, work, image)
    return {"remade": key is not None and not is_deleted}


def remake_if_damaged(context: TaskContext, work_identifier: str, identifier: str) -> str | None:
    """Make the pyramid of an image again unless it is intact. Return its key then, else None. Raises as the job."""
    repository = context.repository
    work, image, recorded = _catalogued(repository, work_identifier, identifier)
    if _is_intact(repository, image, recorded):  # 1
        return None
    pyramid = make_pyramid(repository, work, image, context.examiner)  # 2, 3
    if pyramid != recorded:  # 4
        pyramids = repository.catalogue.pyramids(work.identifier) | {image.identifier: pyramid}
        if held := repository.catalogue.access(work.identifier):
            publish_work(repository, work, held.access, pyramids)
        repository.catalogue.replace_pyramid(image.identifier, pyramid)
        if recorded.key != pyramid.key:
            repository.store.delete(recorded.key)
    _LOG.warning("已由原图重新生成浏览图 / pyramid remade from its master: %s", pyramid.key)
    return pyramid.key


def make_pyramid(repository: Repository, work: Work, image: Image, examiner: Examiner) -> Pyramid:
    """Make the pyramid of an image from its preserved master, and store it.

    Raises `MasterDamaged`, `MasterUnreadable`, `StagingFault`, `StoreFault`, and `ObjectInvalid` for a work that is not
    preserved.
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
    return read_pyramid(repository, image)


def read_pyramid(repository: Repository, image: Image) -> Pyramid:
    """Return the properties of the stored pyramid of an image, by the current settings, from its directory.

    Raises `KeyNotFound`, `PyramidCorrupt`, `StoreFault`.
    """
    key = pyramid_key(repository.settings, image.identifier)
    directory = read_directory(partial(repository.store.read_range, key), key)
    return Pyramid(key, directory.fingerprint, repository.store.size(key), directory.grid.tile_size)


def _catalogued(repository: Repository, work_identifier: str, identifier: str) -> tuple[Work, Image, Pyramid]:
    work = repository.catalogue.work(work_identifier)
    image = next((each for each in work.images() if each.identifier == identifier), None) if work else None
    pyramid = repository.catalogue.pyramids(work_identifier).get(identifier)
    if work is None or image is None or pyramid is None:
        raise NotFound(what=identifier)
    return work, image, pyramid


def _is_intact(repository: Repository, image: Image, recorded: Pyramid) -> bool:
    """Return whether the store holds the pyramid that the catalogue records, with every byte intact."""
    with scratch_directory(repository.settings.staging) as folder:
        copy = folder / "pyramid.zip"
        try:
            _fetch(repository, recorded.key, copy)
            with copy.open("rb") as file:
                directory = check_tiles(file, recorded.key)
        except (KeyNotFound, PyramidCorrupt) as fault:
            _LOG.warning("%s", fault)
            return False
    sizes = directory.grid.width, directory.grid.height, directory.grid.tile_size
    return directory.fingerprint == recorded.fingerprint and sizes == (image.width, image.height, recorded.tile_size)


def _fetch(repository: Repository, key: str, target: Path) -> str:
    """Copy an object to a local file and return its sha256. Raises `StoreFault`, and `StagingFault` for the file."""
    digest = hashlib.sha256()
    try:
        with target.open("wb") as file:
            for chunk in repository.store.chunks(key):
                digest.update(chunk)
                file.write(chunk)
    except OSError as fault:
        raise StagingFault(reason=fault.strerror) from fault
    return digest.hexdigest()
