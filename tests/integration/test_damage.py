"""Stored pictures are damaged under a running server: wrong bytes are never sent, and soon all is whole again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from image_requests import respond
from ports import reserve_port
from server_process import ServerProcess, answers

from iiif_server.image.responses import ImageCall
from iiif_server.image.service import PREFIX, ImageService
from iiif_server.pyramid.grid import TileGrid
from preservation.ocfl import objects
from repository.config import Settings
from repository.database.outbox import JobState
from repository.repository import open_repository
from workers.tasks.jobs import pyramid_job

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")
SOON = 30.0


class Library:
    """A small book that was taken in, and what serves it."""

    def __init__(self, folder: Path, deposit: Path, broker: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("SHANBEN_")}
        self.environment = {**own, "SHANBEN_DATA": str(folder / "var"), "SHANBEN_SWEEP_SECONDS": "1"}
        subprocess.run([SHANBEN, "ingest", deposit], env=self.environment, cwd=folder, check=True, capture_output=True)
        self.repository = open_repository(Settings(data=folder / "var"))
        self.store = folder / "var" / "store"
        self.work = self.repository.catalogue.works()[0].identifier
        work = self.repository.catalogue.work(self.work)
        assert work
        self.image = next(iter(work.images()))
        grid = TileGrid(self.image.width, self.image.height, 512)
        self.pyramid = self.store / self.repository.catalogue.pyramids(self.work)[self.image.identifier].key
        self.paths = [f"{PREFIX}{self.image.identifier}/{name}" for name in grid.names()]
        self.environment |= {"SHANBEN_BROKER": broker} if broker else {}
        self.port = reserve_port()
        self.address = f"http://127.0.0.1:{self.port}"
        command = [str(SHANBEN), "serve", "--port", str(self.port), "--workers", "2"]
        self.web = ServerProcess("serve", command, folder / "web.log", environment=self.environment)
        self.worker = ServerProcess("worker", [SHANBEN, "worker"], folder / "worker.log", environment=self.environment)
        self.tiles: dict[str, bytes] = {}

    def start(self, stack: ExitStack) -> None:
        for process in (self.web, self.worker):
            stack.callback(process.kill)
        if "SHANBEN_BROKER" in self.environment:
            self.worker.start(lambda: True)
        self.web.start(lambda: answers(f"{self.address}/health/ready"))
        self.tiles = {path: self.get(path)[1] for path in self.paths}

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read()

    def get_right(self, path: str) -> bool:
        """Whether a tile is sent: its own bytes then. If not, a problem document must say so."""
        status, body = self.get(path)
        if status == 200:
            assert body == self.tiles[path]
            return True
        assert status in {500, 503}
        problem = json.loads(body)
        assert problem["status"] == status
        assert len(problem["request"]) >= 8
        return False

    def are_all_right(self) -> bool:
        """Every tile is asked for so often that each web process is."""
        wrong = [path for path in self.paths for _ in range(4) if not self.get_right(path)]
        return not wrong

    def damage_tile(self) -> None:
        """Flip a bit in the middle of the largest tile, where it lies."""
        tile = max(self.tiles.values(), key=len)
        flip(self.pyramid, self.pyramid.read_bytes().index(tile) + len(tile) // 2)

    def job(self) -> Any:
        return self.repository.jobs.get(pyramid_job(self.image.identifier, self.work).key)

    def ask(self, *arguments: str) -> Any:
        command = [SHANBEN, *arguments, "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["by the local worker", "by a worker"])
def library(request: pytest.FixtureRequest, tmp_path: Path, deposit: Path, stack: ExitStack) -> Library:
    """With a broker and a worker, or with neither: then the local worker repairs."""
    broker = request.getfixturevalue("redis").url if request.param == "by a worker" else ""
    library = Library(tmp_path, deposit, broker)
    library.start(stack)
    return library


@pytest.fixture
def small_library(tmp_path: Path, deposit: Path, stack: ExitStack) -> Library:
    library = Library(tmp_path, deposit, "")
    library.start(stack)
    return library


def flip(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 1]))


def wait_until(holds: Callable[[], bool], server: ServerProcess) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline, server.end_of_log()
        time.sleep(0.1)


def test_a_damaged_tile_is_never_sent_and_soon_it_is_whole_again(library: Library) -> None:
    before = library.pyramid.read_bytes()
    library.damage_tile()
    assert not library.are_all_right()
    wait_until(library.are_all_right, library.web)
    assert library.pyramid.stat().st_size == len(before)
    job = library.job()
    assert job.state is JobState.DONE
    assert "remade" in job.result  # not, if the other process told of it when it had been mended
    mended = library.pyramid.read_bytes()
    assert all(tile in mended for tile in library.tiles.values())
    status, figures = library.get("/metrics")
    assert status == 200
    found = next(line for line in figures.decode().splitlines() if line.startswith("shanben_pyramids_damaged_total "))
    assert float(found.rpartition(" ")[2]) >= 1


def test_a_pyramid_that_is_gone_comes_back(library: Library) -> None:
    library.pyramid.unlink()
    wait_until(lambda: library.are_all_right() and library.pyramid.exists(), library.web)


def test_a_damaged_directory_too(small_library: Library) -> None:
    flip(small_library.pyramid, small_library.pyramid.stat().st_size - 60)
    small_library.web.stop()  # what is in memory is right
    small_library.web.start(lambda: answers(f"{small_library.address}/health/ready"))
    wait_until(small_library.are_all_right, small_library.web)


def test_a_large_picture_never_holds_a_damaged_tile(small_library: Library) -> None:
    whole = f"{PREFIX}{small_library.image.identifier}/full/max/0/default.png"
    # Not asked of the server, which would keep the tiles that it has decoded.
    right = respond(ImageService(small_library.repository), ImageCall(whole, "")).body
    small_library.damage_tile()
    statuses = set()

    def is_right() -> bool:
        status, body = small_library.get(whole)
        statuses.add(status)
        assert status in {500, 503} or body == right
        return status == 200

    wait_until(is_right, small_library.web)
    assert statuses > {200}


def test_a_damaged_master_is_told_and_nothing_is_made_of_it(small_library: Library) -> None:
    library = small_library
    inventory = objects.read_inventory(library.repository.store, library.work)
    assert inventory is not None
    master = library.store / objects.file_key(inventory, library.work, library.image.master.path)
    library.damage_tile()
    flip(master, 5000)
    assert not library.are_all_right()
    wait_until(lambda: library.job() is not None and library.job().state is JobState.FAILED, library.web)
    assert not library.are_all_right()
    (failed,) = library.ask("status")["failed"]
    assert failed["kind"] == "pyramid"
    assert "master" in failed["reason"] or "原图" in failed["reason"]
    for _ in range(20):
        library.get_right(max(library.tiles, key=lambda path: len(library.tiles[path])))
    assert library.job().state is JobState.FAILED  # requests alone do not have it tried again
    flip(master, 5000)
    library.ask("retry")
    wait_until(library.are_all_right, library.web)
