"""Photographed old paper: its colour and age, its fibres, the leaves beneath it, and the light.

Gradual variation (colour, age, stains, light) is computed at a quarter of the size and enlarged. Fine detail (fibres,
laid lines, edges) is drawn at full size from one seamlessly repeating square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvips

from sample_book.layout import EARTH, FOLD, PAGE_HEIGHT, PAGE_WIDTH, SKY, Side
from sample_book.texture import Field, clouds, drift, enlarged, fibres, spread, tile

COARSE = 4  # gradual variation is computed at this fraction of the size
BAMBOO_PAPER = (229.0, 215.0, 187.0)
YELLOW_PAPER = (224.0, 196.0, 140.0)
AGEING = (0.12, 0.19, 0.31)  # loss of red, green and blue at an aged edge
WATER = (0.10, 0.14, 0.20)
TEXTURE = 2048
LEAVES, LEAF_STEP = 4, 11.5  # leaves visible beneath a page, and the pixels of each


@dataclass(frozen=True, slots=True)
class Textures:
    """The textures of all pages: the paper's grain, a factor around 1, and two grains of the ink, around 0."""

    sheet: Field
    edge: Field
    wood: Field


def make_textures(seed: int) -> Textures:
    """Return the shared textures; this takes about half a second, so it is done once."""
    rng = np.random.default_rng(seed)
    threads = 0.020 * fibres(rng, TEXTURE, 2600, 130) + 0.011 * fibres(rng, TEXTURE, 9000, 50)
    grain = 0.008 * tile(rng, TEXTURE, 2.0, 12.0) + 0.007 * tile(rng, TEXTURE, 9.0, 60.0)
    place = np.arange(TEXTURE) / TEXTURE
    laid = 0.0042 * np.sin(2 * np.pi * 92 * place)[:, None] * np.maximum(0.2, 1 + 0.6 * tile(rng, TEXTURE, 90.0, 400.0))
    chain = -0.007 * np.maximum(0, np.cos(2 * np.pi * 5 * place))[None, :] ** 400
    sheet = (1.0 + threads + grain + laid + chain).astype(np.float32)
    edge = 0.62 * tile(rng, 1024, 3.5, 16.0) + 0.62 * tile(rng, 1024, 16.0, 60.0)
    return Textures(sheet, np.clip(edge, -2.4, 2.4), tile(rng, 1024, 3.0, 40.0, stretch=3.5))


def sheet(
    side: Side,
    rng: np.random.Generator,
    volume_rng: np.random.Generator,
    textures: Textures,
    colour: tuple[float, float, float] = BAMBOO_PAPER,
) -> Any:
    """Return an unprinted half-leaf as photographed: a float image of three bands, 0 to 255.

    `volume_rng` is the same for all leaves of a volume, and draws what they share, such as a water stain.
    """
    coarse = _coarse_colour(rng, volume_rng, colour)
    edge: Any = pyvips.Image.new_from_array(beyond(rng))
    page = enlarged(coarse, COARSE) * edge.maplut(falling_light(LEAVES))
    return (page if side is Side.A else page.fliphor()) * spread(textures.sheet, rng)


