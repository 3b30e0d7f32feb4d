"""Tiles lately decoded, for pictures that need them again: regions of one page, asked for one after the other.

Only pictures made in the process that serves use it; stored tiles are sent as they are. A tile is known by its pyramid,
the fingerprint of that, its ordinal, and whether it was decoded grey, so one that has been made anew is another. It was
verified before it was decoded. Nothing has been done to it yet: what is hidden is blackened in the picture made of it.

A tile is kept as far down as it was decoded (`render/jpeg_header.py`); when more of it is wanted, it is decoded whole.
"""

from __future__ import annotations

from itertools import count
from typing import Final, NamedTuple

from iiif_server.render.codecs import Pixels
from repository.clock_cache import ClockCache
from repository.model import Pyramid

BUDGET: Final = 64 << 20
"""Bytes of pixels that one process keeps: 85 whole tiles of 512 by 512 in colour.

What the system counts grew by 75 MB with one thread, by 110 with four, each of which has an arena of its own.
"""

_Name = tuple[str, str, int, bool]


ADMITTED: Final = 4
"""Of as many tiles that come when there is no room one is kept: pages looked at once drive out little of what is asked
for again and again, which sooner or later is that one. (Random regions of one page three times as large as the budget:
66% found, against 58% if all are.)
"""


class DecodedTiles:
    """The tiles of all pyramids, at most `budget` bytes of them. Safe to use from many threads."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._tiles: ClockCache[_Name, Pixels] = ClockCache(budget, _bytes)
        self._room = budget
        self._turns = count()

    def of(self, pyramid: Pyramid) -> KeptTiles:
        """Those of one pyramid."""
        return KeptTiles(self, pyramid.key, pyramid.fingerprint)

    def get(self, name: _Name) -> Pixels | None:
        """The tile kept under a name."""
        return self._tiles.get(name)

    def admits(self, name: _Name) -> bool:
        """Whether a tile about to be decoded is to be kept: there is room, part of it is kept, or it is its turn."""
        return self._room > 0 or self._tiles.get(name) is not None or next(self._turns) % ADMITTED == 0

    def put(self, name: _Name, tile: Pixels) -> None:
        """Keep a tile that was admitted."""
        self._room -= (
            tile.nbytes
        )  # between threads one may be forgotten here: then all are admitted for a little longer
        tile.flags.writeable = False
        self._tiles.put(name, tile)


class KeptTiles(NamedTuple):
    """What is kept of the tiles of one pyramid."""

    tiles: DecodedTiles
    key: str
    fingerprint: str

    def get(self, ordinal: int, grey: bool) -> Pixels | None:
        """A tile, from its top as far down as it is kept. It is not to be written to."""
        return self.tiles.get((self.key, self.fingerprint, ordinal, grey))

    def admits(self, ordinal: int, grey: bool) -> bool:
        """Whether a tile about to be decoded is to be kept."""
        return self.tiles.admits((self.key, self.fingerprint, ordinal, grey))

    def put(self, ordinal: int, grey: bool, tile: Pixels) -> None:
        """Keep a tile, decoded in memory of its own, that nobody will change any more."""
        self.tiles.put((self.key, self.fingerprint, ordinal, grey), tile)


def _bytes(tile: Pixels) -> int:
    return tile.nbytes
