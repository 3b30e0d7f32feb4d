"""Redactions hide at every scale, and the pattern of the watermark fits together across tiles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import Box
from iiif_server.request.protection import BLOCK, Protection, pattern

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


@given(st.integers(1, 30), st.sampled_from([1, 2, 4]))
def test_pattern_continues_across_the_tiles_of_a_level(tile: int, factor: int) -> None:
    side = 256 * factor
    first = pattern((200, 80), Box(0, 0, side, side), (256, 256), (40_000, 40_000))
    other = pattern((200, 80), Box(tile * side, 0, side, side), (256, 256), (40_000, 40_000))
    assert other[:4] == first[:4]
    assert other.x == tile * 256 % first.across


def test_thumbnail_has_a_small_watermark() -> None:
    small = pattern((400, 100), Box(0, 0, 4000, 3000), (100, 75), (4000, 3000))
    assert small.width <= 50
