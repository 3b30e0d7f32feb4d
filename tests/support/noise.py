"""Pictures of noise for tests, whose every part is new to an encoder."""

from __future__ import annotations

from typing import Final

import pyvips

ROWS: Final = 250
"""The rows that differ. libvips needs 70 ns for a pixel of noise, which is two seconds for a picture of 30 megapixels.

No encoder of these tests looks back so far: a row of 6,000 pixels in three colours is half the window of deflate.
"""


def noise(width: int, height: int, *, mean: float, sigma: float = 30, seed: int) -> pyvips.Image:
    """Return a grey picture of 8 bits; the noise repeats after `ROWS` rows."""
    strip = pyvips.Image.gaussnoise(width, min(ROWS, height), mean=mean, sigma=sigma, seed=seed).cast("uchar")
    return strip.copy_memory().replicate(1, -(-height // ROWS)).crop(0, 0, width, height).copy(interpretation="b-w")
