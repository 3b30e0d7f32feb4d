"""The domain model: frozen values that every package uses. (pure)

``Work`` > ``Volume`` > ``Page`` > ``Image``; ranges (卷, 篇) refer to pages across volumes. ARCHITECTURE.md defines the
terms. The model does not know where bytes are stored: `paths.py` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from repository.model.condition import Condition


class Access(StrEnum):
    """The access level of a work's images: public, public up to a size, or not public."""

    OPEN = "open"
    REDUCED = "reduced"
    RESTRICTED = "restricted"


class ViewingDirection(StrEnum):
    """The viewingDirection of IIIF Presentation 3.0."""

    RIGHT_TO_LEFT = "right-to-left"
    LEFT_TO_RIGHT = "left-to-right"
    TOP_TO_BOTTOM = "top-to-bottom"
    BOTTOM_TO_TOP = "bottom-to-top"


class WorkState(StrEnum):
    """The state of a work: in public view, or withdrawn from it."""

    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights to a work.

    `max_size` is the longest side in pixels that reduced access shows; `watermark` adds the library's mark to every
    image shown. `until` is the day (ISO 8601, UTC) from whose beginning on access is open; None for no such day. A
    preserved work has the access that its deposit stated; the catalogue returns works with the access that is in force.
    """

    uri: str | None = None
    access: Access = Access.OPEN
    max_size: int | None = None
    watermark: bool = False
    until: str | None = None


class Agent(StrEnum):
    """Who decided about the access to a work. Persons are not named, because events are published."""

    DEPOSIT = "deposit"
    STAFF = "staff"
    SOFTWARE = "software"


@dataclass(frozen=True, slots=True)
class WorkAccess:
    """The access to a work: whether it is withdrawn, and what it shows if not.

    `access`, `max_size` and `until` are those of `Rights`. `changed` is the time of the last change (RFC 3339) and
    `agent` who made it; both are None while the access is that of the deposit. `reason` is what the staff wrote: it may
    name people, so it is preserved and never published.
    """

    state: WorkState = WorkState.PUBLISHED
    access: Access = Access.OPEN
    max_size: int | None = None
    until: str | None = None
    changed: str | None = None
    agent: Agent | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Master:
    """The preserved file of an image: `path` is its logical path in the work's OCFL object.

    `ignored` are codes of the parts of the file that the image does not show (`workers/masters/ignored.py`). `puid` is
    the identifier of the format with its version in PRONOM; None where it is not known, as for masters that earlier
    releases ingested.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    ignored: tuple[str, ...] = ()
    puid: str | None = None


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The access file of an image.

    `fingerprint` (64 hexadecimal digits) changes when the bytes of any tile change, and is part of every ETag; `bytes`
    is the file's size.
    """

    key: str
    fingerprint: str
    bytes: int
    tile_size: int


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of an image: its upper left corner, width and height, in pixels of the whole image."""

    x: int
    y: int
    width: int
    height: int

    @property
    def xywh(self) -> str:
        """The part as a region of the Image API and as the value of a media fragment: ``x,y,width,height``."""
        return f"{self.x},{self.y},{self.width},{self.height}"


