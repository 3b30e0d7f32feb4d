"""The parts of an image that the engine sees one by one, and the size at which it sees them. (pure)

The engine was trained on small pictures of text: of a page it reads most when the page is about 1,000 pixels wide, and
less when it is larger (decision 39). Openings and scrolls, which are wider than high, are reduced to the
height of such a page and cut into parts that overlap. A line belongs to the part in whose own share its middle lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final

WIDTH: Final = 1000
"""The width of a page in pixels, as the engine sees it."""

HEIGHT: Final = 1400
"""The height of what is wider than high."""

LONGEST: Final = 2400
"""The greatest height: a hanging scroll is reduced to it, which bounds the memory of the engine."""

_PART: Final = 1200
_OVERLAP: Final = 200


@dataclass(frozen=True, slots=True)
class Section:
    """A part from `start` to `end` of the reduced image's width. The lines from `left` to `right` are its own."""

    start: int
    end: int
    left: float
    right: float


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height at which an image is read; never larger than it is."""
    scale = min(1.0, HEIGHT / height if width > height else min(WIDTH / width, LONGEST / height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def sections(width: int) -> list[Section]:
    """Return the parts of a reduced image of this width, from left to right."""
    if width <= _PART:
        return [Section(0, width, 0.0, float(width))]
    count = ceil((width - _OVERLAP) / (_PART - _OVERLAP))
    starts = [round((width - _PART) * number / (count - 1)) for number in range(count)]
    middles = [(start + before + _PART) / 2 for before, start in pairwise(starts)]
    edges = [0.0, *middles, float(width)]
    return [Section(start, start + _PART, edges[at], edges[at + 1]) for at, start in enumerate(starts)]
