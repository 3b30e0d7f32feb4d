"""Vermilion marks: owners' seals, and the circles that a reader put after each line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from sample_book.ink import draw_line
from sample_book.picture import Mask

RIM = 0.045  # width of a seal's frame, as a share of its side
SOFT = 1.7  # how far ink spreads along the fibres, in pixels
REACH = 44  # from the centre of a circle to the edge of its mark


def seal(text: str, size: int, font: Path, *, intaglio: bool) -> Mask:
    """Return a square seal of four characters, read down the right column and then the left.

    An intaglio seal (白文) has white characters on red; a relief seal (朱文) has red characters within a frame.
    """
    rim = round(size * RIM)
    cell = (size - 2 * rim) // 2
    face = np.zeros((size, size), np.uint8)
    for number, glyph in enumerate(draw_line(text, font, cell)):
        x, y = rim + cell * (1 - number // 2), rim + cell * (number % 2)
        face[y : y + cell, x : x + cell] = _filled(glyph, round(cell * 0.055), cell)
    if intaglio:
        return 255 - face
    face[:rim], face[-rim:], face[:, :rim], face[:, -rim:] = 255, 255, 255, 255
    return face


def turned(face: Mask, rng: np.random.Generator) -> Mask:
    """Return a seal as it was stamped: slightly rotated, and with soft edges."""
    image: Any = pyvips.Image.new_from_array(face)
    mark: Mask = image.similarity(angle=float(rng.normal(0, 1.6))).numpy()
    padded: Any = pyvips.Image.new_from_array(np.pad(mark, 6))
    soft: Mask = padded.gaussblur(SOFT).numpy()
    return soft


def circle(rng: np.random.Generator) -> Mask:
    """Return a small circle as by brush, thicker on one side, with soft edges."""
    grid = np.arange(-REACH, REACH + 1)
    angle = np.arctan2(grid[:, None], grid[None, :]) - rng.uniform(-np.pi, np.pi)
    radius = (
        np.hypot(grid[:, None] * rng.uniform(0.92, 1.08), grid[None, :]) - rng.normal(27, 1.6) - 1.5 * np.cos(angle)
    )
    weight = 5.5 + 2.2 * np.cos(angle)
    within = (weight - np.abs(radius)) / (SOFT * np.sqrt(2 * np.pi))
    mark: Mask = (np.clip(within + 0.5, 0, 1) * 255).astype(np.uint8)
    return mark


def _filled(glyph: Mask, stroke: int, cell: int) -> Mask:
    """Return a glyph stretched to fill its quarter of a seal within a margin, with strokes of uniform weight."""
    rows, columns = np.flatnonzero(glyph.any(axis=1)), np.flatnonzero(glyph.any(axis=0))
    image: Any = pyvips.Image.new_from_array(glyph[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    seam = round(cell * 0.045)
    side = cell - 2 * seam - stroke
    fitted = image.resize(side / image.width, vscale=side / image.height).crop(0, 0, side, side)
    thick = fitted.embed(seam + stroke // 2, seam + stroke // 2, cell, cell).rank(stroke, stroke, stroke * stroke - 1)
    result: Mask = thick.numpy()
    return result
