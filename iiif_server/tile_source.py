"""Where the bytes of tiles come from: the one place that reads a pyramid when serving.

A folder store is read directly. A distant store (S3) is read through:

1. the disk cache of the machine, when `Settings.cache_bytes` gives it room (`tile_cache.py`);
2. single-flight: of several threads that want the same bytes at once one reads, the others wait for its result or
   its error, at most `WAIT_SECONDS`;
3. a fuse (`fuse.py`): once the store is known to be away, one thread at a time tries it and the others are refused at
   once, so that tiles in the cache go on being served.

Whatever the way, a tile's CRC-32 is verified where its bytes arrive. Bytes that do not fit are never given out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from struct import Struct
from threading import Lock
from typing import Final, Generic, Protocol, TypeVar

from isal import isal_zlib

from iiif_server.fuse import Fuse
from iiif_server.pyramid import PyramidDirectory, ReadRange, read_directory
from iiif_server.tile_cache import NAME_BYTES, SMALLEST_BUDGET, TileCache
from repository.config import Settings
from repository.errors import PyramidCorrupt, ShanbenError, StoreFault
from repository.folder_store import FolderStore
from repository.model import Pyramid
from repository.storage import ObjectStore
from repository.text import Text

WAIT_SECONDS: Final = 30.0
"""How long a thread waits for another that reads the same bytes."""

_TILE_NAME: Final = Struct("<QIII")
_DIRECTORY_PARTS: Final = 2  # `read_directory` reads twice at most
_AWAY: Final = Text("存储暂时没有应答", "the store does not answer just now")

Value = TypeVar("Value")


class TileSource(Protocol):
    """Gives checked bytes of pyramids. Safe to use from many threads."""

    def tile(self, key: str, offset: int, length: int, crc: int) -> bytes:
        """The bytes of a tile. Raises `PyramidCorrupt` when they have another CRC-32, and `StoreFault`."""

    def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """The directory of a pyramid, which has its fingerprint. Raises `PyramidCorrupt`, `StoreFault`."""

    def forget(self, pyramid: Pyramid) -> None:
        """The pyramid may have been made anew: nothing kept of its directory is to be used."""


def open_tile_source(settings: Settings, store: ObjectStore) -> TileSource:
    """The source that fits the store."""
    if isinstance(store, FolderStore):
        return NearTiles(store)
    wanted = settings.cache_bytes >= SMALLEST_BUDGET
    return DistantTiles(store, TileCache(settings.cache, settings.cache_bytes) if wanted else None)


class NearTiles:
    """Tiles of a store whose reads cost microseconds: nothing is shared or kept."""

    def __init__(self, store: ObjectStore) -> None:
        self._read_range = store.read_range

    def tile(self, key: str, offset: int, length: int, crc: int) -> bytes:
        """The bytes of a tile: one ranged read."""
        data = self._read_range(key, offset, length)
        if isal_zlib.crc32(data) != crc:
            raise _corrupt(key, offset, length)
        return data

    def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """The directory of a pyramid: one ranged read, or two."""
        return _checked_directory(pyramid, lambda start, length: self._read_range(pyramid.key, start, length))

    def forget(self, pyramid: Pyramid) -> None:
        """Nothing is kept here."""


class DistantTiles:
    """Tiles of a store across a network, read once for all who ask at the same time."""

    def __init__(self, store: ObjectStore, cache: TileCache | None = None) -> None:
        self._read_range = store.read_range
        self._cache = cache
        self._tiles: _Flights[bytes] = _Flights()
        self._directories: _Flights[PyramidDirectory] = _Flights()
        self._fuse = Fuse(StoreFault)

    def tile(self, key: str, offset: int, length: int, crc: int) -> bytes:
        """The bytes of a tile: from the cache, or one ranged read."""
        cache = self._cache
        if cache is None:
            return self._tiles.join(key, offset, lambda: self._fetch(key, offset, length, crc))
        name = _TILE_NAME.pack(offset, length, crc, isal_zlib.crc32(key.encode()))
        data = cache.get(name, crc)
        if data is not None:
            return data

        def fetch_and_keep() -> bytes:
            data = cache.get(name, crc)  # whoever read it last may have done so since we looked
            if data is None:
                data = self._fetch(key, offset, length, crc)
                cache.put(name, data, crc)
            return data

        return self._tiles.join(key, offset, fetch_and_keep)

    def directory(self, pyramid: Pyramid) -> PyramidDirectory:
        """The directory of a pyramid. What was read for it is kept in the cache once it has proved right."""
        return self._directories.join(pyramid.key, 0, lambda: self._read_directory(pyramid))

    def forget(self, pyramid: Pyramid) -> None:
        """Drop what the cache has of the directory; tiles there are known by their CRC-32, so they stay."""
        if self._cache is not None:
            for part in range(_DIRECTORY_PARTS):
                self._cache.drop(_part_name(pyramid, part))

    def _fetch(self, key: str, offset: int, length: int, crc: int) -> bytes:
        data = self._read(key, offset, length)
        if isal_zlib.crc32(data) != crc:
            raise _corrupt(key, offset, length)
        return data

    def _read(self, key: str, start: int, length: int) -> bytes:
        return self._fuse.run(lambda: self._read_range(key, start, length), key=key, reason=_AWAY)

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


class _Flights(Generic[Value]):
    """Reads under way, by what is read: who asks for one of them joins it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: dict[tuple[str, int], Future[Value]] = {}

    def join(self, key: str, place: int, read: Callable[[], Value]) -> Value:
        """What `read` gives or raises, to whichever thread it was that called it."""
        with self._lock:
            flight = self._under_way.get((key, place))
            if flight is None:
                mine = self._under_way[key, place] = Future()
        if flight is None:
            return self._lead(key, place, read, mine)
        try:
            return flight.result(WAIT_SECONDS)
        except (TimeoutError, CancelledError) as fault:
            raise StoreFault(key=key, reason=_AWAY) from fault

    def _lead(self, key: str, place: int, read: Callable[[], Value], flight: Future[Value]) -> Value:
        try:
            value = read()
        except ShanbenError as error:
            flight.set_exception(error)
            raise
        else:
            flight.set_result(value)
            return value
        finally:
            with self._lock:
                del self._under_way[key, place]
            flight.cancel()  # does nothing to one that has ended


def _checked_directory(pyramid: Pyramid, read_range: ReadRange) -> PyramidDirectory:
    """The directory, which must be the one that the catalogue knows."""
    directory = read_directory(read_range, pyramid.key)
    if directory.fingerprint != pyramid.fingerprint:
        raise PyramidCorrupt(key=pyramid.key, reason=f"{directory.fingerprint} ≠ {pyramid.fingerprint}")
    return directory


def _part_name(pyramid: Pyramid, part: int) -> bytes:
    """The cache's name for one of the reads that a directory takes."""
    return hashlib.blake2b(f"{pyramid.key} {pyramid.fingerprint} {part}".encode(), digest_size=NAME_BYTES).digest()


def _corrupt(key: str, offset: int, length: int) -> PyramidCorrupt:
    return PyramidCorrupt(key=key, reason=f"CRC-32, {offset} + {length}")
