"""The render pool: makes costly images in a sandboxed process and streams them with backpressure.

A process that serves never uses its own interpreter, memory or processor time for a costly image:

- a child makes it, one at a time for each serving process, at a low priority (nice(2)), with bounded memory and
  time (`Settings.render_seconds`);
- at most `PLACES` requests wait or run; a further request is refused (`RenderingBusy`, 503);
- a child that crashes or is killed fails one response (`RenderingFailed`).

The child (`render/child.py`) can open nothing (`repository/sandbox`). It asks for tiles by their ordinals, a strip at a
time, and its parent reads and verifies them; so it holds no credentials and can ask for tiles of one image only.

JPEG, PNG and PDF are streamed while tiles are still being decoded (`codecs.STREAMED`), unless they are rotated by other
than quarters. The encoders of the other formats hold the whole image, so `geometry.py` bounds their pixels. The child
renders at its own speed: what the client has not read yet waits in a `Spool`. A short image is returned whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from types import NoneType
from typing import Any, Final

from iiif_server.metrics import Metrics
from iiif_server.pyramid.grid import TileGrid
from iiif_server.render.assemble import ReadTiles
from iiif_server.render.child_tiles import read_of_grid
from iiif_server.render.spool import Spool, SpoolRoom
from iiif_server.request.geometry import RenderPlan, Source
from repository.errors import PyramidCorrupt, RenderingBusy, SandboxFailed, SystemFault
from repository.localized import LocalizedText
from repository.sandbox.functions import Quota, SandboxFunction
from repository.sandbox.pool import SandboxPool, SandboxSession

MEMORY: Final = 768 << 20
"""Bytes of private memory of a child: half as much again as the largest image that is held whole."""

WAITING: Final = 4
"""Requests of one process that may wait for the one being rendered."""

PLACES: Final = 1 + WAITING
"""Requests in the pool."""

PATIENCE_SECONDS: Final = 20.0
"""How long a request waits for its turn before it is refused."""

_WHOLE: Final = 256 << 10
"""Bytes up to which an image is returned whole."""

_NICENESS: Final = 10  # leaves it a tenth of a busy processor; at 19 it hardly makes progress
_FILE_BYTES: Final = 1 << 20  # it writes messages only
_RENDER: Final = SandboxFunction(
    "iiif_server.render.child", "render_in_child", NoneType, errors=(PyramidCorrupt,), request=list[int]
)

ReadTilesAsync = Callable[[Sequence[int]], Coroutine[Any, Any, Sequence[bytes | bytearray]]]
"""Returns the verified bytes of tiles, by their ordinals, in the order requested."""


class RenderingFailed(SystemFault):
    """An image was not finished: it took too long or too much memory, or its process ended."""

    code = "rendering.lost"
    text = LocalizedText("未能生成图像：{reason}", "The image was not finished: {reason}")


def blocking_reader(read: ReadTilesAsync, loop: asyncio.AbstractEventLoop) -> ReadTiles:
    """Return `read` as a function for a thread, which waits for the event loop's result."""

    def read_and_wait(ordinals: Sequence[int]) -> list[bytes]:
        return [bytes(tile) for tile in asyncio.run_coroutine_threadsafe(read(ordinals), loop).result()]

    return read_and_wait


class RenderPool:
    """Makes costly images for one serving process. Used from one event loop. The child starts with the first image.

    `waiting` and `running` are the numbers of requests in the pool.
    """

    def __init__(self, seconds: float, metrics: Metrics, memory: int = MEMORY) -> None:
        quota = Quota(seconds=seconds, memory=memory, niceness=_NICENESS, file_bytes=_FILE_BYTES)
        self._sandboxes = SandboxPool([_RENDER], 1, Path(gettempdir()), quota)
        self._threads = ThreadPoolExecutor(PLACES, "render-pool")
        self._turn = asyncio.Semaphore(1)
        self._metrics = metrics
        self._room = SpoolRoom()
        self.waiting = self.running = 0
        metrics.register_gauge("slow-running", lambda: float(self.running))
        metrics.register_gauge("slow-waiting", lambda: float(self.waiting))

    async def render(
        self, plan: RenderPlan, source: Source, grid: TileGrid, read_tiles: ReadTilesAsync, jpeg_quality: int
    ) -> bytes | RenderedStream:
        """Return the encoded image, or a stream when it is long, which must be read to its end or closed.

        Raises `RenderingBusy`, `RenderingFailed`, what `read_tiles` raises, and `PyramidCorrupt` for tiles that do not
        decode; reading the stream raises the same.
        """
        await self._enter()
        stream = RenderedStream(self._threads, partial(self._leave, monotonic()), self._room)
        reader = read_of_grid(blocking_reader(read_tiles, asyncio.get_running_loop()), grid)
        arguments = (plan, source, grid.sides, jpeg_quality)
        begin = partial(self._sandboxes.open_session, _RENDER, *arguments, respond=reader)
        async with AsyncExitStack() as on_failure:
            on_failure.push_async_callback(stream.close)
            await stream.begin(begin)
            rendered = await stream.whole_or_begun()
            on_failure.pop_all()
        return rendered

    def close(self) -> None:
        """End the child as soon as no image is being rendered.

        Blocks, so call it in a thread: a rendering that is being cancelled may need the event loop to read its tiles.
        """
        self._sandboxes.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _enter(self) -> None:
        """Take a place in the pool and wait for the turn."""
        if self.waiting + self.running >= PLACES:
            self._metrics.increment("slow-refused")
            raise RenderingBusy
        self.waiting += 1
        try:
            # Not wait_for: in Python 3.11 it loses what was acquired when it is cancelled.
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._turn.acquire()
        except TimeoutError as fault:
            self._metrics.increment("slow-refused")
            raise RenderingBusy from fault
        finally:
            self.waiting -= 1
        self.running += 1

    def _leave(self, began: float) -> None:
        self._metrics.increment("decode-seconds", monotonic() - began)
        self.running -= 1
        self._turn.release()


