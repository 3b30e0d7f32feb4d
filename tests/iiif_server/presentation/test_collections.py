"""The parts of the collection of all works: which there are, what they are called, and what is in them."""

import pytest

from iiif_server.presentation.collections import ALL, AccessionPeriod, period_named, smallest_period

TIME = "2026-01-31T08:59:07Z"
NAMES = ["top", "2026", "2026-01", "2026-01-31", "2026-01-31t08", "2026-01-31t08-59"]


def parts() -> list[AccessionPeriod]:
    """The parts that a work is in, the whole first."""
    found = [ALL]
    while not found[-1].is_smallest:
        found.append(found[-1].division(TIME))
    return found


def test_a_work_is_in_a_part_of_every_length_from_everything_to_a_minute() -> None:
    assert [part.name for part in parts()] == NAMES
    assert parts()[-1] == smallest_period(TIME)
    assert [part.whole for part in parts()] == [None, *parts()[:-1]]


def test_a_part_is_found_by_its_name() -> None:
    assert [period_named(name) for name in NAMES] == parts()


@pytest.mark.parametrize("name", ["", "2026-1", "2026-01-31T08", "2026-01-31t08-59-07", "rare", "２０２６", "2026\n"])
def test_no_part_has_another_name(name: str) -> None:
    assert period_named(name) is None


@pytest.mark.parametrize("time", ["31 January 2026, 8:59", "2026-01-31 08:59:07Z", "20260131T085907Z"])
def test_a_time_in_another_form_has_no_part(time: str) -> None:
    with pytest.raises(ValueError, match="not a period of time"):
        smallest_period(time)


def test_a_part_ends_where_the_next_one_begins() -> None:
    for part, last, following in (
        (AccessionPeriod("2026"), "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        (AccessionPeriod("2026-02"), "2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z"),
        (AccessionPeriod("2026-01-31"), "2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"),
        (AccessionPeriod("2026-01-31T08"), "2026-01-31T08:59:59Z", "2026-01-31T09:00:00Z"),
        (AccessionPeriod("2026-01-31T08:59"), "2026-01-31T08:59:59Z", "2026-01-31T09:00:00Z"),
    ):
        assert part.start <= part.prefix + "0000-01-01T00:00:00Z"[len(part.prefix) :]
        assert last < part.end <= following
    assert ALL.start < TIME < ALL.end


def test_a_part_contains_itself_and_its_parts() -> None:
    for number, part in enumerate(parts()):
        assert [part.contains(other) for other in parts()] == [place >= number for place in range(len(NAMES))]
    assert not AccessionPeriod("2026-01").contains(AccessionPeriod("2026"))
    assert not AccessionPeriod("2026-01").contains(AccessionPeriod("2026-02-01"))


def test_every_part_says_what_it_holds_in_two_languages() -> None:
    assert [(part.label.zh, part.label.en) for part in parts()] == [
        ("馆藏善本", "Works held"),
        ("2026年入藏", "Accessioned 2026"),
        ("2026年1月入藏", "Accessioned 2026-01"),
        ("2026年1月31日入藏（世界时）", "Accessioned 2026-01-31 (UTC)"),
        ("2026年1月31日8时入藏（世界时）", "Accessioned 2026-01-31 08:00–08:59 (UTC)"),
        ("2026年1月31日8时59分入藏（世界时）", "Accessioned 2026-01-31 08:59 (UTC)"),
    ]
