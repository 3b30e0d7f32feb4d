"""Reads and verifies the bytes of tiles while serving: the one place from which the image service reads a pyramid.

`FolderTiles` reads a folder store. `RemoteTiles` reads a store across a network (S3) through:

1. the disk cache of the machine, when `Settings.cache_bytes` gives it space (`disk_cache.py`);
2. single-flight (`single_flight.py`): concurrent requests for the same bytes share one read;
3. a circuit breaker (`circuit_breaker.py`): while the store is unavailable, one request at a time probes it and the
   others fail immediately, so that tiles in the cache are still served.

Tiles of one image that are needed together are read in few ranges (`spans.py`). Every tile's CRC-32 is verified when
its bytes arrive; bytes with another CRC-32 are never returned.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial
from struct import Struct
from typing import Final, Protocol

from isal import isal_zlib

from iiif_server.metrics import Metrics
from iiif_server.pyramid.file import PyramidDirectory, ReadRange, read_directory
from iiif_server.tiles.circuit_breaker import CircuitBreaker
from iiif_server.tiles.disk_cache import NAME_BYTES, SMALLEST_BUDGET, TileCache
from iiif_server.tiles.single_flight import SingleFlight
from iiif_server.tiles.spans import Bounds, Run, TileSpan, runs
from repository.config import Settings
from repository.errors import PyramidCorrupt, StoreFault
from repository.localized import LocalizedText
from repository.model.work import Pyramid
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore

FOLDER_BOUNDS: Final = Bounds(gap=4 << 10, longest=4 << 20)
"""Ranges of a folder store: a further read costs less than 10 microseconds, so few unneeded bytes are worth reading."""

REMOTE_BOUNDS: Final = Bounds(gap=256 << 10, longest=4 << 20)
"""Ranges of a remote store, where a further request costs as much as some hundred kilobytes."""

CONCURRENT_READS: Final = 8
"""Ranges of a remote store that one process reads concurrently for images made of many tiles."""

_TILE_NAME: Final = Struct("<QIII")
_DIRECTORY_PARTS: Final = 2  # `read_directory` reads twice at most
_MAX_PENDING_WRITES: Final = 256
"""Tiles that may wait to be written to the disk cache; further tiles are not cached."""

_GATHER_SECONDS: Final = 0.02
"""How long tiles are gathered for the disk cache: a thread for each would delay the tiles that follow."""

_UNAVAILABLE: Final = LocalizedText("存储服务暂时没有应答，请稍后重试", "the store does not respond; try again shortly")

TileBytes = bytes | bytearray

_CacheEntry = tuple[bytes, bytes, int]
"""A name in the disk cache, the bytes, and their CRC-32."""


class TileSource(Protocol):
    """Returns verified bytes of pyramids. Used from one event loop."""

    async def tile(self, key: str, span: TileSpan) -> TileBytes:
        """Return the bytes of a tile. Raises `PyramidCorrupt` when their CRC-32 differs, and `StoreFault`."""

    async def tiles(self, key: str, spans: Sequence[TileSpan]) -> list[TileBytes]:
        """Return the bytes of tiles of one pyramid, in the order of `spans`. Raises as `tile` does.

        Memory: the tiles and the ranges that contain them, which are at most twice as large.
        """

    async def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """Return the directory with the pyramid's fingerprint. Raises `PyramidCorrupt`, `StoreFault`."""

    def forget(self, pyramid: Pyramid) -> None:
        """Drop what is cached of the pyramid's directory: the pyramid may have been replaced."""


def open_tile_source(settings: Settings, store: ObjectStore, metrics: Metrics) -> TileSource:
    """Return the source for a store."""
    if isinstance(store, FolderStore):
        return FolderTiles(store, metrics)
    caches = settings.cache_bytes >= SMALLEST_BUDGET
    return RemoteTiles(store, TileCache(settings.cache, settings.cache_bytes) if caches else None, metrics)


