"""The ranges of a manifest: volumes (册), and parts of the text (卷, 篇) within and across them. (pure)

IIIF Presentation API 3.0, section 5.4. A work of several volumes is one manifest. Each volume is a top-level range that
contains the ranges within the volume; ranges across volumes follow them. Other orders of reading come last, with the
behavior ``sequence``, and list every canvas (section 3.4).

If pictures are shown, each volume and part links to its pages as a PDF. Other orders of reading do not, because a PDF
has the order of the book; nor does a part whose selection of pages is too long to be requested.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from iiif_server.page_selection import LONGEST, selection_of
from iiif_server.presentation.values import Json, bilingual
from iiif_server.urls import book_pdf_path, canvas_path, range_path, stored_id
from repository.localized import LocalizedText
from repository.model.work import Range, Volume, Work

_VOLUME_PDF: Final = LocalizedText("本册（PDF）", "This volume (PDF)")
_PART_PDF: Final = LocalizedText("此部分（PDF）", "This part (PDF)")


def structures(work: Work, language: str, *, shows_pixels: bool = False) -> list[Json]:
    """Return the ranges of a work's manifest without empty ones; `language` is the key of catalogued labels."""
    outline = _Outline(work, language, shows_pixels=shows_pixels)
    parts = [part for part in work.ranges if not part.sequence]
    sequences = [part for part in work.ranges if part.sequence]
    if len(work.volumes) < 2:
        return outline.ranges(parts) + outline.sequences(sequences)
    indexes = [outline.volume_of(part) for part in parts]
    volumes = [
        outline.volume(index, volume, [part for part, found in zip(parts, indexes, strict=True) if found == index])
        for index, volume in enumerate(work.volumes)
        if volume.pages
    ]
    across = [part for part, found in zip(parts, indexes, strict=True) if found is None]
    return volumes + outline.ranges(across) + outline.sequences(sequences)


class _Outline:
    """Builds ranges, numbered in the order of building, with the canvas and volume of each page."""

    def __init__(self, work: Work, language: str, *, shows_pixels: bool) -> None:
        self._work = work.identifier
        self._language = language
        self._shows_pixels = shows_pixels
        self._count = 0
        self._number = {page.key: number for number, page in enumerate(work.pages(), start=1)}
        self._volume = {page.key: index for index, volume in enumerate(work.volumes) for page in volume.pages}

    def volume_of(self, part: Range) -> int | None:
        """Return the index of the volume that contains all of a range, or None."""
        indexes = {self._volume[key] for key in _keys(part)}
        return indexes.pop() if len(indexes) == 1 else None

    def volume(self, index: int, volume: Volume, parts: Sequence[Range]) -> Json:
        """Return a volume's range: its pages in order, each inner range at the position of its first page."""
        label = {self._language: [volume.label]} if volume.label else _volume_label(index + 1)
        identifier = self._identifier()
        within = {key for part in parts for key in _keys(part)}
        placed: dict[str, list[Range]] = {}
        for part in parts:
            placed.setdefault(_keys(part)[0], []).append(part)
        items: list[Json] = []
        for page in volume.pages:
            items += self.ranges(placed.get(page.key, ()))
            items += [] if page.key in within else [self._reference(page.key)]
        files = self._files(_VOLUME_PDF, [page.key for page in volume.pages])
        return {"id": identifier, "type": "Range", "label": label, **files, "items": items}

    def ranges(self, parts: Iterable[Range]) -> list[Json]:
        """Return the ranges that contain a page at any depth: IIIF has no empty ranges (section 5.4)."""
        return [self._range(part) for part in parts if _keys(part)]

    def sequences(self, parts: Iterable[Range]) -> list[Json]:
        """Return other orders of reading."""
        return [{**_without_files(part), "behavior": ["sequence"]} for part in self.ranges(parts)]

    def _range(self, part: Range) -> Json:
        identifier = self._identifier()
        items = [self._reference(key) for key in part.pages] + self.ranges(part.ranges)
        label = {self._language: [part.label]}
        return {
            "id": identifier,
            "type": "Range",
            "label": label,
            **self._files(_PART_PDF, _keys(part)),
            "items": items,
        }

    def _files(self, label: LocalizedText, keys: Sequence[str]) -> Json:
        """Return the property ``rendering`` of a range with these pages, where there is one."""
        pages = selection_of(self._number[key] for key in keys)
        if not self._shows_pixels or len(pages) > LONGEST:
            return {}
        address = stored_id(book_pdf_path(self._work, pages))
        file = {"id": address, "type": "Text", "label": bilingual(label), "format": "application/pdf"}
        return {"rendering": [file]}

    def _reference(self, key: str) -> Json:
        return {"id": stored_id(canvas_path(self._work, self._number[key])), "type": "Canvas"}

    def _identifier(self) -> str:
        self._count += 1
        return stored_id(range_path(self._work, self._count))


def _keys(part: Range) -> list[str]:
    """Return every page of a range and of the ranges within it."""
    return [*part.pages, *(key for inner in part.ranges for key in _keys(inner))]


def _without_files(part: Json) -> Json:
    """Return a range without links to files, and the ranges within it."""
    kept = {name: value for name, value in part.items() if name != "rendering"}
    items = [_without_files(item) if item["type"] == "Range" else item for item in part["items"]]
    return {**kept, "items": items}


def _volume_label(number: int) -> Json:
    return {"zh-Hans": [f"第 {number} 册"], "en": [f"Volume {number}"]}
