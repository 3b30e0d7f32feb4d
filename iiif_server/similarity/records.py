"""The features of pictures as arrays and as bytes, and what is said of a page and of a picture. (pure)"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
"""A grey picture: rows and columns."""

Features = npt.NDArray[Any]
"""An array of `FEATURE`."""

SIDE: Final = 1024
"""The longer side in pixels of the reduced picture, to which all coordinates refer."""

FEATURE: Final = np.dtype(
    [("x", "<u2"), ("y", "<u2"), ("angle", "u1"), ("octave", "u1"), ("word", "<u2"), ("descriptor", "u1", (32,))]
)
"""A feature, 40 bytes: `x` and `y` in sixteenths of a pixel, `angle` in 1/256 of a circle, `octave` of the scale
pyramid, the number of its visual word (`words.py`), and its descriptor."""


class DescribedPicture(msgspec.Struct, frozen=True, array_like=True):
    """A picture: its perceptual hash of 64 bits, its features as bytes, and its reduced grey pixels if they are needed.

    `width` and `height` are those of the reduced pixels.
    """

    hash: bytes
    features: bytes
    width: int
    height: int
    grey: bytes = b""

    @property
    def pixels(self) -> Grey:
        """The reduced grey pixels."""
        return np.frombuffer(self.grey, np.uint8).reshape(self.height, self.width)


class Alignment(msgspec.Struct, frozen=True, array_like=True):
    """How well a picture fits a page.

    `inliers` counts the matches of features that one homography explains, 0 if there is none. `cells` counts the cells
    of the page that were compared; `agreement` is the part of their contrast that is in cells whose pixels correlate,
    `correlation` the median of the cells, and `distinctive` counts the cells that agree and in which the page itself
    shows more than paper and rules. `paper_cells` counts the cells of mostly paper, and `paper` is the median of their
    correlations: both are 0 if the marks suffice. `region` is the part of the reduced page that the picture shows: x,
    y, width and height, from 0 to 1.
    """

    inliers: int
    cells: int = 0
    agreement: float = 0.0
    correlation: float = 0.0
    distinctive: int = 0
    paper_cells: int = 0
    paper: float = 0.0
    region: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A page that may be the source of a picture: a row of the table of a shard, and its votes.

    `box` is the part of the image: x, y, width and height. The features are `count` records of the object `key`, from
    byte `start` on.
    """

    image: str
    work: str
    key: str
    box: tuple[int, int, int, int]
    start: int
    count: int
    votes: float


def features_of(data: bytes) -> Features:
    """Return the features of bytes. `ValueError` when they are not whole records."""
    return np.frombuffer(data, FEATURE)
