"""Bytes of a distant store kept on the local disk, within a budget, for all processes of a machine.

One sparse file, ``tiles`` in the cache folder::

    header      4 KiB: magic, capacity, number of buckets; then `head`, the bytes ever given out
    buckets     8 slots each: (name, length, position) of what may lie in the ring
    ring        records: (name, length, CRC-32), then the bytes; a record never straddles the end

A position is a value `head` had; its place in the ring is the position modulo the capacity, so new records overwrite
the oldest. A record that is read when it is old is written again at the head: what is used stays, roughly. The file
cannot outgrow its budget, however many processes write.

Nothing in it is believed. A slot only says where to look; a record counts when it bears the name asked for and its
bytes have their CRC-32. So a writer may be killed at any byte, two may write at once, and the file may be damaged, cut
or deleted at any time: it costs a read of the store. Only giving out room, a share of the ring at a time, takes a lock
(`flock`, let go by the kernel when its holder dies), for microseconds and never waited for long. The file is read by
`pread` rather than mapped: a mapped file that is cut short kills its reader. A deleted file is noticed within a second
of use and begun anew.
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
"""Bytes below which a cache is of no use, and is not kept."""

_HEADER: Final = Struct("<8sQQ")
_MAGIC: Final = b"shanben1"
_HEAD: Final = Struct("<Q")
_HEAD_PLACE: Final = _HEADER.size
_BUCKETS_PLACE: Final = 4096
_SLOT: Final = Struct("<20sIQ")
_SLOTS: Final = 8
_NO_NAME: Final = bytes(NAME_BYTES)
_BUCKET_BYTES: Final = _SLOTS * _SLOT.size
_RECORD: Final = Struct("<20sII")
_USUAL_BYTES: Final = 4096
"""Room in the buckets for records of this size: smaller tiles than real ones."""

_PLACES: Final = 16_384  # held in memory, about 5 MB: saves a look into the buckets
_SHARE, _SMALLEST_SHARE = 1 << 20, 64  # room given to a process at a time: bytes, and at most this part of the ring
_LARGEST: Final = 32 << 20
_LARGEST_PART: Final = 8  # of the ring, for one record
_FARTHEST: Final = 1 << 62
_CHECK_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 30.0
_TRIES, _TRY_SECONDS = 50, 0.001

_LOG: Final = logging.getLogger("shanben.cache")


class _Ring:
    """The cache's file while it is open. Closed when the last user lets go."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        status = os.fstat(self.descriptor)
        self.identity = status.st_dev, status.st_ino
        self.capacity = self.buckets = self.start = self.largest = self.head = 0
        self._given = self._given_end = 0

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def begin(self, budget: int, *, insist: bool) -> bool:
        """Read the header, or write one for `budget`; False when the file is for another budget and we insist."""
        magic, capacity, buckets = _HEADER.unpack(self._read(0, _HEADER.size))
        if magic != _MAGIC or not 0 < buckets < _FARTHEST or not 0 < capacity < _FARTHEST:
            os.ftruncate(self.descriptor, 0)
            buckets = max(1, budget // (_USUAL_BYTES * _SLOTS))
            capacity = budget - _BUCKETS_PLACE - buckets * _BUCKET_BYTES
            os.pwrite(self.descriptor, _HEADER.pack(_MAGIC, capacity, buckets) + _HEAD.pack(0), 0)
        self.capacity, self.buckets = capacity, buckets
        self.start = _BUCKETS_PLACE + buckets * _BUCKET_BYTES
        self.largest = min(_LARGEST, capacity // _LARGEST_PART)
        return not insist or self.start + capacity == budget

    def is_sound(self, path: Path) -> bool:
        """Whether the file at the path is still this one, and has our header. Learns the head that others moved."""
        try:
            status = os.stat(path)
        except OSError:
            return False
        header = self._read(0, _HEAD_PLACE + _HEAD.size)
        (self.head,) = _HEAD.unpack_from(header, _HEAD_PLACE)
        expected = _HEADER.pack(_MAGIC, self.capacity, self.buckets)
        return self.identity == (status.st_dev, status.st_ino) and header.startswith(expected) and self.head < _FARTHEST

    def hand_out(self, size: int) -> int:
        """The position of `size` bytes of what this process has been given; -1 when that is too little or too old."""
        position = self._given
        if self._given_end - position < size or (self.head - position) * 2 > self.capacity:
            return -1
        self._given += size
        return position

    def allocate(self, size: int) -> None:
        """Have the process be given room for `size` bytes, and for a few more records. Needs the lock."""
        length = max(size, min(_SHARE, self.capacity // _SMALLEST_SHARE))
        head: int = _HEAD.unpack(self._read(_HEAD_PLACE, _HEAD.size))[0]
        rest = self.capacity - head % self.capacity
        position = head if length <= rest else head + rest
        self.head = position + length
        os.pwrite(self.descriptor, _HEAD.pack(self.head), _HEAD_PLACE)
        self._given, self._given_end = position, self.head

    def find(self, name: bytes, flags: int = 0) -> tuple[int, int] | None:
        """Length and position of what the buckets say of a name. `flags` are those of preadv2(2), here and below."""
        _, bucket = self.bucket(name, flags)
        found = _find(bucket, name)
        if found < 0:
            return None
        _, length, position = _SLOT.unpack_from(bucket, found)
        return length, position

    def read(self, name: bytes, crc: int | None, length: int, position: int, flags: int = 0) -> bytearray | None:
        """The bytes of a record, when it is there, bears the name and is whole."""
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
        """Where the bucket of a name lies, and what it holds, zeros where the file has none."""
        place = _BUCKETS_PLACE + isal_zlib.crc32(name) % self.buckets * _BUCKET_BYTES
        bucket = bytearray(_BUCKET_BYTES)
        os.preadv(self.descriptor, [bucket], place, flags)
        return place, bucket

    def is_old(self, position: int) -> bool:
        """Whether what lies there will soon be written over."""
        return (self.head - position) * 4 > self.capacity * 3

    def _read(self, place: int, length: int) -> bytes:
        """Bytes of the file, zeros where it has none."""
        return os.pread(self.descriptor, length, place).ljust(length, b"\0")


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
        self._told = False
        self._paused_until = self._checked = -_PAUSE_SECONDS
        self._places: ClockCache[bytes, tuple[int, int]] = ClockCache(_PLACES)
        self._ring: _Ring | None = self._open(insist=True)

    def get(self, name: bytes, crc: int | None = None) -> bytes | None:
        """The bytes kept under a name; None when there are none that are whole, and have the CRC-32 `crc` if given."""
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
            place = self._places.get(name)
            data = ring.read(name, crc, *place, os.RWF_NOWAIT) if place else None
            if data is None:
                place = ring.find(name, os.RWF_NOWAIT)
                data = ring.read(name, crc, *place, os.RWF_NOWAIT) if place else None
                if place and data is not None:
                    self._places.put(name, place)
        except OSError:  # not in memory, or a file system without RWF_NOWAIT
            return None
        return data if place and not ring.is_old(place[1]) else None

    def _surely_lacks(self, name: bytes) -> bool:
        """Return whether no record has this name; False when the page cache cannot tell."""
        ring = self._ring
        if ring is None:
            return True
        try:
            return self._places.get(name) is None and ring.find(name, os.RWF_NOWAIT) is None
        except OSError:
            return False

    def put(self, name: bytes, data: bytes, crc: int) -> bool:
        """Keep bytes, whose CRC-32 is `crc`, under a name, unless there is no room, or others are writing too much.

        Returns whether older bytes had to give way.
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
        """Keep nothing under a name."""
        self._places.forget(name)
        ring = self._current()
        if ring is None:
            return
        try:
            place, bucket = ring.bucket(name)
            found = _find(bucket, name)
            if found >= 0:
                os.pwrite(ring.descriptor, bytes(_SLOT.size), place + found)
        except OSError as fault:
            self._pause(fault)

    def _get(self, ring: _Ring, name: bytes, crc: int | None) -> bytes | None:
        place = self._places.get(name)
        data = ring.read(name, crc, *place) if place else None
        if data is None:
            place = ring.find(name)
            data = ring.read(name, crc, *place) if place else None
            if place is None or data is None:
                return None
            self._places.put(name, place)
        content = bytes(data)
        if place and ring.is_old(place[1]):
            self.put(name, content, isal_zlib.crc32(content))
        return content

    def _put(self, ring: _Ring, name: bytes, data: bytes, crc: int) -> None:
        size = _RECORD.size + len(data)
        with self._lock:
            position = ring.hand_out(size)
            if position < 0:
                with _alone(ring) as alone:
                    if not alone:
                        return
                    ring.allocate(size)
                position = ring.hand_out(size)
        place = ring.start + position % ring.capacity
        if os.pwritev(ring.descriptor, [_RECORD.pack(name, len(data), crc), data], place) != size:
            raise OSError(f"{self._path}: not written whole")
        bucket_place, bucket = ring.bucket(name)
        slot = _slot_for(bucket, name)
        os.pwrite(ring.descriptor, _SLOT.pack(name, len(data), position), bucket_place + slot * _SLOT.size)
        self._places.put(name, (len(data), position))
        self._told = False

    def _current(self) -> _Ring | None:
        """The open file, looked after once a second. None while there is none."""
        now = self._clock()
        if now - self._checked < _CHECK_SECONDS:
            return self._ring
        self._checked = now
        ring = self._ring
        if ring is None or not ring.is_sound(self._path):
            self._ring = ring = self._open(insist=False) if now >= self._paused_until else None
        return ring

    def _open(self, *, insist: bool) -> _Ring | None:
        """Open the file, or create it. `insist` replaces a file of another budget: the last process wins."""
        if self._budget < SMALLEST_BUDGET:
            return None
        try:
            ring = _Ring(self._path)
            with _alone(ring) as alone:
                if not alone:
                    return None
                if ring.begin(self._budget, insist=insist):
                    return ring if ring.is_sound(self._path) else None
                self._path.unlink(missing_ok=True)
        except OSError as fault:
            self._pause(fault)
            return None
        return self._open(insist=False)

    def _pause(self, fault: OSError) -> None:
        self._paused_until = self._clock() + _PAUSE_SECONDS
        if not self._told:
            self._told = True
            _LOG.warning(
                "磁盘缓存暂停写入，服务照常 / the disk cache keeps nothing new for now; serving goes on: %s", fault
            )


@contextmanager
def _alone(ring: _Ring) -> Iterator[bool]:
    """Whether no other process gives out room meanwhile. Never waits longer than a moment."""
    held = _take(ring.descriptor)
    try:
        yield held
    finally:
        if held:
            fcntl.flock(ring.descriptor, fcntl.LOCK_UN)


def _take(descriptor: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_TRY_SECONDS)
        else:
            return True
    return False


def _find(bucket: bytearray, name: bytes) -> int:
    """Where the slot of a name begins in a bucket, -1 when it has none."""
    found = bucket.find(name)
    while found > 0 and found % _SLOT.size:
        found = bucket.find(name, found + 1)
    return found if found + _SLOT.size <= len(bucket) else -1


def _slot_for(bucket: bytearray, name: bytes) -> int:
    """The number of the slot to write: the name's own, else an empty or the oldest one."""
    for sought in (name, _NO_NAME):
        found = _find(bucket, sought)
        if found >= 0:
            return found // _SLOT.size
    return min(range(_SLOTS), key=lambda number: _SLOT.unpack_from(bucket, number * _SLOT.size)[2])
