"""Seeded random textures, from which paper, wear and shade are composed.

Exponentials are computed in double precision and rounded: NumPy's own in single precision depend on the processor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sample_book.picture import Field


def drift(rng: np.random.Generator, length: int, step: int, amount: float) -> npt.NDArray[np.float64]:
    """Return `length` values that vary smoothly between random knots every `step`, of standard deviation `amount`."""
    knots = rng.normal(0.0, amount, length // step + 3)
    place = np.arange(length) / step
    before = place.astype(np.int64)
    blend = 0.5 - 0.5 * np.cos(np.pi * (place - before))
    return knots[before] * (1 - blend) + knots[before + 1] * blend


def clouds(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Field:
    """Return a smooth field of standard deviation about 1, interpolated between knots every `cell` (rows, columns)."""
    rows, columns = (int(length / step) + 4 for length, step in zip(shape, cell, strict=True))
    knots = rng.normal(0.0, 1.4, (columns, rows)).astype(np.float32)
    return _interpolated(np.ascontiguousarray(_interpolated(knots, shape[1], cell[1]).T), shape[0], cell[0])


def _interpolated(knots: Field, length: int, step: float) -> Field:
    """Return `length` rows between knots every `step` rows: cubic splines through the knots (Catmull-Rom)."""
    place = np.arange(length) / step
    before = place.astype(np.int64)
    part = (place - before)[:, None]
    shares = (
        ((2 - part) * part - 1) * part / 2,
        ((3 * part - 5) * part * part + 2) / 2,
        ((4 - 3 * part) * part + 1) * part / 2,
        (part - 1) * part * part / 2,
    )
    field = np.zeros((length, knots.shape[1]), np.float32)
    for number, share in enumerate(shares):
        field += knots[before + number] * share.astype(np.float32)
    return field


def noise(rng: np.random.Generator, size: int, *bands: tuple[float, float, float], stretch: float = 1.0) -> Field:
    """Return a square of seamlessly repeating noise, clipped at 2.4 standard deviations.

    Each band is the standard deviation of a part, and the shortest and longest wavelengths in it, in pixels. `stretch`
    makes all that much longer vertically, as the grain of wood.
    """
    power = np.zeros((size, size // 2 + 1))
    for amount, low, high in bands:
        band = (_longer(size, low, stretch) * (1 - _longer(size, high, stretch))) ** 2
        power += band * (amount**2 / band.mean())
    spectrum = rng.standard_normal((*power.shape, 2), np.float32).view(np.complex64)[..., 0]
    shaped = spectrum * (np.sqrt(power / 2) * size).astype(np.float32)
    field = np.fft.irfft2(shaped, s=(size, size)).astype(np.float32, copy=False)
    limit = 2.4 * float(np.hypot.reduce([amount for amount, _, _ in bands]))
    return np.clip(field, -limit, limit, out=field)


def _longer(size: int, wavelength: float, stretch: float) -> npt.NDArray[np.float64]:
    """Return the share that each frequency keeps when what is shorter than a wavelength is removed."""
    down, across = np.fft.fftfreq(size) * stretch, np.fft.rfftfreq(size)
    return np.outer(np.exp(-((down * wavelength) ** 2)), np.exp(-((across * wavelength) ** 2)))


def fibres(rng: np.random.Generator, size: int, count: int, length: int, amount: float) -> Field:
    """Return a seamlessly repeating square of curved lines, light ones positive and dark ones negative."""
    start = rng.uniform(0, size, (2, count, 1))
    heading = rng.uniform(0, 2 * np.pi, (count, 1))
    bend = np.cumsum(rng.normal(0, 0.03, (count, length)) + rng.normal(0, 0.008, (count, 1)), axis=1)
    path = start + np.cumsum(np.stack([np.sin(heading + bend), np.cos(heading + bend)]), axis=2)
    rows, columns = (path % size).astype(np.int64)
    strength = rng.normal(0, amount, (count, 1)) * np.hanning(length)
    drawn = np.bincount((rows * size + columns).ravel(), strength.ravel(), size * size)
    return drawn.reshape(size, size).astype(np.float32)


def softened(square: Field) -> Field:
    """Return a seamlessly repeating square blurred by 0.9 pixels."""
    for axis in (0, 1):
        near = np.roll(square, 1, axis) + np.roll(square, -1, axis)
        far = np.roll(square, 2, axis) + np.roll(square, -2, axis)
        square = np.float32(0.4448) * square + np.float32(0.2399) * near + np.float32(0.0377) * far
    return square
