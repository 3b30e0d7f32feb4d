"""Recognises masters that the repository already holds, so that they are neither decoded nor tiled again.

A master is hashed only if the catalogue has one of the same size, so that new books cost no extra pass.
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
    """Return the key of the pyramid that the current settings and software make for an image."""
    return paths.pyramid(image, recipe(settings.tile_size, settings.jpeg_quality))


class DeduplicatingExaminer:
    """An examiner that looks a master up in the catalogue and calls another examiner for new masters only."""

    def __init__(self, repository: Repository, examiner: Examiner) -> None:
        self._repository = repository
        self._examiner = examiner
        self.concurrency = examiner.concurrency

    def __call__(self, path: Path, pyramid: Path | None) -> Examined:
        """Return what is known of a master. Writes no file `pyramid` when the store holds its pyramid already."""
        return self._look_up(path) or self._examiner(path, pyramid)

    def _look_up(self, path: Path) -> Examined | None:
        if not self._repository.catalogue.has_master_of_length(path.stat().st_size):
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        duplicate = find_duplicate(self._repository, digest)
        return _examined(*duplicate) if duplicate else None


def find_duplicate(repository: Repository, sha256: str) -> tuple[Image, Pyramid] | None:
    """Return an image of any work with this master whose pyramid is in the store and follows the current settings."""
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
