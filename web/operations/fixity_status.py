"""The part of the status about fixity: what can be said of all stored files."""

from __future__ import annotations

import time
from typing import Final

from repository.repository import Repository
from workers.tasks.fixity_state import FixityState, read_fixity_state

_SHARE: Final = 20
"""A state is valid for this many times the time that reading it took, which grows with the number of works."""


class FixityReader:
    """Reads the state of fixity repeatedly, and reuses it for a while."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._state: FixityState | None = None
        self._valid_until = 0.0

    def read(self) -> FixityState:
        """Return what can be said of the stored files. Raises `DatabaseFault`."""
        started = time.monotonic()
        if self._state is None or started >= self._valid_until:
            self._state = read_fixity_state(self._repository)
            ended = time.monotonic()
            self._valid_until = ended + _SHARE * (ended - started)
        return self._state


def fixity_key(state: FixityState) -> str:
    """Return the key in `MESSAGES` of what can be said of the stored files."""
    if state.findings:
        return "fixity.damaged"
    if not state.checked:
        return "fixity.never"
    if state.verified:
        return "fixity.verified"
    # Works that a sweep has not counted yet have no files in the state.
    return "fixity.partly" if state.files > state.checked else "fixity.incomplete"


def fixity_document(state: FixityState) -> dict[str, object]:
    """Return the state as JSON values."""
    return {
        "expected": state.files,
        "checked": state.checked,
        "stores": state.stores,
        "verified": state.verified,
        "since": state.since or None,
        "findings": state.findings,
    }
