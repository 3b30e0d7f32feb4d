"""A work as JSON and back: the form that is preserved beside its masters. (pure)

RFC 8785 canonical JSON, so that equal works are equal bytes. Absent values are left out; a reader of another time needs
this module's field names, and nothing else of ours, to understand it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import rfc8785

from repository.model import (
    Access,
    Dating,
    Image,
    Master,
    Page,
    Range,
    Record,
    Rectangle,
    Rights,
    ViewingDirection,
    Volume,
    Work,
)

FORMAT: Final = "shanben work 1"


def work_to_json(work: Work) -> bytes:
    """The work as canonical JSON, with the name of the format."""
    return rfc8785.dumps({"format": FORMAT, **to_json_types(work)})


def work_of_json(document: bytes) -> Work:
    """The inverse of `work_to_json`. Raises `ValueError` for anything it did not make."""
    data = json.loads(document)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"not a document of the format {FORMAT!r}")
    try:
        return _work(data)
    except (KeyError, TypeError) as fault:
        raise ValueError(f"not a whole work: {fault!r}") from fault


def to_json_types(value: Any) -> Any:
    """A frozen value as JSON's own types; what is None, empty or False is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, to_json_types(getattr(value, field.name))) for field in fields(value))
        return {name: item for name, item in pairs if item is not False and item not in (None, [], "", {})}
    if isinstance(value, tuple):
        return [to_json_types(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _work(data: Mapping[str, Any]) -> Work:
    return Work(
        identifier=data["identifier"],
        record=_record(data["record"]),
        volumes=tuple(_volume(volume) for volume in data.get("volumes", ())),
        ranges=tuple(_range(part) for part in data.get("ranges", ())),
        rights=_rights(data.get("rights", {})),
        viewing_direction=ViewingDirection(data["viewing_direction"]),
        behavior=data["behavior"],
    )


def _record(data: Mapping[str, Any]) -> Record:
    dating = data.get("date")
    lists = {name: tuple(data.get(name, ())) for name in ("creator", "language")}
    return Record(**{**data, **lists, "date": Dating(**{"text": "", **dating}) if dating else None})


def _rights(data: Mapping[str, Any]) -> Rights:
    access = Access(data.get("access", "open"))
    return Rights(data.get("uri"), access, data.get("max_size"), data.get("watermark", False))


def _volume(data: Mapping[str, Any]) -> Volume:
    return Volume(label=data.get("label", ""), pages=tuple(_page(page) for page in data.get("pages", ())))


def _page(data: Mapping[str, Any]) -> Page:
    images = tuple(_image(image) for image in data.get("images", ()))
    return Page(data["key"], data.get("label", ""), images, data.get("behavior"), data.get("leaf"))


def _image(data: Mapping[str, Any]) -> Image:
    redactions = tuple(Rectangle(**part) for part in data.get("redactions", ()))
    master = Master(**{"bytes": 0, **data["master"]})
    return Image(data["identifier"], data["width"], data["height"], master, redactions)


def _range(data: Mapping[str, Any]) -> Range:
    nested = tuple(_range(part) for part in data.get("ranges", ()))
    return Range(label=data.get("label", ""), pages=tuple(data.get("pages", ())), ranges=nested)
