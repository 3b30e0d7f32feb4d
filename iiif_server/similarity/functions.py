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

FEWEST_DISTINCTIVE: Final = 5
LEAST_AGREEMENT: Final = 0.65
LEAST_CORRELATION: Final = 0.7


def is_match(alignment: Alignment) -> bool:
    """Return whether a picture was made from the page. `tests/bench/similar.py` measures how often that is right."""
    return (
        alignment.inliers > 0
        and alignment.distinctive >= FEWEST_DISTINCTIVE
        and alignment.agreement >= LEAST_AGREEMENT
        and alignment.correlation >= LEAST_CORRELATION
    )
