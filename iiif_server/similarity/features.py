"""ORB features of a picture: corners that can be found again, and a binary descriptor of what is around each. (pure)

A page keeps `PAGE_FEATURES` of them, spread over its whole area, so that a part of the page has its share. A picture
that is searched for has more, in particular coarse ones: a part of a page shows the page's details enlarged.

Loads OpenCV, so only child processes import it. Source: Rublee et al., "ORB: an efficient alternative to SIFT or
SURF", ICCV 2011.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from iiif_server.similarity.records import FEATURE, SIDE, Features, Grey

PAGE_FEATURES: Final = 400
QUERY_FEATURES: Final = 1000
_DETAILED: Final = 1600
_OCTAVES: Final = 8
_STEP: Final = 1.2
_CANDIDATES: Final = 6
"""Corners are detected in this multiple of the number that is kept."""

_CELLS: Final = 8
"""The picture is divided into as many cells across and down, which get equal shares of the features."""

_FAST: Final = 8
"""The contrast of the faintest corner, in grey levels."""

_EDGE: Final = 24
_PAGE_SHARES: Final = np.array([_STEP**-octave for octave in range(_OCTAVES)])
_QUERY_SHARES: Final = np.ones(_OCTAVES)


def reduced(grey: Grey) -> Grey:
    """Return a picture whose longer side is `SIDE`: larger ones are shrunk, smaller ones enlarged."""
    scale = SIDE / max(grey.shape)
    if scale == 1:
        return grey
    size = tuple(max(1, round(length * scale)) for length in grey.shape[::-1])
    resized: Any = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def page_features(grey: Grey) -> Features:
    """Return the features that are stored for a page, given as `reduced` returns it."""
    return _features(grey, PAGE_FEATURES, _PAGE_SHARES)


def query_features(grey: Grey) -> Features:
    """Return the features by which a picture is searched for, given as `reduced` returns it."""
    return _features(grey, QUERY_FEATURES, _QUERY_SHARES)


def detailed_features(grey: Grey) -> Features:
    """Return the features by which the visual words are found."""
    return _features(grey, _DETAILED, _QUERY_SHARES)


def _features(grey: Grey, count: int, shares: Any) -> Features:
    cv2.setNumThreads(1)
    detected = count * _CANDIDATES
    orb: Any = cv2.ORB.create(detected, _STEP, _OCTAVES, edgeThreshold=_EDGE, patchSize=31, fastThreshold=_FAST)
    corners = orb.detect(grey, None)
    chosen, descriptors = orb.compute(grey, _spread(corners, grey.shape, count, shares))
    features = np.zeros(len(chosen), FEATURE)
    if chosen:
        features["x"] = [round(corner.pt[0] * 16) for corner in chosen]
        features["y"] = [round(corner.pt[1] * 16) for corner in chosen]
        features["angle"] = [int(corner.angle / 360 * 256) % 256 for corner in chosen]
        features["octave"] = [corner.octave for corner in chosen]
        features["descriptor"] = descriptors
    return features


def _spread(corners: Any, shape: tuple[int, ...], count: int, shares: Any) -> list[Any]:
    """Return at most `count` corners: of each octave its share, the strongest of each cell first."""
    if len(corners) <= count:
        return list(corners)
    points = np.array([corner.pt for corner in corners])
    octaves = np.array([corner.octave for corner in corners])
    strengths = np.array([corner.response for corner in corners])
    cells = (points / (shape[1], shape[0]) * _CELLS).astype(int).clip(0, _CELLS - 1) @ (1, _CELLS)
    turns = _ranks(octaves * _CELLS**2 + cells, strengths)
    order = np.lexsort((-strengths, turns, octaves))
    places = _ranks(octaves[order], -np.arange(len(order)))
    quotas = np.ceil(count * shares / shares.sum())
    within = places < quotas[octaves[order]]
    first = np.concatenate([order[within], order[~within]])
    return [corners[index] for index in first[:count]]


def _ranks(groups: Any, strengths: Any) -> Any:
    """Return the rank of each element within its group, 0 for the strongest."""
    order = np.lexsort((-strengths, groups))
    starts = np.concatenate([[0], np.flatnonzero(np.diff(groups[order])) + 1])
    lengths = np.diff(np.concatenate([starts, [len(order)]]))
    ranks = np.empty(len(order), int)
    ranks[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return ranks
