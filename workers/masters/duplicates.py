"""Recognises masters that the repository already holds, so that they are neither decoded nor tiled again.

A master is hashed only if the catalogue has one of the same size, so that new books cost no extra pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iiif_server.pyramid.file import PyramidSummary, recipe
from preservation.digests import file_digests, master_algorithms
from repository import paths
from repository.config import Settings
from repository.model.work import Image, Pyramid
from repository.repository import Repository
from workers.masters.examine import Examined


@dataclass(frozen=True, slots=True)
class KnownMaster:
    """A master that the repository holds: its properties, and the key of a stored pyramid of it."""

    examined: Examined
    pyramid_key: str


def pyramid_key(settings: Settings, image: str) -> str:
    """Return the key of the pyramid that the current settings and software make for an image."""
    return paths.pyramid(image, recipe(settings.tile_size, settings.jpeg_quality))


def find_known_master(
    repository: Repository, path: Path, algorithms: frozenset[str] = frozenset()
) -> KnownMaster | None:
    """Look up a master in the catalogue. Return None unless a pyramid of it by the current settings is in the store.

    Returns None for a file that cannot be read, too: the examiner reports its fault. `algorithms` as in `Examiner`.
    Raises `DatabaseFault`, `StoreFault`.
    """
    try:
        if not repository.catalogue.has_master_of_length(path.stat().st_size):
            return None
        with path.open("rb") as file:
            digests = file_digests(file, *master_algorithms(algorithms))
    except OSError:
        return None
    for image, pyramid in repository.catalogue.images_of_master(digests["sha256"]):
        if pyramid.key == pyramid_key(repository.settings, image.identifier) and repository.store.exists(pyramid.key):
            return KnownMaster(_examined(image, pyramid, digests), pyramid.key)
    return None


def _examined(image: Image, pyramid: Pyramid, digests: Mapping[str, str]) -> Examined:
    master = image.master
    summary = PyramidSummary(pyramid.fingerprint, pyramid.bytes, image.width, image.height)
    pixels = (image.width, image.height, pyramid.fingerprint)
    properties = (master.bytes, master.media_type, *pixels, summary, master.ignored)
    return Examined(master.sha256, *properties, digests.get("sm3"), digests.get("md5"), master.puid)
