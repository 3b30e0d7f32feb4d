"""Compares the pixels of a picture with those of a page onto which it was warped. (pure)

The page is divided into cells, and each cell is correlated. Three kinds of content are kept apart:

- **Marks** are characters and drawings. Where a picture and a page have the same marks, the picture is of this page.
- **Lines** are upright and level ones, longer than any stroke: frames and rules. They are no evidence. All pages of a
  book have them, and two sheets of form paper printed with one block agree in them to the pixel.
- **Paper** is what has neither. Its clouds, stains and fibres identify a page that has no marks.

Loads OpenCV, so only child processes import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cv2
import msgspec
import numpy as np

from iiif_server.similarity.functions import FEWEST_DISTINCTIVE
from iiif_server.similarity.records import Alignment

_CELL: Final = 56
"""The side of a cell in pixels of the reduced page: about that of a character."""

_SEARCH: Final = 4
"""The pixels by which a cell may be displaced: pages are not as flat as a homography."""

_FAINT, _STRONG = 6.0, 40.0
"""The contrast of a cell in grey levels, as standard deviation, below which it is not compared, and the most that
counts."""

_PAPER: Final = 0.5
"""The same for paper."""

_BARE: Final = 0.6
"""The part of a cell of paper that must be bare."""

_COARSE: Final = 8
"""By how much values are reduced before they are blurred widely."""

_NOTHING: Final = 0.2
"""The contrast in grey levels below which a cell has nothing that could be correlated."""

_CORRELATED: Final = 0.6
"""The correlation above which a cell of marks agrees."""

_DARK: Final = 9.0
"""The contrast of ink in grey levels, at least."""

_LINE: Final = 96
"""The length of a line that is a rule or a frame: longer than any stroke of a character on a page."""

_INKED: Final = 60
"""The pixels of marks in a cell that counts as marked."""

_SQUARE: Final = np.ones((9, 9), np.uint8)


def compare(picture: Any, page: Any, matrix: Any, inliers: int) -> Alignment:
    """Return how well a picture fits a page onto which `matrix` maps it.

    Both are reduced: arrays of 8-bit grey, height by width. `matrix` is a homography, 3 by 3. `inliers` counts the
    matches of features that fit it.
    """
    height, width = page.shape
    warped, page, mask = _aligned(picture, page, matrix)
    ours, theirs = (_contrast(each, 1.2) for each in (warped, page))
    x, y, w, h = cv2.boundingRect(mask)
    region = (x / width, y / height, w / width, h / height)
    marked = _marks_agreement(ours, theirs, mask)
    is_marked = marked.distinctive >= FEWEST_DISTINCTIVE
    paper_cells, paper = (0, 0.0) if is_marked else _paper_agreement(warped, page, mask)
    return msgspec.structs.replace(marked, inliers=inliers, region=region, paper_cells=paper_cells, paper=paper)


def _marks_agreement(ours: Any, theirs: Any, mask: Any) -> Alignment:
    """Return the agreement of the marks alone."""
    cells = np.array(list(_marked_cells(ours, theirs, mask))).reshape(-1, 4)
    if not len(cells):
        return Alignment(0)
    correlations, spreads, others, page_marked = cells.T
    # Contrasts of the picture are scaled to those of the page; the greater of both is the weight of a cell.
    gain = np.median(spreads / np.maximum(others, 0.1)).clip(0.3, 4)
    weights = np.maximum(spreads, others * gain).clip(_FAINT, _STRONG)
    agreeing = correlations > _CORRELATED
    agreement = float(weights[agreeing].sum() / weights.sum())
    distinctive = int((agreeing & (page_marked > 0)).sum())
    return Alignment(0, len(cells), agreement, float(np.median(correlations)), distinctive)


def _aligned(picture: Any, page: Any, matrix: Any) -> tuple[Any, Any, Any]:
    """Return the picture on the page, the page, both as sharp as the less sharp one, and 255 where the picture is."""
    size = page.shape[::-1]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2] / matrix[2, 2]))))
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.3, 0.5 * (1 / scale - 0.8)))
    else:
        page = cv2.GaussianBlur(page, (0, 0), max(0.3, 0.5 * (scale - 0.8)))
    warped = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.full(picture.shape, 255, np.uint8), matrix, size)
    return warped, page, cv2.erode(mask, _SQUARE)


def _contrast(grey: Any, blur: float) -> Any:
    """Return a picture without its fine noise and without the light on it."""
    fine = cv2.GaussianBlur(grey, (0, 0), blur).astype(np.float32)
    return fine - _wide_blur(fine)


def _wide_blur(values: Any) -> Any:
    """Return values blurred by about 24 pixels. They are reduced for it: what is left varies slowly."""
    height, width = values.shape
    small = cv2.resize(values, (-(-width // _COARSE), -(-height // _COARSE)), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 24 / _COARSE), (width, height), interpolation=cv2.INTER_LINEAR)


def _cells(mask: Any) -> Iterator[tuple[int, int]]:
    """Yield the upper left corners of the cells that the picture covers."""
    height, width = mask.shape
    for y in range(_SEARCH, height - _CELL - _SEARCH + 1, _CELL):
        for x in range(_SEARCH, width - _CELL - _SEARCH + 1, _CELL):
            if mask[y : y + _CELL, x : x + _CELL].all():
                yield x, y


def _correlation(ours: Any, theirs: Any, x: int, y: int) -> tuple[float, float, float]:
    """Return the correlation of a cell at its best displacement, the contrast of the page, and that of the picture."""
    cell = np.ascontiguousarray(theirs[y : y + _CELL, x : x + _CELL])
    spread, other = float(cell.std()), float(ours[y : y + _CELL, x : x + _CELL].std())
    if min(spread, other) < _NOTHING:
        return 0.0, spread, other
    window = ours[y - _SEARCH : y + _CELL + _SEARCH, x - _SEARCH : x + _CELL + _SEARCH]
    return float(cv2.matchTemplate(window, cell, cv2.TM_CCOEFF_NORMED).max()), spread, other


def _marked_cells(ours: Any, theirs: Any, mask: Any) -> Iterator[tuple[float, float, float, bool]]:
    """Yield, of each cell with marks in either, correlation and contrasts, and whether the page has marks there."""
    marks, page_marks = (_sums(_marks(each)) for each in (ours, theirs))
    for x, y in _cells(mask):
        page_marked = _sum(page_marks, x, y) >= _INKED
        if page_marked or _sum(marks, x, y) >= _INKED:
            correlation, spread, other = _correlation(ours, theirs, x, y)
            if max(spread, other) >= _FAINT:
                yield correlation, spread, other, page_marked


def _paper_agreement(warped: Any, page: Any, mask: Any) -> tuple[int, float]:
    """Return the number of cells of mostly paper, and the median of their correlations."""
    ink = np.zeros(page.shape, np.uint8)
    for grey in (warped, page):
        ink |= (_contrast(grey, 1.2) < -_DARK).astype(np.uint8)
    bare = 1 - cv2.dilate(ink, np.ones((15, 15), np.uint8)).astype(np.float32)
    ours, theirs = (_paper(grey, bare) for grey in (warped, page))
    bare_sums = cv2.integral(bare)
    found = [_correlation(ours, theirs, x, y) for x, y in _cells(mask) if _sum(bare_sums, x, y) >= _BARE * _CELL**2]
    values = [value for value, spread, _ in found if spread >= _PAPER]
    return len(values), float(np.median(values)) if values else 0.0


def _paper(grey: Any, bare: Any) -> Any:
    """Return the contrast of the paper where it is bare, else 0: ink must not brighten the paper around it."""
    fine = cv2.GaussianBlur(grey, (0, 0), 2.5).astype(np.float32)
    near, weight = (_wide_blur(each) for each in (fine * bare, bare))
    return (fine - near / np.maximum(weight, 0.05)) * bare


def _marks(contrast: Any) -> Any:
    """Return 1 for the dark pixels that are not in lines, else 0."""
    limit = max(_DARK, 0.3 * float(np.percentile(-contrast, 99)))
    dark = (contrast < -limit).astype(np.uint8)
    lines = np.zeros_like(dark)
    for long, wide in (((_LINE, 1), (1, 5)), ((1, _LINE), (5, 1))):
        found = cv2.morphologyEx(cv2.dilate(dark, np.ones(wide, np.uint8)), cv2.MORPH_OPEN, np.ones(long, np.uint8))
        # A worn line is broken: what lies on its extension belongs to it.
        lines |= cv2.dilate(found, np.ones([2 * length - 1 for length in long], np.uint8))
    widened: Any = cv2.dilate(lines, _SQUARE)
    return dark & (1 - widened)


def _sums(values: Any) -> Any:
    return cv2.integral(values)


def _sum(sums: Any, x: int, y: int) -> int:
    """Return the sum of the values in a cell."""
    right, bottom = x + _CELL, y + _CELL
    return int(sums[bottom, right] - sums[y, right] - sums[bottom, x] + sums[y, x])
