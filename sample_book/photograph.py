"""The photograph of a page: ink taken up by paper, vermilion over both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips

from sample_book.ink import Mask
from sample_book.layout import PAGE_HEIGHT, PAGE_WIDTH
from sample_book.paper import Textures
from sample_book.texture import Field, clouds, enlarged, spread

INK = (0.150, 0.140, 0.132)  # how much light comes back from the blackest ink
VERMILION = (0.86, 0.25, 0.17)
SOAK = 1.7  # how far ink creeps along the fibres, in pixels
SHINE = 0.055  # how dark ink looks through the paper
FADE = 8  # unevenness of inking is computed at this fraction of the size


def printed(page: Any, block: Mask, textures: Textures, rng: np.random.Generator) -> Any:
    """A page with a block printed on it."""
    shape = (PAGE_HEIGHT // FADE, PAGE_WIDTH // FADE)
    patches = (
        0.7 * clouds(rng, shape, (95, 70)) + 0.5 * clouds(rng, shape, (26, 16)) + 0.45 * clouds(rng, shape, (7, 4))
    )
    wear = np.clip(0.045 * patches, -0.04, 0.16).astype(np.float32)
    tone = np.clip(0.885 - 0.065 * patches, 0.55, 0.97).astype(np.float32)
    taken = _taken(block, enlarged(wear, FADE), spread(textures.edge, rng) * 0.095)
    grain = spread(textures.wood, rng) * 0.07 + enlarged(tone, FADE)
    return page * _filter(taken * grain, INK)


def shining_through(page: Any, behind: Mask) -> Any:
    """A page with what stands on the other half of its leaf showing faintly, turned over."""
    height, width = behind.shape
    other: Any = pyvips.Image.new_from_memory(behind.tobytes(), width, height, 1, "uchar").fliphor()
    blurred: Field = other.shrink(FADE, FADE).gaussblur(1.6).cast("float").numpy()
    return page * enlarged(1 - SHINE / 255 * blurred, FADE)


def stamped(page: Any, sheet: Mask, textures: Textures, rng: np.random.Generator) -> Any:
    """A page with seals and marks in vermilion on it, which leaves black ink black."""
    shape = (PAGE_HEIGHT // FADE, PAGE_WIDTH // FADE)
    patches = (0.6 * clouds(rng, shape, (22, 22)) + 0.6 * clouds(rng, shape, (5, 5))).astype(np.float32)
    wear = np.clip(0.075 * patches, -0.04, 0.25)
    taken = _taken(sheet, enlarged(wear, FADE), spread(textures.edge, rng) * 0.09)
    return page * _filter(
        taken * (spread(textures.edge, rng) * 0.05 + enlarged(0.80 - 0.05 * patches, FADE)), VERMILION
    )


def developed(page: Any) -> Any:
    """The picture as 8-bit sRGB."""
    return page.cast("uchar").copy(interpretation="srgb")


def _taken(block: Mask, wear: Any, edge: Any) -> Any:
    """How much of each pixel the ink covers, 0 to 1: edges roughened by the fibres, thin strokes lost to wear."""
    height, width = block.shape
    wood: Any = pyvips.Image.new_from_memory(block.tobytes(), width, height, 1, "uchar")
    soft = wood.gaussblur(SOAK) * (1 / 255)
    return ((soft + edge - wear - 0.44) * (3.2 * 255) + 127.5).cast("uchar") * (1 / 255)


def _filter(cover: Any, reflectance: tuple[float, float, float]) -> Any:
    """What is left of the light where `cover` of a pixel is covered by something of that reflectance."""
    return cover * [share - 1 for share in reflectance] + 1
