"""Tiles of a distant store read in the event loop, and put into the disk cache a little later.

This is the short way of a tile that lies nowhere near: no thread wakes for it. Whatever goes wrong on it, the answer is
None, and who asked goes the long way (`DistantTiles.tile`), which tries again and knows what to say. While the short
way fails, because the store is away or can only be reached in another manner, it is left alone for a while.

Of several who want the same tile one reads. The cache's disk is asked by a thread, if it cannot tell at once that it
has nothing, and written by one, many tiles at a time; until then they are given out of memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from time import monotonic
from typing import Final, NamedTuple

from isal import isal_zlib

from iiif_server.metrics import Observer
from iiif_server.tiles.disk_cache import TileCache
from iiif_server.tiles.spans import TileSpan
from repository.errors import KeyNotFound, StoreFault
from repository.storage.ranged_reads import RangedReads

PAUSE_SECONDS: Final = 5.0
"""How long nothing is read in this way after it failed."""

_WRITE_SECONDS: Final = 0.05
_MOST_ARRIVING: Final = 16 << 20
"""Bytes of tiles that may wait to be written; what comes beyond them is not kept."""

_LOG: Final = logging.getLogger("shanben.image")


class _Arriving(NamedTuple):
    """A tile for the cache: its name there, its bytes and their CRC-32."""

    name: bytes
    data: bytes
    crc: int


class SoonTiles:
    """Reads tiles for the one event loop of a process; all is called in its thread.

    What has to do with the disk of the `cache`, when there is one, is done in `threads`.
    """

    def __init__(self, reads: RangedReads, cache: TileCache | None, threads: Executor, observer: Observer) -> None:
        self._reads = reads
        self._cache = cache
        self._threads = threads
        self._counted = observer.counted
        self._flights: dict[bytes, asyncio.Task[bytes | None]] = {}
        self._arriving: dict[bytes, _Arriving] = {}
        self._bytes = 0
        self._batch: list[_Arriving] = []
        self._paused_until = 0.0
        self._told = False

    def arrived(self, name: bytes) -> bytes | None:
        """A tile that was read and is not in the cache yet."""
        found = self._arriving.get(name)
        return found.data if found else None

    def is_open(self) -> bool:
        """Whether it is worth while to go this way just now."""
        return monotonic() >= self._paused_until

    async def tile(self, name: bytes, key: str, place: TileSpan) -> bytes | None:
        """The bytes of a tile, which have its CRC-32, or None. `name` is the cache's for it."""
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = asyncio.create_task(self._read(name, key, place))
            flight.add_done_callback(lambda _: self._flights.pop(name))
        return await asyncio.shield(flight)

    async def _read(self, name: bytes, key: str, place: TileSpan) -> bytes | None:
        if self._cache and not self._cache.surely_lacks(name):
            loop = asyncio.get_running_loop()
            kept = await loop.run_in_executor(self._threads, self._cache.get, name, place.crc)
            if kept is not None:
                self._counted("cache-hit")
                return kept
        try:
            data = await self._reads.read(key, place.offset, place.length)
        except KeyNotFound:
            return None
        except StoreFault as fault:
            self._pause(fault)
            return None
        self._counted("store-bytes", len(data))
        if isal_zlib.crc32(data) != place.crc:
            return None
        if self._cache:
            self._counted("cache-miss")
            self._write_later(_Arriving(name, data, place.crc))
        return data

    def _pause(self, fault: StoreFault) -> None:
        self._paused_until = monotonic() + PAUSE_SECONDS
        if not self._told:
            self._told = True
            _LOG.warning(
                "直接读取存储失败，暂由线程读取 / a direct read of the store failed; threads read for a while: %s",
                fault,
            )

    def _write_later(self, tile: _Arriving) -> None:
        if self._bytes + len(tile.data) > _MOST_ARRIVING:
            return
        self._bytes += len(tile.data)
        self._arriving[tile.name] = tile
        self._batch.append(tile)
        if len(self._batch) == 1:
            asyncio.get_running_loop().call_later(_WRITE_SECONDS, self._write)

    def _write(self) -> None:
        batch, self._batch = self._batch, []
        written = asyncio.get_running_loop().run_in_executor(self._threads, self._put, batch)
        written.add_done_callback(lambda _: self._written(batch))

    def _put(self, tiles: Sequence[_Arriving]) -> None:
        for tile in tiles:
            if self._cache and self._cache.put(*tile):
                self._counted("cache-eviction")

    def _written(self, batch: Sequence[_Arriving]) -> None:
        for tile in batch:
            self._bytes -= len(tile.data)
            self._arriving.pop(tile.name, None)
