"""`shanben serve` over a real S3 gateway: while the gateway is absent, cached tiles are still served."""

from __future__ import annotations

import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from ceph_server import CephServer
from command_line import ShanbenHere
from image_requests import PREFIX
from web_server import NO_LOCAL_WORKER, WebServer

from iiif_server.pyramid.grid import TileGrid
from repository.config import Settings
from repository.repository import open_repository

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(s3_settings: Settings) -> Settings:
    return replace(s3_settings, tile_size=256, cache_bytes=64 << 20)


@pytest.fixture
def shanben(settings: Settings, tmp_path: Path) -> ShanbenHere:
    names = ("data", "store", "s3_endpoint", "s3_access_key", "s3_secret_key", "tile_size", "cache_bytes")
    return ShanbenHere(tmp_path, **{name: getattr(settings, name) for name in names})


@pytest.fixture
def tiles(shanben: ShanbenHere, settings: Settings, deposit: Path) -> list[str]:
    """The paths of every tile of an ingested book."""
    assert shanben.run("ingest", deposit).code == 0
    catalogue = open_repository(settings).catalogue
    work = catalogue.work(catalogue.works()[0].identifier)
    assert work
    grids = {image.identifier: TileGrid(image.width, image.height, 256) for image in work.images()}
    return [f"{PREFIX}{image}/{name}" for image, grid in grids.items() for name in grid.names()]


@pytest.fixture
def address(shanben: ShanbenHere, tiles: list[str], tmp_path: Path) -> Iterator[str]:
    """The web application, in two processes."""
    with WebServer(tmp_path, shanben.environment | NO_LOCAL_WORKER) as server:
        yield server.address


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def get(url: str) -> tuple[int, bytes, str | None]:
    try:
        with urllib.request.urlopen(url, timeout=100) as answer:
            return answer.status, answer.read(), None
    except urllib.error.HTTPError as refusal:
        return refusal.code, b"", refusal.headers["Retry-After"]


def test_an_absent_gateway_makes_only_tiles_unavailable_that_are_not_cached(
    address: str, tiles: list[str], settings: Settings, ceph: CephServer
) -> None:
    cached, others = tiles[::2], tiles[1::2]
    with ThreadPoolExecutor(8) as pool:
        before = list(pool.map(lambda tile: get(address + tile), cached * 2))
        assert {status for status, _, _ in before} == {200}
        # A process writes tiles into the cache after it has sent them.
        wait_until(lambda: time.time() - (settings.cache / "tiles").stat().st_mtime > 1, 20)
        ceph.stop("rgw", signal.SIGKILL)
        try:
            refused = list(pool.map(lambda tile: get(address + tile), others))
            assert {(status, retry) for status, _, retry in refused} == {(503, "5")}
            began = time.monotonic()
            assert list(pool.map(lambda tile: get(address + tile), cached * 2)) == before
            assert time.monotonic() - began < 5
        finally:
            ceph.start("rgw")
            ceph.wait_until_ready()
        # Each process detects it independently; until then its circuit breaker lets one request at a time through.
        wait_until(lambda: {status for status, *_ in pool.map(lambda tile: get(address + tile), others)} == {200}, 60)
        shutil.rmtree(settings.cache)
        assert list(pool.map(lambda tile: get(address + tile), cached * 2)) == before
        wait_until(lambda: {get(address + tile)[0] for tile in others} == {200}, 30)
