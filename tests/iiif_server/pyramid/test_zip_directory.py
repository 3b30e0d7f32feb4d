"""The ZIP directory, written and read, against Python's zipfile."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.pyramid import zip_directory
from iiif_server.pyramid.zip_directory import End, ZipInvalid

NAMES = st.text("abc/,0123456789", min_size=1, max_size=40).map(str.encode)


def a_zip(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Return a complete file written by the functions under test."""
    pieces, records, place = [], [], 0
    for name, content in entries:
        crc = zlib.crc32(content)
        records.append(zip_directory.record(name, len(content), crc, place))
        pieces.append(zip_directory.local_entry(name, len(content), crc) + content)
        place += len(pieces[-1])
    directory = b"".join(records)
    return b"".join(pieces) + directory + zip_directory.end_record(len(entries), place, len(directory))


def directory_of(file: bytes) -> tuple[End, bytes]:
    end = zip_directory.read_end(file)
    return end, file[end.offset : end.offset + end.size]


@given(st.dictionaries(NAMES, st.binary(max_size=50), max_size=8))
def test_written_zip_is_read_back_and_by_zipfile(contents: dict[bytes, bytes]) -> None:
    file = a_zip(list(contents.items()))
    end, directory = directory_of(file)
    assert end.total == len(file)
    found = {
        entry.name: file[entry.start : entry.start + entry.size] for entry in zip_directory.read_entries(directory)
    }
    other = zipfile.ZipFile(io.BytesIO(file))
    assert found == {name.encode(): other.read(name) for name in other.namelist()} == contents
    assert other.testzip() is None


@pytest.mark.slow
def test_more_entries_than_16_bits_need_zip64() -> None:
    file = a_zip([(b"%d" % number, b"") for number in range(65_535)])
    end, directory = directory_of(file)
    assert (end.count, end.length) == (65_535, zip_directory.LONGEST_END)
    assert sum(1 for _ in zip_directory.read_entries(directory)) == 65_535
    assert len(zipfile.ZipFile(io.BytesIO(file)).namelist()) == 65_535


@pytest.mark.parametrize("offset", [0xFFFFFFFE, 0xFFFFFFFF, 5 << 30])
def test_offset_beyond_four_gigabytes_needs_zip64(offset: int) -> None:
    record = zip_directory.record(b"tile", 3, 4, offset, streamed=True)
    (entry,) = zip_directory.read_entries(record)
    assert (entry.offset, entry.size, entry.crc, entry.streamed) == (offset, 3, 4, True)
    assert entry.end == offset + 30 + 4 + 3 + 16
    end = zip_directory.read_end(zip_directory.end_record(1, offset, 9))
    assert (end.count, end.offset, end.size) == (1, offset, 9)


@pytest.mark.parametrize(
    ("place", "value", "what"),
    [
        (0, b"PK\3\4", "another signature"),
        (8, b"\1\0", "encrypted"),
        (10, b"\x08\0", "deflated"),
        (20, b"\2\0\0\0", "packed size unlike size"),
        (28, b"\xff\xff", "a name beyond the end"),
        (30, b"\4\0", "an extra field beyond the end"),
        (32, b"\1\0", "a comment"),
        (34, b"\1\0", "on another disk"),
        (42, b"\xff\xff\xff\xff", "a ZIP64 offset that is not there"),
    ],
)
def test_record_of_an_entry_that_is_not_stored_is_refused(place: int, value: bytes, what: str) -> None:
    record = bytearray(zip_directory.record(b"tile", 3, 4, 5))
    record[place : place + len(value)] = value
    with pytest.raises(ZipInvalid):
        list(zip_directory.read_entries(bytes(record)))
    assert what


@pytest.mark.parametrize("extra", [struct.pack("<2HQ", 2, 8, 7), struct.pack("<2HQ", 1, 9, 7), b"\0" * 4])
def test_extra_field_that_is_not_a_zip64_offset_is_refused(extra: bytes) -> None:
    record = bytearray(zip_directory.record(b"tile", 3, 4, 5 << 30)[:-12] + extra)
    record[30:32] = struct.pack("<H", len(extra))
    with pytest.raises(ZipInvalid):
        list(zip_directory.read_entries(bytes(record)))


@given(st.binary(max_size=200))
def test_read_end_refuses_garbage(garbage: bytes) -> None:
    with pytest.raises(ZipInvalid):
        zip_directory.read_end(garbage)


@given(st.binary(min_size=1, max_size=300))
def test_read_entries_refuses_garbage(garbage: bytes) -> None:
    with pytest.raises(ZipInvalid):
        list(zip_directory.read_entries(garbage))
