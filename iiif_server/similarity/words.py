"""The visual words: 4,096 typical descriptors, which divide all descriptors into lists.

They were found by k-means in features of generated pages (`scripts/visual_words.py`) and are a part of the format of
the index: other words need a new index. Words only decide which features are compared with which, so that pages of
another kind than those that they were found in are searched a little less quickly, not less surely.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint8]
"""Descriptors of 32 bytes, one a row."""

_FILE = Path(__file__).with_name("words.npy")


def read_words() -> Words:
    """Return the words."""
    words: Words = np.load(_FILE, allow_pickle=False)
    return words
