"""A `Progress` that nobody watches."""

from __future__ import annotations

from repository.localized import LocalizedText


class SilentProgress:
    """Discards all progress."""

    def start(self, label: LocalizedText, total: int) -> None:
        """Do nothing."""

    def advance(self, amount: int) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""
