"""JPEGs shortened to their upper rows."""

from __future__ import annotations

import io

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from iiif_server.render.codecs import decode_tile
from iiif_server.render.jpeg_header import upper_part

WIDTH, HEIGHT = 150, 203


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    """Return a JPEG of noise in every colour, so that each row affects the chroma of its neighbours."""
    noise = numpy.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), numpy.uint8)
    target = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(target, "JPEG", **{"quality": 80, **options})
    return target.getvalue()


KINDS = {
    "half": jpeg(subsampling="4:2:0"),
    "across": jpeg(subsampling="4:2:2"),
    "full": jpeg(subsampling="4:4:4"),
    "grey": jpeg("L"),
    "marked": jpeg(restart_marker_rows=1),
    "progressive": jpeg(progressive=True),
}


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from(sorted(KINDS)), rows=st.integers(1, HEIGHT), grey=st.booleans())
def test_upper_part_has_the_rows_of_the_whole(kind: str, rows: int, grey: bool) -> None:
    whole = decode_tile(KINDS[kind], (HEIGHT, WIDTH), grey)
    upper = decode_tile(KINDS[kind], (HEIGHT, WIDTH), grey, rows)
    assert rows <= len(upper) <= HEIGHT
    assert numpy.array_equal(upper[:rows], whole[:rows])


@pytest.mark.parametrize("kind", ["half", "across", "full", "grey", "marked"])
def test_upper_part_does_not_decode_the_rows_below(kind: str) -> None:
    shortened, height = upper_part(KINDS[kind], 20, HEIGHT)
    assert height in {24, 32}
    with Image.open(io.BytesIO(shortened)) as upper:
        assert upper.size == (WIDTH, height)


def test_upper_part_of_nearly_all_rows_is_the_whole() -> None:
    for rows in (HEIGHT, HEIGHT - 1):
        assert upper_part(KINDS["half"], rows, HEIGHT) == (KINDS["half"], HEIGHT)


@pytest.mark.parametrize("kind", ["progressive", "half"])
def test_jpeg_that_cannot_be_shortened_is_unchanged(kind: str) -> None:
    height = HEIGHT if kind == "progressive" else HEIGHT + 1
    assert upper_part(KINDS[kind], 20, height) == (KINDS[kind], height)


@given(data=st.binary(max_size=60), start=st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xc0", b"\xff\xd8\xff\xe0"]))
def test_data_that_is_not_a_jpeg_is_unchanged(data: bytes, start: bytes) -> None:
    assert upper_part(start + data, 1, 70_000) == (start + data, 70_000)


def test_jpeg_with_a_truncated_header_is_unchanged_or_shortened() -> None:
    whole = KINDS["half"]
    for length in range(len(whole[:700])):
        shortened, height = upper_part(whole[:length], 20, HEIGHT)
        assert (shortened, height) == (whole[:length], HEIGHT) or (len(shortened), height) == (length, 32)
