"""Functions that a child process runs in tests: each talks with its parent."""

from __future__ import annotations

import time

from repository.child import Link
from repository.errors import RenderingBusy


def give_parts(link: Link, count: int, size: int, pause: float = 0) -> int:
    """Parts of `size` bytes, each all of one number."""
    for number in range(count):
        time.sleep(pause)
        link.give(bytes([number % 256]) * size)
    return count


def ask_twice(link: Link, first: int, second: int) -> None:
    """Give what the parent replies."""
    for question in (first, second):
        link.give(link.ask(question))


def give_and_fail(link: Link) -> None:
    """A domain error after the first part."""
    link.give(b"first")
    raise RenderingBusy


def give_and_break(link: Link) -> None:
    """A defect after the first part."""
    link.give(b"first")
    raise ZeroDivisionError
