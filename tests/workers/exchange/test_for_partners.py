"""A record of a deposit that is written again for a partner says the same, without names."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.deposit.checksums import read_checksums
from workers.exchange.for_partners import manifest_without_record, record_without_names

OTHER_LINE = f"{'1' * 64}  0001.tif\n".encode()
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    WORDS | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def literal(value: Any) -> str:
    """Return a value in TOML, with every character of a text escaped."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{literal(key)}={literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(literal, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return str(value).lower()


@given(st.dictionaries(WORDS.filter(lambda key: key not in {"condition", "volume"}), VALUES, max_size=4), WORDS)
def test_the_rest_of_a_record_is_kept(table: dict[str, Any], grade: str) -> None:
    record = f'condition = {{assessor = "甲", grade = {literal(grade)}}}\n'
    record += "".join(f"{literal(key)} = {literal(value)}\n" for key, value in table.items())
    written, left_out = record_without_names(record.encode())
    assert (tomllib.loads(written.decode()), left_out) == (
        {"condition": {"grade": grade}, **table},
        ["assessor", "comments"],
    )


@pytest.mark.parametrize(
    "record", [b'\xef\xbb\xbftitle = "x" # a', b'title = "x"\n[condition]\ngrade = "1"\nassessor = ""']
)
def test_a_record_without_names_stays_as_it_is(record: bytes) -> None:
    assert record_without_names(record) == (record, [])


@pytest.mark.parametrize(
    ("manifest", "kept"),
    [
        (b"\xef\xbb\xbf0a  0001.tif\r\n", b"\xef\xbb\xbf0a  0001.tif\r\n"),
        (b"0a  0001.tif\r\n0B *work.toml\r\n", b"0a  0001.tif\r\n"),
        (b"# all\n0a  ./work.toml\n", None),
        (b"0a  my-work.toml\n", b"0a  my-work.toml\n"),
    ],
)
def test_only_the_line_of_the_record_leaves_a_manifest(manifest: bytes, kept: bytes | None) -> None:
    assert manifest_without_record(manifest) == kept


@pytest.mark.parametrize("path", ["work.toml", "./work.toml", ".\\work.toml", "*.\\work.toml", "././work.toml"])
def test_the_record_leaves_a_manifest_however_its_path_is_written(path: str) -> None:
    manifest = f"{'0' * 64}  {path}\n".encode() + OTHER_LINE
    assert read_checksums(manifest, "SHA256SUMS").lines[0].path == "work.toml"
    assert manifest_without_record(manifest) == OTHER_LINE
