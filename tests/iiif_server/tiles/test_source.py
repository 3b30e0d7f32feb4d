from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
from isal import isal_zlib

from iiif_server.image.responses import ImageCall
from iiif_server.image.service import PREFIX, ImageService
from iiif_server.tiles import single_flight
from iiif_server.tiles.disk_cache import TileCache
from iiif_server.tiles.source import DistantTiles, NearTiles, open_tile_source
from iiif_server.tiles.spans import TileSpan
from repository.config import Settings
from repository.errors import PyramidCorrupt, StoreFault
from repository.model import HeldImage
from repository.repository import memory_repository
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore

TILE = bytes(range(256)) * 40
CRC = isal_zlib.crc32(TILE)
KEY = "pyramids/one.zip"


class SlowStore:
    """A store across a long line: counts what is read, and can be away."""

    def __init__(self, store: ObjectStore, seconds: float = 0.0) -> None:
        self._store = store
        self._seconds = seconds
        self.reads = 0
        self.away = self.damaged = False
        self._lock = threading.Lock()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        with self._lock:
            self.reads += 1
        time.sleep(self._seconds)
        if self.away:
            raise StoreFault(key=key, reason="away")
        data = self._store.read_range(key, start, length)
        return bytes(len(data)) if self.damaged else data


@pytest.fixture
def store() -> SlowStore:
    repository = memory_repository()
    repository.store.put(KEY, b"before" + TILE + b"after")
    return SlowStore(repository.store, 0.3)


def distant(store: SlowStore, cache: TileCache | None = None) -> DistantTiles:
    return DistantTiles(store, cache)  # type: ignore[arg-type]


def at_once(source: DistantTiles, times: int) -> list[bytes | Exception]:
    """What many threads get that ask for one tile at the same time."""

    def ask() -> bytes | Exception:
        try:
            return source.tile(KEY, 6, len(TILE), CRC)
        except (StoreFault, PyramidCorrupt) as fault:
            return fault

    with ThreadPoolExecutor(times) as pool:
        return [flight.result(30) for flight in [pool.submit(ask) for _ in range(times)]]


def test_threads_that_want_the_same_tile_at_once_cost_one_read(store: SlowStore) -> None:
    assert at_once(distant(store), 8) == [TILE] * 8
    assert store.reads == 1


def test_they_share_its_error_too_and_the_next_one_tries_again(store: SlowStore) -> None:
    source = distant(store)
    store.away = True
    assert {type(answer) for answer in at_once(source, 8)} == {StoreFault}
    assert store.reads == 1
    store.away, store.damaged = False, True
    assert {type(answer) for answer in at_once(source, 8)} == {PyramidCorrupt}
    assert store.reads == 2
    store.damaged = False
    assert source.tile(KEY, 6, len(TILE), CRC) == TILE


def test_nobody_waits_for_ever_for_another(store: SlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_flight, "WAIT_SECONDS", 0.05)
    answers = at_once(distant(store), 4)
    assert answers.count(TILE) == 1
    assert [type(answer) for answer in answers].count(StoreFault) == 3


def test_different_tiles_are_read_side_by_side(store: SlowStore) -> None:
    source = distant(store)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        crcs = [isal_zlib.crc32(TILE[start : start + 9]) for start in range(8)]
        flights = [pool.submit(source.tile, KEY, 6 + start, 9, crcs[start]) for start in range(8)]
        assert [flight.result(30) for flight in flights] == [TILE[start : start + 9] for start in range(8)]
    assert time.monotonic() - began < 4 * 0.3


def places(*spans: tuple[int, int]) -> list[TileSpan]:
    """Pieces of the tile, as if each were one."""
    return [TileSpan(6 + start, length, isal_zlib.crc32(TILE[start : start + length])) for start, length in spans]


SPANS = ((5000, 900), (0, 1000), (1000, 4000), (9000, 100))


def test_tiles_that_lie_together_are_read_as_one_and_given_in_the_order_asked(store: SlowStore) -> None:
    assert distant(store).tiles(KEY, places(*SPANS)) == [TILE[start : start + length] for start, length in SPANS]
    assert store.reads == 1


