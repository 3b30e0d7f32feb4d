"""What is done to a picture before anybody sees it: parts hidden, the library's mark laid over it. (pure)

Redactions are rectangles of the whole image. They are hidden in the pixels of the level that an answer is made from,
before anything is scaled, so that nothing of them is mixed into what lies beside them. A level's pixel that covers any
of a redaction is hidden, and 16 pixels around it too: that is as far as a JPEG's blocks carry it.

The mark is a pattern anchored at the image's corner and drawn at its own size whatever the scale, so that tiles of a
level fit together; an image that is small as it is shown gets a small mark.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from iiif_server.pyramid.grid import Box

BLOCK: Final = 16
"""Pixels a side of the largest block that a JPEG codes together (chroma halved both ways)."""

_APART: Final = 2
"""The period of the pattern, in sizes of the mark."""


class Protection(NamedTuple):
    """`hidden` parts of the whole image, and the mark that lies over it: a PNG file with transparency."""

    hidden: tuple[Box, ...] = ()
    mark: bytes | None = None

    @property
    def variant(self) -> str:
        """A name for what a treatment does to pixels: part of every validator of a picture that it touches."""
        return hashlib.blake2b(repr(self).encode(), digest_size=8).hexdigest()

    def touches(self, region: Box, factor: int) -> bool:
        """Whether the stored tile of a region, `factor` times smaller than the image, is not to be sent as it is."""
        if self.mark is not None:
            return True
        level = Box(
            region.x // factor,
            region.y // factor,
            -(-(region.x + region.width) // factor) - region.x // factor,
            -(-(region.y + region.height) // factor) - region.y // factor,
        )
        return bool(self.parts(factor, level))

    def parts(self, factor: int, box: Box) -> list[Box]:
        """What is to be blackened in `box` of a level that is `factor` times smaller, in the pixels of that box."""
        found = (_clipped(_widened(part, factor), box) for part in self.hidden)
        return [part for part in found if part.width > 0 and part.height > 0]


class Pattern(NamedTuple):
    """A mark of `width` by `height` pixels, repeated every `across` by `along`; `x`, `y` is where an answer begins in
    that repetition.
    """

    width: int
    height: int
    across: int
    along: int
    x: int
    y: int


def pattern(mark: tuple[int, int], region: Box, size: tuple[int, int], whole: tuple[int, int]) -> Pattern:
    """How a mark of the sides `mark` lies over `region` of an image with the sides `whole`, shown in `size`."""
    shown = whole[0] * size[0] / region.width, whole[1] * size[1] / region.height
    scale = min(1.0, shown[0] / (_APART * mark[0]), shown[1] / (_APART * mark[1]))
    width, height = max(1, round(mark[0] * scale)), max(1, round(mark[1] * scale))
    across, along = _APART * width, _APART * height
    x, y = round(region.x * size[0] / region.width), round(region.y * size[1] / region.height)
    return Pattern(width, height, across, along, x % across, y % along)


def _widened(part: Box, factor: int) -> Box:
    """A part of the whole image in a level's pixels, outwards, with the blocks around it."""
    x, y = part.x // factor - BLOCK, part.y // factor - BLOCK
    right = -(-(part.x + part.width) // factor) + BLOCK
    bottom = -(-(part.y + part.height) // factor) + BLOCK
    return Box(x, y, right - x, bottom - y)


def _clipped(part: Box, box: Box) -> Box:
    x, y = max(part.x, box.x), max(part.y, box.y)
    right = min(part.x + part.width, box.x + box.width)
    bottom = min(part.y + part.height, box.y + box.height)
    return Box(x - box.x, y - box.y, right - x, bottom - y)
