"""Access decisions: who may see a work or any of its images. (pure)

The rules, in order; anything that no rule allows is refused:

1. A withdrawn work is shown to nobody.
2. Open access shows everything. So does any other access from the day on that ends it.
3. Reduced access shows everything to those with the privilege of the full size, restricted access to those with that
   of restricted images. Accounts and the tokens of partners have privileges; the public has none.
4. Reduced access with a positive `max_size` shows images whose longest side, for the whole image, is at most that.
5. Everything else, including reduced access without a size, is refused.

A new deposit of a work never opens it: `after_deposit`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from math import inf
from types import MappingProxyType
from typing import Final

from repository.clock import timestamp
from repository.localized import LocalizedText
from repository.model.work import Access, Agent, Rights, WorkAccess, WorkState


class AccessVerdict(StrEnum):
    """The outcome of a decision."""

    OPEN = "open"
    REDUCED = "reduced"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Privilege(StrEnum):
    """What an account or a partner may see beyond the public."""

    FULL_SIZE = "full-size"
    RESTRICTED_IMAGES = "restricted-images"


Privileges = frozenset[Privilege]
NO_PRIVILEGES: Final[Privileges] = frozenset()
"""Those of the public."""

_LIFTED_BY: Final = MappingProxyType(
    {Access.REDUCED: Privilege.FULL_SIZE, Access.RESTRICTED: Privilege.RESTRICTED_IMAGES}
)
"""The privilege that lifts each limit of access."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; for reduced access, `max_size` limits the longest side of the whole image in pixels."""

    verdict: AccessVerdict
    max_size: int | None = None

    @property
    def shows_pixels(self) -> bool:
        """Whether any pixel may be shown."""
        return self.verdict in {AccessVerdict.OPEN, AccessVerdict.REDUCED}

    @property
    def shows_all(self) -> bool:
        """Whether every pixel may be shown."""
        return self.verdict is AccessVerdict.OPEN

    @property
    def shows_text(self) -> bool:
        """Whether the text of pages may be shown, found and counted: wherever their pictures are shown at any size."""
        return self.shows_pixels


def decide(rights: Rights, state: WorkState, now: datetime, privileges: Privileges = NO_PRIVILEGES) -> Decision:
    """Decide what may be seen at `now` of a work with these rights in this state, and of any of its images.

    Without `privileges`, what the public may see.
    """
    if state is WorkState.WITHDRAWN:
        return Decision(AccessVerdict.WITHDRAWN)
    if state is not WorkState.PUBLISHED:
        return Decision(AccessVerdict.REFUSED)
    if rights.access is Access.OPEN or has_ended(rights.until, now):
        return Decision(AccessVerdict.OPEN)
    if _LIFTED_BY.get(rights.access) in privileges:
        return Decision(AccessVerdict.OPEN)
    if rights.access is Access.REDUCED and rights.max_size and rights.max_size > 0:
        return Decision(AccessVerdict.REDUCED, rights.max_size)
    return Decision(AccessVerdict.REFUSED)


def can_be_lifted(rights: Rights) -> bool:
    """Return whether some privilege shows everything of a work with these rights."""
    return rights.access in _LIFTED_BY


def has_ended(until: str | None, now: datetime) -> bool:
    """Return whether a restriction that ends on the day `until` has ended at `now`; one without a day never ends."""
    if until is None:
        return False
    try:
        return now.astimezone(UTC).date() >= date.fromisoformat(until)
    except ValueError:
        return False


def deposited_access(rights: Rights) -> WorkAccess:
    """Return the access to a work that a deposit states."""
    return WorkAccess(access=rights.access, max_size=rights.max_size, until=rights.until)


def rights_under(rights: Rights, access: WorkAccess) -> Rights:
    """Return the rights of a deposit with the access that is in force."""
    return replace(rights, access=access.access, max_size=access.max_size, until=access.until)


def is_same_access(one: WorkAccess, other: WorkAccess) -> bool:
    """Return whether two accesses show the same; when and why they were decided does not matter."""
    return _shown_by(one) == _shown_by(other)


def after_deposit(current: WorkAccess, previous: Rights, deposited: Rights, time: datetime) -> WorkAccess:
    """Return the access to a work after a new deposit of it.

    `previous` are the rights that the deposit before stated. A deposit that states the same changes nothing, because
    the staff may have changed the access since. One that states less access than is in force at `time` reduces it. No
    deposit opens a work or restores a withdrawn one: the staff do that explicitly.
    """
    if deposited_access(previous) == deposited_access(deposited):
        return current
    in_force = decide(rights_under(deposited, current), WorkState.PUBLISHED, time)
    stated = decide(deposited, WorkState.PUBLISHED, time)
    if _detail(stated) >= _detail(in_force):
        return current
    changed = timestamp(time)
    return replace(deposited_access(deposited), state=current.state, changed=changed, agent=Agent.DEPOSIT)


def day_of_withdrawal(withdrawn: WorkAccess) -> LocalizedText:
    """Return on which day a work was withdrawn, for the message of `Withdrawn`; nothing if it is not known."""
    day = (withdrawn.changed or "")[:10]
    return LocalizedText(f"于 {day} ", f" on {day}") if day else LocalizedText("", "")


def lesser_access(one: WorkAccess, other: WorkAccess, now: datetime) -> WorkAccess:
    """Return an access that shows no more at `now` than either of two; the first if they show the same.

    If either is withdrawn, so is the result, and a restoration would show what the lesser of both levels shows.
    """
    shown = [_detail(decide(rights_under(Rights(), each), WorkState.PUBLISHED, now)) for each in (one, other)]
    least = other if shown[1] < shown[0] else one
    withdrawn = next((each for each in (one, other) if each.state is WorkState.WITHDRAWN), None)
    if withdrawn is None or least.state is WorkState.WITHDRAWN:
        return least
    return replace(withdrawn, access=least.access, max_size=least.max_size, until=least.until)


def is_less_than_deposited(access: WorkAccess, deposited: Rights, now: datetime) -> bool:
    """Return whether a work shows less than its deposit states."""
    in_force = decide(rights_under(deposited, access), access.state, now)
    return _detail(in_force) < _detail(decide(deposited, WorkState.PUBLISHED, now))


def _shown_by(access: WorkAccess) -> tuple[object, ...]:
    return access.state, access.access, access.max_size, access.until


def _detail(decision: Decision) -> float:
    """Return the longest side in pixels that a decision shows of any image."""
    if not decision.shows_pixels:
        return 0
    return inf if decision.max_size is None else decision.max_size
