"""Pictures with redactions and with the watermark: nothing hidden is shown, and tiles fit together."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import pyvips
from image_requests import respond
from numpy.typing import NDArray
from PIL import Image

from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from repository.config import Settings
from repository.model.work import Rectangle, Rights
from repository.repository import memory_repository

pytestmark = pytest.mark.slow

Served = Callable[..., tuple[ImageService, str]]

HIDDEN = Rectangle(300, 280, 120, 90)


@pytest.fixture
def served(hold_picture: Callable[..., str], picture: pyvips.Image, tmp_path: Path) -> Served:
    """Return a service and the image it serves: `picture`, brightened so that only redactions are black."""

    def serve(settings: Settings | None = None, **held: object) -> tuple[ImageService, str]:
        repository = memory_repository(settings or Settings(data=tmp_path))
        bright = (picture * 0.5 + 120).cast("uchar").copy(interpretation="srgb")
        return ImageService(repository), hold_picture(repository, bright, **held)

    return serve


@pytest.fixture
def mark(tmp_path: Path) -> Settings:
    """Settings with a watermark: a red frame, half transparent."""
    frame = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    for x in range(60):
        for y in (*range(8), *range(32, 40)):
            frame.putpixel((x, y), (255, 0, 0, 128))
    frame.save(tmp_path / "mark.png")
    return Settings(data=tmp_path, watermark=str(tmp_path / "mark.png"))


def pixels(service: ImageService, image: str, request: str) -> NDArray[numpy.uint8]:
    response = respond(service, ImageCall(f"/iiif/image/3/{image}/{request}", "https://example.org"))
    assert response.status == 200, response
    return numpy.asarray(Image.open(io.BytesIO(response.body)).convert("RGB"))


@pytest.mark.parametrize(
    "request_text",
    [
        "256,256,256,256/256,256/0/default.jpg",
        "0,0,512,512/256,256/0/default.jpg",
        "full/max/0/default.png",
        "full/300,/0/default.jpg",
        "full/40,/0/default.png",
        "200,200,400,300/^900,/0/gray.webp",
        "full/max/180/default.jpg",
        "full/max/!0/bitonal.png",
        "full/500,/37/default.png",
    ],
)
def test_redaction_is_black_in_every_request(served: Served, request_text: str) -> None:
    service, image = served(redactions=(HIDDEN,))
    plain_service, plain = served()
    treated, untreated = pixels(service, image, request_text), pixels(plain_service, plain, request_text)
    assert treated.shape == untreated.shape
    assert (treated != untreated).any()
    assert treated.min() == 0


def test_no_pixel_of_a_redaction_remains(served: Served) -> None:
    service, image = served(redactions=(HIDDEN,))
    for width in (1500, 750, 600, 375, 150, 60):
        scale = width / 1500
        shown = pixels(service, image, f"full/{width},/0/default.png").astype(int)
        left, top = int(HIDDEN.x * scale), int(HIDDEN.y * scale)
        right, bottom = -int(-(HIDDEN.x + HIDDEN.width) * scale // 1), -int(-(HIDDEN.y + HIDDEN.height) * scale // 1)
        assert shown[top:bottom, left:right].max() <= 12, width


def test_tile_without_redaction_is_the_stored_one(served: Served) -> None:
    service, image = served(redactions=(HIDDEN,))
    plain_service, plain = served()
    request = "768,512,256,256/256,256/0/default.jpg"
    assert (pixels(service, image, request) == pixels(plain_service, plain, request)).all()


def test_protection_changes_the_entity_tag(served: Served) -> None:
    etags = set()
    for held in ({}, {"redactions": (HIDDEN,)}, {"redactions": (Rectangle(300, 280, 121, 90),)}):
        service, image = served(**held)
        call = ImageCall(f"/iiif/image/3/{image}/full/100,/0/default.jpg", "https://example.org")
        etags.add(respond(service, call).headers["ETag"])
    assert len(etags) == 3


def test_watermark_covers_every_picture_and_tiles_fit_together(served: Served, mark: Settings) -> None:
    service, image = served(mark, rights=Rights(watermark=True))
    plain_service, plain = served()
    left = pixels(service, image, "0,0,256,256/256,256/0/default.png").astype(int)
    right = pixels(service, image, "256,0,256,256/256,256/0/default.png").astype(int)
    both = pixels(service, image, "0,0,512,256/512,256/0/default.png").astype(int)
    assert numpy.abs(numpy.hstack([left, right]) - both).max() <= 2
    bare = pixels(plain_service, plain, "0,0,512,256/512,256/0/default.png").astype(int)
    assert 0.1 < (numpy.abs(both - bare).max(axis=2) > 30).mean() < 0.5
    small = pixels(service, image, "full/100,/0/default.png").astype(int)
    assert (numpy.abs(small - pixels(plain_service, plain, "full/100,/0/default.png")).max(axis=2) > 30).any()


WHOLE = (1500, 1100)
SCALES = [f"full/{width},/0/default.png" for width in (1500, 1300, 1111, 997, 900, 750, 640, 500, 420, 375, 311, 200)]
PARTS = [
    f"{region}/{size}/{turn}/default.png"
    for region, size in (
        ("0,0,900,700", "900,700"),
        ("0,0,900,700", "450,350"),
        ("131,77,1000,900", "333,300"),
        ("300,100,1200,1000", "1000,833"),
        ("37,41,701,803", "^1402,1606"),
    )
    for turn in ("0", "90", "180", "!0", "!270")
]


def mark_in_picture(difference: NDArray[numpy.int_], request: str) -> NDArray[numpy.float64]:
    """Return how much the mark changes each pixel of the whole picture, from what it changes in an answer.

    Pixels outside the region have the value of no limit.
    """
    region, _, turn, _ = request.split("/")
    x, y, width, height = map(int, region.split(",")) if region != "full" else (0, 0, *WHOLE)
    upright = numpy.rot90(difference, int(turn.strip("!")) // 90)
    upright = numpy.fliplr(upright) if "!" in turn else upright
    placed = numpy.full(WHOLE[::-1], numpy.inf)
    scaled = Image.fromarray(upright.astype(numpy.float32)).resize((width, height), Image.Resampling.NEAREST)
    placed[y : y + height, x : x + width] = numpy.asarray(scaled)
    return placed


@pytest.mark.slow
def test_no_combination_of_requests_shows_what_a_mark_covers(served: Served, mark: Settings) -> None:
    """For each pixel of the picture, the answer is taken whose mark changes it least: the marks remain."""
    service, image = served(mark, rights=Rights(watermark=True))
    plain_service, plain = served()
    least = numpy.full(WHOLE[::-1], numpy.inf)
    for request in SCALES + PARTS:
        shown, bare = pixels(service, image, request).astype(int), pixels(plain_service, plain, request).astype(int)
        least = numpy.minimum(least, mark_in_picture(numpy.abs(shown - bare).max(axis=2), request))
    # The bars of the largest marks, 240 by 160 pixels: 32 high, half transparent red over a bright picture.
    for left in range(0, 1500 - 240, 480):
        for top in range(0, 1100 - 160, 320):
            for start in (top, top + 128):
                assert least[start + 8 : start + 24, left + 8 : left + 232].min() > 30, (left, start)


@pytest.mark.parametrize("turn", ["90", "180", "270", "!0", "!90"])
def test_watermark_is_rotated_with_its_picture(served: Served, mark: Settings, turn: str) -> None:
    service, image = served(mark, rights=Rights(watermark=True))
    upright = pixels(service, image, "0,0,512,256/512,256/0/default.png")
    turned = numpy.fliplr(upright) if "!" in turn else upright
    turned = numpy.rot90(turned, -int(turn.strip("!")) // 90)
    shown = pixels(service, image, f"0,0,512,256/512,256/{turn}/default.png")
    assert numpy.abs(shown.astype(int) - turned.astype(int)).max() <= 2


def test_work_that_needs_a_watermark_is_refused_without_one(served: Served) -> None:
    service, image = served(rights=Rights(watermark=True))
    response = respond(service, ImageCall(f"/iiif/image/3/{image}/full/100,/0/default.jpg", "https://example.org"))
    assert response.status == 503
