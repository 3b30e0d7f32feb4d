"""The edition of published documents: what decides the bytes of a manifest besides its work. (pure)

Manifests and collections are built when a work is published, and stored. A new release may say more in them, and a
setting may name another institution: then all of them are published again (`workers/tasks/republish.py`). The store
records which edition it has, and how far it has come, in ``published/edition.json``: when the published documents
are deleted, that record is too, and they are made again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from typing import Final

import msgspec

EDITION: Final = 4
"""Raised with every change of what the documents of a work say. The test of this module fails when it has to be."""


def edition_of(provider: str, logo: str, max_area: int) -> str:
    """Return the edition of documents that this release builds with these settings (see `build_manifest`)."""
    values = [EDITION, metadata.version("iiif-prezi3"), provider, logo, max_area]
    return sha256(json.dumps(values).encode()).hexdigest()[:32]


def release_of_documents() -> tuple[int, ...]:
    """Return numbers that are greater for a later release: `EDITION`, and the version of iiif-prezi3."""
    return EDITION, *map(int, re.findall("[0-9]+", metadata.version("iiif-prezi3")))


@dataclass(frozen=True, slots=True)
class PublishedEdition:
    """How far the documents of a store are of an `edition`: those of works up to the identifier `after`, or all.

    `release` is that of the processes which publish this edition, empty if it is not known.
    """

    edition: str = ""
    after: str = ""
    complete: bool = False
    release: tuple[int, ...] = ()

    def to_json(self) -> bytes:
        """Return the record of it."""
        return msgspec.json.encode(self)

    @staticmethod
    def of_json(document: bytes) -> PublishedEdition:
        """Return what a record says: the inverse of `to_json`. Raises `ValueError`."""
        return msgspec.json.decode(document, type=PublishedEdition)
