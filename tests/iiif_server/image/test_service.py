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
from repository.model import Access, HeldImage, Pyramid, Rights, WorkState
from repository.repository import Repository, memory_repository
from repository.storage.store import ObjectStore


def coloured(width: int, height: int) -> pyvips.Image:
    """A colour picture of any size."""
    places = pyvips.Image.xyz(width, height)
    bands = (places[0] * (255 / width)).bandjoin([places[1] * (255 / height), places[0] % 200])
    return bands.cast("uchar").copy(interpretation="srgb")


BASE = "https://books.example"


what_works = cache(probe)


class CountingStore:
    """The real store, counting what is read, and able to damage it."""

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
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Catalogued:
    """The real catalogue, counting look-ups; a work can be withdrawn in it, and it can be away."""

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


class House:
    """A service over one held picture, and what went on below it."""

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
        self.service = ImageService(below, self.clock, what_works())
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
def house(hold_picture: Callable[..., str], picture: pyvips.Image) -> Iterator[House]:
    house = House(hold_picture, picture)
    yield house
    house.close()


def headers(response: Response) -> Headers:
    return response.headers


def told(response: Response) -> dict[str, object]:
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
    def test_every_spelling_of_a_tile_gives_its_stored_bytes_and_one_etag(self, house: House) -> None:
        # 1,500 by 1,100 in tiles of 256: the last column is 220 wide, the last row 76 high.
        for spelling in [
            "1280,1024,220,76/220,76/0/default.jpg",
            "1280,1024,220,76/max/0/color.jpg",
            "1280,1024,999,999/220,/0/default.jpg",
            "1280,1024,220,76/,76/360/default.jpg",
            "1280,1024,220,76/!220,76/0/default.jpg",
            "1280,1024,220,76/^pct:100/0/color.jpg",
        ]:
            response = house.ask(spelling)
            assert response.body == house.stored(29), spelling
            assert headers(response)["ETag"] == f'"{house.held.pyramid.fingerprint[:16]}-29"'
            assert headers(response)["Link"].startswith(
                f'<{BASE}{PREFIX}{house.image}/1280,1024,220,76/max/0/default.jpg>;rel="canonical", '
            )

    @pytest.mark.parametrize("version", ApiVersion)
    def test_every_tile_is_its_stored_bytes_in_all_spellings_of_both_versions(
        self, hold_picture: Callable[..., str], version: ApiVersion
    ) -> None:
        house = House(hold_picture, coloured(1301, 1063))
        grid = TileGrid(1301, 1063, 256)
        stored = [house.stored(ordinal) for ordinal in range(grid.count)]
        for ordinal in range(grid.count):
            for spelling in spellings_of(grid, ordinal, version):
                response = house.ask_version(version, f"{spelling}.jpg")
                assert response.status == 200, spelling
                assert response.body == stored[ordinal], spelling
                assert headers(response)["ETag"] == f'"{house.held.pyramid.fingerprint[:16]}-{ordinal}"'
        assert len(house.store.reads) > grid.count

    def test_the_one_tile_level_is_the_whole_image_at_that_size(self, house: House) -> None:
        spellings = ["full/188,138/0/default.jpg", "0,0,1500,1100/188,/0/color.jpg", "full/!188,138/0/default.jpg"]
        bodies = {house.ask(spelling).body for spelling in spellings}
        assert bodies == {house.ask("full/,138/0/default.jpg").body}
        assert len(house.store.reads) == 1 + len(spellings) + 1

    def test_full_and_max_of_a_picture_of_one_tile_are_its_stored_bytes(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        small = House(hold_picture, picture.crop(0, 0, 200, 100))
        for spelling in ["full/max", "full/200,", "square/100,100", "0,0,200,100/200,100", "pct:0,0,100,100/pct:100"]:
            stored = small.ask(f"{spelling}/0/default.jpg").body == small.stored(0)
            assert stored is not spelling.startswith("square")

    def test_a_tile_costs_one_ranged_read_and_the_directory_one_more_the_first_time(self, house: House) -> None:
        house.ask("0,0,256,256/256,256/0/default.jpg")
        assert len(house.store.reads) == 2
        house.ask("256,0,256,256/256,256/0/default.jpg")
        assert len(house.store.reads) == 3

    def test_a_matching_etag_ends_it_before_storage_is_touched(self, house: House) -> None:
        etag = headers(house.ask("full/300,220/90/gray.png"))["ETag"]
        house.store.reads.clear()
        for value in [etag, f"W/{etag}", f'"other", {etag}', "*"]:
            response = house.ask("full/300,220/90/gray.png", if_none_match=value)
            assert (response.status, response.body) == (304, b"")
            assert headers(response)["ETag"] == etag
            assert "Cache-Control" in headers(response)
        assert house.store.reads == []
        assert house.ask("full/300,220/90/gray.png", if_none_match='"other"').status == 200

    def test_a_304_of_the_very_first_request_reads_nothing_at_all(self, house: House) -> None:
        etag = f'"{house.held.pyramid.fingerprint[:16]}-0"'
        assert house.ask("0,0,256,256/256,256/0/default.jpg", if_none_match=etag).status == 304
        assert house.store.reads == []

    def test_damaged_bytes_are_never_sent(self, house: House) -> None:
        house.ask("0,0,256,256/256,256/0/default.jpg")
        house.store.damaged = True
        for rest in ["0,0,256,256/256,256/0/default.jpg", "full/300,/0/default.png"]:
            response = house.ask(rest)
            assert response.status == 500
            assert told(response)["code"] == "integrity.pyramid"
        house.store.damaged = False
        assert house.ask("0,0,256,256/256,256/0/default.jpg").body == house.stored(0)

    def test_a_pyramid_that_is_gone_is_a_passing_fault_and_mends_by_itself(self, house: House) -> None:
        key = house.held.pyramid.key
        kept = house.repository.store.read(key)
        house.repository.store.delete(key)
        assert house.ask("full/100,/0/default.jpg").status == 503
        house.repository.store.put(key, kept)
        assert house.ask("full/100,/0/default.jpg").status == 200

    def test_a_pyramid_that_is_not_the_catalogued_one_is_refused(
        self, hold_picture: Callable[..., str], picture: pyvips.Image, house: House
    ) -> None:
        other = House(hold_picture, picture.invert())
        house.repository.store.put(house.held.pyramid.key, other.repository.store.read(other.held.pyramid.key))
        assert house.ask("0,0,256,256/256,256/0/default.jpg").status == 500

    def test_look_ups_are_trusted_for_a_few_seconds_and_withdrawal_is_then_seen(self, house: House) -> None:
        tile = "0,0,256,256/256,256/0/default.jpg"
        for _ in range(5):
            assert house.ask(tile).status == 200
        assert house.catalogue.look_ups == 1
        house.catalogue.state = WorkState.WITHDRAWN
        assert house.ask(tile).status == 200
        house.clock.now += TRUSTED_SECONDS + 0.1
        for rest in [tile, "info.json", "", "nonsense"]:
            assert house.ask(rest).status == 410
        assert headers(house.ask(tile))["Cache-Control"] == "no-store"


class TestThumbnails:
    def test_one_asked_for_again_costs_no_pixels_and_reads_nothing(self, house: House) -> None:
        first = house.ask("full/120,88/0/default.jpg").body
        house.store.reads.clear()
        assert house.ask("full/120,88/0/default.jpg").body == first
        assert house.ask("full/120,/0/color.jpg").body == first
        assert house.store.reads == []

    def test_parts_of_a_picture_are_made_again_of_the_same_decoded_tiles(self, house: House) -> None:
        first = house.ask("0,0,300,300/120,120/0/default.jpg").body
        house.store.reads.clear()
        assert house.ask("0,0,300,300/120,120/0/default.jpg").body == first
        assert house.ask("10,20,280,280/120,120/0/default.jpg").status == 200
        assert house.store.reads == []
        assert house.ask("0,0,300,300/120,120/0/gray.jpg").status == 200
        assert house.store.reads

    def test_tiles_of_a_pyramid_made_anew_are_decoded_anew(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        house, other = House(hold_picture, picture), House(hold_picture, picture.invert())
        request = "0,0,300,300/120,120/0/default.jpg"
        before = house.ask(request).body
        key, made = house.held.pyramid.key, replace(other.held.pyramid, key=house.held.pyramid.key)
        house.repository.store.put(key, other.repository.store.read(other.held.pyramid.key))
        house.catalogue.pyramid = made
        house.clock.now += TRUSTED_SECONDS + 0.1
        assert house.ask(request).body == other.ask(request).body != before


class TestDatabaseAway:
    TILE = "0,0,256,256/256,256/0/default.jpg"

    def test_what_was_known_is_served_for_a_short_grace_and_then_nothing(self, house: House) -> None:
        assert house.ask(self.TILE).status == 200
        house.catalogue.away = True
        for _ in range(int(GRACE_SECONDS) - 1):
            house.clock.now += 1.0
            assert house.ask(self.TILE).status == house.ask("info.json").status == 200
        house.clock.now += 1.5
        for rest in [self.TILE, "info.json", "full/100,/0/default.jpg"]:
            answer = house.ask(rest)
            assert (answer.status, headers(answer)["Retry-After"]) == (503, "5")
        house.catalogue.away = False
        assert house.ask(self.TILE).status == 200

    def test_it_is_asked_about_once_a_second_meanwhile(self, house: House) -> None:
        house.ask(self.TILE)
        house.catalogue.away = True
        house.clock.now += TRUSTED_SECONDS + 0.1
        for _ in range(20):
            assert house.ask(self.TILE).status == 200
        assert house.catalogue.look_ups == 2

    def test_what_was_never_known_is_refused(self, house: House) -> None:
        house.catalogue.away = True
        assert house.ask(self.TILE).status == 503

    def test_a_withdrawal_is_seen_as_soon_as_the_database_is_back(self, house: House) -> None:
        assert house.ask(self.TILE).status == 200
        house.catalogue.away = True
        house.clock.now += TRUSTED_SECONDS + 0.1
        assert house.ask(self.TILE).status == 200
        house.catalogue.away, house.catalogue.state = False, WorkState.WITHDRAWN
        house.clock.now += 1.1
        assert house.ask(self.TILE).status == 410
        house.catalogue.away = True
        assert house.ask(self.TILE).status == 503


class TestLargePictures:
    def test_they_are_the_same_as_those_made_at_once(
        self, hold_picture: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = House(hold_picture, coloured(4000, 3000))
        large = house.ask("full/max/0/gray.png").body
        monkeypatch.setattr(service, "is_slow", lambda *_: False)
        assert large == house.ask("full/max/0/gray.png").body

    def test_stored_tiles_are_served_while_a_large_image_is_rendered(self, hold_picture: Callable[..., str]) -> None:
        house = House(hold_picture, coloured(4000, 3000))
        path = f"{PREFIX}{house.image}"

        async def both() -> int:
            rendered = await house.service.respond(ImageCall(f"{path}/full/max/0/default.png", BASE))
            assert isinstance(rendered.body, RenderedStream)
            tile = await house.service.respond(ImageCall(f"{path}/0,0,256,256/256,256/0/default.jpg", BASE))
            await rendered.body.close()
            return tile.status

        assert house.runner.run(both()) == 200

    def test_asking_for_the_head_makes_nothing(self, hold_picture: Callable[..., str]) -> None:
        house = House(hold_picture, coloured(4000, 3000))
        house.ask("info.json")
        house.store.reads.clear()
        assert house.ask("full/max/0/gray.jpg", method="HEAD").status == 200
        assert house.store.reads == []


class TestAccess:
    def test_a_restricted_image_gives_nothing(self, hold_picture: Callable[..., str], picture: pyvips.Image) -> None:
        house = House(hold_picture, picture, Rights(access=Access.RESTRICTED))
        for rest in ["info.json", "", "0,0,256,256/256,256/0/default.jpg", "full/1,1/0/default.jpg", "x"]:
            response = house.ask(rest, if_none_match="*")
            assert response.status == 403
            assert told(response)["code"] == "access.refused"
        assert house.store.reads == []

    def test_a_reduced_image_gives_no_stored_tile_of_a_larger_level(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        house = House(hold_picture, picture, Rights(access=Access.REDUCED, max_size=400))
        for rest in [
            "0,0,256,256/256,256",
            "0,0,256,256/max/../..",
            "0,0,512,512/256,256",
            "full/401,",
            "full/1500,1100",
        ]:
            assert house.ask(f"{rest}/0/default.jpg", if_none_match="*").status in (400, 403), rest
        assert house.store.reads == []
        assert house.ask("0,0,1024,1024/256,256/0/default.jpg").body == house.stored(39)
        assert picture_of(house.ask("full/max/0/default.jpg")).size == (400, 293)
        assert picture_of(house.ask("0,0,256,256/max/0/default.jpg")).size == (68, 68)

    def test_reduced_access_without_a_size_gives_nothing(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        assert House(hold_picture, picture, Rights(access=Access.REDUCED)).ask("info.json").status == 403


class TestInformation:
    def test_the_base_uri_redirects_to_the_document(self, house: House) -> None:
        response = house.ask()
        assert response.status == 303
        assert headers(response)["Location"] == f"{BASE}{PREFIX}{house.image}/info.json"

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
    def test_its_media_type_is_negotiated(self, house: House, accept: str | None, media_type: str) -> None:
        response = house.respond(ImageCall(f"{PREFIX}{house.image}/info.json", BASE, accept=accept))
        assert headers(response)["Content-Type"] == media_type
        assert headers(response)["Vary"] == "Accept"
        assert told(response)["id"] == f"{BASE}{PREFIX}{house.image}"
        again = house.ask("info.json", if_none_match=headers(response)["ETag"], accept=accept or "")
        assert again.status == 304

    def test_everything_it_says_is_served(self, house: House) -> None:
        document = told(house.ask("info.json"))
        for size in document["sizes"]:  # type: ignore[attr-defined]
            answer = picture_of(house.ask(f"full/{size['width']},{size['height']}/0/default.jpg"))
            assert answer.size == (size["width"], size["height"])
        for name in {"jpg", "png", *document["extraFormats"]} - {"pdf"}:  # type: ignore[misc]
            answer = picture_of(house.ask(f"full/40,30/0/default.{name}"))
            assert answer.format == {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(name, name.upper())
        assert house.ask("full/40,30/0/default.pdf").body.startswith(b"%PDF-")
        for quality in document["extraQualities"]:  # type: ignore[attr-defined]
            assert picture_of(house.ask(f"full/40,30/0/{quality}.png")).size == (40, 30)
        assert set(document["extraFeatures"]) == set(FEATURES)  # type: ignore[call-overload]
        for rest, sides in FEATURES.values():
            assert picture_of(house.ask(rest)).size == sides

    @pytest.mark.parametrize("factor_index", range(4))
    def test_every_tile_it_implies_is_a_stored_one(self, house: House, factor_index: int) -> None:
        tiles = told(house.ask("info.json"))["tiles"][0]  # type: ignore[index]
        factor, side = tiles["scaleFactors"][factor_index], tiles["width"]
        for x in range(0, 1500, side * factor):
            for y in range(0, 1100, side * factor):
                w, h = min(side * factor, 1500 - x), min(side * factor, 1100 - y)
                house.ask("0,0,256,256/256,256/0/default.jpg")
                reads = len(house.store.reads)
                out = -(-w // factor), -(-h // factor)
                answer = house.ask(f"{x},{y},{w},{h}/{out[0]},{out[1]}/0/default.jpg")
                assert picture_of(answer).size == out
                assert len(house.store.reads) == reads + 1


class TestVersion2:
    """What differs from 3.0."""

    def test_the_base_uri_redirects_to_the_document_of_its_version(self, house: House) -> None:
        response = house.ask_version(2)
        assert response.status == 303
        assert headers(response)["Location"] == f"{BASE}/iiif/image/2/{house.image}/info.json"

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
    def test_json_ld_is_given_to_who_asks_for_it_by_name(self, house: House, accept: str, media_type: str) -> None:
        response = house.ask_version(2, "info.json", accept=accept)
        assert headers(response)["Content-Type"] == media_type
        assert headers(response)["Link"] == '<http://iiif.io/api/image/2/level2.json>;rel="profile"'
        assert told(response)["@id"] == f"{BASE}/iiif/image/2/{house.image}"

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
    def test_the_canonical_address_is_that_of_its_version(self, house: House, spelt: str, canonical: str) -> None:
        link = f'<{BASE}/iiif/image/2/{house.image}/{canonical}>;rel="canonical", '
        link += '<http://iiif.io/api/image/2/level2.json>;rel="profile"'
        assert headers(house.ask_version(2, spelt, "HEAD"))["Link"] == link
        assert headers(house.ask_version(2, canonical, "HEAD"))["Link"] == link

    def test_what_may_not_be_shown_is_refused_as_in_3(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        house = House(hold_picture, picture, Rights(access=Access.REDUCED, max_size=400))
        for rest in [
            "0,0,256,256/256,",
            "0,0,512,512/256,",
            "full/401,",
            "full/full",
            "0,0,256,256/full",
            "full/1600,",
        ]:
            assert house.ask_version(2, f"{rest}/0/default.jpg", if_none_match="*").status == 403, rest
        assert house.store.reads == []
        assert house.ask_version(2, "0,0,1024,1024/256,/0/default.jpg").body == house.stored(39)
        assert picture_of(house.ask_version(2, "full/max/0/default.jpg")).size == (400, 293)
        restricted = House(hold_picture, picture.invert(), Rights(access=Access.RESTRICTED))
        for rest in ["info.json", "", "full/full/0/default.jpg", "x"]:
            assert restricted.ask_version(2, rest).status == 403
        assert restricted.store.reads == []

    def test_everything_it_says_is_served(self, house: House) -> None:
        document = told(house.ask_version(2, "info.json"))
        offered = document["profile"][1]  # type: ignore[index]
        assert offered["formats"] == ["jpg", "png", "webp", "tif", "gif", "jp2", "avif", "pdf"]
        for name in set(offered["formats"]) - {"pdf"}:
            assert picture_of(house.ask_version(2, f"full/40,/0/default.{name}")).size == (40, 29)
        for size in document["sizes"]:  # type: ignore[attr-defined]
            answer = picture_of(house.ask_version(2, f"full/{size['width']},/0/default.jpg"))
            assert answer.size == (size["width"], size["height"])
        assert "sizeAboveFull" in offered["supports"]
        assert picture_of(house.ask_version(2, "0,0,10,10/40,/0/default.png")).size == (40, 40)


def test_what_did_not_work_at_the_start_is_neither_told_nor_tried(house: House) -> None:
    less = what_works()._replace(formats=(OutputFormat.JPG, OutputFormat.PNG), qualities=(Quality.DEFAULT,))
    service = ImageService(house.repository, offered=less)

    def ask(version: int, rest: str) -> Response:
        return house.respond(ImageCall(f"/iiif/image/{version}/{house.image}/{rest}", BASE), service)

    for version in ApiVersion:
        for rest, part in [("default.webp", "format"), ("gray.jpg", "quality")]:
            response = ask(version, f"full/40,/0/{rest}")
            assert (response.status, told(response)["part"]) == (400, part)
    assert told(ask(3, "info.json"))["extraFormats"] == []
    assert told(ask(2, "info.json"))["profile"][1]["formats"] == ["jpg", "png"]  # type: ignore[index]


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
    def test_a_refusal_says_which_part_is_wrong_in_the_readers_language(
        self, house: House, rest: str, status: int, part: str
    ) -> None:
        chinese, english = house.ask(rest), house.ask(rest, accept_language="en")
        assert chinese.status == english.status == status
        assert told(chinese)["part"] == told(english)["part"] == part
        assert told(chinese)["detail"] != told(english)["detail"]
        assert headers(english)["Access-Control-Allow-Origin"] == "*"
        assert headers(english)["Vary"] == "Accept-Language"

    @pytest.mark.parametrize("identifier", ["", "nothing", "a/b", "[frob]", "i0000000000000000x", "../etc/passwd"])
    def test_what_is_not_held_is_not_found_and_the_catalogue_is_not_asked(self, house: House, identifier: str) -> None:
        response = house.respond(ImageCall(f"{PREFIX}{identifier}/full/max/0/default.jpg", BASE))
        assert response.status == 404
        assert house.catalogue.look_ups == 0

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
    def test_only_reading_is_allowed(self, house: House, method: str) -> None:
        response = house.ask("info.json", method)
        assert response.status == 405
        assert headers(response)["Allow"] == "GET, HEAD, OPTIONS"

    def test_a_preflight_is_answered(self, house: House) -> None:
        response = house.ask("info.json", "OPTIONS")
        assert (response.status, response.body) == (204, b"")
        assert headers(response)["Access-Control-Allow-Origin"] == "*"


class TestApplication:
    @pytest.fixture
    def client(self, house: House) -> Iterator[AsgiClient]:
        with AsgiClient(ImageApplication(ImageService(house.repository, offered=what_works()))) as client:
            yield client

    def test_a_path_outside_the_image_service_is_not_found(self, client: AsgiClient) -> None:
        for path in ["/", "/works", "/iiif/image/3", "/iiif/presentation/3/x/manifest"]:
            assert client.get(path).status == 404

    def test_addresses_are_those_of_the_request_and_forwarding_fields_are_not_believed(
        self, client: AsgiClient, house: House
    ) -> None:
        fields = {"host": "here:8000", "x-forwarded-host": "evil.example"}
        response = client.get(f"{PREFIX}{house.image}", fields)
        assert response.headers["location"] == f"http://here:8000{PREFIX}{house.image}/info.json"

    def test_a_head_request_gets_the_headers_without_the_body(self, client: AsgiClient, house: House) -> None:
        for rest in ["info.json", "full/100,/0/default.jpg", "0,0,256,256/max/0/default.jpg", "nonsense"]:
            path = f"{PREFIX}{house.image}/{rest}"
            got, head = client.get(path), client.request("HEAD", path)
            assert head.status == got.status
            assert head.body == b""
            length = None if rest.startswith("full") else str(len(got.body))
            assert head.headers.get("content-length") == length
            others = [
                {name: value for name, value in r.headers.items() if name != "content-length"} for r in (got, head)
            ]
            assert others[0] == others[1]

    def test_a_path_that_is_not_a_request_is_refused(self, client: AsgiClient, house: House) -> None:
        response = client.get(f"{PREFIX}{house.image}/善\x1b")
        assert (response.status, response.json()["part"]) == (400, "path")

    def test_the_scope_names_the_class_of_the_request(self, client: AsgiClient, house: House) -> None:
        classes = {
            "0,0,256,256/max/0/default.jpg": "stored",
            "full/100,/0/default.jpg": "rendered",
            "info.json": "info",
            "nonsense": "refused",
        }
        for rest, name in classes.items():
            response = client.get(f"{PREFIX}{house.image}/{rest}")
            assert response.scope[REQUEST_CLASS_KEY] == name
            if response.status == 200:
                fields = {"if-none-match": response.headers["etag"]}
                repeated = client.get(f"{PREFIX}{house.image}/{rest}", fields)
                assert repeated.scope[REQUEST_CLASS_KEY] == "not-modified"

    def test_a_client_that_disconnects_ends_the_rendering(self, hold_picture: Callable[..., str]) -> None:
        house = House(hold_picture, coloured(4000, 3000))
        service = ImageService(house.repository, offered=what_works())
        with AsgiClient(ImageApplication(service)) as client:
            response = client.get(f"{PREFIX}{house.image}/full/max/0/default.png", disconnect_after=1)
            assert not response.is_complete
            assert service._pool.running == 0
            assert client.get(f"{PREFIX}{house.image}/full/max/0/gray.jpg").is_complete

    def test_a_response_without_content_has_no_length(self, client: AsgiClient, house: House) -> None:
        for rest in ["info.json", "full/100,/0/default.jpg", "0,0,256,256/max/0/default.jpg"]:
            path = f"{PREFIX}{house.image}/{rest}"
            fields = {"if-none-match": client.get(path).headers["etag"]}
            responses = client.get(path, fields), client.request("HEAD", path, fields), client.request("OPTIONS", path)
            assert [response.status for response in responses] == [304, 304, 204]
            assert not any("content-length" in response.headers for response in responses)

    def test_the_service_is_closed_without_blocking_the_event_loop(self, house: House) -> None:
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
        house = House(hold_picture, coloured(4000, 3000))

        async def damage_the_rest(_: bytes) -> None:
            house.store.damaged = True

        with AsgiClient(ImageApplication(house.service)) as client:
            response = client.get(
                f"{PREFIX}{house.image}/full/max/0/default.png", on_part=damage_the_rest, keep_error=True
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


class TestClientBudget:
    REQUEST = "0,0,1400,1000/,1000/90/default.png"

    def ask(self, house: House, client: str, number: int) -> Response:
        path = f"{PREFIX}{house.image}/{number},0,1400,1000/,900/90/default.png"
        return house.respond(ImageCall(path, BASE, client=client))

    def test_a_client_beyond_its_budget_is_refused_and_others_are_served(
        self, hold_picture: Callable[..., str], picture: pyvips.Image
    ) -> None:
        house = House(hold_picture, picture, client_pixels=100_000)
        assert [self.ask(house, "192.0.2.1", number).status for number in range(3)] == [200, 429, 429]
        refused = self.ask(house, "192.0.2.1", 4)
        assert int(headers(refused)["Retry-After"]) > 1
        assert told(refused)["code"] == "request.limit"
        assert self.ask(house, "192.0.2.2", 5).status == 200
        assert self.ask(house, "", 6).status == self.ask(house, "", 7).status == 200
        house.clock.now += int(headers(refused)["Retry-After"])
        assert self.ask(house, "192.0.2.1", 8).status == 200

    def test_a_request_that_the_pool_refuses_is_not_charged(
        self, hold_picture: Callable[..., str], picture: pyvips.Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(*_: object) -> bytes:
            raise RenderingBusy

        house = House(hold_picture, coloured(4000, 3000), client_pixels=100_000)
        path = f"{PREFIX}{house.image}/full/max/90/default.png"
        with monkeypatch.context() as full:
            full.setattr(house.service._pool, "render", refuse)
            assert [house.respond(ImageCall(path, BASE, client="192.0.2.1")).status for _ in range(3)] == [503] * 3
        assert self.ask(house, "192.0.2.1", 1).status == 200

    def test_stored_tiles_are_not_limited(self, hold_picture: Callable[..., str], picture: pyvips.Image) -> None:
        house = House(hold_picture, picture, client_pixels=1)
        path = f"{PREFIX}{house.image}/0,0,256,256/max/0/default.jpg"
        assert {house.respond(ImageCall(path, BASE, client="192.0.2.1")).status for _ in range(50)} == {200}