class RenderedStream:
    """An image that is being rendered, read part by part. `close` ends the child that makes it.

    The child renders on while the client reads, and leaves the pool when it has finished.
    """

    def __init__(self, threads: Executor, release: Callable[[], None], room: SpoolRoom) -> None:
        self._threads = threads
        self._release = release
        self._session: SandboxSession | None = None
        self._spool = Spool(room, threads)
        self._filling: asyncio.Task[None] | None = None
        self._step: asyncio.Future[Any] | None = None
        self._has_left = False

    async def begin(self, start: Callable[[], SandboxSession]) -> None:
        """Start the rendering."""
        self._session = await self._in_thread(start)

    async def whole_or_begun(self) -> bytes | RenderedStream:
        """Return the whole image when it is short; otherwise this stream, which renders on."""
        begun: list[bytes] = []
        while sum(map(len, begun)) < _WHOLE:
            part = await self._next()
            if part is None:
                return b"".join(begun)
            begun.append(part)
        await self._spool.put(b"".join(begun))  # as one part, which waits for no client: there is none yet
        self._filling = asyncio.create_task(self._fill())
        self._filling.add_done_callback(self._end)
        return self

    async def next_part(self) -> bytes | None:
        """Return the next part, None at the end. After an error the parts before it are not an image."""
        return await self._spool.take()

    async def length(self) -> int | None:
        """Wait for the whole image and return its bytes; None when there is no space to keep it."""
        return await self._spool.length()

    async def close(self) -> None:
        """End the rendering, and drop what was not read. May be called again."""
        if self._filling is not None and not self._filling.done():
            self._filling.cancel()
            await asyncio.wait({self._filling})
        await self._leave()
        self._spool.close()

    async def _fill(self) -> None:
        """Put the rest of the image into the spool."""
        while (part := await self._next()) is not None:
            await self._spool.put(part)

    def _end(self, filling: asyncio.Task[None]) -> None:
        """Pass on how the rendering ended."""
        cancelled = RenderingFailed(reason=LocalizedText("已取消", "it was cancelled"))
        self._spool.end(cancelled if filling.cancelled() else filling.exception())

    async def _leave(self) -> None:
        """End the child if it has not ended, and leave the pool."""
        if self._has_left:
            return
        self._has_left = True
        try:
            if self._step is not None and not self._step.done():
                if self._session is not None:
                    self._session.abort()
                await asyncio.wait({self._step})
            # The exception is looked at in any case: asyncio logs those that nobody has seen.
            has_failed = self._step is None or self._step.cancelled() or self._step.exception() is not None
            if self._session is None and self._step is not None and not has_failed:
                self._session = self._step.result()
            if self._session is not None:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._session.close)
        finally:
            self._release()

    async def _next(self) -> bytes | None:
        """Return the next part from the child, None at the end."""
        if self._has_left or self._session is None:
            return None
        async with AsyncExitStack() as at_end:
            at_end.push_async_callback(self._leave)
            part: bytes | None = await self._in_thread(partial(next, self._session, None))
            if part is not None:
                at_end.pop_all()
        return part

    async def _in_thread(self, action: Callable[[], Any]) -> Any:
        """Run a step of the session in a thread. A cancelled caller leaves the step to `close`."""
        self._step = asyncio.get_running_loop().run_in_executor(self._threads, action)
        with _as_rendering():
            return await asyncio.shield(self._step)


@contextmanager
def _as_rendering() -> Iterator[None]:
    """Raise the failure of a sandbox as a failure of rendering."""
    try:
        yield
    except SandboxFailed as failure:
        raise RenderingFailed(reason=failure.details["reason"]) from failure
