"""A cache of a remote store's bytes on the local disk, within a budget, for all processes of a machine.

One sparse file, ``tiles`` in the cache folder::

    header      4 KiB: magic, capacity, number of buckets; then `head`, the number of bytes ever allocated
    buckets     8 slots each: (name, length, position) of a record that the ring may contain
    ring        records: (name, length, CRC-32), then the bytes; a record never wraps around the end

A position is a value that `head` had; its offset in the ring is the position modulo the capacity, so that new records
overwrite the oldest. An old record that is read is written again at the head: this approximates LRU. The file cannot
exceed its budget, however many processes write.

The content of the file is never trusted. A slot only says where to look; a record is a hit when it has the requested
name and its bytes have their CRC-32. So a writer may be killed at any byte, two may write concurrently, and the file
may be damaged, truncated or deleted at any time: that costs a read of the store. Only allocating a share of the ring
takes a lock (`flock`, which the kernel releases when its holder dies), for microseconds and with a short timeout. The
file is read by `pread` instead of being mapped: truncating a mapped file kills its readers. A deleted file is noticed
within a second of use and created again.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from threading import Lock
from time import monotonic, sleep
from typing import Final

from isal import isal_zlib

from repository.clock_cache import ClockCache

NAME_BYTES: Final = 20
SMALLEST_BUDGET: Final = 1 << 20
"""The smallest useful budget in bytes; below it nothing is cached."""

_HEADER: Final = Struct("<8sQQ")
_MAGIC: Final = b"shanben1"
_HEAD: Final = Struct("<Q")
_HEAD_OFFSET: Final = _HEADER.size
_BUCKETS_OFFSET: Final = 4096
_SLOT: Final = Struct("<20sIQ")
_SLOTS: Final = 8
_NO_NAME: Final = bytes(NAME_BYTES)
_BUCKET_BYTES: Final = _SLOTS * _SLOT.size
_RECORD: Final = Struct("<20sII")
_TYPICAL_RECORD_BYTES: Final = 4096
"""The record size for which the number of buckets is chosen: smaller than real tiles."""

_REMEMBERED: Final = 16_384  # slots in memory, about 5 MB: saves reading the buckets
_SHARE_BYTES, _SHARE_DIVISOR = 1 << 20, 64  # a process allocates 1 MiB at a time, but at most a 64th of the ring
_LARGEST: Final = 32 << 20  # bytes of one record
_LARGEST_DIVISOR: Final = 8  # one record has at most an eighth of the ring
_FARTHEST: Final = 1 << 62  # a header with a larger number is damaged
_CHECK_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 30.0
_TRIES, _TRY_SECONDS = 50, 0.001

_LOG: Final = logging.getLogger("shanben.cache")


class _Ring:
    """The open file of the cache. It is closed with its last reference."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        status = os.fstat(self.descriptor)
        self.identity = status.st_dev, status.st_ino
        self.capacity = self.buckets = self.start = self.largest = self.head = 0
        self._share_start = self._share_end = 0

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def begin(self, budget: int, *, insist: bool) -> bool:
        """Read the header, or write it if it is damaged. Return False if `insist` is set and the budget is another."""
        header = self._read(0, _HEAD_OFFSET + _HEAD.size)
        (magic, capacity, buckets), (head,) = _HEADER.unpack_from(header), _HEAD.unpack_from(header, _HEAD_OFFSET)
        sound = 0 < buckets < _FARTHEST and 0 < capacity < _FARTHEST and head < _FARTHEST
        if magic != _MAGIC or not sound:
            os.ftruncate(self.descriptor, 0)
            buckets = max(1, budget // (_TYPICAL_RECORD_BYTES * _SLOTS))
            capacity = budget - _BUCKETS_OFFSET - buckets * _BUCKET_BYTES
            os.pwrite(self.descriptor, _HEADER.pack(_MAGIC, capacity, buckets) + _HEAD.pack(0), 0)
        self.capacity, self.buckets = capacity, buckets
        self.start = _BUCKETS_OFFSET + buckets * _BUCKET_BYTES
        self.largest = min(_LARGEST, capacity // _LARGEST_DIVISOR)
        return not insist or self.start + capacity == budget

    def is_current(self, path: Path) -> bool:
        """Return whether the path still refers to this file with this header. Reads the head, which others may move."""
        try:
            status = os.stat(path)
            header = self._read(0, _HEAD_OFFSET + _HEAD.size)
        except OSError:
            return False
        (self.head,) = _HEAD.unpack_from(header, _HEAD_OFFSET)
        expected = _HEADER.pack(_MAGIC, self.capacity, self.buckets)
        return self.identity == (status.st_dev, status.st_ino) and header.startswith(expected) and self.head < _FARTHEST

    def take(self, size: int) -> int:
        """Return the position of `size` bytes of this process's share; -1 when the rest is too small or too old."""
        position = self._share_start
        if self._share_end - position < size or (self.head - position) * 2 > self.capacity:
            return -1
        self._share_start += size
        return position

    def allocate(self, size: int) -> None:
        """Allocate a share with room for `size` bytes and some more records. The caller holds the lock.

        Raises `OSError` for a damaged head, which `begin` repairs.
        """
        length = max(size, min(_SHARE_BYTES, self.capacity // _SHARE_DIVISOR))
        head: int = _HEAD.unpack(self._read(_HEAD_OFFSET, _HEAD.size))[0]
        if head >= _FARTHEST:
            raise OSError(f"the head of the ring cannot be {head}")
        rest = self.capacity - head % self.capacity
        position = head if length <= rest else head + rest
        self.head = position + length
        os.pwrite(self.descriptor, _HEAD.pack(self.head), _HEAD_OFFSET)
        self._share_start, self._share_end = position, self.head

    def find(self, name: bytes, flags: int = 0) -> tuple[int, int] | None:
        """Return length and position from the slot of a name, or None. `flags` are those of preadv2(2)."""
        _, bucket = self.bucket(name, flags)
        found = _find(bucket, name)
        if found < 0:
            return None
        _, length, position = _SLOT.unpack_from(bucket, found)
        return length, position

    def read(self, name: bytes, crc: int | None, length: int, position: int, flags: int = 0) -> bytearray | None:
        """Return the bytes of a record; None unless it has the name and is intact."""
        if length > _LARGEST:
            return None
        head, data = bytearray(_RECORD.size), bytearray(length)
        found = os.preadv(self.descriptor, [head, data], self.start + position % self.capacity, flags)
        if found != _RECORD.size + length:
            return None
        actual = isal_zlib.crc32(data)
        if head == _RECORD.pack(name, length, actual) and (crc is None or actual == crc):
            return data
        return None

    def bucket(self, name: bytes, flags: int = 0) -> tuple[int, bytearray]:
        """Return the offset of a name's bucket and its bytes, zeros beyond the end of the file."""
        offset = _BUCKETS_OFFSET + isal_zlib.crc32(name) % self.buckets * _BUCKET_BYTES
        bucket = bytearray(_BUCKET_BYTES)
        os.preadv(self.descriptor, [bucket], offset, flags)
        return offset, bucket

    def is_old(self, position: int) -> bool:
        """Return whether the record will soon be overwritten."""
        return (self.head - position) * 4 > self.capacity * 3

    def _read(self, offset: int, length: int) -> bytes:
        """Return bytes of the file, zeros beyond its end."""
        return os.pread(self.descriptor, length, offset).ljust(length, b"\0")


class TileCache:
    """Bytes by their names, in `folder`, at most `budget` bytes on the disk. Safe to use from many threads.

    A name is `NAME_BYTES` bytes that stand for one content. A disk that is full or cannot be written is logged
    once; then nothing is stored for half a minute at a time. No method raises for errors of the cache itself.
    """

    def __init__(self, folder: Path, budget: int, clock: Callable[[], float] = monotonic) -> None:
        self._path = folder / "tiles"
        self._budget = budget
        self._clock = clock
        self._lock = Lock()
        self._is_reported = False
        self._paused_until = self._checked = -_PAUSE_SECONDS
        self._locations: ClockCache[bytes, tuple[int, int]] = ClockCache(_REMEMBERED)
        self._ring: _Ring | None = self._open(insist=True)

    def get(self, name: bytes, crc: int | None = None) -> bytes | None:
        """Return the bytes of a name; None unless they are intact and have the CRC-32 `crc`, if given."""
        ring = self._current()
        if ring is None:
            return None
        try:
            return self._get(ring, name, crc)
        except OSError as fault:
            self._pause(fault)
            return None

    async def read(self, name: bytes, crc: int) -> bytes | bytearray | None:
        """Return what `get` returns, without blocking the event loop.

        A record in the page cache is read here (RWF_NOWAIT); a thread reads all others, unless the buckets in the page
        cache show that there is none.
        """
        data = self._get_resident(name, crc)
        if data is not None or self._surely_lacks(name):
            return data
        return await asyncio.to_thread(self.get, name, crc)

    def _get_resident(self, name: bytes, crc: int) -> bytearray | None:
        """Return a record that the page cache holds and that needs no further work; None otherwise.

        None also for an old record, which `get` writes again, and when the file is due for its check.
        """
        ring = self._ring
        if ring is None or self._clock() - self._checked >= _CHECK_SECONDS:
            return None
        try:
            location = self._locations.get(name)
            data = ring.read(name, crc, *location, os.RWF_NOWAIT) if location else None
            if data is None:
                location = ring.find(name, os.RWF_NOWAIT)
                data = ring.read(name, crc, *location, os.RWF_NOWAIT) if location else None
                if location and data is not None:
                    self._locations.put(name, location)
        except OSError:  # not in memory, or a file system without RWF_NOWAIT
            return None
        return data if location and not ring.is_old(location[1]) else None

    def _surely_lacks(self, name: bytes) -> bool:
        """Return whether no record has this name; False when the page cache cannot tell."""
        ring = self._ring
        if ring is None:
            return True
        try:
            return self._locations.get(name) is None and ring.find(name, os.RWF_NOWAIT) is None
        except OSError:
            return False

    def put(self, name: bytes, data: bytes, crc: int) -> bool:
        """Cache bytes, whose CRC-32 is `crc`, under a name. Return whether older bytes were overwritten.

        Nothing is cached while writing is paused, or when another process holds the lock for too long.
        """
        ring = self._current()
        if ring is None or self._clock() < self._paused_until or len(data) > ring.largest:
            return False
        try:
            self._put(ring, name, data, crc)
        except OSError as fault:
            self._pause(fault)
            return False
        return ring.head > ring.capacity

    def drop(self, name: bytes) -> None:
        """Remove the entry of a name."""
        self._locations.forget(name)
        ring = self._current()
        if ring is None:
            return
        try:
            offset, bucket = ring.bucket(name)
            found = _find(bucket, name)
            if found >= 0:
                os.pwrite(ring.descriptor, bytes(_SLOT.size), offset + found)
        except OSError as fault:
            self._pause(fault)

    def _get(self, ring: _Ring, name: bytes, crc: int | None) -> bytes | None:
        location = self._locations.get(name)
        data = ring.read(name, crc, *location) if location else None
        if data is None:
            location = ring.find(name)
            data = ring.read(name, crc, *location) if location else None
            if location is None or data is None:
                return None
            self._locations.put(name, location)
        content = bytes(data)
        if location and ring.is_old(location[1]):
            self.put(name, content, isal_zlib.crc32(content))
        return content

    def _put(self, ring: _Ring, name: bytes, data: bytes, crc: int) -> None:
        size = _RECORD.size + len(data)
        with self._lock:
            position = ring.take(size)
            if position < 0:
                with _allocation_lock(ring) as is_held:
                    if not is_held:
                        return
                    ring.allocate(size)
                position = ring.take(size)
        offset = ring.start + position % ring.capacity
        if os.pwritev(ring.descriptor, [_RECORD.pack(name, len(data), crc), data], offset) != size:
            raise OSError(f"{self._path}: short write")
        bucket_offset, bucket = ring.bucket(name)
        slot = _slot_for(bucket, name)
        os.pwrite(ring.descriptor, _SLOT.pack(name, len(data), position), bucket_offset + slot * _SLOT.size)
        self._locations.put(name, (len(data), position))
        self._is_reported = False

    def _current(self) -> _Ring | None:
        """Return the open file, which is checked once a second; None while it cannot be used."""
        now = self._clock()
        if now - self._checked < _CHECK_SECONDS:
            return self._ring
        self._checked = now
        ring = self._ring
        if ring is None or not ring.is_current(self._path):
            self._ring = ring = self._open(insist=False) if now >= self._paused_until else None
        return ring

    def _open(self, *, insist: bool) -> _Ring | None:
        """Open the file, or create it. `insist` replaces a file of another budget: the last process wins."""
        if self._budget < SMALLEST_BUDGET:
            return None
        try:
            ring = _Ring(self._path)
            with _allocation_lock(ring) as is_held:
                if not is_held:
                    return None
                if ring.begin(self._budget, insist=insist):
                    return ring if ring.is_current(self._path) else None
                self._path.unlink(missing_ok=True)
        except OSError as fault:
            self._pause(fault)
            return None
        return self._open(insist=False)

    def _pause(self, fault: OSError) -> None:
        self._paused_until = self._clock() + _PAUSE_SECONDS
        if not self._is_reported:
            self._is_reported = True
            _LOG.warning(
                "磁盘缓存暂停写入，服务照常 / the disk cache is not written to for now; serving continues: %s", fault
            )


@contextmanager
def _allocation_lock(ring: _Ring) -> Iterator[bool]:
    """Hold the lock of allocation; yield whether it could be taken within 50 ms."""
    held = _try_lock(ring.descriptor)
    try:
        yield held
    finally:
        if held:
            fcntl.flock(ring.descriptor, fcntl.LOCK_UN)


def _try_lock(descriptor: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_TRY_SECONDS)
        else:
            return True
    return False


def _find(bucket: bytearray, name: bytes) -> int:
    """Return the offset of a name's slot in a bucket, -1 when it has none."""
    found = bucket.find(name)
    while found > 0 and found % _SLOT.size:
        found = bucket.find(name, found + 1)
    return found if found + _SLOT.size <= len(bucket) else -1


def _slot_for(bucket: bytearray, name: bytes) -> int:
    """Return the number of the slot to write: that of the name, else an empty one, else the oldest."""
    for sought in (name, _NO_NAME):
        found = _find(bucket, sought)
        if found >= 0:
            return found // _SLOT.size
    return min(range(_SLOTS), key=lambda number: _SLOT.unpack_from(bucket, number * _SLOT.size)[2])
