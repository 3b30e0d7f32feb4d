"""Photographed old paper: its colour and age, its fibres, the leaves beneath it, and the light.

Gradual variation (colour, age, stains, light) is computed at an eighth of the size and interpolated. Fine detail
(fibres, laid lines, edges) is drawn at full size from one seamlessly repeating square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sample_book.layout import EARTH, FOLD, PAGE_HEIGHT, PAGE_WIDTH, SKY, Side
from sample_book.picture import Colour, Field, Gradual, Mask, Picture, Spread, Texture, coordinates, new_picture, strips
from sample_book.texture import clouds, drift, fibres, noise, softened

COARSE = 8  # gradual variation is computed at this fraction of the size
BAMBOO_PAPER = (229.0, 215.0, 187.0)
YELLOW_PAPER = (224.0, 196.0, 140.0)
AGEING = (0.12, 0.19, 0.31)  # loss of red, green and blue at an aged edge
WATER = (0.10, 0.14, 0.20)
TEXTURE = 2048
LEAVES, LEAF_STEP = 4, 11.5  # leaves visible beneath a page, and the pixels of each

Samples = npt.NDArray[np.float64]
"""Values at the samples of a `Gradual`, or at its rows or columns alone."""


@dataclass(frozen=True, slots=True)
class Textures:
    """The textures of all pages: the paper's grain, a factor around 1, and two grains of the ink, around 0."""

    sheet: Texture
    edge: Texture
    wood: Texture


def make_textures(seed: int) -> Textures:
    """Return the shared textures; this takes about half a second, so it is done once."""
    rng = np.random.default_rng(seed)
    threads = softened(fibres(rng, TEXTURE, 2600, 130, 0.020) + fibres(rng, TEXTURE, 9000, 50, 0.011))
    grain = noise(rng, TEXTURE, (0.008, 2.0, 12.0), (0.007, 9.0, 60.0))
    place = np.arange(TEXTURE) / TEXTURE
    laid = (0.0042 * np.sin(2 * np.pi * 92 * place)).astype(np.float32)[:, None]
    laid = laid * np.maximum(0.2, 1 + noise(rng, TEXTURE, (0.6, 90.0, 400.0)))
    chain = (-0.007 * np.maximum(0, np.cos(2 * np.pi * 5 * place)) ** 400).astype(np.float32)[None, :]
    edge = noise(rng, 1024, (0.62, 3.5, 16.0), (0.62, 16.0, 60.0))
    wood = noise(rng, 1024, (1.0, 3.0, 40.0), stretch=3.5)
    return Textures(Texture(1 + threads + grain + laid + chain), Texture(edge), Texture(wood))


def sheet(
    side: Side,
    rng: np.random.Generator,
    volume_rng: np.random.Generator,
    textures: Textures,
    *,
    colour: Colour = BAMBOO_PAPER,
    shade: Field | float = 1.0,
) -> Picture:
    """Return an unprinted half-leaf as photographed.

    `volume_rng` is the same for all leaves of a volume, and draws what they share, such as a water stain. `shade` is
    the light that what is behind the paper lets through, at the samples of a `Gradual` of the factor `COARSE`.
    """
    turn = 1 if side is Side.A else -1
    colours = [Gradual(band[:, ::turn] * shade, COARSE) for band in _coarse_colour(rng, volume_rng, colour)]
    picture = covered(colours, textures.sheet.spread(rng))
    _add_foxing(picture, rng)
    darken(picture, beyond(rng)[:, ::turn], falling_light(LEAVES))
    return picture


def covered(colours: Sequence[Gradual], grain: Spread, contrast: float = 1.0) -> Picture:
    """Return a picture of some colours, with a grain of some contrast."""
    picture = new_picture()
    for rows in strips():
        factor = grain.strip(rows)
        if contrast != 1.0:
            factor = (factor - 1) * np.float32(contrast) + 1
        for plane, colour in zip(picture, colours, strict=True):
            values = colour.strip(rows)
            values *= factor
            plane[rows] = np.clip(values, 0, 255, out=values)
    return picture