@dataclass(frozen=True, slots=True)
class Image:
    """One photograph of a page.

    Width and height are in pixels, upright, as served; `redactions` are parts that nobody is shown. `label` tells the
    photographs of one page apart, by their light for example; it is '' for a page with one photograph.
    """

    identifier: str
    width: int
    height: int
    master: Master
    redactions: tuple[Rectangle, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One side or spread as photographed.

    `key` is its path in the deposit without suffix: ``volume-1/0001``, or ``0001`` without volume folders. `behavior`
    is IIIF's behavior when it differs from the work's; `leaf` says, as catalogued, what it shows of a woodblock leaf.
    Several `images` are photographs of one page, the first shown by default. A missing leaf is a page without images;
    `unphotographed` is one that is not lost, but of which there is no photograph.
    """

    key: str
    label: str = ""
    images: tuple[Image, ...] = ()
    behavior: str | None = None
    leaf: str | None = None
    unphotographed: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A physical volume (册). A work without volume folders has one volume with an empty label.

    `condition` is its own, None if it is not recorded.
    """

    label: str = ""
    pages: tuple[Page, ...] = ()
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """A section of the text (卷, 篇): the keys of its pages, in order, and its subsections.

    A `sequence` is another order in which the work is read, that of leaves bound wrongly (错简) put right for example.
    """

    label: str = ""
    pages: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    sequence: bool = False


@dataclass(frozen=True, slots=True)
class Dating:
    """A date as catalogued, and machine-readable bounds (ISO 8601: year, month or day; a leading ``-`` for BCE)."""

    text: str = ""
    earliest: str | None = None
    latest: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The catalogue record, of which only `title` is required.

    `identifier` is the library's own; `place` has the places of publication or of writing (出版地、写作地).
    """

    title: str
    identifier: str | None = None
    creator: tuple[str, ...] = ()
    date: Dating | None = None
    language: tuple[str, ...] = ()
    classification: str | None = None
    edition: str | None = None
    dimensions: str | None = None
    call_number: str | None = None
    holder: str | None = None
    summary: str | None = None
    place: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """A catalogued bibliographic entity, preserved as one OCFL object.

    `condition` is that of the whole original, None if it is not recorded; its volumes may have their own.
    """

    identifier: str
    record: Record
    volumes: tuple[Volume, ...] = ()
    ranges: tuple[Range, ...] = ()
    rights: Rights = Rights()
    viewing_direction: ViewingDirection = ViewingDirection.RIGHT_TO_LEFT
    behavior: str = "paged"
    condition: Condition | None = None

    def pages(self) -> Iterator[Page]:
        """Yield every page of every volume, in order."""
        for volume in self.volumes:
            yield from volume.pages

    def images(self) -> Iterator[Image]:
        """Yield every image once, in the order of the pages. Blank pages may share one."""
        images = (image for page in self.pages() for image in page.images)
        yield from {image.identifier: image for image in images}.values()


@dataclass(frozen=True, slots=True)
class HeldImage:
    """The properties of an image that the image service needs, from one catalogue query."""

    identifier: str
    work: str
    width: int
    height: int
    rights: Rights
    state: WorkState
    pyramid: Pyramid
    redactions: tuple[Rectangle, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkSummary:
    """A work as lists show it; `cover` is the identifier of its first image, None when access is restricted."""

    identifier: str
    title: str
    creator: tuple[str, ...]
    date: str | None
    cover: str | None
    images: int
    bytes: int
    state: WorkState


class EventType(StrEnum):
    """The terms used here of the Library of Congress vocabulary of PREMIS event types."""

    ACCESSION = "accession"
    DEACCESSION = "deaccession"
    DELETION = "deletion"
    DISSEMINATION = "dissemination"
    FIXITY_CHECK = "fixity check"
    INGESTION = "ingestion"
    MESSAGE_DIGEST_CALCULATION = "message digest calculation"
    METADATA_MODIFICATION = "metadata modification"
    POLICY_ASSIGNMENT = "policy assignment"
    RECOVERY = "recovery"
    VALIDATION = "validation"


ACT: Final = "act"
"""The name of the detail that only events have which no version of a work's OCFL object carries."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of PREMIS 3 in the life of a work, one of its images, a store or the repository.

    `identifier` is derived from the content, so that recording an event twice yields one event. `time` is RFC 3339 in
    UTC to the second. `work` is None for an event of a store or of the repository. `detail` holds only strings, and
    nothing personal because the log publishes it.
    """

    identifier: str
    type: str
    time: str
    work: str | None
    image: str | None = None
    sha256: str | None = None
    outcome: str = "success"
    detail: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_kept_in_log(self) -> bool:
        """Whether the log alone keeps the event, because no version of a work's OCFL object carries it."""
        return ACT in self.detail
