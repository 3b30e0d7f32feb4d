"""Searches the shards of the index in a child process of its own, so that the serving process loads no faiss.

The child reads files of ours and numbers that were checked; it decodes nothing. It therefore keeps its rights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from iiif_server.similarity.ranking import rank
from iiif_server.similarity.records import Candidate, DescribedPicture, features_of
from iiif_server.similarity.shard_index import SHARD_STRIDE, search_index
from iiif_server.similarity.shards import INDEX, TABLE
from repository import paths

_COPY: Final = 6
"""The bits of 64 by which the hashes of copies differ at most."""

_COPIES: Final = 4
_COPY_VOTES: Final = 1e6


def search(shards: list[str], picture: DescribedPicture, limit: int) -> list[Candidate]:
    """Return the pages that share most with a picture, at most `limit`, the best first.

    `shards` are paths without suffix. Pages with nearly the same hash come before all others.
    """
    tables = [np.load(f"{shard}{TABLE}", mmap_mode="r", allow_pickle=False) for shard in shards]
    features = features_of(picture.features)
    ranked: list[tuple[int, float]] = []
    if len(features) and tables:
        ranked = rank(features, *search_index([Path(f"{shard}{INDEX}") for shard in shards], features), limit)
    copies = _copies(tables, np.frombuffer(picture.hash, np.uint8))
    found = dict(ranked) | {number: _COPY_VOTES - distance for distance, number in copies}
    best = sorted(found.items(), key=lambda item: -item[1])[:limit]
    return [_candidate(tables[number // SHARD_STRIDE][number % SHARD_STRIDE], votes) for number, votes in best]


def _copies(tables: list[Any], digest: Any) -> list[tuple[int, int]]:
    """Return distance and number of the pages with the nearest hashes."""
    near: list[tuple[int, int]] = []
    for number, table in enumerate(tables):
        distances = np.bitwise_count(table["hash"] ^ digest).sum(axis=1)
        rows = np.flatnonzero(distances <= _COPY)
        near += [(int(distances[row]), number * SHARD_STRIDE + int(row)) for row in rows]
    return sorted(near)[:_COPIES]


def _candidate(row: Any, votes: float) -> Candidate:
    work = row["work"].decode()
    key = paths.page_features(work, row["recipe"].decode())
    box = tuple(int(side) for side in row["box"])
    return Candidate(row["image"].decode(), work, key, box, int(row["start"]), int(row["count"]), votes)  # type: ignore[arg-type]
