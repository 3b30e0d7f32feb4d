"""The lane of slow pictures: made in a child process, given as they are made, and never in the way of tiles.

What makes many pixels goes through here, so that a process that serves

- never holds its interpreter, its memory or its processor for them: a child makes them, one at a time for each process
  that serves, nicely (nice(2)), with bounded memory and bounded time (`Settings.render_seconds`);
- keeps threads for tiles: at most `PLACES` requests are in the lane; one more is refused (`RenderingBusy`, 503);
- stays whole when a picture is not: a child that crashes, or is killed, ends one answer (`RenderingFailed`).

The child opens nothing. It asks for tiles by their ordinals, a strip at a time, and its parent reads them where all
tiles are read, their checksums verified; so it has no credentials, and can only ask for tiles of the one image.

JPEG, PNG and PDF come in parts while tiles are still being decoded (`codecs.STREAMED`), unless they are slanted. The
other formats hold the whole picture, so `request/geometry.py` bounds their pixels. A small answer is given whole, its
length known.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import Final, Self

from iiif_server.metrics import Observer
from iiif_server.pyramid.grid import TileGrid
from iiif_server.render import pipeline
from iiif_server.request.geometry import RenderPlan, Source
from repository.errors import RenderingBusy, SandboxFailed, SystemFault
from repository.localized import LocalizedText
from repository.sandbox import Channel, Quota, SandboxPool, SandboxSession

MEMORY: Final = 768 << 20
"""Bytes of private memory that a child may take: half as much again as the largest answer that is held whole."""

WAITING: Final = 4
"""Requests of one process that may wait for the one being made."""

PLACES: Final = 1 + WAITING
"""Requests in the lane, each of which keeps a thread of its process."""

PATIENCE_SECONDS: Final = 20.0
"""How long a request waits for its turn before it is told to come again."""

_WHOLE: Final = 256 << 10
"""Bytes up to which an answer is given whole."""

_PART: Final = 128 << 10
_NICENESS: Final = 10  # leaves it a tenth of a processor that others want; with much less it hardly ends
_MMAP_THRESHOLD, _ARENAS = -3, -8  # malloc.h


class RenderingFailed(SystemFault):
    """A picture was not finished: it took too long or too much memory, or its process ended."""

    code = "rendering.lost"
    text = LocalizedText("未能生成图像：{reason}", "The picture was not finished: {reason}")


class RenderPool:
    """Makes slow pictures for one process. Safe to use from many threads. The child starts when it is first needed.

    `waiting` and `running` tell how many requests are in the lane.
    """

    def __init__(self, seconds: float, observer: Observer, memory: int = MEMORY) -> None:
        limits = Quota(seconds=seconds, memory=memory, threads=1, niceness=_NICENESS)
        self._children = SandboxPool(1, Path(gettempdir()), limits)
        self._places = threading.BoundedSemaphore(PLACES)
        self._turn = threading.BoundedSemaphore(1)
        self._observer = observer
        self._count = threading.Lock()
        self.waiting = self.running = 0
        self._began = 0.0
        observer.watched("slow-running", lambda: self.running)
        observer.watched("slow-waiting", lambda: self.waiting)

    def render(
        self, task: RenderPlan, source: Source, grid: TileGrid, read_tiles: pipeline.ReadTiles, jpeg_quality: int
    ) -> bytes | RenderedStream:
        """The encoded picture, or its parts when it is long: they must be read to their end, or closed.

        Raises `RenderingBusy`, `RenderingFailed`, what `read_tiles` raises, and `PyramidCorrupt` for tiles that do not
        decode; of parts, `next` raises the same.
        """
        self._enter()
        with ExitStack() as on_failure:
            on_failure.callback(self._leave)
            with _as_rendering():
                session = self._children.open_session(_render, task, source, grid, jpeg_quality, respond=read_tiles)
            parts = RenderedStream(session, self._leave)
            on_failure.pop_all()
        return parts.whole_or_begun()

    def close(self) -> None:
        """End the child, when no picture is being made."""
        self._children.close()

    def _enter(self) -> None:
        """Take a place in the lane, and wait for the turn."""
        if not self._places.acquire(blocking=False):
            self._observer.counted("slow-refused")
            raise RenderingBusy
        self._add(1, 0)
        if not self._turn.acquire(timeout=PATIENCE_SECONDS):
            self._add(-1, 0)
            self._places.release()
            self._observer.counted("slow-refused")
            raise RenderingBusy
        self._add(-1, 1)
        self._began = monotonic()

    def _leave(self) -> None:
        self._observer.counted("decode-seconds", monotonic() - self._began)
        self._add(0, -1)
        self._turn.release()
        self._places.release()

    def _add(self, waiting: int, running: int) -> None:
        with self._count:
            self.waiting += waiting
            self.running += running


class RenderedStream:
    """An answer on its way: an iterator of bytes. `close` gives up the rest, and ends the child that makes it."""

    def __init__(self, session: SandboxSession, release: Callable[[], None]) -> None:
        self._session = session
        self._release = release
        self._begun: deque[bytes] = deque()
        self._closed = False

    def whole_or_begun(self) -> bytes | Self:
        """The whole answer when it is short; else this, its beginning read: errors there are raised here."""
        begun: list[bytes] = []
        while sum(map(len, begun)) < _WHOLE:
            part = next(self, None)
            if part is None:
                return b"".join(begun)
            begun.append(part)
        self._begun.extend(begun)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next part. Raises `RenderingFailed` and the rest: what came before is then not a picture."""
        if self._begun:
            return self._begun.popleft()
        with ExitStack() as at_end, _as_rendering():
            at_end.callback(self.close)
            part = next(self._session, None)
            if part is not None:
                at_end.pop_all()
        if part is None:
            raise StopIteration
        return part

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Take no more. May be called again."""
        if not self._closed:
            self._closed = True
            self._session.close()
            self._release()


@contextmanager
def _as_rendering() -> Iterator[None]:
    """The loss of a child, told as what it means here."""
    try:
        yield
    except SandboxFailed as lost:
        raise RenderingFailed(reason=lost.details["reason"]) from lost


def _render(channel: Channel, task: RenderPlan, source: Source, grid: TileGrid, jpeg_quality: int) -> None:
    """What the child does: the picture, given in parts of a useful size."""
    gathered = bytearray()

    def sink(data: bytes) -> None:
        gathered.extend(data)
        if len(gathered) >= _PART:
            channel.send(bytes(gathered))
            gathered.clear()

    pipeline.use_little_memory()
    _give_memory_back()
    pipeline.write(task, source, grid, channel.request, jpeg_quality, sink)
    if gathered:
        channel.send(bytes(gathered))


def _give_memory_back() -> None:
    """Has glibc give large blocks back to the system as soon as they are freed (mallopt(3)).

    Else it keeps what a strip took for the next one, in each thread's arena: twice the memory after a few pictures.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # not in every C library
        libc.mallopt(_MMAP_THRESHOLD, 1 << 20)
        libc.mallopt(_ARENAS, 2)
