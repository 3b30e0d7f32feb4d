"""Any request at all, in both versions: a picture of exactly the right size, the right way up, or the right refusal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import cos, radians, sin
from urllib.parse import quote

import pytest
import pyvips
from asgi_client import AsgiClient
from grammar_oracle import FORMATS, QUALITIES, Expected, Shown, before_turning, expected, may_be_too_large
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from iiif_server.image.asgi import ImageApplication
from iiif_server.image.capabilities import probe
from iiif_server.image.service import ImageService
from repository.config import Settings
from repository.model.work import Access, Rights
from repository.repository import memory_repository

pytestmark = pytest.mark.slow

WIDTH, HEIGHT, TILE = 611, 487, 256
OPEN = Shown(WIDTH, HEIGHT, TILE, 400_000)
SMALL = Shown(WIDTH, HEIGHT, TILE, 90_000)
REDUCED = Shown(WIDTH, HEIGHT, TILE, 400_000, 250)
what_works = cache(probe)


@dataclass
class Site:
    """An ASGI client of an image application that serves one picture under certain limits."""

    client: AsgiClient
    image: str

    def ask(self, version: int, rest: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        response = self.client.request(method, f"/iiif/image/{version}/{self.image}/{quote(rest)}", {"host": "here"})
        fields = {name.title().replace("Etag", "ETag"): value for name, value in response.headers.items()}
        return response.status, fields, response.body


@pytest.fixture
def sites(hold_picture: Callable[..., str]) -> dict[Shown, Site]:
    """The same picture thrice: open, with small answers only, and with reduced access."""
    places = pyvips.Image.xyz(WIDTH, HEIGHT)
    across, along = places[0] * (255 / (WIDTH - 1)), places[1] * (255 / (HEIGHT - 1))
    picture = across.bandjoin([along, 255 - across]).cast("uchar").copy(interpretation="srgb")
    found = {}
    for shown in (OPEN, SMALL, REDUCED):
        repository = memory_repository(Settings(max_area=shown.max_area))
        rights = Rights(access=Access.REDUCED, max_size=shown.max_size) if shown.max_size else None
        image = hold_picture(repository, picture, rights, TILE)
        service = ImageService(repository, offered=what_works())
        found[shown] = Site(AsgiClient(ImageApplication(service)), image)
    return found


sides = st.integers(0, 700) | st.sampled_from([0, 1, 2, 76, 77, 152, 153, 154, 244, 256, 305, 306, 487, 488, 611, 612])
beyond = st.sampled_from([1223, 20_000, 70_000, 9_999_999_999, 99_999_999_999])
reals = (
    st.integers(0, 130).map(str)
    | st.sampled_from(["25", "50", "12.5", "100", "33.333", ".5", "5.", "0.01", "007", "1e2", "-1", "+5", "1..5", ""])
    | st.floats(0, 150, allow_nan=False).map(lambda number: f"{number:.4f}")
)
some = sides | sides | sides | beyond
regions = (
    st.sampled_from(["full", "square", "full", "0,0,256,256", "512,256,99,231", "0,0,512,487", "512,0,99,487"])
    | st.builds("{},{},{},{}".format, sides, sides, some, some)
    | st.builds("pct:{},{},{},{}".format, reals, reals, reals, reals)
)
bare = (
    st.sampled_from(["max", "full", "max", "full", "pct:25", "pct:50", "306,", ",244", "153,", "pct:100"])
    | some.map("{},".format)
    | some.map(",{}".format)
    | st.builds("{},{}".format, some, some)
    | st.builds("!{},{}".format, some, some)
    | reals.map("pct:{}".format)
)
sizes = bare | bare | bare.map("^{}".format)
angles = st.sampled_from(["0", "0", "90", "180", "270", "360", "45", "22.5", "359.9", "361", "400", "90.0"]) | reals
rotations = angles | angles.map("!{}".format)
lasts = st.builds(
    "{}.{}".format,
    st.sampled_from([*QUALITIES, *QUALITIES, "default", "native", "Color", ""]),
    st.sampled_from([*FORMATS, *FORMATS, "jpg", "jpg", "jpeg", "bmp", "JPG", ""]),
)
likely = st.builds("{}/{}/{}/{}".format, regions, sizes, rotations, lasts)
upright = st.builds("{}/{}/{}/default.{}".format, regions, sizes, st.just("0"), st.sampled_from(FORMATS))


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A request with a character put in, taken out or changed."""
    text: str = draw(likely)
    place = draw(st.integers(0, len(text)))
    put = draw(
        st.sampled_from(["", "/", ",", ".", "^", "!", "0", "-", "%2f", " ", "?", "#", ":", "é", "\x00", "..", "٣"])
    )
    return text[:place] + put + text[place + draw(st.integers(0, 1)) :]


