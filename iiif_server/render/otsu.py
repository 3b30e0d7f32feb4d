"""Where black ends and white begins, for the bitonal quality. (pure)

One threshold for a whole image, so that neighbouring regions, and regions at other sizes, fit together. It is found in
the smallest level of the pyramid, a single tile, by Otsu's method (IEEE Transactions on Systems, Man, and Cybernetics
9-1, 1979): the split of its histogram that leaves the least variance within the two parts.
"""

from __future__ import annotations

from typing import Final

import numpy
from numpy.typing import NDArray

NARROWEST: Final = 16
"""Levels of 255 between the means of the two parts, below which a picture is of one tone, and not split by Otsu."""

_MIDDLE: Final = 128


def otsu_threshold(grey: NDArray[numpy.uint8]) -> int:
    """The level, from 1 to 255, from which a pixel is white. Of a picture of one tone: the middle of the scale."""
    counts = numpy.bincount(grey.ravel(), minlength=256).astype(numpy.float64)
    levels = numpy.arange(256)
    below = numpy.cumsum(counts)[:-1]  # pixels at or below each level but the last
    above = counts.sum() - below
    sums = numpy.cumsum(counts * levels)
    parted = (below > 0) & (above > 0)
    if not parted.any():
        return _MIDDLE
    dark = sums[:-1][parted] / below[parted]
    light = (sums[-1] - sums[:-1][parted]) / above[parted]
    between = below[parted] * above[parted] * (light - dark) ** 2
    best = numpy.flatnonzero(between >= between.max() * (1 - 1e-12))
    chosen = int(best[len(best) // 2])
    if light[chosen] - dark[chosen] < NARROWEST:
        return _MIDDLE
    return int(levels[:-1][parted][chosen]) + 1
