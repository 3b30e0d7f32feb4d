"""A page while it is drawn: planes of pixels, and what varies over them, computed in strips.

A strip is a few rows of one plane, in single precision. What is computed of it stays in the processor's cache, which
takes a fifth of the time of the same operations on whole pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvips

from sample_book.layout import PAGE_HEIGHT, PAGE_WIDTH

Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
"""One byte per pixel: 0 where nothing is, 255 where something covers the pixel."""

Picture = npt.NDArray[np.uint8]
"""The red, green and blue planes of a page."""

Colour = tuple[float, float, float]

STRIP = 16


def new_picture() -> Picture:
    """Return the planes of a page, whose pixels are still undefined."""
    return np.empty((3, PAGE_HEIGHT, PAGE_WIDTH), np.uint8)


def developed(picture: Picture) -> Any:
    """Return a picture as an sRGB image of libvips, which reads the picture when it is computed."""
    red, green, blue = (pyvips.Image.new_from_array(plane) for plane in picture)
    image: Any = red.bandjoin([green, blue]).copy(interpretation="srgb")
    return image


def strips(first: int = 0, end: int = PAGE_HEIGHT) -> Iterator[slice]:
    """Yield the strips of a page that contain the rows from `first` to before `end`."""
    for top in range(first // STRIP * STRIP, end, STRIP):
        yield slice(top, top + STRIP)


def coordinates(factor: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the rows, as a column, and the columns, as a row, at which a `Gradual` of this factor has its samples."""
    down, across = (np.arange(length // factor + 1, dtype=np.float64) * factor for length in (PAGE_HEIGHT, PAGE_WIDTH))
    return down[:, None], across[None, :]


class Gradual:
    """What varies gradually over a page: samples every few pixels, between which it is interpolated linearly."""

    def __init__(self, samples: npt.NDArray[Any], factor: int) -> None:
        """Take the samples at `coordinates(factor)`; the factor divides `STRIP`."""
        self._factor = factor
        left, steps = samples[:, :-1].astype(np.float32), np.diff(samples, axis=1).astype(np.float32)
        self._rows = np.empty((samples.shape[0], PAGE_WIDTH), np.float32)
        for place in range(factor):
            self._rows[:, place::factor] = left + steps * np.float32(place / factor)
        self._places = (np.arange(factor, dtype=np.float32) / np.float32(factor))[:, None]

    def strip(self, rows: slice) -> Field:
        """Return the values of a strip, which the caller may change."""
        first, end = rows.start // self._factor, rows.stop // self._factor
        before, after = self._rows[first:end, None], self._rows[first + 1 : end + 1, None]
        values: Field = (after - before) * self._places
        values += before
        return values.reshape(STRIP, PAGE_WIDTH)


@dataclass(frozen=True, slots=True)
class Spread:
    """A texture repeated over a page from an offset."""

    rows: Field
    period: int
    left: int
    top: int

    def strip(self, rows: slice) -> Field:
        """Return the values of a strip, which the caller must not change."""
        first = (rows.start + self.top) % self.period
        return self.rows[first : first + STRIP, self.left : self.left + PAGE_WIDTH]


class Texture:
    """A square that repeats seamlessly."""

    def __init__(self, square: npt.NDArray[Any]) -> None:
        """Take the square, larger than a strip; the repetitions that a page needs are made once."""
        self._period = square.shape[0]
        self._rows: Field = np.pad(square.astype(np.float32), ((0, STRIP), (0, PAGE_WIDTH)), mode="wrap")

    def spread(self, rng: np.random.Generator) -> Spread:
        """Return the texture over a whole page, from a random offset."""
        left, top = (int(value) for value in rng.integers(0, self._period, 2))
        return Spread(self._rows, self._period, left, top)

    def piece(self, rng: np.random.Generator, shape: tuple[int, int]) -> Field:
        """Return the texture over a part of a page, from a random offset."""
        top, left = (int(value) for value in rng.integers(0, self._period, 2))
        rows = (top + np.arange(shape[0])) % self._period
        return self._rows[rows, left : left + shape[1]]