class FolderTiles:
    """Tiles of a folder store: nothing is shared or cached, because a read costs microseconds."""

    def __init__(self, store: FolderStore, metrics: Metrics) -> None:
        self._store = store
        self._read = store.read_range_async
        self._increment = metrics.increment

    async def tile(self, key: str, span: TileSpan) -> TileBytes:
        """Return the bytes of a tile by one ranged read."""
        data = await self._read(key, span.offset, span.length)
        self._increment("store-bytes", span.length)
        return _verified(key, data, span)

    async def tiles(self, key: str, spans: Sequence[TileSpan]) -> list[TileBytes]:
        """Return the bytes of tiles by one ranged read for those that are adjacent."""
        tiles: list[TileBytes] = [b""] * len(spans)
        for run in runs(spans, FOLDER_BOUNDS):
            data = await self._read(key, run.start, run.length)
            self._increment("store-bytes", run.length)
            for index in run.members:
                tiles[index] = _verified(key, _slice(data, run, spans[index]), spans[index])
        return tiles

    async def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """Return the directory of a pyramid by one or two ranged reads in a thread."""
        return await asyncio.to_thread(_verified_directory, pyramid, partial(self._store.read_range, pyramid.key))

    def forget(self, pyramid: Pyramid) -> None:
        """Do nothing: no directory is cached here."""


class RemoteTiles:
    """Tiles of a store across a network."""

    def __init__(self, store: ObjectStore, cache: TileCache | None, metrics: Metrics) -> None:
        self._store = store
        self._cache = cache
        self._increment = metrics.increment
        self._tiles: SingleFlight[TileBytes] = SingleFlight()
        self._ranges: SingleFlight[TileBytes] = SingleFlight()
        self._directories: SingleFlight[PyramidDirectory] = SingleFlight()
        self._breaker = CircuitBreaker(StoreFault)
        self._reading = asyncio.Semaphore(CONCURRENT_READS)
        self._unwritten: list[_CacheEntry] = []
        self._pending = 0
        self._writer: asyncio.Task[None] | None = None
        metrics.register_gauge("store-breaker-open", lambda: float(self._breaker.is_open))

    async def tile(self, key: str, span: TileSpan) -> TileBytes:
        """Return the bytes of a tile: from the cache, or by one ranged read that concurrent requests share."""
        cached = await self._cached(key, span)
        return cached if cached is not None else await self._tiles.run((key, span), partial(self._fetch, key, span))

    async def tiles(self, key: str, spans: Sequence[TileSpan]) -> list[TileBytes]:
        """Return the bytes of tiles: from the cache, or by ranged reads in parallel."""
        tiles = [await self._cached(key, span) for span in spans]
        missing = [index for index, data in enumerate(tiles) if data is None]
        unread = [spans[index] for index in missing]
        ranges = list(runs(unread, REMOTE_BOUNDS))
        corrupt: PyramidCorrupt | None = None
        for run, data in zip(ranges, await asyncio.gather(*(self._read_run(key, run) for run in ranges)), strict=True):
            for member in run.members:
                span, tile = unread[member], _slice(data, run, unread[member])
                if isal_zlib.crc32(tile) != span.crc:
                    corrupt = _corrupt(key, span)
                    continue
                tiles[missing[member]] = tile
                self._cache_later(key, span, tile)
        if corrupt:
            raise corrupt
        return [tile for tile in tiles if tile is not None]

    async def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """Return the directory of a pyramid. The parts read are cached after verification."""
        return await self._directories.run(pyramid.key, partial(self._read_directory, pyramid))

    def forget(self, pyramid: Pyramid) -> None:
        """Drop the directory from the cache; tiles are cached under their CRC-32 and stay."""
        if self._cache is not None:
            for part in range(_DIRECTORY_PARTS):
                self._cache.drop(_part_name(pyramid, part))

    async def _cached(self, key: str, span: TileSpan) -> TileBytes | None:
        if self._cache is None:
            return None
        data = await self._cache.read(_tile_name(key, span), span.crc)
        if data is not None:
            self._increment("cache-hit")
        return data

    async def _fetch(self, key: str, span: TileSpan) -> TileBytes:
        tile = _verified(key, await self._read(key, span.offset, span.length), span)
        self._cache_later(key, span, tile)
        return tile

    async def _read_run(self, key: str, run: Run) -> TileBytes:
        async with self._reading:
            return await self._ranges.run((key, run.start, run.length), partial(self._read, key, run.start, run.length))

    async def _read(self, key: str, start: int, length: int) -> TileBytes:
        data = await self._breaker.call(
            lambda: self._store.read_range_async(key, start, length), key=key, reason=_UNAVAILABLE
        )
        self._increment("store-bytes", len(data))
        return data

    def _cache_later(self, key: str, span: TileSpan, tile: TileBytes) -> None:
        """Have a tile written to the cache in a thread; the response does not wait for it."""
        if self._cache is None:
            return
        self._increment("cache-miss")
        if self._pending < _MAX_PENDING_WRITES:
            self._pending += 1
            self._unwritten.append((_tile_name(key, span), bytes(tile), span.crc))
            if self._writer is None:
                self._writer = asyncio.get_running_loop().create_task(self._write(self._cache))

    async def _write(self, cache: TileCache) -> None:
        """Write tiles to the cache until none is left."""
        try:
            while self._unwritten:
                await asyncio.sleep(_GATHER_SECONDS)
                entries, self._unwritten = self._unwritten, []
                evicted = await asyncio.to_thread(_put_all, cache, entries)
                self._pending -= len(entries)
                self._increment("cache-eviction", evicted)
        finally:
            self._writer = None

    async def _read_directory(self, pyramid: Pyramid) -> PyramidDirectory:
        return await self._breaker.call(
            lambda: asyncio.to_thread(self._read_directory_in_thread, pyramid), key=pyramid.key, reason=_UNAVAILABLE
        )

    def _read_directory_in_thread(self, pyramid: Pyramid) -> PyramidDirectory:
        fresh: list[tuple[bytes, bytes]] = []
        names = (_part_name(pyramid, part) for part in range(_DIRECTORY_PARTS))

        def read_range(start: int, length: int) -> bytes:
            name = next(names)
            data = self._cache.get(name) if self._cache is not None else None
            if data is None:
                data = self._store.read_range(pyramid.key, start, length)
                self._increment("store-bytes", len(data))
                fresh.append((name, data))
            return data

        directory = _verified_directory(pyramid, read_range)
        if self._cache is not None:
            for name, data in fresh:
                self._cache.put(name, data, isal_zlib.crc32(data))
        return directory


