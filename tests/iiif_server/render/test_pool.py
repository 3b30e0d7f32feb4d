"""The lane of slow pictures: real children, over the tiles of a real pyramid."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pyvips

from iiif_server.metrics import Observations
from iiif_server.pyramid.file import read_directory, write_pyramid
from iiif_server.pyramid.grid import TileGrid
from iiif_server.render import pipeline
from iiif_server.render.pool import WAITING, RenderedStream, RenderingFailed, RenderPool
from iiif_server.request.cost import is_slow
from iiif_server.request.geometry import ImageLimits, RenderPlan, Source, choose_source, plan
from iiif_server.request.grammar import ApiVersion, parse
from repository.errors import PyramidCorrupt, RenderingBusy, ShanbenError, StoreFault

GRID = TileGrid(3000, 2400, 256)
LIMITS = ImageLimits(64_000_000, None)

Tiles = Callable[[Sequence[int]], list[bytes]]


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
def observations() -> Observations:
    return Observations()


@pytest.fixture
def pool(observations: Observations) -> Iterator[RenderPool]:
    pool = RenderPool(20, observations)
    yield pool
    pool.close()


def job(request: str) -> tuple[RenderPlan, Source, TileGrid]:
    task = plan(parse(request, ApiVersion.THREE), GRID, LIMITS)
    return task, choose_source(task, GRID, LIMITS), GRID


def child() -> int:
    """The process id of the pool's child."""
    found = [
        int(pid)
        for thread in Path("/proc/self/task").iterdir()
        for pid in (thread / "children").read_text().split()
        if b"repository.sandbox" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(found) == 1
    return found[0]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("request_", ["full/max/0/default.jpg", "full/max/0/gray.png", "full/500,/90/default.jpg"])
def test_a_picture_is_the_one_that_is_made_in_the_process(pool: RenderPool, tiles: Tiles, request_: str) -> None:
    made = pool.render(*job(request_), tiles, 80)
    parts = [made] if isinstance(made, bytes) else list(made)
    assert b"".join(parts) == pipeline.render(*job(request_), tiles, 80)
    assert (pool.running, pool.waiting) == (0, 0)


def test_a_long_one_begins_before_it_is_finished(pool: RenderPool, tiles: Tiles) -> None:
    made = pool.render(*job("full/max/0/default.png"), tiles, 80)
    assert isinstance(made, RenderedStream)
    assert pool.running == 1
    assert next(made).startswith(b"\x89PNG")
    made.close()
    assert pool.running == 0


def test_one_is_made_at_a_time_some_wait_and_the_next_is_refused(
    pool: RenderPool, observations: Observations, tiles: Tiles
) -> None:
    first = pool.render(*job("full/max/0/default.png"), tiles, 80)
    assert isinstance(first, RenderedStream)
    with ThreadPoolExecutor(WAITING) as threads:
        others = [threads.submit(pool.render, *job("full/300,/0/gray.jpg"), tiles, 80) for _ in range(WAITING)]
        wait_until(lambda: pool.waiting == WAITING)
        assert observations.snapshot().gauges == {"slow-running": 1, "slow-waiting": WAITING}
        with pytest.raises(RenderingBusy):
            pool.render(*job("full/300,/0/gray.jpg"), tiles, 80)
        assert observations.snapshot().count("slow-refused") == 1
        first.close()
        assert {type(other.result(20)) for other in others} == {bytes}
    assert (pool.running, pool.waiting) == (0, 0)


def test_a_child_that_is_killed_fails_its_picture_alone(pool: RenderPool, tiles: Tiles) -> None:
    made = pool.render(*job("full/max/0/default.png"), tiles, 80)
    os.kill(child(), signal.SIGKILL)
    with pytest.raises(RenderingFailed, match="SIGKILL"):
        b"".join(made)
    assert pool.running == 0
    assert isinstance(pool.render(*job("full/300,/0/gray.jpg"), tiles, 80), bytes)


def test_what_takes_too_long_is_given_up(tiles: Tiles, observations: Observations) -> None:
    pool = RenderPool(0.2, observations)

    def dawdle(ordinals: Sequence[int]) -> list[bytes]:
        time.sleep(0.3)
        return tiles(ordinals)

    with pytest.raises(RenderingFailed, match=r"0\.2 s"):
        pool.render(*job("full/max/0/default.jpg"), dawdle, 80)
    pool.close()


def test_what_takes_too_much_memory_is_given_up(tiles: Tiles, observations: Observations) -> None:
    pool = RenderPool(20, observations, memory=64 << 20)
    with pytest.raises((RenderingFailed, PyramidCorrupt)):
        pool.render(*job("full/max/0/default.webp"), tiles, 80)
    pool.close()


@pytest.mark.parametrize("error", [StoreFault(key="k", reason="away"), PyramidCorrupt(key="k", reason="CRC-32")])
def test_tiles_that_cannot_be_read_are_told_as_what_they_are(pool: RenderPool, error: ShanbenError) -> None:
    def fail(_: Sequence[int]) -> list[bytes]:
        raise error

    with pytest.raises(type(error)):
        pool.render(*job("full/max/0/default.jpg"), fail, 80)
    assert pool.running == 0


def test_tiles_that_do_not_decode_are_a_damaged_pyramid(pool: RenderPool, tiles: Tiles) -> None:
    with pytest.raises(PyramidCorrupt):
        b"".join(pool.render(*job("full/max/0/default.jpg"), lambda ordinals: [b"no JPEG"] * len(ordinals), 80))


def test_what_was_forgotten_gives_its_place_back(pool: RenderPool, tiles: Tiles) -> None:
    made = pool.render(*job("full/max/0/default.png"), tiles, 80)
    del made
    assert pool.running == 0


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
def test_what_costs_much_is_slow(request_: str, slow: bool) -> None:
    task, source, _ = job(request_)
    assert is_slow(task, source) is slow
