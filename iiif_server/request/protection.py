"""The protection of an image: redactions and the library's watermark. (pure)

Redactions are rectangles of the whole image. They are blackened in the pixels of the decoded level, before scaling, so
that none of their content is mixed into neighbouring pixels. A pixel of a level that covers any part of a redaction is
blackened, and 16 pixels around it: the blocks of a JPEG carry content that far.

The watermark is anchored in the image: each of its marks covers the same part of the picture at every scale, so that
no combination of requests shows any marked part without its mark. Marks of several sizes are drawn, so that some are
seen at every scale (`layers`): the smallest has its own size in pixels of the whole image, each further one is `_STEP`
times larger, as long as two fit side by side.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from iiif_server.pyramid.grid import Box

BLOCK: Final = 16
"""The side in pixels of the largest block that a JPEG codes together (chroma halved along both sides)."""

_APART: Final = 2
"""The period of the marks of a layer, in their sides."""

_STEP: Final = 4
"""How many times larger the marks of each further layer are."""


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


class WatermarkLayer(NamedTuple):
    """The marks of one size: each `width` by `height` pixels of the whole image, the first in its upper left corner.

    They are repeated at `_APART` times their sides, in both directions.
    """

    width: float
    height: float


class Placement(NamedTuple):
    """A layer on an answer: where the answer's corner is, and how far each pixel goes, in the layer's periods."""

    x: float
    y: float
    across: float
    along: float


def layers(mark: tuple[int, int], whole: tuple[int, int]) -> list[WatermarkLayer]:
    """Return the layers of a mark of sides `mark` on an image of sides `whole`, the smallest first.

    They depend on the image alone, never on a request. A mark that is too large for the image is reduced to half of it.
    """
    scale = min(1.0, whole[0] / (_APART * mark[0]), whole[1] / (_APART * mark[1]))
    found = [WatermarkLayer(mark[0] * scale, mark[1] * scale)]
    while all(_APART * _STEP * side <= of for side, of in zip(found[-1], whole, strict=True)):
        found.append(WatermarkLayer(found[-1].width * _STEP, found[-1].height * _STEP))
    return found


def placement(layer: WatermarkLayer, region: Box, size: tuple[int, int]) -> Placement:
    """Return where a layer is on the answer that shows `region` in `size`."""
    across, along = _APART * layer.width, _APART * layer.height
    return Placement(
        region.x / across,
        region.y / along,
        region.width / size[0] / across,
        region.height / size[1] / along,
    )


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
