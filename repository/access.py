"""Who may see what: one decision for a work or any of its images. (pure)

The rules, in order; whatever no rule allows is refused:

1. a work that is withdrawn is shown to nobody;
2. open access shows everything;
3. reduced access with a positive `max_size` shows pictures whose longest side, for the whole image, is at most that;
4. anything else, reduced access without a size included, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from repository.model import Access, Rights, WorkState


class AccessVerdict(StrEnum):
    """What is decided."""

    OPEN = "open"
    REDUCED = "reduced"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; `max_size` is the longest side in pixels of the whole image as it may be shown, when reduced."""

    verdict: AccessVerdict
    max_size: int | None = None

    @property
    def shows_pixels(self) -> bool:
        """Whether any pixel may be shown."""
        return self.verdict in {AccessVerdict.OPEN, AccessVerdict.REDUCED}


def decide(rights: Rights, state: WorkState) -> Decision:
    """What the public may see of a work with these rights, in this state, or of any of its images."""
    if state is WorkState.WITHDRAWN:
        return Decision(AccessVerdict.WITHDRAWN)
    if state is not WorkState.PUBLISHED:
        return Decision(AccessVerdict.REFUSED)
    if rights.access is Access.OPEN:
        return Decision(AccessVerdict.OPEN)
    if rights.access is Access.REDUCED and rights.max_size and rights.max_size > 0:
        return Decision(AccessVerdict.REDUCED, rights.max_size)
    return Decision(AccessVerdict.REFUSED)
