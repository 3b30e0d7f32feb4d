"""Aligns a picture to a page by their features. (pure)

Descriptors are matched. Of the matches, those are kept that agree in how the picture is turned and scaled, and of these
the homography is found that most of them fit (RANSAC).

Loads OpenCV, so only child processes import it.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from iiif_server.similarity.records import Features

_FARTHEST: Final = 72
"""The Hamming distance of the least similar descriptors that count as a match, of 256 bits."""

_FEWEST: Final = 12
_ROUGH, _FINE = 14.0, 4.0
"""The distances in pixels from the first, affine model and from the homography that a match may have."""


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