def _coarse_colour(
    rng: np.random.Generator, volume_rng: np.random.Generator, colour: tuple[float, float, float]
) -> Field:
    """Return the colour of an a-side without fibres: paper, age, stains and light."""
    shape = (PAGE_HEIGHT // COARSE, PAGE_WIDTH // COARSE)
    down, across = (np.arange(length, dtype=np.float32) * COARSE for length in shape)
    age = _age(rng, shape, down[:, None], across[None, :])
    water = _water(volume_rng, shape, down[:, None], across[None, :])
    spots = _foxing(rng, shape)
    light = _light(rng, shape, down[:, None], across[None, :])
    bands = [
        base * light * (1 - loss * age) * (1 - tide * water) * (1 - (0.25 + loss) * spots)
        for base, loss, tide in zip(colour, AGEING, WATER, strict=True)
    ]
    return np.stack(bands, axis=2).astype(np.float32)


def _age(rng: np.random.Generator, shape: tuple[int, int], down: Field, across: Field) -> Field:
    """Return how brown the paper is: most at its exposed edges, and in clouds elsewhere."""
    margin = np.minimum(np.minimum(across - FOLD, (down - SKY) * 0.8), (PAGE_HEIGHT - EARTH - down) * 0.7)
    reach = 1 + 0.35 * clouds(rng, shape, (90, 90))
    inward = np.maximum(margin, 0) / np.maximum(reach, 0.3)
    edges = 0.34 * np.exp(-inward / 70) + 0.20 * np.exp(-inward / 420)
    mottle = (
        0.055 * clouds(rng, shape, (240, 240))
        + 0.030 * clouds(rng, shape, (45, 45))
        + 0.022 * clouds(rng, shape, (9, 9))
    )
    brown: Field = np.clip(0.14 + edges + mottle, 0, 1.4).astype(np.float32)
    return brown


def _water(rng: np.random.Generator, shape: tuple[int, int], down: Field, across: Field) -> Field:
    """Return a water stain from the lower outer corner, with a dark tide line."""
    reach = rng.uniform(900, 1300)
    ragged = np.hypot((across - FOLD) * rng.uniform(0.9, 1.5), PAGE_HEIGHT - EARTH - down)
    ragged = ragged + 70 * clouds(rng, shape, (60, 60)) + 14 * clouds(rng, shape, (12, 12)) - reach
    tide = np.exp(-((ragged / 20) ** 2)) + 0.6 * np.exp(-(np.minimum(ragged, 0) ** 2) / 120**2) * (ragged < 0)
    stain: Field = (0.55 * tide + 0.30 * (ragged < 0)).astype(np.float32)
    return stain


def _foxing(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Return small rusty spots."""
    field = np.zeros(shape, np.float32)
    window = 24
    grid = np.arange(-window, window + 1, dtype=np.float32)
    for _ in range(int(rng.integers(14, 40))):
        y, x = (int(rng.integers(window, length - window - 1)) for length in shape)
        radius, strength = rng.gamma(2.0, 1.1) + 0.8, rng.uniform(0.05, 0.35)
        distance = np.hypot(grid[:, None], grid[None, :] * rng.uniform(0.7, 1.4))
        spot = strength * np.exp(-((distance / radius) ** 2)) + 0.25 * strength * np.exp(-distance / (3 * radius))
        field[y - window : y + window + 1, x - window : x + window + 1] += spot
    return field


def _light(rng: np.random.Generator, shape: tuple[int, int], down: Field, across: Field) -> Field:
    """Return the light: a lamp at the upper left, the curve into the gutter, and slightly wavy paper."""
    gutter = PAGE_WIDTH - across
    curve = (
        1 - 0.40 * np.exp(-gutter / 42) - 0.09 * np.exp(-gutter / 230) + 0.02 * np.exp(-(((gutter - 520) / 220) ** 2))
    )
    roll = 1 - 0.13 * np.exp(-np.maximum(across - FOLD, 0) / 20)
    lamp = 1.03 - 0.045 * (down / PAGE_HEIGHT) ** 1.5 - 0.03 * ((across - 0.42 * PAGE_WIDTH) / PAGE_WIDTH) ** 2
    waves = 1 + 0.010 * clouds(rng, shape, (420, 70)) + 0.006 * clouds(rng, shape, (90, 260))
    return (curve * roll * lamp * waves).astype(np.float32)


def beyond(rng: np.random.Generator, *, closed: bool = False) -> npt.NDArray[np.uint8]:
    """Return the distance of each pixel of an a-side from the paper's edge: 0 on the paper, 255 at most.

    An open book fills the picture up to the gutter; a closed one ends at its spine.
    """
    field = np.zeros((PAGE_HEIGHT, PAGE_WIDTH), np.uint8)
    reach = max(SKY, EARTH, FOLD) + 20
    steps = np.arange(reach)
    fold = _edge(rng, PAGE_HEIGHT, FOLD)[:, None] - steps[None, :]
    edges = [(field[:, :reach], fold)]
    edges += [(field[:reach], _edge(rng, PAGE_WIDTH, SKY)[None, :] - steps[:, None])]
    edges += [(field[-reach:], _edge(rng, PAGE_WIDTH, EARTH)[None, :] - steps[::-1, None])]
    if closed:
        edges += [(field[:, -reach:], _edge(rng, PAGE_HEIGHT, FOLD)[:, None] - steps[None, ::-1])]
    for there, distance in edges:
        np.maximum(there, np.clip(distance, 0, 255).astype(np.uint8), out=there)
    return field


def _edge(rng: np.random.Generator, length: int, margin: int) -> npt.NDArray[np.float64]:
    return margin + drift(rng, length, 420, 2.2) + drift(rng, length, 11, 0.5)


def falling_light(leaves: int) -> Any:
    """Return the light at each distance beyond the edge, as a `maplut` table of three bands.

    The leaves beneath are each in the shadow of the one above; beyond them is a dark background.
    """
    distance = np.arange(256, dtype=np.float32)
    stack = leaves * LEAF_STEP
    layer, place = np.divmod(distance, LEAF_STEP)
    lit = (0.80 - 0.055 * layer) * (0.72 + 0.28 * np.clip(place / 5.0, 0, 1))
    backdrop = 0.12 + 0.05 * np.clip((distance - stack) / 60, 0, 1)
    light = np.where(distance == 0, 1.0, np.where(distance < stack, lit, backdrop))
    cool = np.where(distance >= max(stack, 1), 1.0, 0.0)[:, None] * np.array([-0.1, 0.0, 0.16])
    image: Any = pyvips.Image.new_from_array((light[:, None] * (1 + cool)).astype(np.float32)[None, :, :])
    return image
