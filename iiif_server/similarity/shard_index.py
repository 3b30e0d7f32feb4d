"""Writes the faiss index of a shard, and searches shards.

The lists of an inverted file (IVF) are those of the visual words. A shard is searched where it lies: faiss maps the
file into memory, so that all processes of a machine share one copy, which the system may drop.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from iiif_server.similarity.ranking import entry_id
from iiif_server.similarity.records import Features
from iiif_server.similarity.words import read_words

PROBES: Final = 8
"""The number of words whose lists are searched for a feature."""

NEAREST: Final = 8
"""The number of entries that are found for a feature."""

_BITS: Final = 256


def write_index(pages: Sequence[Features], path: Path) -> None:
    """Write the index of pages, numbered from 0. Memory: about twice their features. Raises `OSError`."""
    import faiss  # noqa: PLC0415 - large, and only the process that runs this function needs it

    index = _empty(faiss)
    if pages and (features := np.concatenate(pages)).size:
        numbers = np.repeat(np.arange(len(pages)), [len(page) for page in pages])
        descriptors = np.ascontiguousarray(features["descriptor"])
        ids = np.ascontiguousarray(entry_id(numbers, features["angle"], features["octave"]))
        words = features["word"].astype(np.int64)
        index.add_core(len(features), *map(faiss.swig_ptr, (descriptors, ids, words)))
    path.write_bytes(faiss.serialize_index_binary(index).tobytes())


def search_index(paths: Sequence[Path], features: Features) -> tuple[Any, Any]:
    """Return distances and entries of the nearest descriptors in all shards, a row for each feature.

    The number of a page counts through the shards: in the second, from `SHARD_STRIDE` on.
    """
    import faiss  # noqa: PLC0415 - large, and only the process that runs this function needs it

    faiss.omp_set_num_threads(1)
    descriptors = np.ascontiguousarray(features["descriptor"])
    words = faiss.IndexBinaryFlat(_BITS)
    words.add(read_words())
    word_distances, nearest_words = words.search(descriptors, PROBES)
    distances: Any = np.full((len(features), 0), _BITS, np.int32)
    entries: Any = np.full((len(features), 0), -1, np.int64)
    for number, path in enumerate(paths):
        index: Any = faiss.read_index_binary(str(path), faiss.IO_FLAG_MMAP)
        index.nprobe = PROBES
        found, ids = index.search_preassigned(descriptors, NEAREST, nearest_words, word_distances)
        ids = np.where(ids >= 0, ids + entry_id(number * SHARD_STRIDE, 0, 0), -1)
        distances, entries = np.hstack([distances, found]), np.hstack([entries, ids])
        if distances.shape[1] > NEAREST:
            best = np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]
            distances, entries = (np.take_along_axis(each, best, axis=1) for each in (distances, entries))
    return distances, entries


SHARD_STRIDE: Final = 1 << 24
"""More than the pages of a shard."""


def _empty(faiss: Any) -> Any:
    words = read_words()
    quantizer = faiss.IndexBinaryFlat(_BITS)
    quantizer.add(words)
    index = faiss.IndexBinaryIVF(quantizer, _BITS, len(words))
    index.own_fields = False
    index.is_trained = True
    index.words = quantizer  # faiss refers to it: it must live as long
    return index
