"""A cache of decoded tiles, for regions of one page that are requested in succession.

Only answers rendered in the serving process use it. The key is the pyramid, its fingerprint, the tile's ordinal and
whether it was decoded as grey, so a tile of a repaired pyramid has another key. The bytes were verified before they
were decoded. Redactions are not applied to cached tiles, but to the pictures assembled from them.

A cached tile has the rows that were decoded (`render/jpeg_header.py`); when more are needed, it is decoded whole.
"""

from __future__ import annotations

from itertools import count
from typing import Final, NamedTuple

from iiif_server.render.codecs import Pixels
from repository.clock_cache import ClockCache
from repository.model.work import Pyramid

BUDGET: Final = 64 << 20
"""Bytes of pixels in the cache of one process: 85 whole tiles of 512 by 512 in colour.

The resident memory grew by 75 MB with one thread and by 110 with four, each of which has its own arena.
"""

_Key = tuple[str, str, int, bool]

ADMITTED: Final = 4
"""When the cache is full, one of so many new tiles is admitted. Pages that are shown once then evict few tiles of those
that are requested repeatedly. (Random regions of a page three times as large as the budget: 66% hits, 58% if every tile
is admitted.)
"""


class DecodedTiles:
    """The decoded tiles of all pyramids, at most `budget` bytes. Thread-safe."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._tiles: ClockCache[_Key, Pixels] = ClockCache(budget, _bytes)
        self._free = budget
        self._arrivals = count()

    def of(self, pyramid: Pyramid) -> CachedTiles:
        """Return the cache of one pyramid's tiles."""
        return CachedTiles(self, pyramid.key, pyramid.fingerprint)

    def get(self, key: _Key) -> Pixels | None:
        """Return the cached tile, or None."""
        return self._tiles.get(key)

    def admits(self, key: _Key) -> bool:
        """Return whether to cache a tile that will be decoded: there is space, a part is cached, or it is the n-th."""
        return self._free > 0 or self._tiles.get(key) is not None or next(self._arrivals) % ADMITTED == 0

    def put(self, key: _Key, tile: Pixels) -> None:
        """Cache a tile that was admitted."""
        # A race between threads may lose a subtraction: tiles are then admitted for a little longer.
        self._free -= tile.nbytes
        tile.flags.writeable = False
        self._tiles.put(key, tile)


class CachedTiles(NamedTuple):
    """The cached tiles of one pyramid."""

    tiles: DecodedTiles
    key: str
    fingerprint: str

    def get(self, ordinal: int, grey: bool) -> Pixels | None:
        """Return the rows of a tile that are cached, from its top, read-only; or None."""
        return self.tiles.get((self.key, self.fingerprint, ordinal, grey))

    def admits(self, ordinal: int, grey: bool) -> bool:
        """Return whether to cache a tile that will be decoded."""
        return self.tiles.admits((self.key, self.fingerprint, ordinal, grey))

    def put(self, ordinal: int, grey: bool, tile: Pixels) -> None:
        """Cache a tile decoded in memory of its own, which must not be changed afterwards."""
        self.tiles.put((self.key, self.fingerprint, ordinal, grey), tile)


def _bytes(tile: Pixels) -> int:
    return tile.nbytes
