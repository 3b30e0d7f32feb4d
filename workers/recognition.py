"""Masters that are held already are recognised by their digest, and neither decoded nor tiled again.

A master is hashed here only when one of its size is held: a book new to the library costs nothing more.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from iiif_server.pyramid import PyramidSummary, recipe
from repository import paths
from repository.config import Settings
from repository.handle import Repository
from repository.model import Image, Pyramid
from workers.deposit import Examiner
from workers.tiling import Examined


def pyramid_key(settings: Settings, image: str) -> str:
    """Where the pyramid of an image lies, when it is made by today's settings and software."""
    return paths.pyramid(image, recipe(settings.tile_size, settings.jpeg_quality))


class RecognisingExaminer:
    """An examiner in front of another, which is asked only about what is new."""

    def __init__(self, repository: Repository, examiner: Examiner) -> None:
        self._repository = repository
        self._examiner = examiner
        self.concurrency = examiner.concurrency

    def __call__(self, path: Path, pyramid: Path | None) -> Examined:
        """What is known of a master; no file appears at `pyramid` when the store holds its pyramid already."""
        return self._recognise(path) or self._examiner(path, pyramid)

    def _recognise(self, path: Path) -> Examined | None:
        known = held_images(self._repository, path.stat().st_size)
        if not known:
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return _examined(*known[digest]) if digest in known else None


def held_images(repository: Repository, master_bytes: int) -> dict[str, tuple[Image, Pyramid]]:
    """Images whose masters are so many bytes long and whose pyramids are in the store as today's settings make them.

    Keyed by the master's sha256: an image of another work will do as well.
    """
    return {
        image.master.sha256: (image, pyramid)
        for image, pyramid in repository.catalogue.known_images(master_bytes)
        if pyramid.key == pyramid_key(repository.settings, image.identifier) and repository.store.exists(pyramid.key)
    }


def _examined(image: Image, pyramid: Pyramid) -> Examined:
    master = image.master
    summary = PyramidSummary(pyramid.fingerprint, pyramid.bytes, image.width, image.height)
    return Examined(
        master.sha256, master.bytes, master.media_type, image.width, image.height, pyramid.fingerprint, summary
    )
