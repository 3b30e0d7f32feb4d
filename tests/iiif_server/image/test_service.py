from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import pyvips
from asgi_client import AsgiClient
from image_requests import PREFIX, respond
from image_requests import WholeResponse as Response
from PIL import Image
from werkzeug.datastructures import Headers

from iiif_server.image import service
from iiif_server.image.asgi import ImageApplication
from iiif_server.image.capabilities import probe
from iiif_server.image.resolved import GRACE_SECONDS, TRUSTED_SECONDS
from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from iiif_server.metrics import REQUEST_CLASS_KEY
from iiif_server.pyramid.file import read_directory
from iiif_server.pyramid.grid import TileGrid
from iiif_server.render.pool import RenderedStream
from iiif_server.request.grammar import ApiVersion, OutputFormat, Quality
from repository.config import Settings
from repository.errors import DatabaseFault, PyramidCorrupt, RenderingBusy
from repository.model.work import Access, HeldImage, Pyramid, Rights, WorkState
from repository.repository import Repository, memory_repository
from repository.storage.store import ObjectStore


def coloured(width: int, height: int) -> pyvips.Image:
    """A colour picture of any size."""
    places = pyvips.Image.xyz(width, height)
    bands = (places[0] * (255 / width)).bandjoin([places[1] * (255 / height), places[0] % 200])
    return bands.cast("uchar").copy(interpretation="srgb")


BASE = "https://books.example"


offered = cache(probe)


class CountingStore:
    """The real store: counts reads and can return damaged bytes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.reads: list[tuple[str, int, int]] = []
        self.damaged = False

    def read_range(self, key: str, start: int, length: int) -> bytes:
        self.reads.append((key, start, length))
        data = self._store.read_range(key, start, length)
        return data[:-1] + bytes([data[-1] ^ 1]) if self.damaged and start >= 0 else data

    async def read_range_async(self, key: str, start: int, length: int) -> bytes:
        return self.read_range(key, start, length)


class Clock:
    """A clock that stands still until `now` is changed."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Catalogued:
    """The real catalogue: counts look-ups, can withdraw the work and can be unavailable."""

    def __init__(self, repository: Repository) -> None:
        self._catalogue = repository.catalogue
        self.look_ups = 0
        self.state = WorkState.PUBLISHED
        self.away = False
        self.pyramid: Pyramid | None = None

    def image(self, identifier: str) -> HeldImage | None:
        self.look_ups += 1
        if self.away:
            raise DatabaseFault(reason="away")
        image = self._catalogue.image(identifier)
        return image and replace(image, state=self.state, pyramid=self.pyramid or image.pyramid)


class ServedImage:
    """A service over one stored image, with its store, catalogue and clock."""

    def __init__(
        self, hold: Callable[..., str], picture: pyvips.Image, rights: Rights | None = None, **more: int
    ) -> None:
        self.repository = memory_repository(Settings(**more))
        self.image = hold(self.repository, picture, rights)
        self.store = CountingStore(self.repository.store)
        self.catalogue = Catalogued(self.repository)
        self.clock = Clock()
        below = replace(self.repository, store=self.store, catalogue=self.catalogue)  # type: ignore[arg-type]
        self.runner = asyncio.Runner()
        self.service = ImageService(below, self.clock, offered())
        held = self.repository.catalogue.image(self.image)
        assert held
        self.held = held

    def ask(self, rest: str = "", method: str = "GET", **headers: str) -> Response:
        return self.ask_version(3, rest, method, **headers)

    def ask_version(self, version: int, rest: str = "", method: str = "GET", **headers: str) -> Response:
        path = f"/iiif/image/{version}/{self.image}"
        return self.respond(ImageCall(f"{path}/{rest}" if rest else path, BASE, method, **headers))

    def respond(self, call: ImageCall, service: ImageService | None = None) -> Response:
        return respond(service or self.service, call, self.runner)

    def close(self) -> None:
        self.service.close()
        self.runner.close()

    def stored(self, ordinal: int) -> bytes:
        key = self.held.pyramid.key
        directory = read_directory(lambda start, length: self.repository.store.read_range(key, start, length), key)
        offset, length, _ = directory.locate(ordinal)
        return self.repository.store.read_range(key, offset, length)


@pytest.fixture
def served(hold_picture: Callable[..., str], picture: pyvips.Image) -> Iterator[ServedImage]:
    served = ServedImage(hold_picture, picture)
    yield served
    served.close()


def headers(response: Response) -> Headers:
    return response.headers


def document_of(response: Response) -> dict[str, object]:
    document = json.loads(response.body)
    assert isinstance(document, dict)
    return document


