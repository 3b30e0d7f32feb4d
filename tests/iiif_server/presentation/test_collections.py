"""Periods of the collection of all works: names, boundaries and divisions."""

import pytest

from iiif_server.presentation.collections import ALL, AccessionPeriod, period_named, smallest_period

TIME = "2026-01-31T08:59:07Z"
NAMES = ["top", "2026", "2026-01", "2026-01-31", "2026-01-31t08", "2026-01-31t08-59"]


def periods() -> list[AccessionPeriod]:
    """Return the periods of a work, the longest first."""
    found = [ALL]
    while not found[-1].is_smallest:
        found.append(found[-1].division(TIME))
    return found


def test_work_is_in_a_period_of_every_length() -> None:
    assert [part.name for part in periods()] == NAMES
    assert periods()[-1] == smallest_period(TIME)
    assert [part.whole for part in periods()] == [None, *periods()[:-1]]


def test_period_named_is_the_inverse_of_name() -> None:
    assert [period_named(name) for name in NAMES] == periods()


@pytest.mark.parametrize("name", ["", "2026-1", "2026-01-31T08", "2026-01-31t08-59-07", "rare", "２０２６", "2026\n"])
def test_period_named_refuses_other_names(name: str) -> None:
    assert period_named(name) is None


@pytest.mark.parametrize("time", ["31 January 2026, 8:59", "2026-01-31 08:59:07Z", "20260131T085907Z"])
def test_smallest_period_refuses_other_forms_of_time(time: str) -> None:
    with pytest.raises(ValueError, match="not a period of time"):
        smallest_period(time)


def test_period_ends_where_the_next_begins() -> None:
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


def test_period_contains_itself_and_its_divisions() -> None:
    for number, part in enumerate(periods()):
        assert [part.contains(other) for other in periods()] == [place >= number for place in range(len(NAMES))]
    assert not AccessionPeriod("2026-01").contains(AccessionPeriod("2026"))
    assert not AccessionPeriod("2026-01").contains(AccessionPeriod("2026-02-01"))


def test_period_has_a_label_in_two_languages() -> None:
    assert [(part.label.zh, part.label.en) for part in periods()] == [
        ("馆藏善本", "Works held"),
        ("2026年入藏", "Accessioned 2026"),
        ("2026年1月入藏", "Accessioned 2026-01"),
        ("2026年1月31日入藏（世界时）", "Accessioned 2026-01-31 (UTC)"),
        ("2026年1月31日8时入藏（世界时）", "Accessioned 2026-01-31 08:00–08:59 (UTC)"),
        ("2026年1月31日8时59分入藏（世界时）", "Accessioned 2026-01-31 08:59 (UTC)"),
    ]
