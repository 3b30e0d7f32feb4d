"""The photograph of a page: the ink printed on its paper, and vermilion seals over both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips

from sample_book.ink import BLOCK, BLOCK_WIDTH
from sample_book.layout import PAGE_HEIGHT, PAGE_WIDTH
from sample_book.paper import COARSE, Textures
from sample_book.picture import STRIP, Colour, Field, Gradual, Mask, Picture, strips
from sample_book.texture import clouds

INK = (0.150, 0.140, 0.132)  # reflectance of full ink
VERMILION = (0.86, 0.25, 0.17)
SOAK = 0.63  # how far ink spreads along the fibres, in pixels of the block
SHINE = 0.055  # darkness of ink seen through the paper
ROUGH = 0.095  # how far fibres roughen the edge of ink
GAIN, THRESHOLD = 3.2, 0.44  # the sharpness of an edge, and the share of ink in a pixel that makes it
FADE = 8  # unevenness of inking is computed at this fraction of the size


class _Soaked:
    """The share of each pixel of the page to which the ink of a block has spread."""

    def __init__(self, block: Mask) -> None:
        image: Any = pyvips.Image.new_from_array(block)
        self._rows = np.pad(image.gaussblur(SOAK).numpy(), ((1, 1), (0, 0)), mode="edge")

    def strip(self, rows: slice) -> Field:
        """Return the shares of a strip, interpolated between the centres of the block's pixels."""
        near = self._rows[rows.start // BLOCK : rows.stop // BLOCK + 2] * np.float32(0.75 / 255)
        far = near * np.float32(1 / 3)
        wide = np.empty((near.shape[0], BLOCK_WIDTH, BLOCK), np.float32)
        wide[..., 0] = wide[..., 1] = near
        wide[:, 1:, 0] += far[:, :-1]
        wide[:, :-1, 1] += far[:, 1:]
        near = wide.reshape(-1, PAGE_WIDTH)
        far = near * np.float32(0.25)
        near = near * np.float32(0.75)
        shares = np.empty((STRIP // BLOCK, BLOCK, PAGE_WIDTH), np.float32)
        np.add(near[1:-1], far[:-2], out=shares[:, 0])
        np.add(near[1:-1], far[2:], out=shares[:, 1])
        return shares.reshape(STRIP, PAGE_WIDTH)


def print_block(picture: Picture, block: Mask, textures: Textures, rng: np.random.Generator) -> None:
    """Print a block on a page, with ink that is spread unevenly."""
    shape = (PAGE_HEIGHT // FADE + 1, PAGE_WIDTH // FADE + 1)
    patches = (
        0.7 * clouds(rng, shape, (95, 70)) + 0.5 * clouds(rng, shape, (26, 16)) + 0.45 * clouds(rng, shape, (7, 4))
    )
    uneven = Gradual(np.clip(patches, -0.9, 3.5), FADE)
    soaked, edge, wood = _Soaked(block), textures.edge.spread(rng), textures.wood.spread(rng)
    inked = np.flatnonzero(block.any(axis=1))
    for rows in strips(BLOCK * int(inked[0]) - STRIP, BLOCK * int(inked[-1]) + STRIP):
        patch = uneven.strip(rows)
        cover = _coverage(soaked.strip(rows), edge.strip(rows), 0.045 * patch)
        cover *= 0.885 + 0.07 * wood.strip(rows) - 0.065 * patch
        _ink(picture[:, rows], cover, INK)


def stamp(picture: Picture, mark: Mask, middle: tuple[int, int], textures: Textures, rng: np.random.Generator) -> None:
    """Stamp a mark, whose edges are soft, on a page with vermilion; black ink stays black."""
    patches = 0.6 * clouds(rng, mark.shape, (176, 176)) + 0.6 * clouds(rng, mark.shape, (40, 40))
    wear: Field = np.clip(0.075 * patches, -0.04, 0.25).astype(np.float32, copy=False)
    cover = _coverage(mark * np.float32(1 / 255), textures.edge.piece(rng, mark.shape), wear)
    cover *= 0.80 + 0.05 * textures.edge.piece(rng, mark.shape) - 0.05 * patches
    left, top = middle[0] - mark.shape[1] // 2, middle[1] - mark.shape[0] // 2
    _ink(picture[:, top : top + mark.shape[0], left : left + mark.shape[1]], cover, VERMILION)


def shade_behind(behind: Mask) -> Field:
    """Return how much the mirrored print of a page's other side darkens the page, as `sheet` takes it."""
    image: Any = pyvips.Image.new_from_array(behind)
    side = COARSE // BLOCK
    blurred = image.fliphor().shrink(side, side).gaussblur(1.6).numpy()
    return 1 - np.float32(SHINE / 255) * np.pad(blurred, ((0, 1), (0, 1)), mode="edge")


def _coverage(soft: Field, edge: Field, wear: Field) -> Field:
    """Return the share of each pixel that ink covers: edges are roughened by fibres, thin strokes lost to wear."""
    cover = soft + edge * np.float32(ROUGH)
    cover -= wear
    cover -= np.float32(THRESHOLD - 0.5 / GAIN)
    cover *= np.float32(GAIN)
    return np.clip(cover, 0, 1, out=cover)


def _ink(there: Picture, cover: Field, reflectance: Colour) -> None:
    """Darken an area of a page where ink covers it."""
    for plane, share in zip(there, reflectance, strict=True):
        light = cover * np.float32(share - 1)
        light += 1
        light *= plane
        plane[...] = light
