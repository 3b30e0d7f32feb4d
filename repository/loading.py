"""Loads a program with the garbage collector off."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Switch the garbage collector off in the context, and exclude what was made there from all later collections.

    Loading makes tens of thousands of objects and no garbage, in which the collector would search again and again: that
    takes a seventh of the time in which a program starts. Keeping the objects out of later collections also keeps the
    memory that child processes share with their parent.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
