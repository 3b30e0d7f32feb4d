"""Decides whether a picture was made from a page: aligns the two and compares their pixels. (pure)

1. Match descriptors, keep the matches that agree in how the picture is turned and scaled, and find the homography that
   most of them fit (RANSAC).
2. Warp the picture onto the page, divide the page into cells, and correlate the pixels of each cell that shows more
   than paper and rules. Pages of one book have the same frame and rules, and often the same characters in the same
   places: only if nearly all cells agree is the picture of this page. A page with nothing but paper and rules is never
   named: there are others like it, printed with the same block.

Loads OpenCV, so only child processes import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np

from iiif_server.similarity.records import Alignment, Features

_FARTHEST: Final = 72
"""The Hamming distance of the least similar descriptors that count as a match, of 256 bits."""

_FEWEST: Final = 12
_ROUGH, _FINE = 14.0, 4.0
_CELL: Final = 56
_SEARCH: Final = 4
_FAINT, _STRONG = 6.0, 40.0
"""The contrast of a cell in grey levels, as standard deviation, below which it is not compared, and the most that
counts."""

_NOTHING: Final = 0.5
_CORRELATED: Final = 0.6
_DARK: Final = 9.0
"""The contrast of ink in grey levels, at least."""

_LINE: Final = 96
"""The length of a line that is a rule or a frame: longer than any stroke of a character on a page."""

_INKED: Final = 60
"""The pixels of ink, other than lines, in a cell that shows more than lines."""


def homography(features: Features, page_features: Features) -> tuple[Any, int] | None:
    """Return the matrix that maps the picture to the page, and how many matches fit it."""
    if len(features) < _FEWEST or len(page_features) < _FEWEST:
        return None
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    matches = matcher.match(
        np.ascontiguousarray(features["descriptor"]), np.ascontiguousarray(page_features["descriptor"])
    )
    pairs = np.array([(m.queryIdx, m.trainIdx) for m in matches if m.distance <= _FARTHEST], int).reshape(-1, 2)
    if len(pairs) < _FEWEST:
        return None
    ours, theirs = features[pairs[:, 0]], page_features[pairs[:, 1]]
    keep = _agreeing(ours, theirs)
    source, target = _points(ours[keep]), _points(theirs[keep])
    if len(source) < _FEWEST:
        return None
    rough, fits = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=_ROUGH, maxIters=4000, confidence=0.999
    )
    if rough is None or fits.sum() < _FEWEST:
        return None
    near = fits.ravel().astype(bool)
    matrix, fine = cv2.findHomography(source[near], target[near], cv2.RANSAC, _FINE, maxIters=2000, confidence=0.999)
    if matrix is None or fine.sum() < _FEWEST or not _is_plausible(matrix):
        return None
    return matrix, int(fine.sum())


def _agreeing(ours: Features, theirs: Features) -> Any:
    """Return which matches have nearly the most frequent difference of angle and of octave."""
    turn = (theirs["angle"].astype(int) - ours["angle"]) % 256
    step = theirs["octave"].astype(int) - ours["octave"]
    votes: Any = np.zeros((256, 17))
    np.add.at(votes, (turn, step + 8), 1)
    votes = sum(np.roll(votes, by, axis=0) for by in range(-12, 13))
    votes = votes + np.pad(votes, ((0, 0), (1, 1)))[:, 2:] + np.pad(votes, ((0, 0), (1, 1)))[:, :-2]
    best_turn, best_step = np.unravel_index(votes.argmax(), votes.shape)
    away = np.abs((turn - best_turn + 128) % 256 - 128)
    return (away <= 20) & (np.abs(step - (best_step - 8)) <= 2)


def _points(features: Features) -> Any:
    return np.stack([features["x"], features["y"]], axis=1).astype(np.float32) / 16


def _is_plausible(matrix: Any) -> bool:
    """Return whether a homography does not mirror, and neither folds nor stretches beyond what a photograph may."""
    across = np.linalg.svd(matrix[:2, :2] / matrix[2, 2], compute_uv=False)
    return (
        bool(np.linalg.det(matrix[:2, :2] / matrix[2, 2]) > 0)
        and across[0] < 8
        and across[1] > 0.08
        and across[0] / max(across[1], 1e-9) < 2.5
        and np.abs(matrix[2, :2] / matrix[2, 2]).max() < 1.5e-3
    )


def compare(picture: Any, page: Any, matrix: Any, inliers: int) -> Alignment:
    """Correlate the pixels of a picture, warped onto the page, with those of the page."""
    height, width = page.shape
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2] / matrix[2, 2]))))
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.3, 0.5 * (1 / scale - 0.8)))
    else:
        page = cv2.GaussianBlur(page, (0, 0), max(0.3, 0.5 * (scale - 0.8)))
    warped = cv2.warpPerspective(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.full(picture.shape, 255, np.uint8), matrix, (width, height))
    mask = cv2.erode(mask, np.ones((9, 9), np.uint8))
    ours = cv2.GaussianBlur(warped, (0, 0), 1.2).astype(np.float32)
    theirs = cv2.GaussianBlur(page, (0, 0), 1.2).astype(np.float32)
    ours, theirs = (each - cv2.GaussianBlur(each, (0, 0), 24) for each in (ours, theirs))
    x, y, w, h = cv2.boundingRect(mask)
    region = (x / width, y / height, w / width, h / height)
    cells = np.array(list(_cells(ours, theirs, mask))).reshape(-1, 5)
    if not len(cells):
        return Alignment(inliers, region=region)
    correlations, spreads, others, marked, page_marked = cells.T
    gain = np.median(spreads / np.maximum(others, 0.1)).clip(0.3, 4)
    weights = np.maximum(spreads, others * gain).clip(0, _STRONG) * (marked > 0)
    weights[weights < _FAINT] = 0
    if not weights.any():
        return Alignment(inliers, region=region)
    agreeing = correlations > _CORRELATED
    return Alignment(
        inliers,
        int((weights > 0).sum()),
        float(weights[agreeing].sum() / weights.sum()),
        float(np.median(correlations[weights > 0])),
        int((agreeing & (weights > 0) & (page_marked > 0)).sum()),
        region,
    )


def _cells(ours: Any, theirs: Any, mask: Any) -> Iterator[tuple[float, float, float, bool, bool]]:
    """Yield of each cell that the picture covers: correlation, both contrasts, marks in either, marks in the page."""
    height, width = theirs.shape
    marks = [cv2.integral(_marks(each)) for each in (ours, theirs)]
    for y in range(_SEARCH, height - _CELL - _SEARCH + 1, _CELL):
        for x in range(_SEARCH, width - _CELL - _SEARCH + 1, _CELL):
            right, bottom = x + _CELL, y + _CELL
            if not mask[y:bottom, x:right].all():
                continue
            cell = np.ascontiguousarray(theirs[y:bottom, x:right])
            spread, other = float(cell.std()), float(ours[y:bottom, x:right].std())
            window = ours[y - _SEARCH : bottom + _SEARCH, x - _SEARCH : right + _SEARCH]
            blank = min(spread, other) < _NOTHING
            value = 0.0 if blank else float(cv2.matchTemplate(window, cell, cv2.TM_CCOEFF_NORMED).max())
            ours_inked, page_inked = (
                bool(sums[bottom, right] - sums[y, right] - sums[bottom, x] + sums[y, x] >= _INKED) for sums in marks
            )
            yield value, spread, other, ours_inked or page_inked, page_inked


def _marks(contrast: Any) -> Any:
    """Return 1 for the dark pixels of a picture that are not in long upright or level lines, else 0."""
    limit = max(_DARK, 0.3 * float(np.percentile(-contrast, 99)))
    dark = (contrast < -limit).astype(np.uint8)
    lines = np.zeros_like(dark)
    for long, wide in (((_LINE, 1), (1, 5)), ((1, _LINE), (5, 1))):
        found = cv2.morphologyEx(cv2.dilate(dark, np.ones(wide, np.uint8)), cv2.MORPH_OPEN, np.ones(long, np.uint8))
        # A worn line is broken: what lies on its extension belongs to it.
        lines |= cv2.dilate(found, np.ones([2 * length - 1 for length in long], np.uint8))
    widened: Any = cv2.dilate(lines, np.ones((9, 9), np.uint8))
    return dark & (1 - widened)
