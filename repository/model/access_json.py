"""The access to a work as JSON and back: the record that is preserved with its masters. (pure)

RFC 8785 canonical JSON, as `work_json`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

import rfc8785

from repository.json_values import decode_json
from repository.model.work import WorkAccess
from repository.model.work_json import to_json_types

FORMAT: Final = "shanben access 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _AccessDocument(WorkAccess):
    """An access with the name of the format."""

    format: Literal["shanben access 1"]


def access_to_json(access: WorkAccess) -> bytes:
    """Return the access as canonical JSON, with the name of the format."""
    return rfc8785.dumps({"format": FORMAT, **to_json_types(access)})


def access_of_json(document: bytes) -> WorkAccess:
    """Return the access that `access_to_json` gave `document`. Raises `ValueError` for any other document."""
    decoded = decode_json(document, _AccessDocument)
    return WorkAccess(**{field.name: getattr(decoded, field.name) for field in fields(WorkAccess)})
