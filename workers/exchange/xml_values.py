"""Values of a work in the XML documents of a bag. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

SHA256: Final = "SHA-256"


def href(path: str) -> str:
    """Return the relative reference to a file of the bag, by its path from the bag's folder."""
    return quote(path)


def stated(values: Mapping[str, str]) -> str:
    """Return named values as one text, ordered by name: ``bytes: 1000; software: shanben 1``."""
    return "; ".join(f"{name}: {value}" for name, value in sorted(values.items()))