def spellings_of(grid: TileGrid, ordinal: int, version: ApiVersion) -> list[str]:
    """Ways to ask for a tile, the way of OpenSeadragon's tile source (2.x: by width; 3.0: by both sides) among them."""
    x, y, w, h, out_w, out_h = grid.request_of(ordinal)
    whole = (w, h) == (grid.width, grid.height)
    unscaled = (w, h) == (out_w, out_h)
    places = [f"{x},{y},{w},{h}", *(["full"] if whole else [])]
    if x + w == grid.width and y + h == grid.height:
        places.append(f"{x},{y},{w + 9},{h + 9999}")
    sizes = [
        f"{out_w},{out_h}",
        f"{out_w},",
        f",{out_h}",
        f"!{out_w},{out_h}",
        *(["max", "pct:100"] if unscaled else []),
    ]
    if version is ApiVersion.THREE:
        sizes += [f"^{size}" for size in sizes if size != "max"]
    elif unscaled:
        sizes += ["full", "!9999,9999", f"!{out_w},99999"]
    return [f"{place}/{size}/{turn}" for place in places for size in sizes for turn in ("0/default", "360/color")]


def picture_of(response: Response) -> Image.Image:
    assert response.status == 200, response.body
    return Image.open(io.BytesIO(response.body))


