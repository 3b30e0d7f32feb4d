"""Renders an image in a sandboxed child of the render pool (`render/pool.py`).

imagecodecs loads a codec when its name is first used. The child can then read no file any more, so `_CODECS` uses all
names of `render/codecs.py` while this module is imported. A serving process loads them when it needs them.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Final

import imagecodecs

from iiif_server.pyramid.grid import TileGrid
from iiif_server.render import pipeline
from iiif_server.request.geometry import RenderPlan, Source
from repository.sandbox.channel import Channel

_CODECS: Final = (
    (imagecodecs.jpeg8_decode, imagecodecs.jpeg8_encode, imagecodecs.Jpeg8Error),
    (imagecodecs.webp_encode, imagecodecs.avif_encode, imagecodecs.jpeg2k_encode),
)
_PART: Final = 128 << 10
_MMAP_THRESHOLD, _ARENAS = -3, -8  # malloc.h


def render_in_child(
    channel: Channel, plan: RenderPlan, source: Source, sides: tuple[int, int, int], jpeg_quality: int
) -> None:
    """Render from the grid of these sides (width, height, tile size) and send parts of a useful size."""
    gathered = bytearray()
    lock = threading.Lock()

    def sink(data: bytes) -> None:
        with lock:
            gathered.extend(data)
            if len(gathered) >= _PART:
                channel.send(bytes(gathered))
                gathered.clear()

    pipeline.use_little_memory()
    _return_memory()
    pipeline.write(plan, source, TileGrid(*sides), channel.request, jpeg_quality, sink)
    if gathered:
        channel.send(bytes(gathered))


def _return_memory() -> None:
    """Make glibc return large blocks to the system as soon as they are freed (mallopt(3)).

    Otherwise it keeps the blocks of each strip in each thread's arena: twice the memory after a few images.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # not in every C library
        libc.mallopt(_MMAP_THRESHOLD, 1 << 20)
        libc.mallopt(_ARENAS, 2)
