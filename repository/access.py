"""Access decisions: who may see a work or any of its images. (pure)

The rules, in order; anything that no rule allows is refused:

1. A withdrawn work is shown to nobody.
2. Open access shows everything.
3. Reduced access with a positive `max_size` shows images whose longest side, for the whole image, is at most that.
4. Everything else, including reduced access without a size, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from repository.model import Access, Rights, WorkState


class AccessVerdict(StrEnum):
    """The outcome of a decision."""

    OPEN = "open"
    REDUCED = "reduced"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; for reduced access, `max_size` limits the longest side of the whole image in pixels."""

    verdict: AccessVerdict
    max_size: int | None = None

    @property
    def shows_pixels(self) -> bool:
        """Whether any pixel may be shown."""
        return self.verdict in {AccessVerdict.OPEN, AccessVerdict.REDUCED}


def decide(rights: Rights, state: WorkState) -> Decision:
    """Decide what the public may see of a work with these rights in this state, and of any of its images."""
    if state is WorkState.WITHDRAWN:
        return Decision(AccessVerdict.WITHDRAWN)
    if state is not WorkState.PUBLISHED:
        return Decision(AccessVerdict.REFUSED)
    if rights.access is Access.OPEN:
        return Decision(AccessVerdict.OPEN)
    if rights.access is Access.REDUCED and rights.max_size and rights.max_size > 0:
        return Decision(AccessVerdict.REDUCED, rights.max_size)
    return Decision(AccessVerdict.REFUSED)
