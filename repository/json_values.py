"""JSON documents as frozen dataclasses, decoded strictly by msgspec. (pure)"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import msgspec

Value = TypeVar("Value")


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
    if is_dataclass(value):
        names = {field.name for field in fields(value)}
        if unknown := sorted(data.keys() - names):
            raise ValueError(f"Object contains unknown field `{unknown[0]}` - at `{path}`")
        for name in names & data.keys():
            _refuse_unknown_keys(data[name], getattr(value, name), f"{path}.{name}")
    elif isinstance(value, tuple):
        for number, (item, part) in enumerate(zip(data, value, strict=True)):
            _refuse_unknown_keys(item, part, f"{path}[{number}]")
