"""The photograph of a page: paper, the ink printed on it, and vermilion seals over both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips

from sample_book.ink import Mask
from sample_book.layout import PAGE_HEIGHT, PAGE_WIDTH
from sample_book.paper import Textures
from sample_book.texture import Field, clouds, enlarged, spread

INK = (0.150, 0.140, 0.132)  # reflectance of full ink
VERMILION = (0.86, 0.25, 0.17)
SOAK = 1.7  # how far ink spreads along the fibres, in pixels
SHINE = 0.055  # darkness of ink seen through the paper
FADE = 8  # unevenness of inking is computed at this fraction of the size


def printed(page: Any, block: Mask, textures: Textures, rng: np.random.Generator) -> Any:
    """Return a page with a block printed on it."""
    shape = (PAGE_HEIGHT // FADE, PAGE_WIDTH // FADE)
    patches = (
        0.7 * clouds(rng, shape, (95, 70)) + 0.5 * clouds(rng, shape, (26, 16)) + 0.45 * clouds(rng, shape, (7, 4))
    )
    wear = np.clip(0.045 * patches, -0.04, 0.16).astype(np.float32)
    tone = np.clip(0.885 - 0.065 * patches, 0.55, 0.97).astype(np.float32)
    coverage = _coverage(block, enlarged(wear, FADE), spread(textures.edge, rng) * 0.095)
    grain = spread(textures.wood, rng) * 0.07 + enlarged(tone, FADE)
    return page * _filter(coverage * grain, INK)


def shining_through(page: Any, behind: Mask) -> Any:
    """Return a page with the mirrored print of its other side showing faintly."""
    height, width = behind.shape
    other: Any = pyvips.Image.new_from_memory(behind.tobytes(), width, height, 1, "uchar").fliphor()
    blurred: Field = other.shrink(FADE, FADE).gaussblur(1.6).cast("float").numpy()
    return page * enlarged(1 - SHINE / 255 * blurred, FADE)


def stamped(page: Any, sheet: Mask, textures: Textures, rng: np.random.Generator) -> Any:
    """Return a page with vermilion seals and marks on it; black ink stays black."""
    shape = (PAGE_HEIGHT // FADE, PAGE_WIDTH // FADE)
    patches = (0.6 * clouds(rng, shape, (22, 22)) + 0.6 * clouds(rng, shape, (5, 5))).astype(np.float32)
    wear = np.clip(0.075 * patches, -0.04, 0.25)
    coverage = _coverage(sheet, enlarged(wear, FADE), spread(textures.edge, rng) * 0.09)
    return page * _filter(
        coverage * (spread(textures.edge, rng) * 0.05 + enlarged(0.80 - 0.05 * patches, FADE)), VERMILION
    )


def developed(page: Any) -> Any:
    """Return the picture as 8-bit sRGB."""
    return page.cast("uchar").copy(interpretation="srgb")


def _coverage(block: Mask, wear: Any, edge: Any) -> Any:
    """Return the share of each pixel that ink covers: edges are roughened by fibres, thin strokes lost to wear."""
    height, width = block.shape
    wood: Any = pyvips.Image.new_from_memory(block.tobytes(), width, height, 1, "uchar")
    soft = wood.gaussblur(SOAK) * (1 / 255)
    return ((soft + edge - wear - 0.44) * (3.2 * 255) + 127.5).cast("uchar") * (1 / 255)


def _filter(cover: Any, reflectance: tuple[float, float, float]) -> Any:
    """Return the reflectance of pixels of which the share `cover` has the given reflectance."""
    return cover * [share - 1 for share in reflectance] + 1
