"""When a job is due, a lease has expired, and a message is lost, by a clock that may be set back.

A time further ahead than any call writes was written before the clock was set back, and counts as past. A job that is
due immediately has the time '', which is before every other, so that such a clock does not hold it up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, or_

from repository.clock import timestamp
from repository.database.tables import JobRow

IMMEDIATELY: Final = ""

LONGEST_DELAY: Final = 300.0
"""The longest time, in seconds, for which a job is postponed."""

_LONGEST_LEASE: Final = 2 * 3600.0
"""More seconds than the longest lease (`SHANBEN_LEASE_SECONDS`)."""


class JobTimes:
    """The times of jobs by one clock. All are RFC 3339 times, which sort as text."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def after(self, seconds: float = 0.0) -> str:
        """Return the time so many seconds from now."""
        return timestamp(self._clock() + timedelta(seconds=seconds))

    def is_due(self, not_before: str) -> bool:
        """Return whether a job that waits until this time is due."""
        return not self.after() < not_before <= self.after(LONGEST_DELAY)

    def due(self) -> ColumnElement[bool]:
        """Return the condition that a queued job is due."""
        return or_(JobRow.not_before <= self.after(), JobRow.not_before > self.after(LONGEST_DELAY))

    def expired(self) -> ColumnElement[bool]:
        """Return the condition that the lease of a running job has expired."""
        return or_(JobRow.held_until < self.after(), JobRow.held_until > self.after(_LONGEST_LEASE))

    def lost(self, seconds: float) -> ColumnElement[bool]:
        """Return the condition that a message was sent more than so many seconds ago."""
        return or_(JobRow.sent < self.after(-seconds), JobRow.sent > self.after(seconds))
