"""The render pool: real sandboxed processes over the tiles of a real pyramid."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import pyvips

from iiif_server.image.asgi import _stream_with_length
from iiif_server.image.responses import ImageResponse
from iiif_server.metrics import Event, GaugeName, NoMetrics
from iiif_server.pyramid.file import read_directory, write_pyramid
from iiif_server.pyramid.grid import TileGrid
from iiif_server.render import pipeline, spool
from iiif_server.render.pool import WAITING, ReadTilesAsync, RenderedStream, RenderingFailed, RenderPool
from iiif_server.request.cost import is_slow
from iiif_server.request.geometry import RenderPlan, Source, choose_source, plan
from iiif_server.request.grammar import ApiVersion, parse
from iiif_server.request.limits import ImageLimits
from repository.errors import PyramidCorrupt, RenderingBusy, ShanbenError, StoreFault

pytestmark = pytest.mark.slow

GRID = TileGrid(3000, 2400, 256)
LIMITS = ImageLimits(64_000_000, None)

Tiles = Callable[[Sequence[int]], list[bytes]]


class RecordedMetrics(NoMetrics):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.gauges: dict[str, Callable[[], float]] = {}

    def increment(self, event: Event, amount: float = 1) -> None:
        self.events[event] += 1

    def register_gauge(self, name: GaugeName, read: Callable[[], float]) -> None:
        self.gauges[name] = read


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Tiles:
    """The tiles of a noisy picture, so that its JPEG is of several parts."""
    file = tmp_path_factory.mktemp("pyramid") / "pyramid.zip"
    noise = pyvips.Image.gaussnoise(GRID.width, GRID.height, mean=128, sigma=60, seed=1).cast("uchar")
    write_pyramid(noise.bandjoin([noise.rot180(), noise.fliphor()]).copy(interpretation="srgb"), file, 256, 90)
    pyramid = file.read_bytes()

    def read(start: int, length: int) -> bytes:
        return pyramid[start : start + length] if start >= 0 else pyramid[start:]

    places = [read_directory(read, "test").locate(ordinal) for ordinal in range(GRID.count)]
    return lambda ordinals: [pyramid[places[n][0] :][: places[n][1]] for n in ordinals]


@pytest.fixture
def metrics() -> RecordedMetrics:
    return RecordedMetrics()


@pytest.fixture
def pool(metrics: RecordedMetrics) -> Iterator[RenderPool]:
    pool = RenderPool(20, metrics)
    yield pool
    pool.close()


def asynchronous(tiles: Tiles) -> ReadTilesAsync:
    async def read(ordinals: Sequence[int]) -> list[bytes]:
        return tiles(ordinals)

    return read


async def whole(rendered: bytes | RenderedStream) -> bytes:
    """Return an image, of which a stream is read to its end."""
    if isinstance(rendered, bytes):
        return rendered
    parts = []
    while (part := await rendered.next_part()) is not None:
        parts.append(part)
    return b"".join(parts)


def job(request: str) -> tuple[RenderPlan, Source, TileGrid]:
    task = plan(parse(request, ApiVersion.THREE), GRID, LIMITS)
    return task, choose_source(task, GRID, LIMITS), GRID


def sandboxes() -> set[int]:
    """The process ids of the sandboxes of this test process; other fixtures may have some."""
    return {
        int(pid)
        for thread in Path("/proc/self/task").iterdir()
        for pid in (thread / "children").read_text().split()
        if b"repository.sandbox" in command_of(int(pid))
    }


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.parametrize("request_", ["full/max/0/default.jpg", "full/max/0/gray.png", "full/500,/90/default.jpg"])
def test_an_image_of_the_pool_equals_one_rendered_in_the_process(pool: RenderPool, tiles: Tiles, request_: str) -> None:
    async def scenario() -> bytes:
        return await whole(await pool.render(*job(request_), asynchronous(tiles), 80))

    assert asyncio.run(scenario()) == pipeline.render(*job(request_), tiles, 80)
    assert (pool.running, pool.waiting) == (0, 0)


def test_a_long_image_is_streamed_before_it_is_finished(pool: RenderPool, tiles: Tiles) -> None:
    async def scenario() -> None:
        stream = await pool.render(*job("full/max/0/default.png"), asynchronous(tiles), 80)
        assert isinstance(stream, RenderedStream)
        assert pool.running == 1
        first = await stream.next_part()
        assert first is not None
        assert first.startswith(b"\x89PNG")
        await stream.close()
        assert pool.running == 0
        await stream.close()

    asyncio.run(scenario())


def test_a_client_that_leaves_during_a_rendering_leaves_nothing_in_the_log(
    pool: RenderPool, tiles: Tiles, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async def read_slowly(ordinals: Sequence[int]) -> list[bytes]:
            await asyncio.sleep(0.05)
            return tiles(ordinals)

        for _ in range(3):
            stream = await pool.render(*job("full/max/0/default.png"), read_slowly, 80)
            assert isinstance(stream, RenderedStream)
            while stream._step is None or stream._step.done():
                await asyncio.sleep(0)
            await stream.close()
            del stream
            gc.collect()

    asyncio.run(scenario())
    assert "never retrieved" not in caplog.text


@pytest.mark.slow
def test_a_client_that_reads_nothing_does_not_hold_the_pool(pool: RenderPool, tiles: Tiles) -> None:
    async def scenario() -> None:
        read = asynchronous(tiles)
        unread = [await pool.render(*job("full/max/0/default.png"), read, 80) for _ in range(WAITING + 3)]
        assert pool.waiting == 0
        whole_image = pipeline.render(*job("full/max/0/default.png"), tiles, 80)
        for stream in unread:
            assert isinstance(stream, RenderedStream)
            assert await stream.length() == len(whole_image)
            assert await whole(stream) == whole_image
            await stream.close()
        assert pool.running == 0

    asyncio.run(scenario())


def test_a_long_image_begins_without_space_to_keep_it(
    pool: RenderPool, tiles: Tiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MEMORY", 1000)
    pool._room = spool.SpoolRoom(0)

    async def scenario() -> bytes:
        async with asyncio.timeout(60):
            return await whole(await pool.render(*job("full/max/0/default.png"), asynchronous(tiles), 80))

    assert asyncio.run(scenario()) == pipeline.render(*job("full/max/0/default.png"), tiles, 80)


def test_an_image_for_an_http_1_0_client_is_dropped_after_any_fault(pool: RenderPool, tiles: Tiles) -> None:
    async def scenario() -> None:
        broken = False

        async def read(ordinals: Sequence[int]) -> list[bytes]:
            if broken:
                raise ZeroDivisionError
            await asyncio.sleep(0.05)
            return tiles(ordinals)

        async def send(message: object) -> None:
            raise AssertionError(message)

        stream = await pool.render(*job("full/max/0/default.png"), read, 80)
        assert isinstance(stream, RenderedStream)
        broken = True
        with pytest.raises(ZeroDivisionError):
            await _stream_with_length(ImageResponse(200, ()), stream, asyncio.Event().wait, send)
        with pytest.raises(ZeroDivisionError):  # not the parts before it
            await stream.next_part()

    asyncio.run(scenario())


def test_the_pool_renders_one_image_lets_some_wait_and_refuses_the_next(
    pool: RenderPool, metrics: RecordedMetrics, tiles: Tiles
) -> None:
    async def scenario() -> None:
        read = asynchronous(tiles)
        first = await pool.render(*job("full/max/0/default.png"), read, 80)
        assert isinstance(first, RenderedStream)
        others = [asyncio.create_task(pool.render(*job("full/300,/0/gray.jpg"), read, 80)) for _ in range(WAITING)]
        while pool.waiting < WAITING:
            await asyncio.sleep(0.01)
        assert {name: value() for name, value in metrics.gauges.items()} == {
            "slow-running": 1,
            "slow-waiting": WAITING,
        }
        with pytest.raises(RenderingBusy):
            await pool.render(*job("full/300,/0/gray.jpg"), read, 80)
        assert metrics.events["slow-refused"] == 1
        await first.close()
        assert {type(other) for other in await asyncio.gather(*others)} == {bytes}

    asyncio.run(scenario())
    assert (pool.running, pool.waiting) == (0, 0)


def test_a_killed_process_fails_its_image_only(pool: RenderPool, tiles: Tiles) -> None:
    async def scenario() -> None:
        others = sandboxes()
        stream = await pool.render(*job("full/max/0/default.png"), asynchronous(tiles), 80)
        (child,) = sandboxes() - others
        os.kill(child, signal.SIGKILL)
        with pytest.raises(RenderingFailed, match="SIGKILL"):
            await whole(stream)
        assert pool.running == 0
        assert isinstance(await pool.render(*job("full/300,/0/gray.jpg"), asynchronous(tiles), 80), bytes)

    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3])
def test_a_cancelled_request_ends_the_rendering_and_frees_its_place(
    pool: RenderPool, tiles: Tiles, seconds: float
) -> None:
    async def scenario() -> None:
        async def read_slowly(ordinals: Sequence[int]) -> list[bytes]:
            await asyncio.sleep(0.5)
            return tiles(ordinals)

        task = asyncio.create_task(pool.render(*job("full/max/0/default.png"), read_slowly, 80))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait({task})
        assert (pool.running, pool.waiting) == (0, 0)
        assert isinstance(await pool.render(*job("full/300,/0/gray.jpg"), asynchronous(tiles), 80), bytes)

    asyncio.run(scenario())


def test_a_rendering_that_takes_too_long_fails(tiles: Tiles, metrics: RecordedMetrics) -> None:
    async def scenario() -> None:
        pool = RenderPool(0.2, metrics)

        async def read_slowly(ordinals: Sequence[int]) -> list[bytes]:
            await asyncio.sleep(0.3)
            return tiles(ordinals)

        with pytest.raises(RenderingFailed, match=r"0\.2 s"):
            await pool.render(*job("full/max/0/default.jpg"), read_slowly, 80)
        pool.close()

    asyncio.run(scenario())


def test_a_rendering_that_takes_too_much_memory_fails(tiles: Tiles, metrics: RecordedMetrics) -> None:
    async def scenario() -> None:
        pool = RenderPool(20, metrics, memory=96 << 20)
        with pytest.raises((RenderingFailed, PyramidCorrupt)):
            await pool.render(*job("full/max/0/default.webp"), asynchronous(tiles), 80)
        pool.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [StoreFault(key="k", reason="away"), PyramidCorrupt(key="k", reason="CRC-32")])
def test_an_error_of_reading_tiles_is_raised(pool: RenderPool, error: ShanbenError) -> None:
    async def fail(_: Sequence[int]) -> list[bytes]:
        raise error

    with pytest.raises(type(error)):
        asyncio.run(pool.render(*job("full/max/0/default.jpg"), fail, 80))
    assert pool.running == 0


def test_tiles_that_do_not_decode_are_a_damaged_pyramid(pool: RenderPool) -> None:
    async def scenario() -> None:
        read = asynchronous(lambda ordinals: [b"no JPEG"] * len(ordinals))
        with pytest.raises(PyramidCorrupt):
            await whole(await pool.render(*job("full/max/0/default.jpg"), read, 80))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "slow"),
    [
        ("full/max/0/default.jpg", True),
        ("full/800,/0/default.jpg", False),
        ("full/max/0/default.png", True),
        ("0,0,1000,1000/max/0/default.png", False),
        ("0,0,1000,1000/max/45/default.png", True),
        ("0,0,1000,1000/max/0/default.gif", True),
        ("0,0,300,300/max/0/default.gif", False),
    ],
)
def test_a_costly_request_is_rendered_by_the_pool(request_: str, slow: bool) -> None:
    task, source, _ = job(request_)
    assert is_slow(task, source) is slow
