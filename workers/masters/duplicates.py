"""Masters that are held already are recognised by their digest, and neither decoded nor tiled again.

A master is hashed here only when one of its size is held: a book new to the library costs nothing more.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from iiif_server.pyramid.file import PyramidSummary, recipe
from repository import paths
from repository.config import Settings
from repository.model import Image, Pyramid
from repository.repository import Repository
from workers.masters.examine import Examined, Examiner


def pyramid_key(settings: Settings, image: str) -> str:
    """Where the pyramid of an image lies, when it is made by today's settings and software."""
    return paths.pyramid(image, recipe(settings.tile_size, settings.jpeg_quality))


class DeduplicatingExaminer:
    """An examiner in front of another, which is asked only about what is new."""

    def __init__(self, repository: Repository, examiner: Examiner) -> None:
        self._repository = repository
        self._examiner = examiner
        self.concurrency = examiner.concurrency

    def __call__(self, path: Path, pyramid: Path | None) -> Examined:
        """What is known of a master; no file appears at `pyramid` when the store holds its pyramid already."""
        return self._recognise(path) or self._examiner(path, pyramid)

    def _recognise(self, path: Path) -> Examined | None:
        if not self._repository.catalogue.is_length_known(path.stat().st_size):
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        twin = find_duplicate(self._repository, digest)
        return _examined(*twin) if twin else None


def find_duplicate(repository: Repository, sha256: str) -> tuple[Image, Pyramid] | None:
    """An image of any work with this master, whose pyramid is in the store as today's settings make it."""
    for image, pyramid in repository.catalogue.images_of_master(sha256):
        if pyramid.key == pyramid_key(repository.settings, image.identifier) and repository.store.exists(pyramid.key):
            return image, pyramid
    return None


def _examined(image: Image, pyramid: Pyramid) -> Examined:
    master = image.master
    summary = PyramidSummary(pyramid.fingerprint, pyramid.bytes, image.width, image.height)
    return Examined(
        master.sha256, master.bytes, master.media_type, image.width, image.height, pyramid.fingerprint, summary
    )
