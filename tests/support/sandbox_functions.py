"""Functions that tests run in a sandbox with a channel to the parent."""

from __future__ import annotations

import threading
import time

from repository.errors import RenderingBusy
from repository.sandbox import Channel


def send_chunks(channel: Channel, count: int, size: int, pause: float = 0) -> int:
    """Send `count` chunks of `size` bytes, each filled with its number."""
    for number in range(count):
        time.sleep(pause)
        channel.send(bytes([number % 256]) * size)
    return count


def request_twice(channel: Channel, first: int, second: int) -> None:
    """Send the parent's responses to two requests."""
    for value in (first, second):
        channel.send(channel.request(value))


def send_and_raise_domain_error(channel: Channel) -> None:
    """Raise a domain error after the first chunk."""
    channel.send(b"first")
    raise RenderingBusy


def send_and_crash(channel: Channel) -> None:
    """Raise an exception that is no domain error after the first chunk."""
    channel.send(b"first")
    raise ZeroDivisionError


def request_while_sending(channel: Channel, count: int) -> int:
    """Make requests in one thread while another sends chunks; return the total length of the responses."""
    sender = threading.Thread(target=send_chunks, args=(channel, count, 100_000))
    sender.start()
    total = sum(len(channel.request(number)) for number in range(count))
    sender.join()
    return total
