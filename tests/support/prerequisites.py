"""What tests of several kinds need of the machine they run on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest


def require(program: str | Path | None, what: str, demanded_by: Sequence[str] = ("CI", "REQUIRED")) -> str:
    """The path of a program or folder a test needs; skips, saying so, when it is absent.

    That is a failure where one of the variables `demanded_by` is set.
    """
    if program is None or not Path(program).exists():
        message = f"{what} is absent: this was not tested"
        if any(map(os.environ.get, demanded_by)):
            pytest.fail(message)
        pytest.skip(message)
    return str(program)