def _coarse_colour(rng: np.random.Generator, volume_rng: np.random.Generator, colour: Colour) -> list[Samples]:
    """Return the colour of an a-side without fibres: paper, age, stains and light."""
    down, across = coordinates(COARSE)
    age = _age(rng, down, across)
    water = _water(volume_rng, down, across)
    light = _light(rng, down, across)
    return [
        base * light * (1 - loss * age) * (1 - tide * water)
        for base, loss, tide in zip(colour, AGEING, WATER, strict=True)
    ]


def _clouds(rng: np.random.Generator, down: Samples, across: Samples, cell: tuple[int, int]) -> Field:
    """Return a smooth field between knots every `cell` pixels of the page (rows, columns)."""
    return clouds(rng, (down.size, across.size), (cell[0] / COARSE, cell[1] / COARSE))


def _age(rng: np.random.Generator, down: Samples, across: Samples) -> Samples:
    """Return how brown the paper is: most at its exposed edges, and in clouds elsewhere."""
    margin = np.minimum(np.minimum(across - FOLD, (down - SKY) * 0.8), (PAGE_HEIGHT - EARTH - down) * 0.7)
    reach = 1 + 0.35 * _clouds(rng, down, across, (360, 360))
    inward = np.maximum(margin, 0) / np.maximum(reach, 0.3)
    far = np.exp(-inward / 420)
    edges = 0.34 * (far * far * far) ** 2 + 0.20 * far
    mottle = (
        0.055 * _clouds(rng, down, across, (960, 960))
        + 0.030 * _clouds(rng, down, across, (180, 180))
        + 0.022 * _clouds(rng, down, across, (36, 36))
    )
    brown: Samples = np.clip(0.14 + edges + mottle, 0, 1.4)
    return brown


def _water(rng: np.random.Generator, down: Samples, across: Samples) -> Samples:
    """Return a water stain from the lower outer corner, with a dark tide line."""
    reach = rng.uniform(900, 1300)
    ragged = np.hypot((across - FOLD) * rng.uniform(0.9, 1.5), PAGE_HEIGHT - EARTH - down) - reach
    ragged += 70 * _clouds(rng, down, across, (240, 240)) + 14 * _clouds(rng, down, across, (48, 48))
    tide = np.exp(-((ragged / 20) ** 2)) + 0.6 * np.exp(-(np.minimum(ragged, 0) ** 2) / 120**2) * (ragged < 0)
    stain: Samples = 0.55 * tide + 0.30 * (ragged < 0)
    return stain


def _light(rng: np.random.Generator, down: Samples, across: Samples) -> Samples:
    """Return the light: a lamp at the upper left, the curve into the gutter, and slightly wavy paper."""
    gutter = PAGE_WIDTH - across
    curve = (
        1 - 0.40 * np.exp(-gutter / 42) - 0.09 * np.exp(-gutter / 230) + 0.02 * np.exp(-(((gutter - 520) / 220) ** 2))
    )
    roll = 1 - 0.13 * np.exp(-np.maximum(across - FOLD, 0) / 20)
    lamp = 1.03 - 0.045 * (down / PAGE_HEIGHT) ** 1.5 - 0.03 * ((across - 0.42 * PAGE_WIDTH) / PAGE_WIDTH) ** 2
    waves = 1 + 0.010 * _clouds(rng, down, across, (1680, 280)) + 0.006 * _clouds(rng, down, across, (360, 1040))
    return curve * roll * lamp * waves


