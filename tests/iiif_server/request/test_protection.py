"""Redactions hide at every scale, and the watermark is anchored in the picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import Box
from iiif_server.request.protection import BLOCK, Protection, layers, placement

pytestmark = pytest.mark.slow

SIDES = st.integers(1, 500)
PLACES = st.integers(0, 2000)


def test_image_without_protection_is_sent_unchanged() -> None:
    assert not Protection().touches(Box(0, 0, 512, 512), 1)


def test_watermarked_image_is_never_sent_unchanged() -> None:
    assert Protection(mark=b"png").touches(Box(0, 0, 512, 512), 1)


def test_only_a_tile_without_redaction_is_sent_unchanged() -> None:
    protection = Protection((Box(600, 600, 50, 50),))
    assert protection.touches(Box(512, 512, 512, 512), 1)
    assert not protection.touches(Box(0, 0, 512, 512), 1)
    assert protection.touches(Box(0, 0, 1024, 1024), 2)


def test_blocks_around_a_redaction_are_hidden() -> None:
    assert Protection((Box(100, 100, 10, 10),)).parts(1, Box(0, 0, 300, 300)) == [
        Box(100 - BLOCK, 100 - BLOCK, 10 + 2 * BLOCK, 10 + 2 * BLOCK)
    ]


@given(PLACES, PLACES, SIDES, SIDES, st.sampled_from([1, 2, 4, 8]), PLACES, PLACES, SIDES, SIDES)
def test_every_pixel_of_a_redaction_is_hidden(
    x: int, y: int, width: int, height: int, factor: int, left: int, top: int, across: int, along: int
) -> None:
    """Every pixel of the box whose square of the whole image meets the redaction is in a blackened part."""
    box = Box(left, top, across, along)
    parts = Protection((Box(x, y, width, height),)).parts(factor, box)
    columns = range(max(left, x // factor), min(left + across, -(-(x + width) // factor)))
    rows = range(max(top, y // factor), min(top + along, -(-(y + height) // factor)))
    for column in (columns[0], columns[-1]) if columns else ():
        for row in (rows[0], rows[-1]) if rows else ():
            assert any(
                part.x <= column - left < part.x + part.width and part.y <= row - top < part.y + part.height
                for part in parts
            )


@given(
    st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    st.tuples(st.integers(1, 100_000), st.integers(1, 100_000)),
    st.lists(
        st.tuples(PLACES, PLACES, SIDES, SIDES, st.integers(1, 3000), st.integers(1, 3000)), min_size=2, max_size=2
    ),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_marks_are_at_the_same_place_of_the_picture_in_every_request(
    mark: tuple[int, int],
    whole: tuple[int, int],
    requests: list[tuple[int, int, int, int, int, int]],
    across: float,
    along: float,
) -> None:
    """A point of the picture is at the same point of every layer, whatever region and size show it."""
    x, y = requests[0][0] + across * requests[0][2], requests[0][1] + along * requests[0][3]
    for layer in layers(mark, whole):
        points = []
        for left, top, width, height, wide, high in requests:
            place = placement(layer, Box(left, top, width, height), (wide, high))
            points += [place.x + (x - left) * wide / width * place.across]
            points += [place.y + (y - top) * high / height * place.along]
        assert points[:2] == pytest.approx(points[2:], abs=1e-6)
        assert points[:2] == pytest.approx([x / (2 * layer.width), y / (2 * layer.height)])


@given(st.integers(20, 4000), st.integers(20, 4000), st.integers(20, 100_000), st.integers(20, 100_000))
def test_marks_of_several_sizes_fit_the_image(width: int, height: int, across: int, along: int) -> None:
    found = layers((width, height), (across, along))
    assert all(2 * layer.width <= across + 1e-6 and 2 * layer.height <= along + 1e-6 for layer in found)
    assert 8 * found[-1].width > across or 8 * found[-1].height > along
    if 2 * width <= across and 2 * height <= along:
        assert found[0] == (width, height)


def test_a_large_image_has_marks_that_are_seen_at_every_scale() -> None:
    assert [layer.width for layer in layers((200, 80), (8000, 6000))] == [200, 800, 3200]
