"""The functions that child processes run, and the verdict on what they return. (pure)"""

from __future__ import annotations

from typing import Final

from iiif_server.similarity.errors import PictureUnreadable
from iiif_server.similarity.records import Alignment, Candidate, DescribedPicture
from repository.errors import PyramidCorrupt
from repository.sandbox.functions import SandboxFunction

_CHILD: Final = "iiif_server.similarity.child"
DESCRIBE_PAGE: Final = SandboxFunction(_CHILD, "describe_page", DescribedPicture, (PyramidCorrupt,), request=list[int])
DESCRIBE_PICTURE: Final = SandboxFunction(_CHILD, "describe_picture", DescribedPicture, (PictureUnreadable,))
ALIGN_PAGE: Final = SandboxFunction(_CHILD, "align_page", Alignment, (PyramidCorrupt,), request=list[int])
SEARCH: Final = SandboxFunction("iiif_server.similarity.searcher", "search", list[Candidate])

LEAST_AGREEMENT: Final = 0.65
LEAST_CORRELATION: Final = 0.7
FEWEST_DISTINCTIVE: Final = 9
FEWEST_PAPER: Final = 12
LEAST_PAPER: Final = 0.6


def is_match(alignment: Alignment) -> bool:
    """Return whether a picture was made from the page. `tests/bench/similar.py` measures how often that is right.

    A page with few marks, as a blank form, is recognised by its paper.
    """
    agrees = alignment.agreement >= LEAST_AGREEMENT and alignment.correlation >= LEAST_CORRELATION
    if alignment.distinctive >= FEWEST_DISTINCTIVE:
        return agrees
    is_same_paper = alignment.paper_cells >= FEWEST_PAPER and alignment.paper >= LEAST_PAPER
    return alignment.inliers > 0 and is_same_paper and (agrees or not alignment.cells)


def confidence(alignment: Alignment) -> float:
    """Return how sure a match is, from 0 to 1: the part of the marks that agrees, or the correlation of the paper."""
    is_marked = alignment.distinctive >= FEWEST_DISTINCTIVE
    return round(min(1.0, alignment.agreement if is_marked else alignment.paper), 3)