texts = likely | upright | spoilt()


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([2, 3]), texts, st.sampled_from([OPEN, SMALL, REDUCED]))
@example(2, "0,0,256,256/full/0/default.jpg", OPEN)
@example(3, "full/^20000,1/0/default.webp", OPEN)
@example(2, "full/20000,1/0/default.webp", OPEN)
@example(3, "full/^max/0/default.avif", OPEN)
@example(2, "full/full/0/default.jpg", REDUCED)
@example(3, "0,0,1,487/^max/0/default.png", OPEN)
@example(3, "full/!9999,9999/!33.3/gray.png", SMALL)
@example(3, "full/!9999,9999/0/default.jpg", OPEN)
@example(3, "0,0,1,487/^max/0/default.jpg", OPEN)
@example(3, "full/max/45./default.jpg", OPEN)
@example(2, "full/pct:50./0/default.jpg", OPEN)
def test_every_request_gets_the_right_image_or_refusal(
    sites: dict[Shown, Site], version: int, text: str, shown: Shown
) -> None:
    site, right = sites[shown], expected(version, text, shown)
    status, headers, body = site.ask(version, text)
    event(f"status {status}")
    if status == 200:
        assert right.fits, f"should have been {set(right.statuses)}"
        check_picture(body, right, shown)
        check_address(site, version, headers)
    else:
        assert status in right.statuses or (status == 400 and may_be_too_large(right, shown)), (status, right)
        assert headers["Content-Type"] == "application/problem+json"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert site.ask(version, text, "HEAD")[0] == status


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("slash", ["%2F", "%2f"])
def test_encoded_slash_separates_no_parts(sites: dict[Shown, Site], version: int, slash: str) -> None:
    site = sites[OPEN]
    base = f"/iiif/image/{version}/{site.image}"
    for text in ("full{}max/0/default.jpg", "full/max{}0/default.jpg", "full/max/0{}default.jpg", "full/{}max/0/a.jpg"):
        response = site.client.get(f"{base}/{text.format(slash)}")
        assert response.status == 400, text
        assert response.json()["code"] == "request.invalid"
    for path in (f"{base}{slash}info.json", f"{base}{slash}full/max/0/default.jpg", f"/iiif/image/{version}{slash}x/"):
        assert site.client.get(path).status == 404, path
    for text in ("%66ull/max/0/default.jpg", "0%2C0,20,20/%6Dax/0/default.jpg", "full/10,/%30/default%2Ejpg"):
        assert site.client.get(f"{base}/{text}").status == 200, text


def check_picture(body: bytes, right: Expected, shown: Shown) -> None:
    """Its sides are those of some size that fits, turned; its colours lie where they should."""
    picture = opened(body, right.format)
    upright_sides = before_turning(picture.size, right)
    assert upright_sides, (picture.size, right)
    assert picture.width * picture.height <= shown.max_area
    if min(upright_sides) >= 12:
        check_colours(picture, upright_sides, right)


def opened(body: bytes, wanted: str) -> Image.Image:
    if wanted == "pdf":
        assert body.startswith(b"%PDF-")
        found = re.search(rb"/Width (\d+) /Height (\d+)", body)
        assert found
        picture = Image.open(io.BytesIO(body[body.index(b"\xff\xd8\xff") :]))
        assert picture.size == (int(found[1]), int(found[2]))
    else:
        picture = Image.open(io.BytesIO(body))
        kinds = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}
        assert picture.format == kinds.get(wanted, wanted.upper())
    picture.load()
    return picture


def check_colours(picture: Image.Image, upright_sides: tuple[int, int], right: Expected) -> None:
    """Five places, each followed from the source through scaling, mirroring and turning."""
    colours = picture.convert("RGBA")
    if right.quality == "bitonal":
        if right.format in ("png", "tif"):
            assert {tuple(set(shade[:3])) for _, shade in colours.getcolors(1 << 24) or []} <= {(0,), (255,)}
        return
    x, y, w, h = right.region
    angle = radians(right.degrees)
    for u, v in [(0.5, 0.5), (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]:
        across = ((1 - u if right.mirrored else u) - 0.5) * upright_sides[0]
        along = (v - 0.5) * upright_sides[1]
        place = (
            picture.width / 2 + across * cos(angle) - along * sin(angle),
            picture.height / 2 + across * sin(angle) + along * cos(angle),
        )
        red, green = 255 * (x + u * w) / (WIDTH - 1), 255 * (y + v * h) / (HEIGHT - 1)
        shades = (red, green, 255 - red)
        if right.quality == "gray":
            shades = (0.299 * red + 0.587 * green + 0.114 * (255 - red),) * 3
        coarse = 255 * max(w / upright_sides[0] / WIDTH, h / upright_sides[1] / HEIGHT)
        tolerance = (40 if right.format == "gif" else 14) + 2 * coarse
        seen = mean(colours, place)
        assert all(abs(got - wanted) <= tolerance for got, wanted in zip(seen, shades, strict=True)), (seen, shades)


def mean(picture: Image.Image, place: tuple[float, float]) -> list[float]:
    """The mean colour of some pixels around a place, which a palette's grain does not touch."""
    left, top = int(place[0]) - 2, int(place[1]) - 2
    around = picture.crop((max(0, left), max(0, top), left + 4, top + 4)).convert("RGB")
    pixels = list(around.getdata())
    return [sum(pixel[band] for pixel in pixels) / len(pixels) for band in range(3)]


def check_address(site: Site, version: int, headers: dict[str, str]) -> None:
    """The canonical address, in the same version, is the same picture."""
    found = re.match(rf'<http://here/iiif/image/{version}/{site.image}/([^>]+)>;rel="canonical"', headers["Link"])
    assert found, headers["Link"]
    again = site.ask(version, found[1], "HEAD")
    assert (again[0], again[1]["ETag"], again[1]["Link"]) == (200, headers["ETag"], headers["Link"])


@pytest.mark.parametrize("wanted", ["png", "webp", "jpg", "avif", "gif", "tif"])
def test_corners_of_a_rotated_image_are_transparent_or_white(sites: dict[Shown, Site], wanted: str) -> None:
    for version in (2, 3):
        _, _, body = sites[OPEN].ask(version, f"full/200,150/30/default.{wanted}")
        corner = opened(body, wanted).convert("RGBA").getpixel((0, 0))
        assert corner[3] == 0 or (wanted == "jpg" and min(corner) > 240)  # type: ignore[index, arg-type]
