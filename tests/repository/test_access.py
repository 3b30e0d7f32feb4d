from __future__ import annotations

from typing import cast

import pytest

from repository.access import AccessVerdict, Decision, decide
from repository.model import Access, Rights, WorkState

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
    assert decide(rights, WorkState.PUBLISHED) == expected


@pytest.mark.parametrize("access", Access)
def test_a_withdrawn_work_shows_nothing(access: Access) -> None:
    decision = decide(Rights(access=access, max_size=800), WorkState.WITHDRAWN)
    assert decision == Decision(AccessVerdict.WITHDRAWN)
    assert not decision.shows_pixels


def test_an_unknown_state_is_refused() -> None:
    assert decide(Rights(), cast(WorkState, "in preparation")) == REFUSED
