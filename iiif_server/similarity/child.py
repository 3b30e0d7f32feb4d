"""Describes pages and pictures, and compares the two, in a sandboxed child without rights.

A picture that a reader uploads is decoded here only: JPEG, PNG and WebP, of bounded size. The visual words are read
when the module is imported, because the child can open no file later.
"""

from __future__ import annotations

from typing import Any, Final

import faiss
import imagecodecs
import numpy as np
import numpy.ma  # what NumPy, faiss and OpenCV load when it is first used
import numpy.random
import pyvips

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.render.assemble import Assembler
from iiif_server.request.protection import Protection
from iiif_server.similarity import alignment, comparison, features, perceptual_hash
from iiif_server.similarity.errors import PictureUnreadable
from iiif_server.similarity.records import SIDE, Alignment, DescribedPicture, Features, Grey, features_of
from iiif_server.similarity.words import read_words
from repository.localized import LocalizedText
from repository.sandbox.channel import Channel

LARGEST_PICTURE: Final = 60_000_000
"""Pixels of the largest picture that is decoded."""

_SMALLEST_SIDE: Final = 64
_LOADERS: Final = {b"\xff\xd8\xff": "jpegload_buffer", b"\x89PNG\r\n": "pngload_buffer", b"RIFF": "webpload_buffer"}
_CODECS: Final = (imagecodecs.jpeg8_decode, imagecodecs.Jpeg8Error)  # loaded when first used: see `render/child.py`
_WORDS: Final = faiss.IndexBinaryFlat(256)
_WORDS.add(read_words())


def describe_page(
    channel: Channel,
    sides: tuple[int, int, int],
    box: tuple[int, int, int, int],
    hidden: list[tuple[int, int, int, int]],
) -> DescribedPicture:
    """Return the hash and the features of a part of an image, whose tiles the parent reads."""
    return _described(_page(channel, sides, box, hidden), features.page_features, with_pixels=False)


def describe_picture(data: bytes) -> DescribedPicture:
    """Return the hash, the features and the reduced pixels of an uploaded picture. Raises `PictureUnreadable`."""
    return _described(features.reduced(_decoded(data)), features.query_features, with_pixels=True)


def align_page(  # noqa: PLR0917 - a child takes its arguments by position
    channel: Channel,
    picture: DescribedPicture,
    page_features: bytes,
    sides: tuple[int, int, int],
    box: tuple[int, int, int, int],
    hidden: list[tuple[int, int, int, int]],
) -> Alignment:
    """Compare a described picture with a part of an image. The tiles are read only if the features match."""
    theirs = features_of(page_features)
    found = alignment.homography(features_of(picture.features), theirs)
    if found is None:
        return Alignment(0)
    matrix, inliers = found
    return comparison.compare(picture.pixels, _page(channel, sides, box, hidden), matrix, inliers)


def _page(channel: Channel, sides: Any, box: Any, hidden: Any) -> Grey:
    """Return the reduced pixels of a part of an image, from the smallest level that has them."""
    grid, part = TileGrid(*sides), Box(*box)
    factor = max((factor for factor in grid.scale_factors if max(part.width, part.height) // factor >= SIDE), default=1)
    protection = Protection(tuple(Box(*each) for each in hidden))
    level = Box(part.x // factor, part.y // factor, max(1, part.width // factor), max(1, part.height // factor))
    return features.reduced(Assembler(grid, factor, channel.request, True, protection).whole(level))


def _described(grey: Grey, describe: Any, *, with_pixels: bool) -> DescribedPicture:
    found: Features = describe(grey)
    if len(found):
        _, words = _WORDS.search(np.ascontiguousarray(found["descriptor"]), 1)
        found["word"] = words[:, 0]
    height, width = grey.shape
    pixels = grey.tobytes() if with_pixels else b""
    return DescribedPicture(perceptual_hash.of(grey), found.tobytes(), width, height, pixels)


def _decoded(data: bytes) -> Grey:
    """Return the grey pixels of a picture, upright, on white, at most twice as large as they are needed."""
    loader = next((name for start, name in _LOADERS.items() if data.startswith(start)), None)
    if loader is None:
        raise PictureUnreadable(
            reason=LocalizedText("只接受 JPEG、PNG 或 WebP 图片", "it must be a JPEG, PNG or WebP file")
        )
    try:
        image = getattr(pyvips.Image, loader)(data, access="sequential", fail_on="error")
        _check_size(image)
        if (shrink := max(image.width, image.height) // SIDE) > 1:
            image = image.shrink(shrink, shrink)
        image = image.copy_memory().autorot()
        if image.hasalpha():
            image = image.flatten(background=255)
        pixels: Grey = image.colourspace("b-w").extract_band(0).cast("uchar").numpy()
    except pyvips.Error as fault:
        raise PictureUnreadable(
            reason=LocalizedText("文件已损坏或不完整", "the file is damaged or incomplete")
        ) from fault
    return pixels


def _check_size(image: Any) -> None:
    if image.width * image.height > LARGEST_PICTURE:
        millions = LARGEST_PICTURE // 1_000_000
        raise PictureUnreadable(
            reason=LocalizedText(f"图片不得超过 {millions} 百万像素", f"it may have {millions} megapixels at most")
        )
    if min(image.width, image.height) < _SMALLEST_SIDE:
        raise PictureUnreadable(
            reason=LocalizedText(
                f"图片每边至少须有 {_SMALLEST_SIDE} 像素", f"each side must have {_SMALLEST_SIDE} pixels at least"
            )
        )
