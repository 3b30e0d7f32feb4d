"""Where the bytes of tiles come from: the one place that reads a pyramid when serving.

A folder store is read directly. A distant store (S3) is read through:

1. the disk cache of the machine, when `Settings.cache_bytes` gives it room (`tiles/disk_cache.py`);
2. single-flight (`tiles/single_flight.py`): of several threads that want the same bytes at once one reads, the others
   wait for its result or its error, at most `WAIT_SECONDS`;
3. a fuse (`tiles/circuit_breaker.py`): once the store is known to be away, one thread at a time tries it and the others
   are refused at once, so that tiles in the cache go on being served.

A single tile of S3 has a shorter way, which takes no thread (`tiles/soon_tiles.py`); these are for whoever it fails.

Tiles that are wanted together are read together (`tiles/spans.py`). Whatever the way, a tile's CRC-32 is verified
where its bytes arrive. Bytes that do not fit are never given out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from struct import Struct
from typing import Final, Protocol

from isal import isal_zlib

from iiif_server.metrics import Observer, Unobserved
from iiif_server.pyramid.file import PyramidDirectory, ReadRange, read_directory
from iiif_server.tiles.circuit_breaker import CircuitBreaker
from iiif_server.tiles.disk_cache import NAME_BYTES, SMALLEST_BUDGET, TileCache
from iiif_server.tiles.single_flight import AWAY, SingleFlight
from iiif_server.tiles.soon_tiles import SoonTiles
from iiif_server.tiles.spans import Bounds, Run, TileSpan, runs
from repository.config import Settings
from repository.errors import PyramidCorrupt, StoreFault
from repository.model import Pyramid
from repository.storage.folder import FolderStore
from repository.storage.ranged_reads import RangedReads
from repository.storage.s3 import ObstoreStore
from repository.storage.store import ObjectStore

NEAR: Final = Bounds(gap=4 << 10, longest=4 << 20)
"""What the folder store reads at once: a read more costs less than 10 microseconds, so little is read in vain."""

DISTANT: Final = Bounds(gap=256 << 10, longest=4 << 20)
"""The same across a network, where a request more costs as much as some hundred kilobytes."""

READS_AT_ONCE: Final = 8
"""Ranges of a distant store that one process reads side by side for answers made of many tiles."""

_TILE_NAME: Final = Struct("<QIII")
_DIRECTORY_PARTS: Final = 2  # `read_directory` reads twice at most


class TileSource(Protocol):
    """Gives checked bytes of pyramids. Safe to use from many threads."""

    def tile(self, key: str, offset: int, length: int, crc: int) -> bytes:
        """The bytes of a tile. Raises `PyramidCorrupt` when they have another CRC-32, and `StoreFault`."""

    def near(self, key: str, offset: int, length: int, crc: int) -> bytes | bytearray | None:
        """The bytes of a tile that can be had without waiting for a disk or a network; else None.

        Raises `PyramidCorrupt` as `tile` does.
        """

    def soon(self, key: str, offset: int, length: int, crc: int) -> Awaitable[bytes | None] | None:
        """The bytes of a tile that can be read in the event loop, whose thread this is; None when `tile` must do it."""

    def tiles(self, key: str, places: Sequence[TileSpan]) -> list[bytes]:
        """The bytes of many tiles of one pyramid, in the order asked, read in few ranges (`tiles/spans.py`).

        Memory is that of the tiles and, while they are read, at most `READS_AT_ONCE` ranges. Raises as `tile` does.
        """

    def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """The directory of a pyramid, which has its fingerprint. Raises `PyramidCorrupt`, `StoreFault`."""

    def forget(self, pyramid: Pyramid) -> None:
        """The pyramid may have been made anew: nothing kept of its directory is to be used."""


def open_tile_source(settings: Settings, store: ObjectStore, observer: Observer | None = None) -> TileSource:
    """The source that fits the store."""
    observer = observer or Unobserved()
    if isinstance(store, FolderStore):
        return NearTiles(store, observer)
    wanted = settings.cache_bytes >= SMALLEST_BUDGET
    cache = TileCache(settings.cache, settings.cache_bytes) if wanted else None
    return DistantTiles(store, cache, observer, store.ranged_reads() if isinstance(store, ObstoreStore) else None)


class NearTiles:
    """Tiles of a store whose reads cost microseconds: nothing is shared or kept."""

    def __init__(self, store: FolderStore, observer: Observer | None = None) -> None:
        self._read_range = store.read_range
        self._read_range_at_once = store.read_range_at_once
        self._counted = (observer or Unobserved()).counted

    def tile(self, key: str, offset: int, length: int, crc: int) -> bytes:
        """The bytes of a tile: one ranged read."""
        self._counted("store-bytes", length)
        return _checked(key, self._read_range(key, offset, length), TileSpan(offset, length, crc))

    def near(self, key: str, offset: int, length: int, crc: int) -> bytes | bytearray | None:
        """The bytes of a tile that the system has in memory."""
        data = self._read_range_at_once(key, offset, length)
        if data is None:
            return None
        self._counted("store-bytes", length)
        if isal_zlib.crc32(data) != crc:
            raise _corrupt(key, TileSpan(offset, length, crc))
        return data

    def soon(self, key: str, offset: int, length: int, crc: int) -> None:
        """Nothing is read so: a disk may make the loop wait."""

    def tiles(self, key: str, places: Sequence[TileSpan]) -> list[bytes]:
        """The bytes of many tiles: one ranged read for those that lie together."""
        found = [b""] * len(places)
        for run in runs(places, NEAR):
            self._counted("store-bytes", run.length)
            data = self._read_range(key, run.start, run.length)
            for index in run.members:
                found[index] = _checked(key, _cut(data, run, places[index]), places[index])
        return found

    def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """The directory of a pyramid: one ranged read, or two."""
        return _checked_directory(pyramid, lambda start, length: self._read_range(pyramid.key, start, length))

    def forget(self, pyramid: Pyramid) -> None:
        """Nothing is kept here."""


class DistantTiles:
    """Tiles of a store across a network, read once for all who ask at the same time."""

    def __init__(
        self,
        store: ObjectStore,
        cache: TileCache | None = None,
        observer: Observer | None = None,
        reads: RangedReads | None = None,
    ) -> None:
        self._read_range = store.read_range
        self._cache = cache
        self._counted = (observer or Unobserved()).counted
        self._tiles: SingleFlight[bytes] = SingleFlight()
        self._directories: SingleFlight[PyramidDirectory] = SingleFlight()
        self._fuse = CircuitBreaker(StoreFault)
        self._readers = ThreadPoolExecutor(READS_AT_ONCE, "tiles")
        self._soon = SoonTiles(reads, cache, self._readers, observer or Unobserved()) if reads else None
        if observer:
            observer.watched("store-fuse", lambda: float(self._fuse.is_open))

    def tile(self, key: str, offset: int, length: int, crc: int) -> bytes:
        """The bytes of a tile: from the cache, or one ranged read."""
        place = TileSpan(offset, length, crc)
        data = self._kept(key, place)
        return data if data is not None else self._fetched(key, [place])[0]

    def near(self, key: str, offset: int, length: int, crc: int) -> bytes | bytearray | None:
        """The bytes of a tile that the cache has, and the system in memory, or that is on its way there."""
        if self._cache is None:
            return None
        name = _tile_name(key, (offset, length, crc))
        data: bytes | bytearray | None = self._cache.get_at_once(name, crc)
        if data is None and self._soon:
            data = self._soon.arrived(name)
        if data is not None:
            self._counted("cache-hit")
        return data

    def soon(self, key: str, offset: int, length: int, crc: int) -> Awaitable[bytes | None] | None:
        """The bytes of a tile: from the cache, or one ranged read."""
        if self._soon is None or self._fuse.is_open or not self._soon.is_open():
            return None
        place = TileSpan(offset, length, crc)
        return self._soon.tile(_tile_name(key, place), key, place)

    def tiles(self, key: str, places: Sequence[TileSpan]) -> list[bytes]:
        """The bytes of many tiles: from the cache, or ranges read side by side."""
        kept = [self._kept(key, place) for place in places]
        missing = [place for place, data in zip(places, kept, strict=True) if data is None]
        fetched = iter(self._fetched(key, missing))
        return [next(fetched) if data is None else data for data in kept]

    def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """The directory of a pyramid. What was read for it is kept in the cache once it has proved right."""
        return self._directories.join(pyramid.key, 0, lambda: self._read_directory(pyramid))

    def forget(self, pyramid: Pyramid) -> None:
        """Drop what the cache has of the directory; tiles there are known by their CRC-32, so they stay."""
        if self._cache is not None:
            for part in range(_DIRECTORY_PARTS):
                self._cache.drop(_part_name(pyramid, part))

    def _kept(self, key: str, place: TileSpan) -> bytes | None:
        """What the cache has of a tile."""
        if self._cache is None:
            return None
        data = self._cache.get(_tile_name(key, place), place.crc)
        if data is not None:
            self._counted("cache-hit")
        return data

    def _put_since(self, key: str, place: TileSpan) -> bytes | None:
        """The same, after it was not there, if a thread of this process has put it since."""
        if self._cache is None or not self._cache.remembers(_tile_name(key, place)):
            return None
        return self._kept(key, place)

    def _fetched(self, key: str, places: list[TileSpan]) -> list[bytes]:
        """Tiles that were not in the cache, each read by one thread for all that want it."""
        wanted = {place.offset: place for place in places}

        def read(offsets: list[int]) -> Iterator[tuple[int, bytes]]:
            missing = []
            for place in (wanted[offset] for offset in offsets):
                data = self._put_since(key, place)
                if data is None:
                    missing.append(place)
                else:
                    yield place.offset, data
            for place, data in self._read_tiles(key, missing) if missing else ():
                if self._cache is not None:
                    self._counted("cache-miss")
                    if self._cache.put(_tile_name(key, place), data, place.crc):
                        self._counted("cache-eviction")
                yield place.offset, data

        return self._tiles.join_all(key, [place.offset for place in places], read) if places else []

    def _read_tiles(self, key: str, places: list[TileSpan]) -> Iterator[tuple[TileSpan, bytes]]:
        """Tiles as they come from the store. One that is not what it should be is told when all others have come."""
        first, *others = wanted = [*runs(places, DISTANT)]
        flights = [self._readers.submit(self._read, key, run.start, run.length) for run in others]
        here = self._read(key, first.start, first.length)
        corrupt: PyramidCorrupt | None = None
        for run, data in zip(wanted, chain([here], map(_result, flights)), strict=True):
            for place in (places[index] for index in run.members):
                tile = _cut(data, run, place)
                if isal_zlib.crc32(tile) == place.crc:
                    yield place, tile
                else:
                    corrupt = _corrupt(key, place)
        if corrupt:
            raise corrupt

    def _read(self, key: str, start: int, length: int) -> bytes:
        self._counted("store-bytes", length)
        return self._fuse.run(lambda: self._read_range(key, start, length), key=key, reason=AWAY)

    def _read_directory(self, pyramid: Pyramid) -> PyramidDirectory:
        fresh: list[tuple[bytes, bytes]] = []
        names = (_part_name(pyramid, part) for part in range(_DIRECTORY_PARTS))

        def read_range(start: int, length: int) -> bytes:
            name = next(names)
            data = self._cache.get(name) if self._cache is not None else None
            if data is None:
                data = self._read(pyramid.key, start, length)
                fresh.append((name, data))
            return data

        directory = _checked_directory(pyramid, read_range)
        if self._cache is not None:
            for name, data in fresh:
                self._cache.put(name, data, isal_zlib.crc32(data))
        return directory


def _checked_directory(pyramid: Pyramid, read_range: ReadRange) -> PyramidDirectory:
    """The directory, which must be the one that the catalogue knows."""
    directory = read_directory(read_range, pyramid.key)
    if directory.fingerprint != pyramid.fingerprint:
        raise PyramidCorrupt(key=pyramid.key, reason=f"{directory.fingerprint} ≠ {pyramid.fingerprint}")
    return directory


def _part_name(pyramid: Pyramid, part: int) -> bytes:
    """The cache's name for one of the reads that a directory takes."""
    return hashlib.blake2b(f"{pyramid.key} {pyramid.fingerprint} {part}".encode(), digest_size=NAME_BYTES).digest()


def _tile_name(key: str, place: tuple[int, int, int]) -> bytes:
    """The cache's name for a tile at a `TileSpan`."""
    return _TILE_NAME.pack(*place, isal_zlib.crc32(key.encode()))


def _result(flight: Future[bytes]) -> bytes:
    return flight.result()


def _cut(data: bytes, run: Run, place: TileSpan) -> bytes:
    """The bytes of one place out of those of its run."""
    start = place.offset - run.start
    return data[start : start + place.length]


def _checked(key: str, data: bytes, place: TileSpan) -> bytes:
    if isal_zlib.crc32(data) != place.crc:
        raise _corrupt(key, place)
    return data


def _corrupt(key: str, place: TileSpan) -> PyramidCorrupt:
    return PyramidCorrupt(key=key, reason=f"CRC-32, {place.offset} + {place.length}")
