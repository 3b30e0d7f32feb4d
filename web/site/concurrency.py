"""A bound on how many costly answers one process makes at a time, so that pages are served meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from repository.errors import ShanbenError

_WAIT_SECONDS: Final = 5.0


@contextmanager
def hold_place(semaphore: BoundedSemaphore, busy: ShanbenError) -> Iterator[None]:
    """Hold one of the semaphore's places. Raises `busy` when none becomes free within `_WAIT_SECONDS`."""
    if not semaphore.acquire(timeout=_WAIT_SECONDS):
        raise busy
    try:
        yield
    finally:
        semaphore.release()
