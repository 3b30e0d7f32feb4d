"""Identifiers in Presentation documents, all under a placeholder that serving replaces. (pure)

Section numbers are those of the IIIF Presentation API 3.0.
"""

from __future__ import annotations

from typing import Final

PLACEHOLDER: Final = "https://base.invalid"
"""Where every identifier of a stored document starts; the top-level domain is reserved for such use (RFC 2606)."""

_IIIF: Final = f"{PLACEHOLDER}/iiif"


def manifest_id(work: str) -> str:
    """A work's manifest."""
    return f"{_IIIF}/presentation/3/{work}/manifest"


def collection_id(name: str) -> str:
    """A collection."""
    return f"{_IIIF}/presentation/3/collection/{name}"


def canvas_id(work: str, number: int) -> str:
    """A canvas; `number` counts the work's pages from 1, through all volumes."""
    return f"{_IIIF}/presentation/3/{work}/canvas/{number}"


def range_id(work: str, number: int) -> str:
    """A range; `number` counts the ranges of the manifest from 1, outer before inner."""
    return f"{_IIIF}/presentation/3/{work}/range/{number}"


def image_service_id(image: str) -> str:
    """The Image API 3.0 service of an image."""
    return f"{_IIIF}/image/3/{image}"


def home_page(work: str) -> str:
    """The page about a work, for people."""
    return f"{PLACEHOLDER}/works/{work}"


def catalogue_record(work: str) -> str:
    """The catalogue record of a work as JSON."""
    return f"{PLACEHOLDER}/works/{work}/record.json"
