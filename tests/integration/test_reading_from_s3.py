"""`shanben serve` over a real S3 gateway: tiles come, and when it is away those at hand go on coming."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from ceph_server import CephServer
from ports import reserve_port
from server_process import ServerProcess, answers

from iiif_server.image.service import PREFIX
from iiif_server.pyramid.grid import TileGrid
from repository.config import Settings
from repository.repository import open_repository

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")


@pytest.fixture
def settings(s3_settings: Settings) -> Settings:
    return replace(s3_settings, tile_size=256, cache_bytes=64 << 20)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    names = ("data", "store", "s3_endpoint", "s3_access_key", "s3_secret_key", "tile_size", "cache_bytes")
    return {**os.environ, **{f"SHANBEN_{name.upper()}": str(getattr(settings, name)) for name in names}}


@pytest.fixture
def tiles(environment: dict[str, str], settings: Settings, deposit: Path) -> list[str]:
    """The paths of every tile of a book taken in."""
    subprocess.run([SHANBEN, "ingest", deposit], env=environment, check=True, capture_output=True)
    catalogue = open_repository(settings).catalogue
    work = catalogue.work(catalogue.works()[0].identifier)
    assert work
    grids = {image.identifier: TileGrid(image.width, image.height, 256) for image in work.images()}
    return [f"{PREFIX}{image}/{name}" for image, grid in grids.items() for name in grid.names()]


@pytest.fixture
def address(environment: dict[str, str], tiles: list[str], tmp_path: Path) -> Iterator[str]:
    """The web application, in two processes."""
    port = reserve_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(SHANBEN), "serve", "--port", str(port), "--workers", "2"]
    server = ServerProcess("shanben serve", command, tmp_path / "web.log", environment=environment)
    server.start(lambda: answers(f"{address}/health/ready"))
    yield address
    server.stop()


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


def test_a_gateway_that_goes_away_costs_only_what_is_not_at_hand(
    address: str, tiles: list[str], settings: Settings, ceph: CephServer
) -> None:
    at_hand, others = tiles[::2], tiles[1::2]
    with ThreadPoolExecutor(8) as pool:
        before = list(pool.map(lambda tile: get(address + tile), at_hand * 2))
        assert {status for status, _, _ in before} == {200}
        ceph.stop("rgw")
        try:
            refused = list(pool.map(lambda tile: get(address + tile), others))
            assert {(status, retry) for status, _, retry in refused} == {(503, "5")}
            began = time.monotonic()
            assert list(pool.map(lambda tile: get(address + tile), at_hand * 2)) == before
            assert time.monotonic() - began < 5
        finally:
            ceph.start("rgw")
            ceph.wait_until_ready()
        # Each process finds out for itself; until then, it refuses all but one request at a time.
        wait_until(lambda: {status for status, *_ in pool.map(lambda tile: get(address + tile), others)} == {200}, 60)
        shutil.rmtree(settings.cache)
        assert list(pool.map(lambda tile: get(address + tile), at_hand * 2)) == before
        wait_until(lambda: {get(address + tile)[0] for tile in others} == {200}, 30)
