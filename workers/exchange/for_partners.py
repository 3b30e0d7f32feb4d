"""What a bag for a partner leaves out: names and remarks that the public record of a work leaves out too. (pure)

The record of the work and that of its deposit name who assessed or repaired the original, and have remarks on its
condition; a record of access has the reason for a restriction. A record of a deposit that names nobody stays as it was
deposited. Else it is written again, without its comments, which may name people too; a checksum manifest of the deposit
then loses the line of the record. ``metadata/left-out.json`` lists what was left out, with the digests of the documents
as they are preserved: the events of the work state these digests.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, Final

import rfc8785

from repository.model.condition import without_names
from repository.model.work import Work

NOTE: Final = (
    "Names of people and remarks are left out for partners: see metadata/left-out.json."
    " 供合作机构的包略去人名与备注，详见 metadata/left-out.json。"
)
"""What ``bag-info.txt`` says of it."""

_RECORD: Final = PurePosixPath("work.toml")
_LINE: Final = re.compile(r"[0-9A-Fa-f]+[ \t]+\*?(.+)", re.ASCII)
_COMMENT: Final = ("#", ";")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out of a document: its path in the bag, its SHA-256 as it is preserved, and what it had."""

    file: str
    sha256: str
    properties: tuple[str, ...]


def left_out_document(documents: Sequence[LeftOut]) -> bytes:
    """Return ``metadata/left-out.json``: canonical JSON."""
    values = [{"file": each.file, "left_out": list(each.properties), "sha256": each.sha256} for each in documents]
    return rfc8785.dumps({"documents": values}) + b"\n"


def left_out(file: str, preserved: bytes, properties: Sequence[str]) -> LeftOut:
    """Return what was left out of the document `preserved` with a path in the bag."""
    return LeftOut(file, sha256(preserved).hexdigest(), tuple(sorted(set(properties))))


def work_without_names(work: Work) -> Work:
    """Return the record of a work without names and remarks of its condition."""
    volumes = tuple(replace(volume, condition=without_names(volume.condition)) for volume in work.volumes)
    return replace(work, volumes=volumes, condition=without_names(work.condition))


def names_of_work(work: Work) -> list[str]:
    """Return the names of the properties that `work_without_names` leaves out."""
    conditions = [each for each in (work.condition, *(volume.condition for volume in work.volumes)) if each]
    found = [("assessor", each.assessor) for each in conditions] + [("note", each.note) for each in conditions]
    found += [("repairs.by", repair.by) for each in conditions for repair in each.repairs]
    return [name for name, value in found if value]


def record_without_names(record: bytes) -> tuple[bytes, list[str]]:
    """Return ``work.toml`` without names and remarks, and what it had; unchanged if it has none.

    Raises `ValueError` for what is not TOML in UTF-8.
    """
    table = tomllib.loads(record.decode("utf-8-sig"))
    found = [
        name
        for part in (table, *table.get("volume", ()))
        if isinstance(condition := part.get("condition"), dict)
        for name in _strip(condition)
    ]
    if not found:
        return record, []
    return _toml_document(table).encode(), [*found, "comments"]


def manifest_without_record(manifest: bytes) -> bytes | None:
    """Return a checksum manifest of a deposit without the line of ``work.toml``; None if it then lists nothing."""
    lines = manifest.decode("utf-8-sig").split("\n")
    kept = [line for line in lines if not _lists_record(line)]
    if len(kept) == len(lines):
        return manifest
    lists_files = any(line.strip() and not line.strip().startswith(_COMMENT) for line in kept)
    return "\n".join(kept).encode() if lists_files else None


def _lists_record(line: str) -> bool:
    """Return whether a line of a manifest is that of the record, whose path a deposit may write in several forms.

    `workers/deposit/checksums.py` reads the same forms. Web processes use this module and must not import that one.
    """
    match = _LINE.fullmatch(line.strip())
    return match is not None and PurePosixPath(match[1].replace("\\", "/")) == _RECORD


def _strip(condition: dict[str, Any]) -> Iterator[str]:
    """Remove names and remarks from a table `condition`; yield what it had."""
    for name in ("assessor", "note"):
        if condition.pop(name, None):
            yield name
    for repair in condition.get("repair", ()):
        if repair.pop("by", None):
            yield "repairs.by"


def _toml_document(table: Mapping[str, Any]) -> str:
    """Return a table as TOML 1.0, each key on a line. Raises `ValueError` if it would be read as another one."""
    text = "".join(f"{_string(key)} = {_value(value)}\n" for key, value in table.items())
    if tomllib.loads(text) != table:
        raise ValueError("the record cannot be written")
    return text


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_string(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _string(value) if isinstance(value, str) else str(value)


def _string(text: str) -> str:
    """Return a basic string of TOML: that of JSON, which leaves one control character as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