def test_a_folder_store_reads_no_more_in_vain_than_a_few_kilobytes(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    folder.put(KEY, b"before" + TILE + bytes(50_000) + TILE)
    source = NearTiles(folder)
    far = [*places(*SPANS), TileSpan(6 + len(TILE) + 50_000, len(TILE), CRC)]
    assert source.tiles(KEY, far) == [*(TILE[start : start + length] for start, length in SPANS), TILE]
    with pytest.raises(PyramidCorrupt):
        source.tiles(KEY, [*far, TileSpan(6, 9, 0)])


def test_of_tiles_wanted_at_once_by_several_threads_each_is_read_once(store: SlowStore, tmp_path: Path) -> None:
    source = distant(store, TileCache(tmp_path, 4 << 20))
    with ThreadPoolExecutor(4) as pool:
        flights = [pool.submit(source.tiles, KEY, places(*SPANS[turn:])) for turn in (0, 1, 2, 0)]
        for turn, flight in zip((0, 1, 2, 0), flights, strict=True):
            assert flight.result(30) == [TILE[start : start + length] for start, length in SPANS[turn:]]
    assert store.reads <= 2
    assert source.tiles(KEY, places(*SPANS)) == [TILE[start : start + length] for start, length in SPANS]
    assert store.reads <= 2


def test_one_bad_tile_among_many_is_not_given_and_the_others_are_kept(store: SlowStore, tmp_path: Path) -> None:
    source = distant(store, TileCache(tmp_path, 4 << 20))
    good = places(*SPANS)
    with pytest.raises(PyramidCorrupt):
        source.tiles(KEY, [good[0], good[1]._replace(crc=1), *good[2:]])
    store.away = True
    assert source.tiles(KEY, [good[0], *good[2:]]) == [TILE[s : s + n] for s, n in (SPANS[0], *SPANS[2:])]


def test_once_a_store_is_away_threads_are_not_held(store: SlowStore) -> None:
    source = distant(store)
    store.away = True
    at_once(source, 1)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        for flight in [pool.submit(source.tile, KEY, place, 5, 0) for place in range(40)]:
            assert isinstance(flight.exception(30), StoreFault)
    assert time.monotonic() - began < 5 * 0.3
    store.away = False
    assert source.tile(KEY, 6, len(TILE), CRC) == TILE


def test_what_is_in_the_cache_is_not_read_again_by_any_process(store: SlowStore, tmp_path: Path) -> None:
    first, second = (distant(store, TileCache(tmp_path, 4 << 20)) for _ in range(2))
    assert at_once(first, 8) == [TILE] * 8
    store.away = True
    assert at_once(first, 4) == at_once(second, 4) == [TILE] * 4
    assert store.reads == 1


def test_a_tile_in_the_cache_is_near_and_one_that_is_not_costs_no_read(store: SlowStore, tmp_path: Path) -> None:
    source = distant(store, TileCache(tmp_path, 4 << 20))
    assert source.near(KEY, 6, len(TILE), CRC) is None
    assert distant(store).near(KEY, 6, len(TILE), CRC) is None
    assert store.reads == 0
    assert at_once(source, 1) == [TILE]
    store.away = True
    assert source.near(KEY, 6, len(TILE), CRC) == TILE


def test_a_tile_of_a_folder_is_near_once_its_file_was_read_and_is_checked(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    folder.put(KEY, b"before" + TILE)
    source = NearTiles(folder)
    assert source.near(KEY, 6, len(TILE), CRC) is None
    assert source.tile(KEY, 6, len(TILE), CRC) == source.near(KEY, 6, len(TILE), CRC) == TILE
    with pytest.raises(PyramidCorrupt):
        source.near(KEY, 6, len(TILE), 1)


def test_a_bad_entry_of_the_cache_is_read_anew(store: SlowStore, tmp_path: Path) -> None:
    source = distant(store, TileCache(tmp_path, 4 << 20))
    at_once(source, 1)
    content = (tmp_path / "tiles").read_bytes()
    (tmp_path / "tiles").write_bytes(content.replace(TILE, TILE[:-1] + b"!"))
    assert at_once(source, 1) == at_once(source, 1) == [TILE]
    assert store.reads == 2


def test_wrong_bytes_of_the_store_are_not_kept(store: SlowStore, tmp_path: Path) -> None:
    source = distant(store, TileCache(tmp_path, 4 << 20))
    store.damaged = True
    assert {type(answer) for answer in at_once(source, 2)} == {PyramidCorrupt}
    store.damaged = False
    assert at_once(source, 2) == [TILE] * 2


def test_the_kind_of_store_decides(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, cache_bytes=4 << 20)
    assert isinstance(open_tile_source(settings, FolderStore(tmp_path / "store")), NearTiles)
    assert not settings.cache.exists()
    assert isinstance(open_tile_source(settings, memory_repository().store), DistantTiles)
    assert (settings.cache / "tiles").exists()


class Reading:
    """An image in a distant store, read by services that share a disk cache as processes of one machine do."""

    def __init__(self, hold: Callable[..., str], picture: pyvips.Image, folder: Path) -> None:
        self.repository = memory_repository(Settings(data=folder, cache_bytes=8 << 20))
        self.image = hold(self.repository, picture)
        self.store = SlowStore(self.repository.store)
        self.folder = folder

    @property
    def held(self) -> HeldImage:
        held = self.repository.catalogue.image(self.image)
        assert held
        return held

    def service(self) -> ImageService:
        return ImageService(replace(self.repository, store=self.store))  # type: ignore[arg-type]

    def ask(self, service: ImageService) -> tuple[int, bytes, dict[str, str]]:
        path = f"{PREFIX}{self.image}/0,0,256,256/256,256/0/default.jpg"
        answer = service.answer(ImageCall(path, "https://books.example"))
        return answer.status, answer.body, dict(answer.headers)


@pytest.fixture
def reading(hold_picture: Callable[..., str], picture: pyvips.Image, tmp_path: Path) -> Reading:
    return Reading(hold_picture, picture, tmp_path / "var")


def test_a_new_process_needs_the_store_neither_for_directory_nor_tile(reading: Reading) -> None:
    status, body, _ = reading.ask(reading.service())
    assert (status, reading.store.reads) == (200, 2)
    reading.store.away = True
    assert reading.ask(reading.service())[:2] == (200, body)


def test_a_store_that_is_away_is_a_503_that_says_when_to_come_again_and_ends_by_itself(reading: Reading) -> None:
    service = reading.service()
    reading.store.away = True
    for _ in range(3):
        status, _, fields = reading.ask(service)
        assert (status, fields["Retry-After"], fields["Cache-Control"]) == (503, "5", "no-store")
    reading.store.away = False
    assert reading.ask(service)[0] == 200


def test_a_pyramid_made_anew_with_its_tiles_elsewhere_is_found_though_its_old_directory_is_in_the_cache(
    reading: Reading, hold_picture: Callable[..., str], picture: pyvips.Image
) -> None:
    _, body, _ = reading.ask(reading.service())
    key = reading.held.pyramid.key
    before = reading.repository.store.read(key)
    for _ in range(20):  # its threads write the tiles in another order each time
        assert hold_picture(reading.repository, picture) == reading.image
        if reading.repository.store.read(key) != before:
            break
    (reading.folder / "cache" / "tiles").write_bytes(
        (reading.folder / "cache" / "tiles").read_bytes().replace(body, bytes(len(body)))
    )
    assert reading.ask(reading.service())[:2] == (200, body)


def test_the_cache_may_go_while_it_is_read(reading: Reading) -> None:
    service = reading.service()
    _, body, _ = reading.ask(service)
    for _ in range(3):
        shutil.rmtree(reading.folder / "cache")
        assert reading.ask(service)[:2] == (200, body)
        time.sleep(1.1)
        assert reading.ask(service)[:2] == (200, body)
        assert (reading.folder / "cache" / "tiles").exists()


class Reads:
    """Ranges read in an event loop, as `RangedReads` gives them, of a store that counts."""

    def __init__(self, store: SlowStore) -> None:
        self._store = store

    async def read(self, key: str, start: int, length: int) -> bytes:
        return await asyncio.to_thread(self._store.read_range, key, start, length)


def soon(source: DistantTiles, times: int = 1, crc: int = CRC) -> list[bytes | None]:
    """What an event loop gets that wants one tile so often at the same time, and waits for the cache to be written."""

    async def ask() -> bytes | None:
        coming = source.soon(KEY, 6, len(TILE), crc)
        return await coming if coming else None

    async def work() -> list[bytes | None]:
        got = await asyncio.gather(*(ask() for _ in range(times)))
        near = source.near(KEY, 6, len(TILE), crc)  # on its way into the cache, if there is one
        assert near in (None, TILE)
        await asyncio.sleep(0.2)
        return got

    return asyncio.run(work())


def going_both_ways(store: SlowStore, cache: TileCache | None = None) -> DistantTiles:
    return DistantTiles(store, cache, reads=Reads(store))  # type: ignore[arg-type]


def test_in_the_event_loop_a_tile_is_read_once_for_all_and_then_lies_in_the_cache(
    store: SlowStore, tmp_path: Path
) -> None:
    source = going_both_ways(store, TileCache(tmp_path, 4 << 20))
    assert soon(source, 8) == [TILE] * 8
    assert store.reads == 1
    assert source.near(KEY, 6, len(TILE), CRC) == TILE
    assert soon(source) == at_once(source, 1) == [TILE]
    assert store.reads == 1


def test_a_tile_that_another_process_has_put_into_the_cache_is_not_read_again(store: SlowStore, tmp_path: Path) -> None:
    first, second = (going_both_ways(store, TileCache(tmp_path, 4 << 20)) for _ in range(2))
    assert soon(first) == soon(second) == [TILE]
    assert store.reads == 1


def test_in_the_event_loop_without_a_cache_nothing_is_kept(store: SlowStore) -> None:
    source = going_both_ways(store)
    assert soon(source) == soon(source) == [TILE]
    assert store.reads == 2


def test_what_fails_in_the_event_loop_is_left_to_who_may_wait(
    store: SlowStore, caplog: pytest.LogCaptureFixture
) -> None:
    source = going_both_ways(store)
    assert soon(source, crc=CRC ^ 1) == [None]  # its bytes are not the tile's
    store.away = True
    assert soon(source) == [None]
    assert source.soon(KEY, 6, len(TILE), CRC) is None  # left alone for a while
    assert "a direct read of the store failed" in caplog.text
    store.away = False
    assert at_once(source, 1) == [TILE]


def test_while_the_store_is_known_to_be_away_the_event_loop_does_not_try(store: SlowStore) -> None:
    source = going_both_ways(store)
    store.away = True
    assert {type(answer) for answer in at_once(source, 1)} == {StoreFault}
    assert source.soon(KEY, 6, len(TILE), CRC) is None


def test_a_folder_is_never_read_in_the_event_loop(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put(KEY, b"before" + TILE)
    assert NearTiles(store).soon(KEY, 6, len(TILE), CRC) is None
