"""Cut a page layout as a woodblock: characters, frame lines and fishtails, with the irregularities of handwork.

libvips (Pango, FreeType) draws all characters of one size in one line. Each glyph is then rotated, stretched and
shifted slightly, and its vertical strokes are widened, as in the 匠體 style.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvips

from sample_book.layout import FOLD, PAGE_HEIGHT, PAGE_WIDTH, Character, Fishtail, PageLayout, Side, TextBox
from sample_book.texture import clouds, drift, enlarged

Mask = npt.NDArray[np.uint8]
"""One byte per pixel: 0 for bare wood, 255 for raised and inked wood."""

FAMILY = "Cactus Classical Serif"
REFERENCE = "國圖"  # two characters that fill their square, by which a line is centred


def print_mask(plan: PageLayout, font: Path, rng: np.random.Generator) -> Mask:
    """Return the block of one half-leaf, at the size of the page."""
    block = np.zeros((PAGE_HEIGHT, PAGE_WIDTH), np.uint8)
    for bar in plan.bars:
        cut_bar(block, bar, rng)
    for fishtail in plan.fishtails:
        _cut_fishtail(block, fishtail)
    for characters in (plan.characters, plan.heart):
        cut_characters(block, characters, font, rng)
    trimmed = block[:, :FOLD] if plan.side is Side.A else block[:, PAGE_WIDTH - FOLD :]
    trimmed[:] = 0
    return _warped(block, rng)


def _warped(block: Mask, rng: np.random.Generator) -> Mask:
    """Return the block slightly distorted, by a few pixels at most."""
    shape = (PAGE_HEIGHT // 8, PAGE_WIDTH // 8)
    moves = [
        np.clip(1.0 * clouds(rng, shape, (7, 7)) + 0.9 * clouds(rng, shape, (24, 24)), -4, 4)
        + np.clip(2.0 * clouds(rng, shape, (150, 150)), -5, 5)
        for _ in range(2)
    ]
    image: Any = pyvips.Image.new_from_array(block)
    index = pyvips.Image.xyz(PAGE_WIDTH, PAGE_HEIGHT) + enlarged(np.stack(moves, axis=2).astype(np.float32), 8)
    warped: Mask = image.mapim(index, interpolate=pyvips.Interpolate.new("bilinear")).numpy()
    return warped


def cut_characters(block: Mask, characters: Sequence[Character], font: Path, rng: np.random.Generator) -> None:
    """Cut characters into a block, each within its box."""
    for height in sorted({character.box.height for character in characters}):
        same = [character for character in characters if character.box.height == height]
        for character, glyph in zip(same, draw_line("".join(c.text for c in same), font, height), strict=True):
            _paste(block, _by_hand(glyph, character.box, rng), character.box)


def draw_line(text: str, font: Path, size: int) -> list[Mask]:
    """Return the glyph of each character in a square of `size` pixels.

    All characters of the typeface have the same width and height, so one drawn line is divided at even steps.
    """
    line = pyvips.Image.text(text + REFERENCE, font=f"{FAMILY} {size}", dpi=72, fontfile=str(font))
    steps = len(text) + len(REFERENCE)
    pixels = line.embed(line.get("xoffset"), 0, steps * size, line.height).numpy()
    inked = np.flatnonzero(pixels[:, len(text) * size :].any(axis=1))
    top = (int(inked[0]) + int(inked[-1]) + 1 - size) // 2
    rows = np.zeros((size, steps * size), np.uint8)
    first, last = max(top, 0), min(top + size, line.height)
    rows[first - top : last - top] = pixels[first:last]
    return [rows[:, at * size : (at + 1) * size] for at in range(len(text))]


def _by_hand(glyph: Mask, box: TextBox, rng: np.random.Generator) -> Mask:
    """Return a glyph with random variation: rotated, stretched, shifted, and with heavier or lighter strokes."""
    stroke = max(1, round(glyph.shape[0] * rng.uniform(0.020, 0.030)))
    widened = _widen(glyph, stroke)
    turn, lean = np.radians(rng.normal(0.0, 0.55)), rng.normal(0.0, 0.006)
    across, down = 1.055 * rng.uniform(0.98, 1.02), 0.985 * rng.uniform(0.975, 1.0)
    matrix = [across * np.cos(turn), across * (lean - np.sin(turn)), down * np.sin(turn), down * np.cos(turn)]
    shift = rng.normal(0.0, box.height * 0.006, 2).clip(-box.height * 0.012, box.height * 0.012)
    return _transformed(widened, matrix, box, shift)


def _transformed(glyph: Mask, matrix: list[float], box: TextBox, shift: npt.NDArray[np.float64]) -> Mask:
    """Return a glyph transformed about its centre, and placed with its centre `shift` from the centre of the box."""
    image: Any = pyvips.Image.new_from_array(glyph)
    half = np.array([glyph.shape[1] / 2, glyph.shape[0] / 2])
    offset = np.array([box.width / 2, box.height / 2]) + shift - np.array(matrix).reshape(2, 2) @ half
    moved = image.affine(
        matrix,
        interpolate=pyvips.Interpolate.new("bilinear"),
        oarea=[0, 0, box.width, box.height],
        odx=float(offset[0]),
        ody=float(offset[1]),
    )
    result: Mask = moved.numpy()
    return result


def _widen(glyph: Mask, stroke: int) -> Mask:
    """Return a glyph with vertical strokes widened by `stroke` pixels, and horizontal ones only slightly."""
    wide = glyph
    done = 1
    while done < stroke:
        step = min(done, stroke - done)
        wide = np.maximum(wide, np.roll(wide, step, axis=1))
        done += step
    wide = np.roll(wide, -(stroke // 2), axis=1)
    return np.maximum(wide, np.roll(wide, max(2, glyph.shape[0] // 130), axis=0))


def _paste(block: Mask, glyph: Mask, box: TextBox) -> None:
    """Copy a glyph to the block, clipped at the edge of the page."""
    left, right = max(box.x, 0), min(box.x + box.width, block.shape[1])
    there = block[box.y : box.y + box.height, left:right]
    np.maximum(there, glyph[:, left - box.x : right - box.x], out=there)


def cut_bar(block: Mask, bar: TextBox, rng: np.random.Generator, *, flaws: bool = True) -> None:
    """Cut a line of the frame or between columns, slightly uneven and, with `flaws`, broken in places."""
    upright = bar.height > bar.width
    canvas = block if upright else block.T
    across, along, weight, length = (
        (bar.x, bar.y, bar.width, bar.height) if upright else (bar.y, bar.x, bar.height, bar.width)
    )
    slack = 10
    middle = slack + weight / 2 + drift(rng, length, 900, 1.8)
    half = weight / 2 * (1 + drift(rng, length, 130, 0.10) + drift(rng, length, 23, 0.06))
    for start in rng.integers(0, length, rng.poisson(length / 4000) if flaws else 0):
        half -= weight * np.clip(1.5 - np.abs(np.arange(length) - start) / rng.gamma(3.0, 4.0), 0, 1)
    place = np.arange(weight + 2 * slack) + 0.5
    cover = np.clip(half[:, None] + 0.5 - np.abs(place[None, :] - middle[:, None]), 0, 1)
    there = canvas[along : along + length, across - slack : across + weight + slack]
    np.maximum(there, (cover * 255).astype(np.uint8), out=there)


def _cut_fishtail(block: Mask, fishtail: Fishtail) -> None:
    """Cut half of a fishtail mark (魚尾) and the thin line above it."""
    away = np.arange(fishtail.width)
    edge = fishtail.shallow + (fishtail.deep - fishtail.shallow) * away / fishtail.width
    down = np.arange(-40, fishtail.deep)[:, None]
    shape = ((down >= 0) & (down < edge)) | ((down >= -34) & (down < -24))
    cut = (shape * 255).astype(np.uint8)
    if fishtail.toward > 0:
        there = block[fishtail.y - 40 : fishtail.y + fishtail.deep, fishtail.fold : fishtail.fold + fishtail.width]
    else:
        there = block[fishtail.y - 40 : fishtail.y + fishtail.deep, fishtail.fold - fishtail.width : fishtail.fold]
        cut = cut[:, ::-1]
    np.maximum(there, cut, out=there)
