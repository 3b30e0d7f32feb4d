"""Functions that a child process runs in tests: each talks with its parent."""

from __future__ import annotations

import threading
import time

from repository.errors import RenderingBusy
from repository.sandbox import Channel


def give_parts(link: Channel, count: int, size: int, pause: float = 0) -> int:
    """Parts of `size` bytes, each all of one number."""
    for number in range(count):
        time.sleep(pause)
        link.give(bytes([number % 256]) * size)
    return count


def ask_twice(link: Channel, first: int, second: int) -> None:
    """Give what the parent replies."""
    for question in (first, second):
        link.give(link.ask(question))


def give_and_fail(link: Channel) -> None:
    """A domain error after the first part."""
    link.give(b"first")
    raise RenderingBusy


def give_and_break(link: Channel) -> None:
    """A defect after the first part."""
    link.give(b"first")
    raise ZeroDivisionError


def ask_and_give_at_once(link: Channel, count: int) -> int:
    """Questions from one thread while parts are given by another; the sum of the lengths of the replies."""
    giver = threading.Thread(target=give_parts, args=(link, count, 100_000))
    giver.start()
    total = sum(len(link.ask(number)) for number in range(count))
    giver.join()
    return total
