"""What may come of a job's task besides a result: further jobs, a fresh start, or the failure of one of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repository.database.outbox import NewJob


@dataclass(frozen=True, slots=True)
class FanOut:
    """The job waits for these children and then goes on with `plan`; `claim` names the work that is its alone."""

    orders: Sequence[NewJob]
    plan: Mapping[str, object]
    claim: str | None


@dataclass(frozen=True, slots=True)
class Restart:
    """What the job planned does not hold any more."""


class StepFailed(Exception):
    """A child failed for good: `fault`, as it was kept with the child, ends its parent too."""

    def __init__(self, fault: Mapping[str, object]) -> None:
        self.fault = fault
        super().__init__(str(fault.get("code")))
