"""What is held: frozen values that every floor speaks of. (pure)

``Work`` > ``Volume`` > ``Page`` > ``Image``; ranges (卷, 篇) point at pages across volumes. The words are those of
ARCHITECTURE.md. Nothing here knows where bytes lie: `paths.py` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Access(StrEnum):
    """Who may see an image."""

    OPEN = "open"
    REDUCED = "reduced"
    RESTRICTED = "restricted"


class ViewingDirection(StrEnum):
    """IIIF Presentation 3.0, viewingDirection."""

    RIGHT_TO_LEFT = "right-to-left"
    LEFT_TO_RIGHT = "left-to-right"
    TOP_TO_BOTTOM = "top-to-bottom"
    BOTTOM_TO_TOP = "bottom-to-top"


class WorkState(StrEnum):
    """Where a work stands with the public."""

    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Rights:
    """What may be done with a work.

    `max_size` is the longest side in pixels shown when access is reduced; with `watermark` the library's mark lies over
    every picture shown.
    """

    uri: str | None = None
    access: Access = Access.OPEN
    max_size: int | None = None
    watermark: bool = False


@dataclass(frozen=True, slots=True)
class Master:
    """The preserved file of an image: `path` is its logical path in the work's OCFL object."""

    path: str
    sha256: str
    bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The access file of an image.

    `fingerprint` (64 hex digits) changes when any tile's bytes do; it stands in every ETag. `bytes` is the file's size.
    """

    key: str
    fingerprint: str
    bytes: int
    tile_size: int


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of an image: its upper left corner and its sides, in pixels of the whole image."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Image:
    """One photograph of a page. Width and height are in pixels, upright, as served; what lies in `redactions` is shown
    to nobody.
    """

    identifier: str
    width: int
    height: int
    master: Master
    redactions: tuple[Rectangle, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One side or spread as photographed.

    `key` is its place in the deposit without suffix: ``volume-1/0001``, or ``0001`` when there are no volume folders.
    `behavior` is IIIF's word when it differs from the work's; `leaf` what it shows of a woodblock leaf, as catalogued.
    A missing leaf is a page without images.
    """

    key: str
    label: str = ""
    images: tuple[Image, ...] = ()
    behavior: str | None = None
    leaf: str | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """A physical volume (册). A work without volume folders has one, with the label ''."""

    label: str = ""
    pages: tuple[Page, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the text (卷, 篇): keys of its own pages, in order, and ranges within it."""

    label: str = ""
    pages: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Dating:
    """A date as catalogued, and machine dates (ISO 8601: year, year-month or day; a leading ``-`` for BCE)."""

    text: str = ""
    earliest: str | None = None
    latest: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The catalogue record: only `title` is required. `identifier` is the library's own."""

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


@dataclass(frozen=True, slots=True)
class Work:
    """What is catalogued: one bibliographic thing, one OCFL object."""

    identifier: str
    record: Record
    volumes: tuple[Volume, ...] = ()
    ranges: tuple[Range, ...] = ()
    rights: Rights = Rights()
    viewing_direction: ViewingDirection = ViewingDirection.RIGHT_TO_LEFT
    behavior: str = "paged"

    def pages(self) -> Iterator[Page]:
        """Every page of every volume, in order."""
        for volume in self.volumes:
            yield from volume.pages

    def images(self) -> Iterator[Image]:
        """Every image of every page, in order."""
        for page in self.pages():
            yield from page.images


@dataclass(frozen=True, slots=True)
class HeldImage:
    """What the image service must know of an image to answer for it: one catalogue lookup."""

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
    """A work as a list shows it; `cover` is the identifier of its first image, None where nobody may see it."""

    identifier: str
    title: str
    creator: tuple[str, ...]
    date: str | None
    cover: str | None
    images: int
    bytes: int
    state: WorkState


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a work or one of its images, in the terms of PREMIS 3.

    `identifier` is derived from what happened, so that the same happening told twice is one event. `time` is RFC 3339
    in UTC to the second. `detail` holds strings only and nothing personal: it is published in the log.
    """

    identifier: str
    type: str
    time: str
    work: str
    image: str | None = None
    sha256: str | None = None
    outcome: str = "success"
    detail: Mapping[str, str] = field(default_factory=dict)
