from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
from image_requests import PREFIX
from isal import isal_zlib

from iiif_server.image.responses import ImageCall, ImageResponse
from iiif_server.image.service import ImageService
from iiif_server.metrics import NoMetrics
from iiif_server.tiles.disk_cache import TileCache
from iiif_server.tiles.source import FolderTiles, RemoteTiles, TileBytes, TileSource, open_tile_source
from iiif_server.tiles.spans import TileSpan
from repository.config import Settings
from repository.errors import PyramidCorrupt, StoreFault
from repository.model.work import HeldImage
from repository.repository import memory_repository
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore

pytestmark = pytest.mark.slow

TILE = bytes(range(256)) * 40
CRC = isal_zlib.crc32(TILE)
KEY = "pyramids/one.zip"
SPAN = TileSpan(6, len(TILE), CRC)


class SlowStore:
    """A store across a network with some latency: counts reads, can be unavailable, can return wrong bytes."""

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

    async def read_range_async(self, key: str, start: int, length: int) -> bytes:
        return await asyncio.to_thread(self.read_range, key, start, length)


@pytest.fixture
def store() -> SlowStore:
    repository = memory_repository()
    repository.store.put(KEY, b"before" + TILE + b"after")
    return SlowStore(repository.store, 0.1)


def remote(store: SlowStore, cache: TileCache | None = None) -> RemoteTiles:
    return RemoteTiles(store, cache, NoMetrics())  # type: ignore[arg-type]


