from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from iiif_server.tiles.spans import Bounds, TileSpan, runs

layouts = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 300)), max_size=30)
bounds = st.builds(Bounds, st.integers(0, 200), st.integers(1, 1000))


def laid_out(layout: list[tuple[int, int]]) -> list[TileSpan]:
    """Tiles one after another, each after a gap."""
    places, end = [], 0
    for gap, length in layout:
        places.append(TileSpan(end + gap, length, 0))
        end += gap + length
    return places


@given(layouts, bounds, st.randoms())
def test_every_place_is_in_one_range_and_little_is_read_in_vain(layout, bounds, chance) -> None:  # type: ignore[no-untyped-def]
    places = laid_out(layout)
    chance.shuffle(places)
    found = list(runs(places, bounds))
    assert sorted(index for run in found for index in run.members) == list(range(len(places)))
    for run in found:
        held = [places[index] for index in run.members]
        assert run.start == min(place.offset for place in held)
        assert run.start + run.length == max(place.offset + place.length for place in held)
        assert run.length <= bounds.longest or len(held) == 1
        assert 2 * sum(place.length for place in held) >= run.length
        assert all(b.offset - a.offset - a.length <= bounds.gap for a, b in pairwise(held))
    assert [run.start for run in found] == sorted(run.start for run in found)


def test_many_small_gaps_do_not_add_up_to_more_than_is_wanted() -> None:
    places = [TileSpan(0, 100, 0), *(TileSpan(200 + 101 * number, 1, 0) for number in range(9))]
    assert next(runs(places, Bounds(100, 4096)))[:2] == (0, 201)


def test_neighbours_are_read_as_one_whatever_their_order() -> None:
    places = [TileSpan(1000, 500, 0), TileSpan(0, 400, 0), TileSpan(450, 500, 0), TileSpan(9000, 10, 0)]
    assert [run[:2] for run in runs(places, Bounds(64, 4096))] == [(0, 1500), (9000, 10)]
