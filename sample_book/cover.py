"""The cover of a volume: indigo paper, worn at the edges, sewn at the spine, with the title on a slip."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyvips

from sample_book.ink import cut_bar
from sample_book.layout import EARTH, FOLD, HOLES, PAGE_HEIGHT, PAGE_WIDTH, SEAM, SKY, SLIP, TextBox
from sample_book.paper import BAMBOO_PAPER, Textures, beyond, covered, darken, falling_light
from sample_book.picture import Colour, Field, Gradual, Mask, Picture, coordinates
from sample_book.texture import clouds, drift

INDIGO = (42.0, 55.0, 78.0)
WORN = (146.0, 144.0, 134.0)
SILK = (206.0, 192.0, 158.0)
THREAD = 15  # the width of one of the two strands
COARSE = 4  # wear is computed at this fraction of the size


def cover(rng: np.random.Generator, textures: Textures) -> Picture:
    """Return a cover with a blank title slip."""
    picture = covered(_indigo(rng), textures.sheet.spread(rng), contrast=2.6)
    darken(picture, beyond(rng, closed=True), falling_light(0))
    _lay_slip(picture, textures, rng)
    _lay_thread(picture, textures, rng)
    return picture


def _lay_slip(picture: Picture, textures: Textures, rng: np.random.Generator) -> None:
    """Lay the title slip on a cover, with edges as cut by hand."""
    edge = 24
    area = TextBox(SLIP.x - edge, SLIP.y - edge, SLIP.width + 2 * edge, SLIP.height + 2 * edge)
    left, right = (edge + side + drift(rng, SLIP.height, 300, 2.0) for side in (0, SLIP.width))
    across = np.arange(area.width)
    mask = np.zeros((area.height, area.width), np.uint8)
    mask[edge:-edge] = 255 * ((across >= left[:, None]) & (across < right[:, None]))
    dirt = [np.exp(-np.maximum(_from_edge(length) - edge, 0) / 45).astype(np.float32) for length in mask.shape]
    tone = 0.93 - 0.16 * np.maximum(dirt[0][:, None], dirt[1]) + 0.018 * clouds(rng, mask.shape, (160, 160))
    _lay(picture, area, mask, tone * textures.sheet.piece(rng, mask.shape), BAMBOO_PAPER, thickness=5)


def _from_edge(length: int) -> npt.NDArray[np.int64]:
    """Return the distance of each place from the nearer end."""
    place = np.arange(length)
    return np.minimum(place, place[::-1])


def _lay_thread(picture: Picture, textures: Textures, rng: np.random.Generator) -> None:
    """Lay the sewing on a cover: two strands of silk along the holes, and from each hole around the spine."""
    mask = np.zeros((PAGE_HEIGHT, PAGE_WIDTH), np.uint8)
    seam, spine = PAGE_WIDTH - FOLD - SEAM, PAGE_WIDTH - FOLD
    head, tail = SKY + 4, PAGE_HEIGHT - EARTH - 4
    for strand in (-10, 9):
        cut_bar(mask, TextBox(seam + strand, head, THREAD, tail - head), rng)
        for hole in HOLES:
            cut_bar(mask, TextBox(seam - 6, hole + strand, spine - seam, THREAD), rng)
    edge = 40
    area = TextBox(seam - edge, head - edge, spine - seam + 2 * edge, tail - head + 2 * edge)
    mask = mask[area.y : area.y + area.height, area.x : area.x + area.width]
    tone = 0.56 + 0.08 * textures.wood.piece(rng, mask.shape) + (0.42 / 255) * _blurred(mask, 4.0)
    _lay(picture, area, mask, tone, SILK, thickness=9)


def _lay(picture: Picture, area: TextBox, mask: Mask, tone: Field, colour: Colour, *, thickness: int) -> None:
    """Lay a thing on an area of a page where the mask is, with its shadow to the lower right."""
    moved = np.zeros_like(mask)
    moved[thickness:, thickness:] = mask[:-thickness, :-thickness]
    share = _blurred(mask, 0.8) * np.float32(1 / 255)
    kept = (1 - np.float32(0.55 / 255) * _blurred(moved, thickness * 0.7)) * (1 - share)
    laid = tone * share
    for plane, value in zip(picture, colour, strict=True):
        there = plane[area.y : area.y + area.height, area.x : area.x + area.width]
        there[...] = np.clip(there * kept + laid * np.float32(value), 0, 255)


def _blurred(mask: Mask, sigma: float) -> Mask:
    image: Any = pyvips.Image.new_from_array(np.ascontiguousarray(mask))
    blurred: Mask = image.gaussblur(sigma).numpy()
    return blurred


def _indigo(rng: np.random.Generator) -> list[Gradual]:
    """Return the colour of dyed paper, worn pale at its edges and corners."""
    down, across = coordinates(COARSE)
    shape = (down.size, across.size)
    sides = np.minimum(across - FOLD, PAGE_WIDTH - FOLD - across)
    margin = np.maximum(np.minimum(sides, np.minimum(down - SKY, PAGE_HEIGHT - EARTH - down)), 0)
    corner = np.hypot(np.maximum(across - FOLD, 0), np.maximum(PAGE_HEIGHT - EARTH - down, 0))
    rubbed = 0.85 * np.exp(-margin / 14) + 0.26 * np.exp(-margin / 120) + 0.7 * np.exp(-corner / 150)
    rough = 0.10 * clouds(rng, shape, (2, 3)) + 0.08 * clouds(rng, shape, (9, 9)) + 0.07 * clouds(rng, shape, (70, 70))
    worn = np.clip(rubbed * (0.75 + rough * 2.5) + 0.35 * rough - 0.10, 0.03, 0.85)
    tone = (
        1
        + 0.035 * clouds(rng, shape, (160, 160))
        + 0.02 * clouds(rng, shape, (30, 30))
        + 0.022 * clouds(rng, shape, (4, 40))
    )
    lamp = 1.10 - 0.16 * (down / PAGE_HEIGHT) - 0.10 * ((across - 0.35 * PAGE_WIDTH) / PAGE_WIDTH) ** 2
    spine = 1 - 0.10 * np.exp(-(((PAGE_WIDTH - FOLD - SEAM - across + 26) / 20) ** 2))
    light = tone * lamp * spine
    return [Gradual(light * (dye * (1 - worn) + pale * worn), COARSE) for dye, pale in zip(INDIGO, WORN, strict=True)]
