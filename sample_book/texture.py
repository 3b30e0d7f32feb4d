"""Seeded random textures, from which paper, wear and shade are composed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyvips

from sample_book.layout import PAGE_HEIGHT, PAGE_WIDTH

Field = npt.NDArray[np.float32]


def drift(rng: np.random.Generator, length: int, step: int, amount: float) -> npt.NDArray[np.float64]:
    """Return `length` values that vary smoothly between random knots every `step`, of standard deviation `amount`."""
    knots = rng.normal(0.0, amount, length // step + 3)
    place = np.arange(length) / step
    before = place.astype(np.int64)
    blend = 0.5 - 0.5 * np.cos(np.pi * (place - before))
    return knots[before] * (1 - blend) + knots[before + 1] * blend


def clouds(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Field:
    """Return a smooth field of standard deviation about 1, interpolated between knots every `cell` (rows, columns)."""
    rows, columns = (int(np.ceil(length / step)) + 4 for length, step in zip(shape, cell, strict=True))
    knots = rng.normal(0.0, 1.4, (rows, columns)).astype(np.float32)
    image: Any = pyvips.Image.new_from_array(knots)
    grown = image.resize(cell[1], vscale=cell[0], kernel="cubic")
    field: Field = grown.crop(int(cell[1]), int(cell[0]), shape[1], shape[0]).numpy()
    return field


def spread(texture: Field, rng: np.random.Generator) -> Any:
    """Return a texture repeated over a whole page from a random offset."""
    size = texture.shape[0]
    left, top = (int(value) for value in rng.integers(0, size, 2))
    across, down = (PAGE_WIDTH + left) // size + 1, (PAGE_HEIGHT + top) // size + 1
    image: Any = pyvips.Image.new_from_array(texture)
    return image.replicate(across, down).crop(left, top, PAGE_WIDTH, PAGE_HEIGHT)


def enlarged(coarse: Field, factor: int) -> Any:
    """Return a coarse field enlarged to the page's size; the last doubling copies pixels, which is faster."""
    image: Any = pyvips.Image.new_from_array(coarse)
    return image.resize(factor // 2, kernel="linear").zoom(2, 2).crop(0, 0, PAGE_WIDTH, PAGE_HEIGHT)


def tile(rng: np.random.Generator, size: int, low: float, high: float, stretch: float = 1.0) -> Field:
    """Return a square of seamlessly repeating noise, of standard deviation 1 and clipped at 2.4.

    `low` and `high` are the shortest and longest wavelengths in it, in pixels; `stretch` makes it that much longer
    vertically, as the grain of wood.
    """
    frequency = np.fft.fftfreq(size)
    distance = np.hypot(frequency[:, None] * stretch, np.fft.rfftfreq(size)[None, :])
    band = np.exp(-((distance * low) ** 2)) * (1 - np.exp(-((distance * high) ** 2)))
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(size, size))) * band, s=(size, size))
    field: Field = np.clip(noise / noise.std(), -2.4, 2.4).astype(np.float32)
    return field


def fibres(rng: np.random.Generator, size: int, count: int, length: int) -> Field:
    """Return a seamlessly repeating square of thin curved fibres, light ones positive and dark ones negative."""
    start = rng.uniform(0, size, (2, count, 1))
    heading = rng.uniform(0, 2 * np.pi, (count, 1))
    bend = np.cumsum(rng.normal(0, 0.03, (count, length)) + rng.normal(0, 0.008, (count, 1)), axis=1)
    path = start + np.cumsum(np.stack([np.sin(heading + bend), np.cos(heading + bend)]), axis=2)
    strength = np.repeat(rng.normal(0, 1, (count, 1)), length, axis=1) * np.hanning(length)[None, :]
    field = np.zeros((size, size), np.float32)
    rows, columns = (path % size).astype(np.int64)
    np.add.at(field, (rows.ravel(), columns.ravel()), strength.ravel().astype(np.float32))
    image: Any = pyvips.Image.new_from_array(field)
    soft: Field = image.gaussblur(0.9).numpy()
    return soft
