"""All segments of the index as they are searched together: each work in the newest segment that has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from iiif_server.search.open_segment import Mask, Numbers, OpenSegment
from repository.database.search import ShownWorks
from repository.model.access import AccessVerdict


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """A work in the index: the number of the segment, and of the work in it."""

    segment: int
    work: int


class SearchIndex:
    """Segments, the oldest first. Immutable, and safe to use from several threads."""

    def __init__(self, segments: Sequence[tuple[Path, OpenSegment]]) -> None:
        self.paths = dict(segments)
        self.segments = [segment for _, segment in segments]
        self.live = [~segment.removed for segment in self.segments]
        seen: set[str] = set()
        for segment, live in zip(reversed(self.segments), reversed(self.live), strict=True):
            if seen:
                live[[number for number, work in enumerate(segment.identifiers) if work in seen]] = False
            seen.update(segment.identifiers)

    def place_of(self, work: str) -> WorkPlace | None:
        """Return where a work is; None if the index does not have it."""
        for place in range(len(self.segments) - 1, -1, -1):
            number = self.segments[place].number_of.get(work)
            if number is not None:
                return WorkPlace(place, number) if self.live[place][number] else None
        return None

    @cached_property
    def ranks(self) -> dict[str, list[Numbers]]:
        """The place of each work in the orders of titles, of first and of last years and of accessions."""
        titles = [title for segment in self.segments for title in segment.pinyin]
        accessions = [time for segment in self.segments for time in segment.accessioned]
        years = np.concatenate([segment.years for segment in self.segments] or [np.zeros((0, 2), np.int32)])
        orders = {
            "title": np.argsort(np.array(titles, object), kind="stable") if titles else np.zeros(0, np.int64),
            "date": np.argsort(years[:, 0], kind="stable"),
            "-date": np.argsort(-years[:, 1].astype(np.int64), kind="stable"),
            "new": np.array(sorted(range(len(accessions)), key=accessions.__getitem__, reverse=True), np.int64),
        }
        bounds = np.cumsum([len(segment) for segment in self.segments])[:-1]
        return {name: np.split(_inverse(order), bounds) for name, order in orders.items()}


def _inverse(order: Numbers) -> Numbers:
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def open_index(paths: Iterable[Path], held: SearchIndex | None) -> SearchIndex:
    """Return the index of these files; segments that are open already are kept. Raises `SegmentDamaged`."""
    opened: Mapping[Path, OpenSegment] = held.paths if held else {}
    return SearchIndex([(path, opened.get(path) or OpenSegment(path)) for path in paths])


@dataclass(frozen=True, slots=True)
class ShownMasks:
    """For each segment, which works readers may find by their records, which by their text, and by access."""

    records: list[Mask]
    texts: list[Mask]
    limited: list[dict[AccessVerdict, list[int]]]


def shown_masks(index: SearchIndex, shown: ShownWorks) -> ShownMasks:
    """Return which works of an index readers may find now."""
    records, texts, limited = [], [], []
    for segment, live in zip(index.segments, index.live, strict=True):
        published = np.array([work in shown.published for work in segment.identifiers], bool) & live
        text = published.copy()
        verdicts: dict[AccessVerdict, list[int]] = {}
        for work, decision in shown.limited.items():
            number = segment.number_of.get(work)
            if number is not None and published[number]:
                verdicts.setdefault(decision.verdict, []).append(number)
                text[number] = decision.shows_text
        text[[number for work in shown.stale if (number := segment.number_of.get(work)) is not None]] = False
        records.append(published)
        texts.append(text)
        limited.append(verdicts)
    return ShownMasks(records, texts, limited)