class TestTiles:
    def test_every_spelling_of_a_tile_returns_its_stored_bytes_and_one_etag(self, served: ServedImage) -> None:
        # 1,500 by 1,100 in tiles of 256: the last column is 220 wide, the last row 76 high.
        for spelling in [
            "1280,1024,220,76/220,76/0/default.jpg",
            "1280,1024,220,76/max/0/color.jpg",
            "1280,1024,999,999/220,/0/default.jpg",
            "1280,1024,220,76/,76/360/default.jpg",
            "1280,1024,220,76/!220,76/0/default.jpg",
            "1280,1024,220,76/^pct:100/0/color.jpg",
        ]:
            response = served.ask(spelling)
            assert response.body == served.stored(29), spelling
            assert headers(response)["ETag"] == f'"{served.held.pyramid.fingerprint[:16]}-29"'
            assert headers(response)["Link"].startswith(
                f'<{BASE}{PREFIX}{served.image}/1280,1024,220,76/max/0/default.jpg>;rel="canonical", '
            )

    @pytest.mark.parametrize("version", ApiVersion)
    def test_every_tile_is_returned_as_stored_in_all_spellings_of_both_versions(
        self, hold_picture: Callable[..., str], version: ApiVersion
    ) -> None:
        served = ServedImage(hold_picture, coloured(1301, 1063))
        grid = TileGrid(1301, 1063, 256)
        stored = [served.stored(ordinal) for ordinal in range(grid.count)]
        for ordinal in range(grid.count):
            for spelling in spellings_of(grid, ordinal, version):
                response = served.ask_version(version, f"{spelling}.jpg")
                assert response.status == 200, spelling
                assert response.body == stored[ordinal], spelling
                assert headers(response)["ETag"] == f'"{served.held.pyramid.fingerprint[:16]}-{ordinal}"'
        assert len(served.store.reads) > grid.count

    def test_the_one_tile_level_is_the_whole_image_at_that_size(self, served: ServedImage) -> None:
        spellings = ["full/188,138/0/default.jpg", "0,0,1500,1100/188,/0/color.jpg", "full/!188,138/0/default.jpg"]
        bodies = {served.ask(spelling).body for spelling in spellings}
        assert bodies == {served.ask("full/,138/0/default.jpg").body}
        assert len(served.store.reads) == 1 + len(spellings) + 1

    def test_full_and_max_of_a_picture_of_one_tile_are_its_stored_bytes(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        small = ServedImage(hold_picture, picture.crop(0, 0, 200, 100))
        for spelling in ["full/max", "full/200,", "square/100,100", "0,0,200,100/200,100", "pct:0,0,100,100/pct:100"]:
            stored = small.ask(f"{spelling}/0/default.jpg").body == small.stored(0)
            assert stored is not spelling.startswith("square")

    def test_a_tile_costs_one_ranged_read_and_the_directory_one_more_the_first_time(self, served: ServedImage) -> None:
        served.ask("0,0,256,256/256,256/0/default.jpg")
        assert len(served.store.reads) == 2
        served.ask("256,0,256,256/256,256/0/default.jpg")
        assert len(served.store.reads) == 3

    def test_a_matching_etag_gives_304_without_reading_the_store(self, served: ServedImage) -> None:
        etag = headers(served.ask("full/300,220/90/gray.png"))["ETag"]
        served.store.reads.clear()
        for value in [etag, f"W/{etag}", f'"other", {etag}', "*"]:
            response = served.ask("full/300,220/90/gray.png", if_none_match=value)
            assert (response.status, response.body) == (304, b"")
            assert headers(response)["ETag"] == etag
            assert "Cache-Control" in headers(response)
        assert served.store.reads == []
        assert served.ask("full/300,220/90/gray.png", if_none_match='"other"').status == 200

    def test_a_304_of_the_first_request_reads_nothing(self, served: ServedImage) -> None:
        etag = f'"{served.held.pyramid.fingerprint[:16]}-0"'
        assert served.ask("0,0,256,256/256,256/0/default.jpg", if_none_match=etag).status == 304
        assert served.store.reads == []

    def test_damaged_bytes_are_never_sent(self, served: ServedImage) -> None:
        served.ask("0,0,256,256/256,256/0/default.jpg")
        served.store.damaged = True
        for rest in ["0,0,256,256/256,256/0/default.jpg", "full/300,/0/default.png"]:
            response = served.ask(rest)
            assert response.status == 500
            assert document_of(response)["code"] == "integrity.pyramid"
        served.store.damaged = False
        assert served.ask("0,0,256,256/256,256/0/default.jpg").body == served.stored(0)

    def test_a_missing_pyramid_gives_503_until_it_is_back(self, served: ServedImage) -> None:
        key = served.held.pyramid.key
        kept = served.repository.store.read(key)
        served.repository.store.delete(key)
        assert served.ask("full/100,/0/default.jpg").status == 503
        served.repository.store.put(key, kept)
        assert served.ask("full/100,/0/default.jpg").status == 200

    @pytest.mark.parametrize(
        "rest", ["0,0,256,256/256,256/0/default.jpg", "full/300,220/0/gray.png", "full/max/0/color.jpg"]
    )
    @pytest.mark.parametrize("known", [False, True])
    @pytest.mark.parametrize("lost", ["deleted", "damaged"])
    def test_head_has_the_status_of_get_while_a_pyramid_is_lost(
        self, served: ServedImage, rest: str, known: bool, lost: str
    ) -> None:
        if known:
            served.ask("512,0,256,256/max/0/default.jpg")
            served.ask(rest, "HEAD")
        if lost == "deleted":
            served.repository.store.delete(served.held.pyramid.key)
        served.store.damaged = lost == "damaged"
        expected = {"deleted": 503, "damaged": 500}[lost]
        assert served.ask(rest, "HEAD").status == expected
        assert served.ask(rest).status == expected

    def test_a_pyramid_that_is_not_the_catalogued_one_is_refused(
        self, hold_picture: Callable[..., str], picture: pyvips.Image, served: ServedImage
    ) -> None:
        other = ServedImage(hold_picture, picture.invert())
        served.repository.store.put(served.held.pyramid.key, other.repository.store.read(other.held.pyramid.key))
        assert served.ask("0,0,256,256/256,256/0/default.jpg").status == 500

    def test_a_withdrawal_takes_effect_when_the_look_up_expires(self, served: ServedImage) -> None:
        tile = "0,0,256,256/256,256/0/default.jpg"
        for _ in range(5):
            assert served.ask(tile).status == 200
        assert served.catalogue.look_ups == 1
        served.catalogue.state = WorkState.WITHDRAWN
        assert served.ask(tile).status == 200
        served.clock.now += TRUSTED_SECONDS + 0.1
        for rest in [tile, "info.json", "", "nonsense"]:
            assert served.ask(rest).status == 410
        assert headers(served.ask(tile))["Cache-Control"] == "no-store"


class TestThumbnails:
    def test_a_repeated_thumbnail_is_neither_rendered_nor_read_again(self, served: ServedImage) -> None:
        first = served.ask("full/120,88/0/default.jpg").body
        served.store.reads.clear()
        assert served.ask("full/120,88/0/default.jpg").body == first
        assert served.ask("full/120,/0/color.jpg").body == first
        assert served.store.reads == []

    def test_regions_of_an_image_reuse_decoded_tiles(self, served: ServedImage) -> None:
        first = served.ask("0,0,300,300/120,120/0/default.jpg").body
        served.store.reads.clear()
        assert served.ask("0,0,300,300/120,120/0/default.jpg").body == first
        assert served.ask("10,20,280,280/120,120/0/default.jpg").status == 200
        assert served.store.reads == []
        assert served.ask("0,0,300,300/120,120/0/gray.jpg").status == 200
        assert served.store.reads

    def test_tiles_of_a_replaced_pyramid_are_decoded_again(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        served, other = ServedImage(hold_picture, picture), ServedImage(hold_picture, picture.invert())
        request = "0,0,300,300/120,120/0/default.jpg"
        before = served.ask(request).body
        key, made = served.held.pyramid.key, replace(other.held.pyramid, key=served.held.pyramid.key)
        served.repository.store.put(key, other.repository.store.read(other.held.pyramid.key))
        served.catalogue.pyramid = made
        served.clock.now += TRUSTED_SECONDS + 0.1
        assert served.ask(request).body == other.ask(request).body != before


class TestDatabaseAway:
    TILE = "0,0,256,256/256,256/0/default.jpg"

    def test_a_known_image_is_served_for_a_grace_period_and_then_refused(self, served: ServedImage) -> None:
        assert served.ask(self.TILE).status == 200
        served.catalogue.away = True
        for _ in range(int(GRACE_SECONDS) - 1):
            served.clock.now += 1.0
            assert served.ask(self.TILE).status == served.ask("info.json").status == 200
        served.clock.now += 1.5
        for rest in [self.TILE, "info.json", "full/100,/0/default.jpg"]:
            answer = served.ask(rest)
            assert (answer.status, headers(answer)["Retry-After"]) == (503, "5")
        served.catalogue.away = False
        assert served.ask(self.TILE).status == 200

    def test_the_database_is_asked_once_a_second_while_it_is_unavailable(self, served: ServedImage) -> None:
        served.ask(self.TILE)
        served.catalogue.away = True
        served.clock.now += TRUSTED_SECONDS + 0.1
        for _ in range(20):
            assert served.ask(self.TILE).status == 200
        assert served.catalogue.look_ups == 2

    def test_an_unknown_image_is_refused_while_the_database_is_unavailable(self, served: ServedImage) -> None:
        served.catalogue.away = True
        assert served.ask(self.TILE).status == 503

    def test_a_withdrawal_takes_effect_when_the_database_is_back(self, served: ServedImage) -> None:
        assert served.ask(self.TILE).status == 200
        served.catalogue.away = True
        served.clock.now += TRUSTED_SECONDS + 0.1
        assert served.ask(self.TILE).status == 200
        served.catalogue.away, served.catalogue.state = False, WorkState.WITHDRAWN
        served.clock.now += 1.1
        assert served.ask(self.TILE).status == 410
        served.catalogue.away = True
        assert served.ask(self.TILE).status == 503


@pytest.mark.slow
class TestLargePictures:
    def test_a_large_image_equals_one_rendered_in_the_process(
        self, hold_picture: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served = ServedImage(hold_picture, coloured(4000, 3000))
        large = served.ask("full/max/0/gray.png").body
        monkeypatch.setattr(service, "is_slow", lambda *_: False)
        assert large == served.ask("full/max/0/gray.png").body

    def test_stored_tiles_are_served_while_a_large_image_is_rendered(self, hold_picture: Callable[..., str]) -> None:
        served = ServedImage(hold_picture, coloured(4000, 3000))
        path = f"{PREFIX}{served.image}"

        async def both() -> int:
            rendered = await served.service.respond(ImageCall(f"{path}/full/max/0/default.png", BASE))
            assert isinstance(rendered.body, RenderedStream)
            tile = await served.service.respond(ImageCall(f"{path}/0,0,256,256/256,256/0/default.jpg", BASE))
            await rendered.body.close()
            return tile.status

        assert served.runner.run(both()) == 200

    def test_a_head_request_renders_nothing_and_reads_one_tile(self, hold_picture: Callable[..., str]) -> None:
        served = ServedImage(hold_picture, coloured(4000, 3000))
        served.ask("full/100,/0/default.jpg")
        served.store.reads.clear()
        assert served.ask("full/max/0/gray.jpg", method="HEAD").status == 200
        assert len(served.store.reads) == 1


class TestAccess:
    def test_a_restricted_image_returns_nothing(self, hold_picture: Callable[..., str], picture: pyvips.Image) -> None:
        served = ServedImage(hold_picture, picture, Rights(access=Access.RESTRICTED))
        for rest in ["0,0,256,256/256,256/0/default.jpg", "full/1,1/0/default.jpg", "x"]:
            response = served.ask(rest, if_none_match="*")
            assert response.status == 401
            assert headers(response)["WWW-Authenticate"].startswith("Bearer")
            assert headers(response)["Cache-Control"] == "no-store"
            assert document_of(response)["code"] == "access.authorization"
        assert served.ask("info.json", if_none_match="*").status == 401
        assert served.store.reads == []

    def test_a_reduced_image_returns_no_stored_tile_of_a_larger_level(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        served = ServedImage(hold_picture, picture, Rights(access=Access.REDUCED, max_size=400))
        for rest in [
            "0,0,256,256/256,256",
            "0,0,256,256/max/../..",
            "0,0,512,512/256,256",
            "full/401,",
            "full/1500,1100",
        ]:
            assert served.ask(f"{rest}/0/default.jpg", if_none_match="*").status in (400, 403), rest
        assert served.store.reads == []
        assert served.ask("0,0,1024,1024/256,256/0/default.jpg").body == served.stored(39)
        assert picture_of(served.ask("full/max/0/default.jpg")).size == (400, 293)
        assert picture_of(served.ask("0,0,256,256/max/0/default.jpg")).size == (68, 68)

    def test_reduced_access_without_a_size_returns_nothing(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        assert ServedImage(hold_picture, picture, Rights(access=Access.REDUCED)).ask("info.json").status == 401


class TestInformation:
    def test_the_base_uri_redirects_to_the_document(self, served: ServedImage) -> None:
        response = served.ask()
        assert response.status == 303
        assert headers(response)["Location"] == f"{BASE}{PREFIX}{served.image}/info.json"

    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            (None, 'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'),
            ("*/*", 'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'),
            ("application/ld+json", 'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'),
            ("application/json", "application/json"),
            ("application/ld+json;q=0.5, application/json", "application/json"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ],
    )
    def test_its_media_type_is_negotiated(self, served: ServedImage, accept: str | None, media_type: str) -> None:
        response = served.respond(ImageCall(f"{PREFIX}{served.image}/info.json", BASE, accept=accept))
        assert headers(response)["Content-Type"] == media_type
        assert headers(response)["Vary"] == "Accept"
        assert document_of(response)["id"] == f"{BASE}{PREFIX}{served.image}"
        again = served.ask("info.json", if_none_match=headers(response)["ETag"], accept=accept or "")
        assert again.status == 304

    def test_everything_that_info_json_offers_is_served(self, served: ServedImage) -> None:
        document = document_of(served.ask("info.json"))
        for size in document["sizes"]:  # type: ignore[attr-defined]
            answer = picture_of(served.ask(f"full/{size['width']},{size['height']}/0/default.jpg"))
            assert answer.size == (size["width"], size["height"])
        for name in {"jpg", "png", *document["extraFormats"]} - {"pdf"}:  # type: ignore[misc]
            answer = picture_of(served.ask(f"full/40,30/0/default.{name}"))
            assert answer.format == {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(name, name.upper())
        assert served.ask("full/40,30/0/default.pdf").body.startswith(b"%PDF-")
        for quality in document["extraQualities"]:  # type: ignore[attr-defined]
            assert picture_of(served.ask(f"full/40,30/0/{quality}.png")).size == (40, 30)
        assert set(document["extraFeatures"]) == set(FEATURES)  # type: ignore[call-overload]
        for rest, sides in FEATURES.values():
            assert picture_of(served.ask(rest)).size == sides

    @pytest.mark.parametrize("factor_index", range(4))
    def test_every_tile_that_info_json_implies_is_stored(self, served: ServedImage, factor_index: int) -> None:
        tiles = document_of(served.ask("info.json"))["tiles"][0]  # type: ignore[index]
        factor, side = tiles["scaleFactors"][factor_index], tiles["width"]
        for x in range(0, 1500, side * factor):
            for y in range(0, 1100, side * factor):
                w, h = min(side * factor, 1500 - x), min(side * factor, 1100 - y)
                served.ask("0,0,256,256/256,256/0/default.jpg")
                reads = len(served.store.reads)
                out = -(-w // factor), -(-h // factor)
                answer = served.ask(f"{x},{y},{w},{h}/{out[0]},{out[1]}/0/default.jpg")
                assert picture_of(answer).size == out
                assert len(served.store.reads) == reads + 1


class TestVersion2:
    """What differs from 3.0."""

    def test_the_base_uri_redirects_to_the_document_of_its_version(self, served: ServedImage) -> None:
        response = served.ask_version(2)
        assert response.status == 303
        assert headers(response)["Location"] == f"{BASE}/iiif/image/2/{served.image}/info.json"

    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("", "application/json"),
            ("*/*", "application/json"),
            ("application/*", "application/json"),
            ("application/json", "application/json"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
            ("application/ld+json", "application/ld+json"),
            ("application/ld+json, application/json;q=0.9", "application/ld+json"),
            ("application/json, application/ld+json;q=0.9", "application/json"),
            ("application/ld+json;q=0", "application/json"),
        ],
    )
    def test_json_ld_is_returned_to_a_client_that_names_it(
        self, served: ServedImage, accept: str, media_type: str
    ) -> None:
        response = served.ask_version(2, "info.json", accept=accept)
        assert headers(response)["Content-Type"] == media_type
        assert headers(response)["Link"] == '<http://iiif.io/api/image/2/level2.json>;rel="profile"'
        assert document_of(response)["@id"] == f"{BASE}/iiif/image/2/{served.image}"

    @pytest.mark.parametrize(
        ("spelt", "canonical"),
        [
            ("full/max/0/default.jpg", "full/full/0/default.jpg"),
            ("0,0,1500,1100/1500,/360/color.png", "full/full/0/default.png"),
            ("full/750,550/0/default.jpg", "full/750,/0/default.jpg"),
            ("full/pct:50/!22.50/gray.jpg", "full/750,/!22.5/gray.jpg"),
            ("full/750,551/0/default.jpg", "full/750,551/0/default.jpg"),
            ("0,0,10,10/40,/0/default.jpg", "0,0,10,10/40,/0/default.jpg"),
            ("full/!99999,99999/0/default.gif", "full/full/0/default.gif"),
            ("1280,1024,220,76/pct:100/0/default.jpg", "1280,1024,220,76/full/0/default.jpg"),
        ],
    )
    def test_the_canonical_link_is_that_of_its_version(self, served: ServedImage, spelt: str, canonical: str) -> None:
        link = f'<{BASE}/iiif/image/2/{served.image}/{canonical}>;rel="canonical", '
        link += '<http://iiif.io/api/image/2/level2.json>;rel="profile"'
        assert headers(served.ask_version(2, spelt, "HEAD"))["Link"] == link
        assert headers(served.ask_version(2, canonical, "HEAD"))["Link"] == link

    def test_access_is_refused_as_in_version_3(self, hold_picture: Callable[..., str], picture: pyvips.Image) -> None:
        served = ServedImage(hold_picture, picture, Rights(access=Access.REDUCED, max_size=400))
        for rest in [
            "0,0,256,256/256,",
            "0,0,512,512/256,",
            "full/401,",
            "full/full",
            "0,0,256,256/full",
            "full/1600,",
        ]:
            assert served.ask_version(2, f"{rest}/0/default.jpg", if_none_match="*").status == 403, rest
        assert served.store.reads == []
        assert served.ask_version(2, "0,0,1024,1024/256,/0/default.jpg").body == served.stored(39)
        assert picture_of(served.ask_version(2, "full/max/0/default.jpg")).size == (400, 293)
        restricted = ServedImage(hold_picture, picture.invert(), Rights(access=Access.RESTRICTED))
        for rest in ["info.json", "full/full/0/default.jpg", "x"]:
            assert restricted.ask_version(2, rest).status == 401
        assert restricted.store.reads == []

    def test_everything_that_info_json_offers_is_served(self, served: ServedImage) -> None:
        document = document_of(served.ask_version(2, "info.json"))
        offered = document["profile"][1]  # type: ignore[index]
        assert offered["formats"] == ["jpg", "png", "webp", "tif", "gif", "jp2", "avif", "pdf"]
        for name in set(offered["formats"]) - {"pdf"}:
            assert picture_of(served.ask_version(2, f"full/40,/0/default.{name}")).size == (40, 29)
        for size in document["sizes"]:  # type: ignore[attr-defined]
            answer = picture_of(served.ask_version(2, f"full/{size['width']},/0/default.jpg"))
            assert answer.size == (size["width"], size["height"])
        assert "sizeAboveFull" in offered["supports"]
        assert picture_of(served.ask_version(2, "0,0,10,10/40,/0/default.png")).size == (40, 40)


def test_a_format_that_failed_its_probe_is_neither_offered_nor_tried(served: ServedImage) -> None:
    less = offered()._replace(formats=(OutputFormat.JPG, OutputFormat.PNG), qualities=(Quality.DEFAULT,))
    service = ImageService(served.repository, offered=less)

    def ask(version: int, rest: str) -> Response:
        return served.respond(ImageCall(f"/iiif/image/{version}/{served.image}/{rest}", BASE), service)

    for version in ApiVersion:
        for rest, part in [("default.webp", "format"), ("gray.jpg", "quality")]:
            response = ask(version, f"full/40,/0/{rest}")
            assert (response.status, document_of(response)["part"]) == (400, part)
    assert document_of(ask(3, "info.json"))["extraFormats"] == []
    assert document_of(ask(2, "info.json"))["profile"][1]["formats"] == ["jpg", "png"]  # type: ignore[index]


FEATURES = {
    "canonicalLinkHeader": ("full/40,30/0/default.jpg", (40, 30)),
    "profileLinkHeader": ("full/40,30/0/default.jpg", (40, 30)),
    "mirroring": ("full/40,30/!0/default.jpg", (40, 30)),
    "rotationArbitrary": ("full/40,30/45/default.png", (50, 50)),
    "sizeUpscaling": ("0,0,10,10/^40,/0/default.jpg", (40, 40)),
}


class TestRefusals:
    @pytest.mark.parametrize(
        ("rest", "status", "part"),
        [
            ("full/max/0/default.bmp", 400, "format"),
            ("full/max/0/native.jpg", 400, "quality"),
            ("full/max/400/default.jpg", 400, "rotation"),
            ("full/1501,/0/default.jpg", 400, "size"),
            ("1500,0,1,1/max/0/default.jpg", 400, "region"),
            ("0,0,0,1/max/0/default.jpg", 400, "region"),
            ("full/^20000,1/0/default.webp", 400, "format"),
            ("full/max/0", 400, "path"),
            ("info.xml", 400, "path"),
        ],
    )
    def test_a_refusal_names_the_wrong_part_in_the_language_of_the_client(
        self, served: ServedImage, rest: str, status: int, part: str
    ) -> None:
        chinese, english = served.ask(rest), served.ask(rest, accept_language="en")
        assert chinese.status == english.status == status
        assert document_of(chinese)["part"] == document_of(english)["part"] == part
        assert document_of(chinese)["detail"] != document_of(english)["detail"]
        assert headers(english)["Access-Control-Allow-Origin"] == "*"
        assert headers(english)["Vary"] == "Accept-Language"

    @pytest.mark.parametrize("identifier", ["", "nothing", "a/b", "[frob]", "i0000000000000000x", "../etc/passwd"])
    def test_an_invalid_identifier_is_not_found_without_a_query(self, served: ServedImage, identifier: str) -> None:
        response = served.respond(ImageCall(f"{PREFIX}{identifier}/full/max/0/default.jpg", BASE))
        assert response.status == 404
        assert served.catalogue.look_ups == 0

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
    def test_only_get_head_and_options_are_allowed(self, served: ServedImage, method: str) -> None:
        response = served.ask("info.json", method)
        assert response.status == 405
        assert headers(response)["Allow"] == "GET, HEAD, OPTIONS"

    def test_a_preflight_is_answered(self, served: ServedImage) -> None:
        response = served.ask("info.json", "OPTIONS")
        assert (response.status, response.body) == (204, b"")
        assert headers(response)["Access-Control-Allow-Origin"] == "*"


@pytest.mark.slow
class TestApplication:
    @pytest.fixture
    def client(self, served: ServedImage) -> Iterator[AsgiClient]:
        with AsgiClient(ImageApplication(ImageService(served.repository, offered=offered()))) as client:
            yield client

    def test_a_path_outside_the_image_service_is_not_found(self, client: AsgiClient) -> None:
        for path in ["/", "/works", "/iiif/image/3", "/iiif/presentation/3/x/manifest"]:
            assert client.get(path).status == 404

    def test_addresses_are_those_of_the_request_and_forwarding_fields_are_not_believed(
        self, client: AsgiClient, served: ServedImage
    ) -> None:
        fields = {"host": "here:8000", "x-forwarded-host": "evil.example"}
        response = client.get(f"{PREFIX}{served.image}", fields)
        assert response.headers["location"] == f"http://here:8000{PREFIX}{served.image}/info.json"

    def test_a_head_request_gets_the_headers_without_the_body(self, client: AsgiClient, served: ServedImage) -> None:
        for rest in ["info.json", "full/100,/0/default.jpg", "0,0,256,256/max/0/default.jpg", "nonsense"]:
            path = f"{PREFIX}{served.image}/{rest}"
            got, head = client.get(path), client.request("HEAD", path)
            assert head.status == got.status
            assert head.body == b""
            length = None if rest.startswith("full") else str(len(got.body))
            assert head.headers.get("content-length") == length
            others = [
                {name: value for name, value in r.headers.items() if name != "content-length"} for r in (got, head)
            ]
            assert others[0] == others[1]

    def test_a_path_that_is_not_a_request_is_refused(self, client: AsgiClient, served: ServedImage) -> None:
        response = client.get(f"{PREFIX}{served.image}/善\x1b")
        assert (response.status, response.json()["part"]) == (400, "path")

    def test_the_scope_names_the_class_of_the_request(self, client: AsgiClient, served: ServedImage) -> None:
        classes = {
            "0,0,256,256/max/0/default.jpg": "stored",
            "full/100,/0/default.jpg": "rendered",
            "info.json": "info",
            "nonsense": "refused",
        }
        for rest, name in classes.items():
            response = client.get(f"{PREFIX}{served.image}/{rest}")
            assert response.scope[REQUEST_CLASS_KEY] == name
            if response.status == 200:
                fields = {"if-none-match": response.headers["etag"]}
                repeated = client.get(f"{PREFIX}{served.image}/{rest}", fields)
                assert repeated.scope[REQUEST_CLASS_KEY] == "not-modified"

    def test_a_client_that_disconnects_ends_the_rendering(self, hold_picture: Callable[..., str]) -> None:
        served = ServedImage(hold_picture, coloured(4000, 3000))
        service = ImageService(served.repository, offered=offered())
        with AsgiClient(ImageApplication(service)) as client:
            response = client.get(f"{PREFIX}{served.image}/full/max/0/default.png", disconnect_after=1)
            assert not response.is_complete
            assert service._pool.running == 0
            assert client.get(f"{PREFIX}{served.image}/full/max/0/gray.jpg").is_complete

    def test_a_response_without_content_has_no_length(self, client: AsgiClient, served: ServedImage) -> None:
        for rest in ["info.json", "full/100,/0/default.jpg", "0,0,256,256/max/0/default.jpg"]:
            path = f"{PREFIX}{served.image}/{rest}"
            fields = {"if-none-match": client.get(path).headers["etag"]}
            responses = client.get(path, fields), client.request("HEAD", path, fields), client.request("OPTIONS", path)
            assert [response.status for response in responses] == [304, 304, 204]
            assert not any("content-length" in response.headers for response in responses)

    def test_the_service_is_closed_without_blocking_the_event_loop(self, served: ServedImage) -> None:
        read = asyncio.Event()  # what a rendering that is being cancelled waits for

        class Service:
            def close(self) -> None:
                asyncio.run_coroutine_threadsafe(read.wait(), loop).result(10)

        async def scenario() -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            loop.call_later(0.1, read.set)
            messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
            await ImageApplication(Service())({"type": "lifespan"}, receive(messages), ignore)  # type: ignore[arg-type]

        loop: asyncio.AbstractEventLoop
        asyncio.run(scenario())

    def test_a_rendering_that_fails_midway_raises_so_that_the_server_aborts(
        self, hold_picture: Callable[..., str]
    ) -> None:
        served = ServedImage(hold_picture, coloured(4000, 3000))

        async def damage_the_rest(_: bytes) -> None:
            served.store.damaged = True

        with AsgiClient(ImageApplication(served.service)) as client:
            response = client.get(
                f"{PREFIX}{served.image}/full/max/0/default.png", on_part=damage_the_rest, keep_error=True
            )
        assert response.status == 200
        assert not response.is_complete
        assert isinstance(response.error, PyramidCorrupt)


def receive(messages: list[dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def next_message() -> dict[str, Any]:
        return messages.pop(0)

    return next_message


async def ignore(_: MutableMapping[str, Any]) -> None:
    pass


def without_length(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name != "content-length"}


@pytest.mark.slow
class TestClientBudget:
    REQUEST = "0,0,1400,1000/,1000/90/default.png"

    def ask(self, served: ServedImage, client: str, number: int) -> Response:
        path = f"{PREFIX}{served.image}/{number},0,1400,1000/,900/90/default.png"
        return served.respond(ImageCall(path, BASE, client=client))

    def test_a_client_beyond_its_budget_is_refused_and_others_are_served(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        served = ServedImage(hold_picture, picture, client_pixels=100_000)
        assert [self.ask(served, "192.0.2.1", number).status for number in range(3)] == [200, 429, 429]
        refused = self.ask(served, "192.0.2.1", 4)
        assert int(headers(refused)["Retry-After"]) > 1
        assert document_of(refused)["code"] == "request.limit"
        assert self.ask(served, "192.0.2.2", 5).status == 200
        assert self.ask(served, "", 6).status == self.ask(served, "", 7).status == 200
        served.clock.now += int(headers(refused)["Retry-After"])
        assert self.ask(served, "192.0.2.1", 8).status == 200

    def test_a_request_that_the_pool_refuses_is_not_charged(
        self, hold_picture: Callable[..., str], picture: pyvips.Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(*_: object) -> bytes:
            raise RenderingBusy

        served = ServedImage(hold_picture, coloured(4000, 3000), client_pixels=100_000)
        path = f"{PREFIX}{served.image}/full/max/90/default.png"
        with monkeypatch.context() as full:
            full.setattr(served.service._pool, "render", refuse)
            assert [served.respond(ImageCall(path, BASE, client="192.0.2.1")).status for _ in range(3)] == [503] * 3
        assert self.ask(served, "192.0.2.1", 1).status == 200

    def test_stored_tiles_are_not_limited(self, hold_picture: Callable[..., str], picture: pyvips.Image) -> None:
        served = ServedImage(hold_picture, picture, client_pixels=1)
        path = f"{PREFIX}{served.image}/0,0,256,256/max/0/default.jpg"
        assert {served.respond(ImageCall(path, BASE, client="192.0.2.1")).status for _ in range(50)} == {200}
