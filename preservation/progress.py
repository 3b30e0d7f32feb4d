"""The callback by which long operations report the bytes they have processed. (pure)"""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int], None]
"""Called with the number of bytes just processed; several threads may call it concurrently."""


def ignore_progress(_: int) -> None:
    """Do nothing: the default when no caller shows progress."""
