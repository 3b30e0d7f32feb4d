"""What every test may use: the shared folder of real scans and suites, and a repository in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real scans and other people's suites beside the project; skips, saying so, when it is absent."""
    if not SHARED.is_dir():
        message = "the folder ../shared with real scans and conformance suites is absent"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED
