"""The progress of a long operation, as it is reported to the caller."""

from __future__ import annotations

import threading
from typing import Protocol

from preservation.progress import OnProgress
from repository.localized import LocalizedText


class Progress(Protocol):
    """Receives the progress of one phase after another. It is never called from two threads at the same time."""

    def start(self, label: LocalizedText, total: int) -> None:
        """Start a phase of `total` units. The operation chooses the unit: bytes, works or pages."""

    def advance(self, amount: int) -> None:
        """Add `amount` finished units."""

    def finish(self) -> None:
        """End the phase, whether it was completed or not."""


def serialized(progress: Progress) -> OnProgress:
    """Return a function that several threads may call, although `progress` may not be."""
    lock = threading.Lock()

    def advance(amount: int) -> None:
        with lock:
            progress.advance(amount)

    return advance
