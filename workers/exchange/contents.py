"""What a bag holds of a work: its payload, which is a deposit, and the documents about it.

::

    data/work.toml, data/volume-1/0001.tif ...   the payload: the deposit of the newest version
    metadata/premis.xml, metadata/mets.xml       PREMIS 3 and METS
    metadata/manifest.json                       the manifest (IIIF Presentation 3)
    metadata/work.json, metadata/access.json     the record and the access in force, as the work's object holds them
    metadata/texts.json                          what is known of its files of text, if it has any
    metadata/events.json                         the events of the work's object
    metadata/left-out.json                       what a bag for a partner leaves out of these, if anything
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from repository.model.work import Event, Work
from workers.exported_names import DOCUMENTS

PAYLOAD: Final = "data"
EVENTS_DOCUMENT: Final = f"{DOCUMENTS}/events.json"
MANIFEST_DOCUMENT: Final = f"{DOCUMENTS}/manifest.json"
PREMIS_DOCUMENT: Final = f"{DOCUMENTS}/premis.xml"
METS_DOCUMENT: Final = f"{DOCUMENTS}/mets.xml"
LEFT_OUT_DOCUMENT: Final = f"{DOCUMENTS}/left-out.json"

_DEPOSITED: Final = ("masters/", "deposit/")
_Content: TypeAlias = bytes


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A file of the payload: its path in the bag, the store key of its bytes, its SHA-256 and size in bytes.

    `content` has the bytes themselves if they are not those of the store.
    """

    path: str
    key: str
    sha256: str
    bytes: int
    content: _Content | None = None


@dataclass(frozen=True, slots=True)
class PositionedEvent:
    """An event of a work and its index in the provenance log; None for one that is not logged yet."""

    event: Event
    log_index: int | None


@dataclass(frozen=True, slots=True)
class BagContents:
    """A work, the payload of its bag, its events, and the time of its newest version (RFC 3339)."""

    work: Work
    payload: Sequence[PayloadFile]
    events: Sequence[PositionedEvent]
    created: str

    def paths(self) -> Mapping[str, Sequence[str]]:
        """Return the paths in the bag of each payload file's bytes, by SHA-256: equal files have several."""
        paths: dict[str, list[str]] = {}
        for file in self.payload:
            paths.setdefault(file.sha256, []).append(file.path)
        return paths


def payload_path(logical_path: str) -> str | None:
    """Return the path in a bag of a file of a work's object; None for a document about the work."""
    if logical_path.startswith(f"{DOCUMENTS}/"):
        return None
    for folder in _DEPOSITED:
        logical_path = logical_path.removeprefix(folder)
    return f"{PAYLOAD}/{logical_path}"
