"""Ranks pages by how many features of a picture they share. (pure)

A match is a vote for a page with a difference of angle and octave. Matches of a picture with its page agree in both;
those with other pages, which have the same characters or rules, are spread over all.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from iiif_server.similarity.records import Features

_TURNS: Final = 16
_STEPS: Final = 17
_FARTHEST: Final = 64


def entry_id(page: Any, angle: Any, octave: Any) -> Any:
    """Return what an index stores with a descriptor: the page's number in its shard, the angle and the octave."""
    return np.asarray(page, np.int64) << 16 | np.asarray(angle, np.int64) << 8 | np.asarray(octave, np.int64)


def rank(features: Features, distances: Any, entries: Any, limit: int) -> list[tuple[int, float]]:
    """Return the numbers of the `limit` pages with the most votes, and their votes.

    Row `n` of `distances` and `entries` has the nearest entries of feature `n`; an entry of -1 is none.
    """
    near = (entries >= 0) & (distances <= _FARTHEST)
    rows, _ = np.nonzero(near)
    found = entries[near]
    weights = (1 - distances[near] / (_FARTHEST + 16.0)) / np.maximum(near.sum(axis=1), 1)[rows] ** 0.5
    pages, turns = found >> 16, (found >> 8 & 255) - features["angle"][rows].astype(int)
    steps = (found & 255) - features["octave"][rows].astype(int) + _STEPS // 2
    numbers, places = np.unique(pages, return_inverse=True)
    votes = np.zeros((len(numbers), _TURNS, _STEPS))
    np.add.at(votes, (places, (turns % 256) * _TURNS // 256, steps), weights)
    votes = votes + np.roll(votes, 1, axis=1)
    votes = votes + np.pad(votes, ((0, 0), (0, 0), (1, 0)))[:, :, :-1]
    best = votes.reshape(len(numbers), -1).max(axis=1) if len(numbers) else np.zeros(0)
    order = np.argsort(-best, kind="stable")[:limit]
    return [(int(numbers[place]), float(best[place])) for place in order]
