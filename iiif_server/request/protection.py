"""The protection of an image: redactions and the library's watermark. (pure)

Redactions are rectangles of the whole image. They are blackened in the pixels of the decoded level, before scaling, so
that none of their content is mixed into neighbouring pixels. A pixel of a level that covers any part of a redaction is
blackened, and 16 pixels around it: the blocks of a JPEG carry content that far.

The watermark is a pattern anchored at the image's corner and drawn at its own size at every scale, so that the tiles of
a level fit together. An image that is shown small has a small watermark.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from iiif_server.pyramid.grid import Box

BLOCK: Final = 16
"""The side in pixels of the largest block that a JPEG codes together (chroma halved along both sides)."""

_APART: Final = 2
"""The period of the pattern, in sizes of the watermark."""


class Protection(NamedTuple):
    """The `hidden` parts of the whole image, and the watermark `mark`: a PNG file with transparency."""

    hidden: tuple[Box, ...] = ()
    mark: bytes | None = None

    @property
    def variant(self) -> str:
        """A digest of the protection, for the entity tags of the pictures that it changes."""
        return hashlib.blake2b(repr(self).encode(), digest_size=8).hexdigest()

    def touches(self, region: Box, factor: int) -> bool:
        """Return whether protection changes the stored tile of a region, `factor` times smaller than the image."""
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
        """Return the rectangles to blacken in `box` of the level `factor` times smaller, in the pixels of that box."""
        clipped = (_clipped(_widened(part, factor), box) for part in self.hidden)
        return [part for part in clipped if part.width > 0 and part.height > 0]


class Pattern(NamedTuple):
    """A watermark of `width` by `height` pixels, repeated every `across` by `along`.

    `x` and `y` are the position of an answer's corner within that repetition.
    """

    width: int
    height: int
    across: int
    along: int
    x: int
    y: int


def pattern(mark: tuple[int, int], region: Box, size: tuple[int, int], whole: tuple[int, int]) -> Pattern:
    """Return the pattern of a mark of sides `mark` over `region` of an image of sides `whole`, shown in `size`."""
    shown = whole[0] * size[0] / region.width, whole[1] * size[1] / region.height
    scale = min(1.0, shown[0] / (_APART * mark[0]), shown[1] / (_APART * mark[1]))
    width, height = max(1, round(mark[0] * scale)), max(1, round(mark[1] * scale))
    across, along = _APART * width, _APART * height
    x, y = round(region.x * size[0] / region.width), round(region.y * size[1] / region.height)
    return Pattern(width, height, across, along, x % across, y % along)


def _widened(part: Box, factor: int) -> Box:
    """Return a part of the whole image in the pixels of a level, rounded outwards, with the blocks around it."""
    x, y = part.x // factor - BLOCK, part.y // factor - BLOCK
    right = -(-(part.x + part.width) // factor) + BLOCK
    bottom = -(-(part.y + part.height) // factor) + BLOCK
    return Box(x, y, right - x, bottom - y)


def _clipped(part: Box, box: Box) -> Box:
    x, y = max(part.x, box.x), max(part.y, box.y)
    right = min(part.x + part.width, box.x + box.width)
    bottom = min(part.y + part.height, box.y + box.height)
    return Box(x - box.x, y - box.y, right - x, bottom - y)
