"""Find the visual words anew: PYTHONPATH=.:tests/support .venv/bin/python scripts/visual_words.py

Writes iiif_server/similarity/words.npy from generated pages. The words of this release were found in the same way in
other generated pages, before this script was written. Other words need a new index of every library: increase
`FORMAT` in iiif_server/similarity/work_features.py and shards.py with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import faiss
import numpy as np
from look_alike_pages import generated_pages

from iiif_server.similarity.features import detailed_features, reduced

WORDS: Final = 4096
DESCRIPTORS: Final = 160_000
SEED: Final = 1
TARGET: Final = Path(__file__).parents[1] / "iiif_server" / "similarity" / "words.npy"


def main() -> None:
    """Write the words."""
    rng = np.random.default_rng(SEED)
    found = []
    for page in generated_pages(SEED, 5, 14):
        grey = reduced(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY))
        if rng.random() < 0.5:
            grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.5, 2))
        found.append(detailed_features(np.ascontiguousarray(np.rot90(grey, rng.integers(4))))["descriptor"])
    descriptors = np.concatenate(found)
    chosen = descriptors[rng.permutation(len(descriptors))[:DESCRIPTORS]]
    clusters = faiss.Kmeans(256, WORDS, niter=8, seed=SEED, max_points_per_centroid=64)
    clusters.train(np.unpackbits(chosen, axis=1).astype(np.float32) * 2 - 1)
    words = np.unique(np.packbits(clusters.centroids > 0, axis=1), axis=0)
    if len(words) < WORDS:
        raise SystemExit(f"{len(words)} words are different")
    np.save(TARGET, words)


if __name__ == "__main__":
    main()
