"""The grammar of image requests, parsed and written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.request.grammar import (
    ApiVersion,
    ImageRequest,
    OutputFormat,
    Quality,
    Region,
    RegionForm,
    Rotation,
    Size,
    SizeForm,
    parse,
    spell,
)
from repository.errors import RequestInvalid
from repository.localized import Language

UPRIGHT = Rotation(Decimal(0))
WHOLE = Region(RegionForm.FULL)
MOST = Size(SizeForm.MAX)


def request(
    region: Region = WHOLE,
    size: Size = MOST,
    rotation: Rotation = UPRIGHT,
    quality: Quality = Quality.DEFAULT,
    format: OutputFormat = OutputFormat.JPG,  # noqa: A002 - the specification's word
) -> ImageRequest:
    return ImageRequest(region, size, rotation, quality, format)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full/max/0/default.jpg", request()),
        ("square/max/0/default.jpg", request(Region(RegionForm.SQUARE))),
        ("125,15,120,140/max/0/default.jpg", request(Region(RegionForm.PIXELS, 125, 15, 120, 140))),
        (
            "pct:41.6,7.5,40,70/max/0/default.jpg",
            request(Region(RegionForm.PERCENT, Decimal("41.6"), Decimal("7.5"), Decimal(40), Decimal(70))),
        ),
        ("full/^max/0/default.jpg", request(size=Size(SizeForm.MAX, True))),
        ("full/150,/0/default.jpg", request(size=Size(SizeForm.WIDTH, width=150))),
        ("full/^360,/0/default.jpg", request(size=Size(SizeForm.WIDTH, True, width=360))),
        ("full/,150/0/default.jpg", request(size=Size(SizeForm.HEIGHT, height=150))),
        ("full/pct:50/0/default.jpg", request(size=Size(SizeForm.PERCENT, percent=Decimal(50)))),
        ("full/^pct:120.5/0/default.jpg", request(size=Size(SizeForm.PERCENT, True, percent=Decimal("120.5")))),
        ("full/225,100/0/default.jpg", request(size=Size(SizeForm.EXACT, False, 225, 100))),
        ("full/!225,100/0/default.jpg", request(size=Size(SizeForm.CONFINED, False, 225, 100))),
        ("full/^!360,360/0/default.jpg", request(size=Size(SizeForm.CONFINED, True, 360, 360))),
        ("full/max/22.5/default.png", request(rotation=Rotation(Decimal("22.5")), format=OutputFormat.PNG)),
        (
            "full/max/!180/gray.webp",
            request(WHOLE, MOST, Rotation(Decimal(180), True), Quality.GRAY, OutputFormat.WEBP),
        ),
        ("full/max/.5/default.jpg", request(rotation=Rotation(Decimal("0.5")))),
        ("full/max/360/default.jpg", request(rotation=Rotation(Decimal(360)))),
    ],
)
def test_parse_reads_every_form_of_the_specification(text: str, expected: ImageRequest) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("full/max/0", "path"),
        ("full/max/0/default.jpg/more", "path"),
        ("", "path"),
        ("0" * 300 + "/max/0/default.jpg", "path"),
        ("Full/max/0/default.jpg", "region"),
        ("1,2,3/max/0/default.jpg", "region"),
        ("-1,2,3,4/max/0/default.jpg", "region"),
        ("1,2,3,4,5/max/0/default.jpg", "region"),
        ("1.5,2,3,4/max/0/default.jpg", "region"),
        ("１,2,3,4/max/0/default.jpg", "region"),
        ("pct:1,2,3/max/0/default.jpg", "region"),
        ("pct:+1,2,3,4/max/0/default.jpg", "region"),
        ("pct:1e1,2,3,4/max/0/default.jpg", "region"),
        ("pct:.,2,3,4/max/0/default.jpg", "region"),
        ("/max/0/default.jpg", "region"),
        ("1,2,3,4\n/max/0/default.jpg", "region"),
        ("full/full/0/default.jpg", "size"),
        ("full/,/0/default.jpg", "size"),
        ("full/!10,/0/default.jpg", "size"),
        ("full/!,10/0/default.jpg", "size"),
        ("full/!max/0/default.jpg", "size"),
        ("full/,^240/0/default.jpg", "size"),
        ("full/^^10,/0/default.jpg", "size"),
        ("full/pct:/0/default.jpg", "size"),
        ("full/pct:-5/0/default.jpg", "size"),
        ("full/10/0/default.jpg", "size"),
        ("full//0/default.jpg", "size"),
        ("full/99999999999,/0/default.jpg", "size"),
        ("full/max/361/default.jpg", "rotation"),
        ("full/max/-90/default.jpg", "rotation"),
        ("full/max/0!/default.jpg", "rotation"),
        ("full/max/90.0.0/default.jpg", "rotation"),
        ("full/max/nan/default.jpg", "rotation"),
        ("full/max//default.jpg", "rotation"),
        ("full/max/0/native.jpg", "quality"),
        ("full/max/0/.jpg", "quality"),
        ("full/max/0/default.gray.jpg", "quality"),
        ("full/max/0/default", "format"),
        ("full/max/0/default.", "format"),
        ("full/max/0/default.jpeg", "format"),
        ("full/max/0/default.JPG", "format"),
        ("full/max/0/default.bmp", "format"),
    ],
)
def test_refusal_names_the_part_at_fault(text: str, part: str) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        parse(text)
    assert refusal.value.details["part"] == part
    assert refusal.value.in_language(Language.CHINESE) != refusal.value.in_language(Language.ENGLISH)


integers = st.integers(0, 10**10 - 1)
decimals = st.decimals(0, 360, allow_nan=False, places=4) | st.integers(0, 360).map(Decimal)
regions = (
    st.sampled_from([WHOLE, Region(RegionForm.SQUARE)])
    | st.builds(Region, st.just(RegionForm.PIXELS), integers, integers, integers, integers)
    | st.builds(Region, st.just(RegionForm.PERCENT), decimals, decimals, decimals, decimals)
)
NONE, NOTHING, NO = st.just(0), st.just(Decimal(0)), st.just(value=False)
EXACT = st.sampled_from([SizeForm.EXACT, SizeForm.CONFINED])


def sizes(carets: st.SearchStrategy[bool]) -> st.SearchStrategy[Size]:
    return (
        st.builds(Size, st.just(SizeForm.MAX), carets, NONE, NONE, NOTHING)
        | st.builds(Size, st.just(SizeForm.WIDTH), carets, integers, NONE, NOTHING)
        | st.builds(Size, st.just(SizeForm.HEIGHT), carets, NONE, integers, NOTHING)
        | st.builds(Size, EXACT, carets, integers, integers, NOTHING)
        | st.builds(Size, st.just(SizeForm.PERCENT), carets, NONE, NONE, decimals)
    )


def requests_of(version: ApiVersion, of_sizes: st.SearchStrategy[Size]) -> st.SearchStrategy[ImageRequest]:
    rotations = st.builds(Rotation, decimals, st.booleans())
    last = st.sampled_from(Quality), st.sampled_from(OutputFormat), st.just(version)
    return st.builds(ImageRequest, regions, of_sizes, rotations, *last)


requests = requests_of(ApiVersion.THREE, sizes(st.booleans())) | requests_of(
    ApiVersion.TWO, sizes(NO) | st.just(Size(SizeForm.FULL))
)


@given(requests)
def test_spell_is_the_inverse_of_parse(asked: ImageRequest) -> None:
    text = spell(asked)
    assert parse(text, asked.version) == asked
    assert spell(parse(text, asked.version)) == text


alphabet = st.text("0123456789.,:!^/%pctfulmaxsqregndbio jw-+eE\x00é", max_size=60)


@given(alphabet | st.text(max_size=40), st.sampled_from(ApiVersion))
def test_parse_returns_a_request_or_refuses_any_text(text: str, version: ApiVersion) -> None:
    try:
        asked = parse(text, version)
    except RequestInvalid:
        return
    assert parse(spell(asked), version) == asked


def test_each_version_has_its_own_sizes() -> None:
    assert parse("full/full/0/default.jpg", ApiVersion.TWO).size == Size(SizeForm.FULL)
    assert parse("full/max/0/default.jpg", ApiVersion.TWO).size == Size(SizeForm.MAX)
    for size in ["^max", "^full", "^10,", "^pct:10", "^!10,10", "native"]:
        with pytest.raises(RequestInvalid) as refusal:
            parse(f"full/{size}/0/default.jpg", ApiVersion.TWO)
        assert refusal.value.details["part"] == "size"


@pytest.mark.parametrize("version", ApiVersion)
def test_formats_are_those_of_the_specification_and_avif(version: ApiVersion) -> None:
    for name in ["jpg", "tif", "png", "gif", "jp2", "pdf", "webp", "avif"]:
        assert parse(f"full/max/0/default.{name}", version).format.value == name
    with pytest.raises(RequestInvalid):
        parse("full/max/0/native.jpg", version)
