"""What the image service answers without waiting, it answers as it does after waiting; what it cannot, it declines."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import pyvips
from published_picture import publish_picture

from iiif_server.image.cached_image import TRUSTED_SECONDS
from iiif_server.image.capabilities import probe
from iiif_server.image.responses import ImageCall
from iiif_server.image.service import PREFIX, ImageService
from iiif_server.metrics import Observations
from iiif_server.pyramid.grid import TileGrid
from iiif_server.whole_answer import Whole, head_lines
from repository.config import Settings
from repository.repository import Repository, open_repository
from repository.storage.folder import FolderStore

WIDTH, HEIGHT, SIDE = 1300, 900, 256
BASE = "https://books.example"

what_works = cache(probe)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class House:
    """A service over one held picture in a folder."""

    def __init__(self, folder: Path) -> None:
        noise = pyvips.Image.gaussnoise(WIDTH, HEIGHT, mean=128, sigma=20, seed=1).cast("uchar")
        picture = noise.bandjoin([noise, noise]).copy(interpretation="srgb")
        self.image = publish_picture(folder / "var", picture, SIDE)
        self.repository: Repository = open_repository(Settings(data=folder / "var"))
        self.clock = Clock()
        self.observations = Observations()
        self.service = ImageService(self.repository, self.clock, what_works(), self.observations)

    def call(self, rest: str, **details: str) -> ImageCall:
        return ImageCall(f"{PREFIX}{self.image}/{rest}", BASE, **details)

    def answer(self, call: ImageCall) -> Whole:
        """The answer of who may wait."""
        status, headers, body = self.service.answer(call)
        assert isinstance(body, bytes)
        return Whole(status, head_lines(status, headers), body)

    def at_once(self, call: ImageCall) -> Whole | None:
        found = self.service.at_once(call)
        return found and found[0]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_tile_of_a_known_image_is_the_same_at_once(house: House) -> None:
    names = list(TileGrid(WIDTH, HEIGHT, SIDE).names())
    assert house.at_once(house.call(names[0])) is None  # nothing is known yet
    house.answer(house.call(names[0]))
    for name in names:
        assert house.service.at_once(house.call(name)) == (house.answer(house.call(name)), "stored")
    assert house.at_once(house.call(names[0], method="HEAD")) is None


def test_who_has_it_already_is_told_so_at_once(house: House) -> None:
    name = "0,0,256,256/256,256/0/default.jpg"
    etag = dict(house.service.answer(house.call(name)).headers)["ETag"]
    call = house.call(name, if_none_match=etag)
    assert house.service.at_once(call) == (house.answer(call), "not-modified")
    assert house.answer(call)[::2] == (304, b"")


def test_a_small_picture_of_the_whole_is_remembered(house: House) -> None:
    call = house.call("full/200,/0/default.jpg")
    house.answer(house.call("info.json"))
    assert house.at_once(call) is None
    assert house.answer(call) == house.at_once(call)


@pytest.mark.parametrize(
    "rest",
    [
        "info.json",
        "",
        "10,10,300,300/max/0/default.jpg",
        "nonsense",
        "0,0,256,256/256,256/0/default.bmp",
        "full/max/0/x",
    ],
)
def test_what_is_no_tile_is_left_to_who_may_wait(house: House, rest: str) -> None:
    house.answer(house.call("0,0,256,256/256,256/0/default.jpg"))
    assert house.at_once(house.call(rest)) is None
    assert house.at_once(house.call(rest, method="OPTIONS")) is None


def test_what_is_known_is_asked_again_in_time(house: House) -> None:
    call = house.call("0,0,256,256/256,256/0/default.jpg")
    house.answer(call)
    assert house.at_once(call)
    house.clock.now += TRUSTED_SECONDS + 1
    assert house.at_once(call) is None
    house.answer(call)
    assert house.at_once(call)


def test_a_damaged_tile_is_never_given(house: House) -> None:
    call = house.call("0,0,256,256/256,256/0/default.jpg")
    tile = bytes(house.answer(call).body)
    held = house.repository.catalogue.image(house.image)
    assert held
    content = bytearray(house.repository.store.read(held.pyramid.key))
    content[content.index(tile) + 2000] ^= 1
    with open(house.repository.settings.data / "store" / held.pyramid.key, "r+b") as file:
        file.write(content)
    assert house.at_once(call) is None
    assert house.answer(call).status == 500


def test_what_is_not_in_the_systems_memory_is_declined(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b", bytes(range(250)))
    assert store.read_range_at_once("a/b", 0, 10) is None  # not opened lately
    assert store.read_range("a/b", 5, 3) == store.read_range_at_once("a/b", 5, 3) == bytes([5, 6, 7])
    assert store.read_range_at_once("a/b", 245, 10) is None  # not all of it is there
    store.delete("a/b")
    assert store.read_range_at_once("a/b", 5, 3) is None
