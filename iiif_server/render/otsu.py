"""The threshold of the bitonal quality. (pure)

A whole image has one threshold, so that neighbouring regions, and regions at other sizes, fit together. It is computed
from the smallest level of the pyramid, a single tile, by Otsu's method (IEEE Transactions on Systems, Man, and
Cybernetics 9-1, 1979): the split of the histogram with the least variance within the two parts.
"""

from __future__ import annotations

from typing import Final

import numpy
from numpy.typing import NDArray

NARROWEST: Final = 16
"""The distance of the means of the two parts, of 255, below which a picture is of one tone and Otsu is not applied."""

_MIDDLE: Final = 128


def otsu_threshold(grey: NDArray[numpy.uint8]) -> int:
    """Return the level, from 1 to 255, from which a pixel is white; 128 for a picture of one tone."""
    counts = numpy.bincount(grey.ravel(), minlength=256).astype(numpy.float64)
    levels = numpy.arange(256)
    below = numpy.cumsum(counts)[:-1]  # pixels at or below each level but the last
    above = counts.sum() - below
    sums = numpy.cumsum(counts * levels)
    split = (below > 0) & (above > 0)
    if not split.any():
        return _MIDDLE
    dark = sums[:-1][split] / below[split]
    light = (sums[-1] - sums[:-1][split]) / above[split]
    between = below[split] * above[split] * (light - dark) ** 2
    best = numpy.flatnonzero(between >= between.max() * (1 - 1e-12))
    chosen = int(best[len(best) // 2])
    if light[chosen] - dark[chosen] < NARROWEST:
        return _MIDDLE
    return int(levels[:-1][split][chosen]) + 1
