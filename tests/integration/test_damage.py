"""Stored pyramids are damaged while a server runs: wrong bytes are never sent, and repairs follow soon."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import SHANBEN, ShanbenHere
from deposits import write_deposit
from image_requests import PREFIX, respond
from server_process import ServerProcess
from servers import RedisServer
from web_server import WebServer

from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from iiif_server.pyramid.grid import TileGrid
from preservation.ocfl import objects
from repository.config import Settings
from repository.database.outbox import JobState
from repository.repository import open_repository
from workers.tasks.jobs import pyramid_job

pytestmark = pytest.mark.integration

REPAIR_SECONDS = 30.0


WORKS = 5


class Site:
    """A library of small works, the server that it has, and a worker if there is a broker."""

    def __init__(self, template: Path, folder: Path, broker: str = "") -> None:
        shutil.copytree(template, folder / "var")
        settings = {"broker": broker} if broker else {}
        self.shanben = ShanbenHere(folder, sweep_seconds=1, similar_pages=0, **settings)
        self.web = WebServer(folder, self.shanben.environment)
        command = [SHANBEN, "worker"]
        self.worker = ServerProcess("worker", command, folder / "worker.log", environment=self.shanben.environment)
        self.works = iter(open_repository(Settings(data=folder / "var")).catalogue.works())

    @contextmanager
    def running(self, *, worker: bool) -> Iterator[Site]:
        """Run the server, and a worker if wanted."""
        try:
            if worker:
                self.worker.start(lambda: True)
            with self.web:
                yield self
        finally:
            self.worker.kill()


class Instance:
    """A work of one page that no other test uses, and the site that serves it."""

    def __init__(self, site: Site) -> None:
        self.site, self.web, self.address = site, site.web.process, site.web.address
        data = site.shanben.folder / "var"
        self.repository = open_repository(Settings(data=data))
        self.store = data / "store"
        self.work = next(site.works).identifier
        work = self.repository.catalogue.work(self.work)
        assert work
        self.image = next(iter(work.images()))
        grid = TileGrid(self.image.width, self.image.height, 512)
        self.pyramid = self.store / self.repository.catalogue.pyramids(self.work)[self.image.identifier].key
        with zipfile.ZipFile(self.pyramid) as stored:
            self.tiles = {f"{PREFIX}{self.image.identifier}/{name}": stored.read(name) for name in grid.names()}
        self.paths = list(self.tiles)

    def read_once(self) -> None:
        """Have each web process read the directory of the pyramid and every tile."""
        assert self.serves_all_tiles()

    def damages(self) -> float:
        """Return how often the site has found damage in a pyramid."""
        status, metrics = self.get("/metrics")
        assert status == 200
        lines = (line for line in metrics.decode().splitlines() if line.startswith("shanben_pyramids_damaged_total "))
        return sum(float(line.rpartition(" ")[2]) for line in lines)

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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a work for each test."""
    folder = tmp_path_factory.mktemp("template")
    deposits = [write_deposit(folder / f"deposit-{number}", 1, seed=number) for number in range(WORKS)]
    done = ShanbenHere(folder, similar_pages=0).run("ingest", *deposits)
    assert done.code == 0, done.errors
    return folder / "var"


@pytest.fixture(scope="module")
def site(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose local worker repairs."""
    with Site(template, tmp_path_factory.mktemp("site")).running(worker=False) as site:
        yield site


@pytest.fixture(scope="module")
def site_with_worker(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a broker and a worker, which repairs."""
    folder = tmp_path_factory.mktemp("site")
    with RedisServer(folder / "redis") as redis, Site(template, folder, redis.url).running(worker=True) as site:
        yield site


@pytest.fixture(params=["by the local worker", "by a worker"])
def instance(request: pytest.FixtureRequest) -> Instance:
    """A work that a worker of either kind repairs, and that each web process has read."""
    instance = Instance(request.getfixturevalue("site_with_worker" if request.param == "by a worker" else "site"))
    instance.read_once()
    return instance


@pytest.fixture
def single_machine(site: Site) -> Instance:
    """A work that the local worker repairs."""
    return Instance(site)


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
    before, damages = instance.pyramid.read_bytes(), instance.damages()
    instance.damage_tile()
    assert not instance.serves_all_tiles()
    wait_until(instance.serves_all_tiles, instance.web)
    assert instance.pyramid.stat().st_size == len(before)
    wait_until(lambda: instance.job().state is JobState.DONE, instance.web)  # a late report runs the job again
    assert "remade" in instance.job().result  # false, if the other process reported it again after the repair
    repaired = instance.pyramid.read_bytes()
    assert all(tile in repaired for tile in instance.tiles.values())
    assert instance.damages() > damages


def test_a_deleted_pyramid_is_made_again(instance: Instance) -> None:
    instance.pyramid.unlink()
    wait_until(lambda: instance.serves_all_tiles() and instance.pyramid.exists(), instance.web)


def test_a_pyramid_with_a_damaged_directory_is_repaired(single_machine: Instance) -> None:
    flip_bit(single_machine.pyramid, single_machine.pyramid.stat().st_size - 60)  # no web process has read it before
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
    instance.read_once()
    inventory = objects.read_inventory(instance.repository.store, instance.work)
    assert inventory is not None
    master = instance.store / objects.file_key(inventory, instance.work, instance.image.master.path)
    instance.damage_tile()
    flip_bit(master, 5000)
    assert not instance.serves_all_tiles()
    wait_until(lambda: instance.job() is not None and instance.job().state is JobState.FAILED, instance.web)
    assert not instance.serves_all_tiles()
    # A sweep that reads the master meanwhile finds the damage too, and the repair it asks for fails as well.
    (failed,) = [job for job in instance.site.shanben.run_json("status").document["failed"] if job["kind"] == "pyramid"]
    assert "master" in failed["reason"] or "原图" in failed["reason"]
    for _ in range(20):
        instance.gets_whole_tile(max(instance.tiles, key=lambda path: len(instance.tiles[path])))
    assert instance.job().state is JobState.FAILED  # further reports do not queue the repair again
    flip_bit(master, 5000)
    assert instance.site.shanben.run("retry").code == 0
    wait_until(instance.serves_all_tiles, instance.web)
