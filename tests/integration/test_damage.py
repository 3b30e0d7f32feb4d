"""Stored pyramids are damaged while a server runs: wrong bytes are never sent, and repairs follow soon."""

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
from image_requests import PREFIX, respond
from ports import reserve_port
from server_process import ServerProcess, answers

from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from iiif_server.pyramid.grid import TileGrid
from preservation.ocfl import objects
from repository.config import Settings
from repository.database.outbox import JobState
from repository.repository import open_repository
from workers.tasks.jobs import pyramid_job

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")
REPAIR_SECONDS = 30.0


class Instance:
    """A small ingested book, and the processes that serve it."""

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

    def gets_whole_tile(self, path: str) -> bool:
        """Whether a tile is sent, whose bytes must be right; if not, a problem document must say so."""
        status, body = self.get(path)
        if status == 200:
            assert body == self.tiles[path]
            return True
        assert status in {500, 503}
        problem = json.loads(body)
        assert problem["status"] == status
        assert len(problem["request"]) >= 8
        return False

    def serves_all_tiles(self) -> bool:
        """Whether every tile is sent, requested so often that each web process is asked for it."""
        missing = [path for path in self.paths for _ in range(4) if not self.gets_whole_tile(path)]
        return not missing

    def damage_tile(self) -> None:
        """Flip a bit in the middle of the largest tile of the stored pyramid."""
        tile = max(self.tiles.values(), key=len)
        flip_bit(self.pyramid, self.pyramid.read_bytes().index(tile) + len(tile) // 2)

    def job(self) -> Any:
        return self.repository.jobs.get(pyramid_job(self.image.identifier, self.work).key)

    def run(self, *arguments: str) -> Any:
        command = [SHANBEN, *arguments, "--json"]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(ended.stdout)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["by the local worker", "by a worker"])
def instance(request: pytest.FixtureRequest, tmp_path: Path, deposit: Path, stack: ExitStack) -> Instance:
    """With a broker and a worker, or with neither: then the local worker repairs."""
    broker = request.getfixturevalue("redis").url if request.param == "by a worker" else ""
    instance = Instance(tmp_path, deposit, broker)
    instance.start(stack)
    return instance


@pytest.fixture
def single_machine(tmp_path: Path, deposit: Path, stack: ExitStack) -> Instance:
    instance = Instance(tmp_path, deposit, "")
    instance.start(stack)
    return instance


def flip_bit(file: Path, offset: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        byte = opened.read(1)[0]
        opened.seek(offset)
        opened.write(bytes([byte ^ 1]))


def wait_until(condition: Callable[[], bool], server: ServerProcess) -> None:
    deadline = time.monotonic() + REPAIR_SECONDS
    while not condition():
        assert time.monotonic() < deadline, server.end_of_log()
        time.sleep(0.1)


def test_a_damaged_tile_is_never_sent_and_its_pyramid_is_repaired(instance: Instance) -> None:
    before = instance.pyramid.read_bytes()
    instance.damage_tile()
    assert not instance.serves_all_tiles()
    wait_until(instance.serves_all_tiles, instance.web)
    assert instance.pyramid.stat().st_size == len(before)
    job = instance.job()
    assert job.state is JobState.DONE
    assert "remade" in job.result  # false, if the other process reported it again after the repair
    repaired = instance.pyramid.read_bytes()
    assert all(tile in repaired for tile in instance.tiles.values())
    status, metrics = instance.get("/metrics")
    assert status == 200
    damaged = next(line for line in metrics.decode().splitlines() if line.startswith("shanben_pyramids_damaged_total "))
    assert float(damaged.rpartition(" ")[2]) >= 1


def test_a_deleted_pyramid_is_made_again(instance: Instance) -> None:
    instance.pyramid.unlink()
    wait_until(lambda: instance.serves_all_tiles() and instance.pyramid.exists(), instance.web)


def test_a_pyramid_with_a_damaged_directory_is_repaired(single_machine: Instance) -> None:
    flip_bit(single_machine.pyramid, single_machine.pyramid.stat().st_size - 60)
    single_machine.web.stop()  # the directory in its memory is right
    single_machine.web.start(lambda: answers(f"{single_machine.address}/health/ready"))
    wait_until(single_machine.serves_all_tiles, single_machine.web)


def test_a_rendered_picture_never_contains_a_damaged_tile(single_machine: Instance) -> None:
    whole = f"{PREFIX}{single_machine.image.identifier}/full/max/0/default.png"
    # Not rendered by the server, which would cache the decoded tiles.
    expected = respond(ImageService(single_machine.repository), ImageCall(whole, "")).body
    single_machine.damage_tile()
    statuses = set()

    def is_rendered() -> bool:
        status, body = single_machine.get(whole)
        statuses.add(status)
        assert status in {500, 503} or body == expected
        return status == 200

    wait_until(is_rendered, single_machine.web)
    assert statuses > {200}


def test_a_damaged_master_fails_the_repair_until_it_is_replaced(single_machine: Instance) -> None:
    instance = single_machine
    inventory = objects.read_inventory(instance.repository.store, instance.work)
    assert inventory is not None
    master = instance.store / objects.file_key(inventory, instance.work, instance.image.master.path)
    instance.damage_tile()
    flip_bit(master, 5000)
    assert not instance.serves_all_tiles()
    wait_until(lambda: instance.job() is not None and instance.job().state is JobState.FAILED, instance.web)
    assert not instance.serves_all_tiles()
    # A sweep that reads the master meanwhile finds the damage too, and the repair it asks for fails as well.
    (failed,) = [job for job in instance.run("status")["failed"] if job["kind"] == "pyramid"]
    assert "master" in failed["reason"] or "原图" in failed["reason"]
    for _ in range(20):
        instance.gets_whole_tile(max(instance.tiles, key=lambda path: len(instance.tiles[path])))
    assert instance.job().state is JobState.FAILED  # further reports do not queue the repair again
    flip_bit(master, 5000)
    instance.run("retry")
    wait_until(instance.serves_all_tiles, instance.web)
