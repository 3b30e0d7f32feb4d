"""The cover of a volume: indigo paper, worn at the edges, sewn at the spine, with the title on a slip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips

from sample_book.ink import Mask, cut_bar
from sample_book.layout import EARTH, FOLD, HOLES, PAGE_HEIGHT, PAGE_WIDTH, SEAM, SKY, SLIP, TextBox
from sample_book.paper import BAMBOO_PAPER, COARSE, Textures, beyond, falling_light
from sample_book.texture import Field, clouds, drift, enlarged, spread

INDIGO = (42.0, 55.0, 78.0)
WORN = (146.0, 144.0, 134.0)
SILK = (206.0, 192.0, 158.0)
THREAD = 15  # the width of one of the two strands


def cover(rng: np.random.Generator, textures: Textures) -> Any:
    """Return a cover with a blank title slip: a float image of three bands, 0 to 255."""
    edge: Any = pyvips.Image.new_from_array(beyond(rng, closed=True))
    page = enlarged(_indigo(rng), COARSE) * edge.maplut(falling_light(0))
    fabric = (spread(textures.sheet, rng) - 1) * 2.6 + 1
    slip, thread = _slip(rng), _thread(rng)
    page = _laid_on(page * fabric, slip, _tinted(BAMBOO_PAPER, _slip_tone(rng) * spread(textures.sheet, rng)), 5)
    twist = spread(textures.wood, rng) * 0.08 + 0.56 + _image(thread).gaussblur(4.0) * (0.42 / 255)
    return _laid_on(page, thread, _tinted(SILK, twist), 9)


def _image(mask: Mask) -> Any:
    return pyvips.Image.new_from_array(mask)


def _tinted(colour: tuple[float, float, float], tone: Any) -> Any:
    return tone * list(colour)


def _laid_on(page: Any, mask: Mask, thing: Any, thickness: int) -> Any:
    """Return the page with a thing laid on it where the mask is, and its shadow to the lower right."""
    cover = _image(mask)
    shadow = cover.wrap(x=PAGE_WIDTH - thickness, y=PAGE_HEIGHT - thickness).gaussblur(thickness * 0.7)
    share = cover.gaussblur(0.8) * (1 / 255)
    return page * (shadow * (-0.55 / 255) + 1) * (1 - share) + thing * share


def _slip_tone(rng: np.random.Generator) -> Any:
    shape = (PAGE_HEIGHT // COARSE, PAGE_WIDTH // COARSE)
    down = np.arange(shape[0])[:, None] * COARSE - SLIP.y
    across = np.arange(shape[1])[None, :] * COARSE - SLIP.x
    margin = np.minimum(np.minimum(down, SLIP.height - down), np.minimum(across, SLIP.width - across))
    tone = 0.93 - 0.16 * np.exp(-np.maximum(margin, 0) / 45) + 0.018 * clouds(rng, shape, (40, 40))
    return enlarged(tone.astype(np.float32), COARSE)


def _indigo(rng: np.random.Generator) -> Field:
    """Return the colour of dyed paper, worn pale at its edges and corners."""
    shape = (PAGE_HEIGHT // COARSE, PAGE_WIDTH // COARSE)
    down = np.arange(shape[0], dtype=np.float32)[:, None] * COARSE
    across = np.arange(shape[1], dtype=np.float32)[None, :] * COARSE
    sides = np.minimum(across - FOLD, PAGE_WIDTH - FOLD - across)
    margin = np.maximum(np.minimum(sides, np.minimum(down - SKY, PAGE_HEIGHT - EARTH - down)), 0)
    corner = np.hypot(np.maximum(across - FOLD, 0), np.maximum(PAGE_HEIGHT - EARTH - down, 0))
    rubbed = 0.85 * np.exp(-margin / 14) + 0.26 * np.exp(-margin / 120) + 0.7 * np.exp(-corner / 150)
    rough = 0.10 * clouds(rng, shape, (2, 3)) + 0.08 * clouds(rng, shape, (9, 9)) + 0.07 * clouds(rng, shape, (70, 70))
    worn = np.clip(rubbed * (0.75 + rough * 2.5) + 0.35 * rough - 0.10, 0.03, 0.85)[..., None]
    tone = (
        1
        + 0.035 * clouds(rng, shape, (160, 160))
        + 0.02 * clouds(rng, shape, (30, 30))
        + 0.022 * clouds(rng, shape, (4, 40))
    )
    lamp = 1.10 - 0.16 * (down / PAGE_HEIGHT) - 0.10 * ((across - 0.35 * PAGE_WIDTH) / PAGE_WIDTH) ** 2
    spine = 1 - 0.10 * np.exp(-(((PAGE_WIDTH - FOLD - SEAM - across + 26) / 20) ** 2))
    dyed = np.array(INDIGO) * (1 - worn) + np.array(WORN) * worn
    colour: Field = (dyed * (tone * lamp * spine)[..., None]).astype(np.float32)
    return colour


def _slip(rng: np.random.Generator) -> Mask:
    """Return the mask of the title slip, with edges as cut by hand."""
    mask = np.zeros((PAGE_HEIGHT, PAGE_WIDTH), np.uint8)
    left, right = (SLIP.x + side + drift(rng, SLIP.height, 300, 2.0) for side in (0, SLIP.width))
    across = np.arange(SLIP.x - 20, SLIP.x + SLIP.width + 20)
    inside = (across >= left[:, None]) & (across < right[:, None])
    mask[SLIP.y : SLIP.y + SLIP.height, across[0] : across[-1] + 1] = inside * np.uint8(255)
    return mask


def _thread(rng: np.random.Generator) -> Mask:
    """Return the mask of the sewing: two strands of silk along the holes, and from each hole around the spine."""
    mask = np.zeros((PAGE_HEIGHT, PAGE_WIDTH), np.uint8)
    seam, spine = PAGE_WIDTH - FOLD - SEAM, PAGE_WIDTH - FOLD
    head, tail = SKY + 4, PAGE_HEIGHT - EARTH - 4
    for strand in (-10, 9):
        cut_bar(mask, TextBox(seam + strand, head, THREAD, tail - head), rng, flaws=False)
        for hole in HOLES:
            cut_bar(mask, TextBox(seam - 6, hole + strand, spine - seam, THREAD), rng, flaws=False)
    return mask
