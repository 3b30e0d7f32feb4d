"""The progress of a long operation, as it is reported to the caller."""

from __future__ import annotations

from typing import Protocol

from repository.localized import LocalizedText


class Progress(Protocol):
    """Receives the progress of one phase after another. It is never called from two threads at the same time."""

    def start(self, label: LocalizedText, total: int) -> None:
        """Start a phase of `total` units. The operation chooses the unit: bytes, works or pages."""

    def advance(self, amount: int) -> None:
        """Add `amount` finished units."""

    def finish(self) -> None:
        """End the phase, whether it was completed or not."""