async def settle() -> None:
    """Wait until nothing else runs: tiles are written to the disk cache after the response."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


def concurrently(source: TileSource, times: int = 1, span: TileSpan = SPAN) -> list[TileBytes | BaseException]:
    """The results of requests for one tile at the same time."""

    async def ask() -> list[TileBytes | BaseException]:
        results = await asyncio.gather(*(source.tile(KEY, span) for _ in range(times)), return_exceptions=True)
        await settle()
        return results

    return asyncio.run(ask())


def together(source: TileSource, *requests: Sequence[TileSpan]) -> list[list[TileBytes]]:
    """The results of requests for several tiles each, at the same time."""

    async def ask() -> list[list[TileBytes]]:
        results = await asyncio.gather(*(source.tiles(KEY, spans) for spans in requests))
        await settle()
        return results

    return asyncio.run(ask())


def test_concurrent_requests_for_a_tile_share_one_read(store: SlowStore) -> None:
    assert concurrently(remote(store), 8) == [TILE] * 8
    assert store.reads == 1


def test_concurrent_requests_share_an_error_and_the_next_request_reads_again(store: SlowStore) -> None:
    source = remote(store)
    store.away = True
    assert {type(result) for result in concurrently(source, 8)} == {StoreFault}
    assert store.reads == 1
    store.away, store.damaged = False, True
    assert {type(result) for result in concurrently(source, 8)} == {PyramidCorrupt}
    assert store.reads == 2
    store.damaged = False
    assert concurrently(source) == [TILE]


def test_tile_beyond_the_end_of_a_truncated_pyramid_is_corrupt_and_does_not_open_the_breaker() -> None:
    store = memory_repository().store
    store.put(KEY, b"short")
    source = RemoteTiles(store, None, NoMetrics())
    assert [type(result) for result in concurrently(source)] == [PyramidCorrupt]
    assert not source._breaker.is_open


def test_different_tiles_are_read_in_parallel(store: SlowStore) -> None:
    source = remote(store)

    async def ask() -> list[TileBytes]:
        return await asyncio.gather(*(source.tile(KEY, span) for span in spans_of((start, 9) for start in range(4))))

    began = time.monotonic()
    assert asyncio.run(ask()) == [TILE[start : start + 9] for start in range(4)]
    assert time.monotonic() - began < 4 * 0.1


def spans_of(pieces: object) -> list[TileSpan]:
    """Spans of pieces (start, length) of the tile, as if each were a tile."""
    return [
        TileSpan(6 + start, length, isal_zlib.crc32(TILE[start : start + length]))
        for start, length in pieces  # type: ignore[attr-defined]
    ]


PIECES = ((5000, 900), (0, 1000), (1000, 4000), (9000, 100))
EXPECTED = [TILE[start : start + length] for start, length in PIECES]


def test_adjacent_tiles_are_read_as_one_range_and_returned_in_order(store: SlowStore) -> None:
    assert together(remote(store), spans_of(PIECES)) == [EXPECTED]
    assert store.reads == 1


def test_a_folder_store_reads_few_unneeded_bytes(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    folder.put(KEY, b"before" + TILE + bytes(50_000) + TILE)
    source = FolderTiles(folder, NoMetrics())
    far = [*spans_of(PIECES), TileSpan(6 + len(TILE) + 50_000, len(TILE), CRC)]
    assert together(source, far) == [[*EXPECTED, TILE]]
    with pytest.raises(PyramidCorrupt):
        together(source, [*far, TileSpan(6, 9, 0)])


def test_concurrent_requests_for_the_same_tiles_share_their_ranges(store: SlowStore, tmp_path: Path) -> None:
    source = remote(store, TileCache(tmp_path, 4 << 20))
    assert together(source, *([spans_of(PIECES)] * 4)) == [EXPECTED] * 4
    assert store.reads == 1
    assert together(source, spans_of(PIECES)) == [EXPECTED]
    assert store.reads == 1


def test_a_corrupt_tile_among_many_is_an_error_and_the_others_are_cached(store: SlowStore, tmp_path: Path) -> None:
    source = remote(store, TileCache(tmp_path, 4 << 20))
    good = spans_of(PIECES)

    async def ask() -> None:
        with pytest.raises(PyramidCorrupt):
            await source.tiles(KEY, [good[0], good[1]._replace(crc=1), *good[2:]])
        await settle()

    asyncio.run(ask())
    store.away = True
    assert together(source, [good[0], *good[2:]]) == [[EXPECTED[0], *EXPECTED[2:]]]


def test_requests_fail_immediately_while_the_store_is_known_to_be_unavailable(store: SlowStore) -> None:
    source = remote(store)
    store.away = True
    concurrently(source)

    async def ask() -> list[TileBytes | BaseException]:
        reads = (source.tile(KEY, TileSpan(start, 5, 0)) for start in range(40))
        return await asyncio.gather(*reads, return_exceptions=True)

    assert {type(result) for result in asyncio.run(ask())} == {StoreFault}
    assert store.reads == 2
    store.away = False
    assert concurrently(source) == [TILE]


def test_a_cached_tile_is_not_read_again_by_any_process(store: SlowStore, tmp_path: Path) -> None:
    first, second = (remote(store, TileCache(tmp_path, 4 << 20)) for _ in range(2))
    assert concurrently(first, 8) == [TILE] * 8
    store.away = True
    assert concurrently(first, 4) == concurrently(second, 4) == [TILE] * 4
    assert store.reads == 1


def test_tiles_that_arrive_while_too_many_wait_for_the_disk_are_served_and_not_cached(tmp_path: Path) -> None:
    number = 300
    repository = memory_repository()
    repository.store.put(KEY, TILE * number)
    store, cache = SlowStore(repository.store), TileCache(tmp_path, 16 << 20)
    source, threads = remote(store, cache), set[int]()
    spans = [TileSpan(place * len(TILE), len(TILE), CRC) for place in range(number)]
    free, put = threading.Event(), cache.put

    def slow_put(name: bytes, data: bytes, crc: int) -> bool:
        threads.add(threading.get_ident())
        free.wait(30)
        return put(name, data, crc)

    async def ask() -> None:
        for span in spans[:10], spans[10:]:
            assert await source.tiles(KEY, span) == [TILE] * len(span)
            await asyncio.sleep(0.1)  # the first tiles are being written when the others arrive
        free.set()
        await settle()

    cache.put = slow_put  # type: ignore[method-assign]
    asyncio.run(ask())
    assert len(threads) <= 2  # two batches, instead of a call for each tile
    store.away = True
    cached = [result for span in spans for result in concurrently(source, span=span) if result == TILE]
    assert len(cached) == 256
    assert concurrently(source, span=spans[0]) == [TILE]


def test_without_a_cache_nothing_is_kept(store: SlowStore) -> None:
    source = remote(store)
    assert concurrently(source) == concurrently(source) == [TILE]
    assert store.reads == 2


def test_a_folder_tile_is_verified_whether_the_page_cache_holds_it_or_not(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    folder.put(KEY, b"before" + TILE)
    source = FolderTiles(folder, NoMetrics())
    for _ in range(2):
        assert concurrently(source) == [TILE]
        assert {type(result) for result in concurrently(source, span=SPAN._replace(crc=1))} == {PyramidCorrupt}


def test_a_damaged_cache_entry_is_read_again_from_the_store(store: SlowStore, tmp_path: Path) -> None:
    source = remote(store, TileCache(tmp_path, 4 << 20))
    concurrently(source)
    content = (tmp_path / "tiles").read_bytes()
    (tmp_path / "tiles").write_bytes(content.replace(TILE, TILE[:-1] + b"!"))
    assert concurrently(source) == concurrently(source) == [TILE]
    assert store.reads == 2


def test_wrong_bytes_of_the_store_are_not_cached(store: SlowStore, tmp_path: Path) -> None:
    source = remote(store, TileCache(tmp_path, 4 << 20))
    store.damaged = True
    assert {type(result) for result in concurrently(source, 2)} == {PyramidCorrupt}
    store.damaged = False
    assert concurrently(source, 2) == [TILE] * 2


def test_the_kind_of_store_selects_the_source(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, cache_bytes=4 << 20)
    assert isinstance(open_tile_source(settings, FolderStore(tmp_path / "store"), NoMetrics()), FolderTiles)
    assert not settings.cache.exists()
    assert isinstance(open_tile_source(settings, memory_repository().store, NoMetrics()), RemoteTiles)
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
        response = asyncio.run(respond_and_settle(service, ImageCall(path, "https://books.example")))
        fields = {name.decode(): value.decode() for name, value in response.headers}
        return response.status, bytes(response.body), fields


async def respond_and_settle(service: ImageService, call: ImageCall) -> ImageResponse:
    """Respond, and wait until the tiles read are in the disk cache."""
    response = await service.respond(call)
    await settle()
    return response


@pytest.fixture
def reading(hold_picture: Callable[..., str], picture: pyvips.Image, tmp_path: Path) -> Reading:
    return Reading(hold_picture, picture, tmp_path / "var")


def test_a_new_process_finds_directory_and_tile_in_the_disk_cache(reading: Reading) -> None:
    status, body, _ = reading.ask(reading.service())
    assert (status, reading.store.reads) == (200, 2)
    reading.store.away = True
    assert reading.ask(reading.service())[:2] == (200, body)


def test_an_unavailable_store_gives_503_with_retry_after_until_it_is_back(reading: Reading) -> None:
    service = reading.service()
    reading.store.away = True
    for _ in range(3):
        status, _, fields = reading.ask(service)
        assert (status, fields["retry-after"], fields["cache-control"]) == (503, "5", "no-store")
    reading.store.away = False
    assert reading.ask(service)[0] == 200


def test_a_replaced_pyramid_is_served_although_its_old_directory_is_cached(
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


def test_the_disk_cache_may_be_deleted_while_it_is_in_use(reading: Reading) -> None:
    service = reading.service()
    _, body, _ = reading.ask(service)
    for _ in range(3):
        shutil.rmtree(reading.folder / "cache")
        assert reading.ask(service)[:2] == (200, body)
        time.sleep(1.1)
        assert reading.ask(service)[:2] == (200, body)
        assert (reading.folder / "cache" / "tiles").exists()
