"""How long work tells whoever waits for it."""

from __future__ import annotations

from typing import Protocol

from repository.localized import LocalizedText


class Progress(Protocol):
    """Told of one stretch of work after another; never from two threads at once."""

    def begin(self, what: LocalizedText, total: int) -> None:
        """A stretch of `total` units begins; what a unit is, the work decides (bytes, works)."""

    def advance(self, amount: int) -> None:
        """`amount` more units are done."""

    def end(self) -> None:
        """The stretch is over, done or not."""


class SilentProgress:
    """For work that nobody watches."""

    def begin(self, what: LocalizedText, total: int) -> None:
        """Say nothing."""

    def advance(self, amount: int) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""
