"""Keeps what is rendered faster than a client reads, so that a slow client does not hold the render pool.

The first bytes stay in memory, the rest goes to a temporary file without a name, in ``TMPDIR``. `SpoolRoom` bounds the
files of one process. When it is full, the image whose client reads slowest is given up; when there is none, or the file
cannot be written, the rendering waits for its client.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from tempfile import TemporaryFile
from time import monotonic
from typing import IO, Final

from repository.errors import SystemFault
from repository.localized import LocalizedText

MEMORY: Final = 1 << 20
"""Bytes of one image that wait in memory."""

CAPACITY: Final = 256 << 20
"""Bytes of all temporary files of one process."""

_PART: Final = 128 << 10


class ClientTooSlow(SystemFault):
    """A client read an image so slowly that others needed the space in which it waited."""

    code = "rendering.slow-client"
    text = LocalizedText(
        "客户端接收图像过慢，已中止；请缩小尺寸，或改用切片",
        "The image was given up because its client read too slowly; ask for a smaller size, or for tiles",
    )
    transient = True


class SpoolRoom:
    """The space for the temporary files of one process. Used from one event loop."""

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], float] = monotonic) -> None:
        self._capacity = capacity
        self.clock = clock
        self._claimed: dict[Spool, int] = {}

    def claim(self, spool: Spool, length: int) -> bool:
        """Reserve space, if necessary that of the images whose clients read slowest; return whether there is some."""
        while sum(self._claimed.values()) + length > self._capacity:
            others = [other for other in self._claimed if other is not spool]
            if length > self._capacity - self._claimed.get(spool, 0) or not others:
                return False
            min(others, key=lambda other: other.bytes_per_second).give_up()
        self._claimed[spool] = self._claimed.get(spool, 0) + length
        return True

    def release(self, spool: Spool) -> None:
        """Free all space of an image."""
        self._claimed.pop(spool, None)


class Spool:
    """The parts of one image, in order: one task puts them, another takes them. `threads` read and write the file."""

    def __init__(self, room: SpoolRoom, threads: Executor) -> None:
        self._room = room
        self._threads = threads
        self._began = room.clock()
        self._memory: deque[bytes] = deque()
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._read = self._written = 0
        """Positions in the file: what is between them has not been taken."""
        self._put = self._taken = 0
        self._changed = asyncio.Event()
        self._is_full = self._is_ended = self._is_closed = False
        self._fault: BaseException | None = None

    @property
    def bytes_per_second(self) -> float:
        """How fast the client has read so far."""
        return self._taken / max(self._room.clock() - self._began, 1e-3)

    async def put(self, part: bytes) -> None:
        """Add a part. Waits for the client only while there is no space."""
        self._put += len(part)
        in_order = self._read == self._written  # behind what is in the file, nothing can be put in memory
        if not (in_order and sum(map(len, self._memory)) + len(part) <= MEMORY):
            if await self._put_in_file(part):
                self._changed.set()
                return
            await self._wait_until_taken()
        if not self._is_closed:
            self._memory.append(part)
        self._changed.set()

    async def _wait_until_taken(self) -> None:
        self._is_full = True
        self._changed.set()
        await self._wait_for(lambda: self._is_closed or not self._has_unread)
        self._is_full = False

    async def take(self) -> bytes | None:
        """Return the next part, None at the end. Raises the fault that ended the image, or `ClientTooSlow`."""
        await self._wait_for(lambda: self._has_unread or self._is_ended or self._is_closed)
        part = b""
        if self._memory:
            part = self._memory.popleft()
        elif self._read < self._written:
            part = await asyncio.get_running_loop().run_in_executor(self._threads, self._read_file)
        if not part:
            if self._fault:
                raise self._fault
            return None
        if self._read == self._written:
            self._room.release(self)
        self._taken += len(part)
        self._changed.set()
        return part

    async def length(self) -> int | None:
        """Return the bytes of the whole image once it is complete; None when there is no space for it.

        Raises the fault that ended the image.
        """
        await self._wait_for(lambda: self._is_ended or self._is_closed or self._is_full)
        if self._fault:
            raise self._fault
        return self._put if self._is_ended else None

    def end(self, fault: BaseException | None = None) -> None:
        """Declare the image complete, or ended by a fault. What was put before can still be taken."""
        self._is_ended, self._fault = True, self._fault or fault
        self._changed.set()

    def give_up(self) -> None:
        """Drop the image, whose client is too slow."""
        self._fault = self._fault or ClientTooSlow()
        self.close()

    def close(self) -> None:
        """Drop what has not been taken. May be called again."""
        self._is_closed = True
        self._memory.clear()
        with self._lock:
            self._read = self._written = 0
            if self._file:
                self._file.close()
                self._file = None
        self._room.release(self)
        self._changed.set()

    @property
    def _has_unread(self) -> bool:
        return bool(self._memory) or self._read < self._written

    async def _wait_for(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def _put_in_file(self, part: bytes) -> bool:
        """Return whether a part was written to the file."""
        if self._is_closed or not self._room.claim(self, len(part)):
            return False
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._write_file, part)

    def _write_file(self, part: bytes) -> bool:
        with self._lock, suppress(OSError):  # the folder may be full or read-only: then the rendering waits
            if not self._is_closed:
                self._file = self._file or TemporaryFile(buffering=0)  # noqa: SIM115 - `close` closes it
                self._file.seek(self._written)
                if self._file.write(part) == len(part):
                    self._written += len(part)
                    return True
        return False

    def _read_file(self) -> bytes:
        with self._lock:
            if self._file is None:
                return b""
            self._file.seek(self._read)
            part = self._file.read(min(_PART, self._written - self._read))
            self._read += len(part)
            if self._read == self._written:
                self._file.truncate(0)
                self._read = self._written = 0
            return part
