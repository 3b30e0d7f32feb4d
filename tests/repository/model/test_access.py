from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.access import (
    AccessVerdict,
    Decision,
    after_deposit,
    decide,
    deposited_access,
    is_less_than_deposited,
    lesser_access,
    rights_under,
)
from repository.model.work import Access, Agent, Rights, WorkAccess, WorkState

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

OPEN = Decision(AccessVerdict.OPEN)
REFUSED = Decision(AccessVerdict.REFUSED)


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (Rights(), OPEN),
        (Rights(access=Access.OPEN, max_size=10), OPEN),
        (Rights(access=Access.REDUCED, max_size=800), Decision(AccessVerdict.REDUCED, 800)),
        (Rights(access=Access.REDUCED), REFUSED),
        (Rights(access=Access.REDUCED, max_size=0), REFUSED),
        (Rights(access=Access.REDUCED, max_size=-5), REFUSED),
        (Rights(access=Access.RESTRICTED), REFUSED),
        (Rights(access=Access.RESTRICTED, max_size=800), REFUSED),
        (Rights(access=cast(Access, "a word of next year")), REFUSED),
    ],
)
def test_access_to_a_published_work(rights: Rights, expected: Decision) -> None:
    assert decide(rights, WorkState.PUBLISHED, NOW) == expected


@pytest.mark.parametrize("access", Access)
def test_a_withdrawn_work_shows_nothing(access: Access) -> None:
    decision = decide(Rights(access=access, max_size=800), WorkState.WITHDRAWN, NOW)
    assert decision == Decision(AccessVerdict.WITHDRAWN)
    assert not decision.shows_pixels


def test_an_unknown_state_is_refused() -> None:
    assert decide(Rights(), cast(WorkState, "in preparation"), NOW) == REFUSED


ACCESSES = st.builds(
    WorkAccess,
    st.sampled_from(WorkState),
    st.sampled_from(Access),
    st.none() | st.integers(1, 5000),
    st.sampled_from([None, "2025-12-31", "2026-01-01", "2026-01-02", "no day"]),
)
DEPOSITED = st.builds(Rights, st.none(), st.sampled_from(Access), st.none() | st.integers(1, 5000))


def detail(decision: Decision) -> int:
    """The longest side that a decision shows of an image of 9,999 pixels."""
    return {AccessVerdict.OPEN: 9999, AccessVerdict.REDUCED: decision.max_size or 0}.get(decision.verdict, 0)


@pytest.mark.parametrize("access", [Access.REDUCED, Access.RESTRICTED])
def test_a_restriction_ends_with_the_beginning_of_its_day(access: Access) -> None:
    rights = Rights(access=access, max_size=800 if access is Access.REDUCED else None, until="2026-01-02")
    midnight = datetime(2026, 1, 2, tzinfo=UTC)
    assert decide(rights, WorkState.PUBLISHED, midnight - timedelta(seconds=1)) != OPEN
    assert decide(rights, WorkState.PUBLISHED, midnight) == OPEN
    assert decide(rights, WorkState.WITHDRAWN, midnight) == Decision(AccessVerdict.WITHDRAWN)


def test_a_day_that_cannot_be_read_ends_nothing() -> None:
    assert decide(Rights(access=Access.RESTRICTED, until="soon"), WorkState.PUBLISHED, NOW) == REFUSED


@given(ACCESSES, DEPOSITED, DEPOSITED)
def test_no_deposit_shows_more_of_a_held_work(current: WorkAccess, previous: Rights, deposited: Rights) -> None:
    after = after_deposit(current, previous, deposited, NOW)
    assert after.state is current.state
    for moment in (NOW, NOW + timedelta(days=9000)):
        before_it = decide(rights_under(deposited, current), current.state, moment)
        assert detail(decide(rights_under(deposited, after), after.state, moment)) <= detail(before_it)


@given(ACCESSES, DEPOSITED)
def test_a_deposit_that_states_the_same_changes_nothing(current: WorkAccess, deposited: Rights) -> None:
    assert after_deposit(current, deposited, replace(deposited, uri="https://example.org/"), NOW) is current


def test_a_deposit_that_states_less_access_reduces_it() -> None:
    after = after_deposit(WorkAccess(), Rights(), Rights(access=Access.RESTRICTED), NOW)
    assert after == WorkAccess(access=Access.RESTRICTED, changed="2026-01-01T12:00:00Z", agent=Agent.DEPOSIT)


def test_access_that_shows_less_than_its_deposit_states_is_recognised() -> None:
    withdrawn = WorkAccess(WorkState.WITHDRAWN)
    assert is_less_than_deposited(withdrawn, Rights(), NOW)
    assert is_less_than_deposited(WorkAccess(access=Access.RESTRICTED), Rights(), NOW)
    assert not is_less_than_deposited(deposited_access(Rights()), Rights(), NOW)
    assert not is_less_than_deposited(WorkAccess(), Rights(access=Access.RESTRICTED), NOW)


@given(ACCESSES, ACCESSES)
def test_the_lesser_of_two_accesses_opens_nothing(one: WorkAccess, other: WorkAccess) -> None:
    lesser = lesser_access(one, other, NOW)
    states = {one.state, other.state}
    assert lesser.state is (WorkState.WITHDRAWN if WorkState.WITHDRAWN in states else WorkState.PUBLISHED)
    shown = [detail(decide(rights_under(Rights(), each), WorkState.PUBLISHED, NOW)) for each in (one, other, lesser)]
    assert shown[2] == min(shown[:2])
    assert lesser_access(one, one, NOW) is one