def _verified_directory(pyramid: Pyramid, read_range: ReadRange) -> PyramidDirectory:
    """Return the directory, whose fingerprint must be the one that the catalogue holds."""
    directory = read_directory(read_range, pyramid.key)
    if directory.fingerprint != pyramid.fingerprint:
        raise PyramidCorrupt(key=pyramid.key, reason=f"{directory.fingerprint} ≠ {pyramid.fingerprint}")
    return directory


def _put_all(cache: TileCache, entries: Sequence[_CacheEntry]) -> int:
    """Write entries to the cache; return how many replaced older ones."""
    return sum(cache.put(name, data, crc) for name, data, crc in entries)


def _part_name(pyramid: Pyramid, part: int) -> bytes:
    """Return the cache's name for one of the reads of a directory."""
    return hashlib.blake2b(f"{pyramid.key} {pyramid.fingerprint} {part}".encode(), digest_size=NAME_BYTES).digest()


def _tile_name(key: str, span: TileSpan) -> bytes:
    """Return the cache's name for a tile."""
    return _TILE_NAME.pack(*span, isal_zlib.crc32(key.encode()))


def _slice(data: TileBytes, run: Run, span: TileSpan) -> TileBytes:
    """Return the bytes of one span out of those of its run."""
    start = span.offset - run.start
    return data[start : start + span.length]


def _verified(key: str, data: TileBytes, span: TileSpan) -> TileBytes:
    if isal_zlib.crc32(data) != span.crc:
        raise _corrupt(key, span)
    return data


def _corrupt(key: str, span: TileSpan) -> PyramidCorrupt:
    return PyramidCorrupt(key=key, reason=f"CRC-32, {span.offset} + {span.length}")
