"""JSON documents as frozen dataclasses, decoded strictly by msgspec. (pure)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

Value = TypeVar("Value")

_NESTED: Final = frozenset({dict, list})


def decode_json(document: bytes, kind: type[Value]) -> Value:
    """Return the value of type `kind` that a JSON document holds. Raises `ValueError` that names the path of the fault.

    Types are not coerced, and an object has no keys but the fields of its dataclass. A field that has a default may be
    absent.
    """
    try:
        data = msgspec.json.decode(document)
    except RecursionError as fault:
        raise ValueError("JSON is nested too deeply") from fault
    return convert_json(data, kind)


def convert_json(data: Any, kind: type[Value]) -> Value:
    """Return the value of type `kind` that decoded JSON holds. Raises `ValueError` as `decode_json` does."""
    value = msgspec.convert(data, kind)
    _refuse_unknown_keys(data, value, "$")
    return value


def _refuse_unknown_keys(data: Any, value: Any, path: str) -> None:
    # msgspec refuses unknown keys only for its own Struct types, and ignores them for dataclasses.
    if is_dataclass(value) and (unknown := data.keys() - _names(value.__class__)):
        raise ValueError(f"Object contains unknown field `{min(unknown)}` - at `{path}`")
    for place, item, part in _parts(data, value):
        if type(item) in _NESTED:
            where = f".{place}" if is_dataclass(value) else f"[{place!r}]"
            _refuse_unknown_keys(item, part, path + where)


def _parts(data: Any, value: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """Yield the name, key or number of each part of a value, its JSON, and the part."""
    if is_dataclass(value):
        return ((name, item, getattr(value, name)) for name, item in data.items())
    if isinstance(value, dict):
        return zip(data.keys(), data.values(), value.values(), strict=True)
    return zip(range(len(data)), data, value, strict=True) if isinstance(value, tuple | list) else iter(())


@cache
def _names(kind: type) -> frozenset[str]:
    """Return the names of a dataclass's fields: found once for each class, not for each of a work's pages."""
    return frozenset(field.name for field in fields(kind))