def _add_foxing(picture: Picture, rng: np.random.Generator) -> None:
    """Add small rusty spots."""
    window = 96
    grid = np.arange(window + 1)
    for _ in range(int(rng.integers(14, 40))):
        y, x = (int(rng.integers(window, length - window - 1)) for length in (PAGE_HEIGHT, PAGE_WIDTH))
        radius, strength = 4 * (rng.gamma(2.0, 1.1) + 0.8), rng.uniform(0.05, 0.35)
        distance = np.hypot(grid[:, None], grid[None, :] * rng.uniform(0.7, 1.4))
        spot = np.exp(-((distance / radius) ** 2)) + 0.25 * np.exp(-distance / (3 * radius))
        quarter = (strength * spot * np.clip(2 - 2 * distance / window, 0, 1)).astype(np.float32)
        spot = np.pad(quarter, ((window, 0), (window, 0)), mode="reflect")
        for plane, loss in zip(picture, AGEING, strict=True):
            there = plane[y - window : y + window + 1, x - window : x + window + 1]
            there[:] = there * (1 - np.float32(0.25 + loss) * spot) + np.float32(0.5)


def beyond(rng: np.random.Generator, *, closed: bool = False) -> Mask:
    """Return the distance of each pixel of an a-side from the paper's edge: 0 on the paper, 255 at most.

    An open book fills the picture up to the gutter; a closed one ends at its spine.
    """
    field = np.zeros((PAGE_HEIGHT, PAGE_WIDTH), np.uint8)
    steps = np.arange(_BEYOND, dtype=np.float32)
    fold = _edge(rng, PAGE_HEIGHT, FOLD)[:, None] - steps[None, :]
    edges = [(field[:, :_BEYOND], fold)]
    edges += [(field[:_BEYOND], _edge(rng, PAGE_WIDTH, SKY)[None, :] - steps[:, None])]
    edges += [(field[-_BEYOND:], _edge(rng, PAGE_WIDTH, EARTH)[None, :] - steps[::-1, None])]
    if closed:
        edges += [(field[:, -_BEYOND:], _edge(rng, PAGE_HEIGHT, FOLD)[:, None] - steps[None, ::-1])]
    for there, distance in edges:
        np.maximum(there, np.clip(distance, 0, 255).astype(np.uint8), out=there)
    return field


_BEYOND = max(SKY, EARTH, FOLD) + 20
"""How far from the edge of the picture the paper's edge may be."""


def _edge(rng: np.random.Generator, length: int, margin: int) -> Field:
    return (margin + drift(rng, length, 420, 2.2) + drift(rng, length, 11, 0.5)).astype(np.float32)


def falling_light(leaves: int) -> Field:
    """Return the light at each distance beyond the edge, in three bands.

    The leaves beneath are each in the shadow of the one above; beyond them is a dark background.
    """
    distance = np.arange(256)
    stack = leaves * LEAF_STEP
    layer, place = np.divmod(distance, LEAF_STEP)
    lit = (0.80 - 0.055 * layer) * (0.72 + 0.28 * np.clip(place / 5.0, 0, 1))
    backdrop = 0.12 + 0.05 * np.clip((distance - stack) / 60, 0, 1)
    light = np.where(distance == 0, 1.0, np.where(distance < stack, lit, backdrop))
    cool = np.where(distance >= max(stack, 1), 1.0, 0.0)[None, :] * np.array([[-0.1], [0.0], [0.16]])
    bands: Field = (light * (1 + cool)).astype(np.float32)
    return bands


def darken(picture: Picture, distances: Mask, light: Field) -> None:
    """Darken what is beyond the paper's edge."""
    inner = slice(_BEYOND, -_BEYOND)
    margins: list[tuple[Any, Any]] = [(slice(_BEYOND), slice(None)), (slice(-_BEYOND, None), slice(None))]
    margins += [(inner, slice(_BEYOND)), (inner, slice(-_BEYOND, None))]
    for margin in margins:
        distance = distances[margin]
        if distance.any():
            for plane, share in zip(picture, light, strict=True):
                plane[margin] = plane[margin] * share[distance]
