"""Programs and folders that a test needs on the machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest


def require(program: str | Path | None, what: str, demanded_by: Sequence[str] = ("CI", "REQUIRED")) -> str:
    """Return the path of a program or folder; skip the test, with a report, when it is absent.

    The test fails instead where one of the environment variables `demanded_by` is set.
    """
    if program is None or not Path(program).exists():
        message = f"{what} is absent: this was not tested"
        if any(map(os.environ.get, demanded_by)):
            pytest.fail(message)
        pytest.skip(message)
    return str(program)
