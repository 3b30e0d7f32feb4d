"""Cut a page layout as a woodblock: characters, frame lines and fishtails, with the irregularities of handwork.

libvips (Pango, FreeType) draws all characters of one size in one line. The vertical strokes of each glyph are widened,
as in the 匠體 style; then the glyph is rotated, stretched and shifted slightly.

A block has half of the page's size. Nothing is lost by that: ink spreads by more than a pixel of the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from sample_book.layout import FOLD, PAGE_HEIGHT, PAGE_WIDTH, Character, Fishtail, PageLayout, Side, TextBox
from sample_book.picture import Field, Mask
from sample_book.texture import clouds, drift

BLOCK = 2  # pixels of the page for each of a block, across and down
BLOCK_WIDTH, BLOCK_HEIGHT = PAGE_WIDTH // BLOCK, PAGE_HEIGHT // BLOCK
FAMILY = "Cactus Classical Serif"
REFERENCE = "國圖"  # two characters that fill their square, by which a line is centred


def print_mask(plan: PageLayout, font: Path, rng: np.random.Generator) -> Mask:
    """Return the block of one half-leaf: 0 for bare wood, 255 for raised and inked wood."""
    block = np.zeros((BLOCK_HEIGHT, BLOCK_WIDTH), np.uint8)
    warp = Warp(rng)
    for bar in plan.bars:
        cut_bar(block, bar, rng, warp)
    for fishtail in plan.fishtails:
        _cut_fishtail(block, fishtail, warp)
    for characters in (plan.characters, plan.heart):
        _cut_characters(block, characters, font, warp, rng)
    trimmed = block[:, : FOLD // BLOCK] if plan.side is Side.A else block[:, (PAGE_WIDTH - FOLD) // BLOCK :]
    trimmed[:] = 0
    return block


class Warp:
    """How far each place of a block lies from where it belongs: a few pixels of the block at most."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the distances, across and down, for squares of `_SQUARE` pixels."""
        self._across, self._down = (self._distances(rng).repeat(_SQUARE, axis=1) for _ in range(2))

    @staticmethod
    def _distances(rng: np.random.Generator) -> Field:
        shape = (BLOCK_HEIGHT // _SQUARE, BLOCK_WIDTH // _SQUARE)
        rough = 0.5 * clouds(rng, shape, (7, 7)) + 0.45 * clouds(rng, shape, (24, 24))
        return np.clip(rough, -2, 2) + np.clip(clouds(rng, shape, (150, 150)), -2.5, 2.5)

    def at(self, box: TextBox) -> tuple[Field, Field]:
        """Return the distances, across and down, in a box of the block; those at its edge for what lies outside it."""
        left = min(max(box.x, 0), BLOCK_WIDTH - box.width)
        first = box.y // _SQUARE
        rows, columns = slice(first, -(-(box.y + box.height) // _SQUARE)), slice(left, left + box.width)
        top = box.y - first * _SQUARE
        across, down = (field[rows, columns].repeat(_SQUARE, axis=0) for field in (self._across, self._down))
        return across[top : top + box.height], down[top : top + box.height]


_SQUARE = 4


def _on_block(box: TextBox) -> TextBox:
    """Return a box of the page as a box of the block, whose ends are rounded down."""
    return TextBox(box.x // BLOCK, box.y // BLOCK, box.width // BLOCK, box.height // BLOCK)


def _cut_characters(
    block: Mask, characters: Sequence[Character], font: Path, warp: Warp, rng: np.random.Generator
) -> None:
    """Cut characters into a block, each within its box."""
    for width, height in sorted({(character.box.width, character.box.height) for character in characters}):
        same = [character for character in characters if (character.box.width, character.box.height) == (width, height)]
        boxes = [_on_block(character.box) for character in same]
        glyphs = draw_line("".join(character.text for character in same), font, height // BLOCK)
        for box, glyph in zip(boxes, _by_hand(glyphs, boxes, warp, rng), strict=True):
            _paste(block, glyph, box)


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


def _by_hand(glyphs: Sequence[Mask], boxes: Sequence[TextBox], warp: Warp, rng: np.random.Generator) -> list[Mask]:
    """Return glyphs with random variation, in boxes of one size: rotated, stretched, shifted, heavier or lighter.

    The glyphs are stacked, with a blank row above and below each, so that libvips draws all in one operation.
    """
    width, height = boxes[0].width, boxes[0].height
    side = (width - height) // 2
    stack = np.zeros((len(glyphs), height + 2, width), np.uint8)
    origins = np.empty((len(glyphs), height, width, 2), np.float32)
    for number, (glyph, box) in enumerate(zip(glyphs, boxes, strict=True)):
        stroke = max(1, round(height * rng.uniform(0.020, 0.030)))
        stack[number, 1:-1, side : side + height] = _widen(glyph, stroke)
        across, down = _origins(box, warp, rng)
        origins[number, ..., 0] = across + np.float32((width - 1) / 2)
        origins[number, ..., 1] = np.clip(down + np.float32((height + 1) / 2), 0, height + 1) + number * (height + 2)
    image: Any = pyvips.Image.new_from_array(stack.reshape(-1, width))
    places: Any = pyvips.Image.new_from_array(origins.reshape(-1, width, 2))
    drawn = image.mapim(places, interpolate=pyvips.Interpolate.new("bilinear")).numpy()
    return list(drawn.reshape(len(glyphs), height, width))


def _origins(box: TextBox, warp: Warp, rng: np.random.Generator) -> tuple[Field, Field]:
    """Return for each pixel of a box the place in the glyph that it shows, across and down from the glyph's centre."""
    turn, lean = np.radians(rng.normal(0.0, 0.55)), rng.normal(0.0, 0.006)
    wide, high = 1.055 * rng.uniform(0.98, 1.02), 0.985 * rng.uniform(0.975, 1.0)
    size = np.cos(turn) ** 2 - (lean - np.sin(turn)) * np.sin(turn)  # the determinant of the turn and the lean
    xx, xy = np.float32(np.cos(turn) / size / wide), np.float32((np.sin(turn) - lean) / size / high)
    yx, yy = np.float32(-np.sin(turn) / size / wide), np.float32(np.cos(turn) / size / high)
    shift = rng.normal(0.0, box.height * 0.006, 2).clip(-box.height * 0.012, box.height * 0.012)
    across, down = warp.at(box)
    across += (np.arange(box.width) - (box.width - 1) / 2 - shift[0]).astype(np.float32)
    down += (np.arange(box.height) - (box.height - 1) / 2 - shift[1]).astype(np.float32)[:, None]
    return xx * across + xy * down, yx * across + yy * down


def _widen(glyph: Mask, stroke: int) -> Mask:
    """Return a glyph with vertical strokes widened by `stroke` pixels, and horizontal ones only slightly."""
    wide = glyph
    done = 1
    while done < stroke:
        step = min(done, stroke - done)
        wide = np.maximum(wide, np.roll(wide, step, axis=1))
        done += step
    wide = np.roll(wide, -(stroke // 2), axis=1)
    return np.maximum(wide, np.roll(wide, max(1, glyph.shape[0] // 130), axis=0))


def _paste(block: Mask, glyph: Mask, box: TextBox) -> None:
    """Copy a glyph to the block, clipped at the edge of the page."""
    left, right = max(box.x, 0), min(box.x + box.width, block.shape[1])
    there = block[box.y : box.y + box.height, left:right]
    np.maximum(there, glyph[:, left - box.x : right - box.x], out=there)


def cut_bar(mask: Mask, bar: TextBox, rng: np.random.Generator, warp: Warp | None = None) -> None:
    """Draw a line, slightly uneven: on a mask of the page's size or, with its warp, on a block and broken in places."""
    scale = PAGE_WIDTH // mask.shape[1]
    upright = bar.height > bar.width
    canvas = mask if upright else mask.T
    across, along, weight, length = (
        (bar.x, bar.y, bar.width, bar.height) if upright else (bar.y, bar.x, bar.height, bar.width)
    )
    weight, along, length = weight / scale, along // scale, length // scale
    middle = across / scale + weight / 2 + drift(rng, length, 900 // scale, 1.8 / scale)
    half = weight / 2 * (1 + drift(rng, length, 130 // scale, 0.10) + drift(rng, length, 23 // scale, 0.06))
    if warp:
        bent = warp.at(
            TextBox(bar.x // scale, bar.y // scale, 1, length)
            if upright
            else TextBox(bar.x // scale, bar.y // scale, length, 1)
        )
        middle -= bent[0 if upright else 1].ravel()
        for start in rng.integers(0, length, rng.poisson(length / 2000)):
            half -= weight * np.clip(1.5 - np.abs(np.arange(length) - start) / (rng.gamma(3.0, 4.0) / scale), 0, 1)
    first, end = max(int((middle - half).min()) - 1, 0), int((middle + half).max()) + 2
    place = np.arange(first, end) + 0.5
    cover = np.clip(half[:, None] + 0.5 - np.abs(place - middle[:, None]), 0, 1)
    there = canvas[along : along + length, first:end]
    np.maximum(there, (cover * 255).astype(np.uint8), out=there)


def _cut_fishtail(block: Mask, fishtail: Fishtail, warp: Warp) -> None:
    """Cut half of a fishtail mark (魚尾) and the thin line above it."""
    left = fishtail.fold if fishtail.toward > 0 else fishtail.fold - fishtail.width
    box = _on_block(TextBox(left, fishtail.y - 40, fishtail.width, fishtail.deep + 40))
    across, down = warp.at(box)
    away = BLOCK * (across + np.arange(box.width)[:: fishtail.toward])
    down = BLOCK * (down + np.arange(box.height)[:, None]) - 40
    edge = fishtail.shallow + (fishtail.deep - fishtail.shallow) * away / fishtail.width
    tail, line = np.minimum(down, edge - down), np.minimum(down + 34, -24 - down)
    cut = np.clip(0.5 + np.maximum(tail, line) / BLOCK, 0, 1) * 255
    there = block[box.y : box.y + box.height, box.x : box.x + box.width]
    np.maximum(there, cut.astype(np.uint8), out=there)
