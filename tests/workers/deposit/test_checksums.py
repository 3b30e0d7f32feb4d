"""Checksum manifests as sha256sum, md5sum and tools of Windows write them, and hostile ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.deposit.checksums import MAX_LINES, checksum_algorithm, read_checksums

SHA256, MD5 = "a1" * 32, "b2" * 16


def codes(content: bytes, manifest: str = "SHA256SUMS") -> list[tuple[str, str]]:
    return [(fault.place, fault.code) for fault in read_checksums(content, manifest).faults]


@pytest.mark.parametrize(
    "line",
    [
        f"{SHA256}  volume-1/0001.tif\n",
        f"{SHA256} *volume-1/0001.tif\n",
        f"{SHA256}  ./volume-1//0001.tif",
        f"{SHA256.upper()}\tvolume-1\\0001.tif\r\n",
        f"\ufeff; made by a scanner\r\n\r\n{SHA256}  volume-1/0001.tif",
        f"# made by a scanner\n{SHA256}  volume-1/0001.tif\n{SHA256}  volume-1/0001.tif",
    ],
)
def test_line_of_a_manifest_is_read_as_tools_write_it(line: str) -> None:
    read = read_checksums(line.encode(), "SHA256SUMS")
    assert read.faults == ()
    assert [(listed.path, listed.digest) for listed in read.lines] == [("volume-1/0001.tif", SHA256)]


def test_paths_are_relative_to_the_folder_of_the_manifest() -> None:
    read = read_checksums(f"{MD5}  第一葉.tif".encode(), "第一冊/checksums.md5")
    (checksum,) = read.checksums("第一冊/checksums.md5")
    assert (checksum.file, checksum.algorithm, checksum.place) == ("第一冊/第一葉.tif", "md5", "line 1")


@pytest.mark.parametrize(
    ("content", "place", "code"),
    [
        (b"", "", "checksum.empty"),
        (b"# nothing\n", "", "checksum.empty"),
        (f"{MD5}  0001.tif".encode(), "line 1", "checksum.line"),
        (f"{SHA256}".encode(), "line 1", "checksum.line"),
        (f"SHA256 (0001.tif) = {SHA256}".encode(), "line 1", "checksum.line"),
        (f"{SHA256}  {'a' * 1025}".encode(), "line 1", "checksum.line"),
        (f"{SHA256}  0001\x1b[2J.tif".encode(), "line 1", "checksum.line"),
        (f"{SHA256}  第一葉.tif".encode("gb18030"), "byte 66", "checksum.encoding"),
        (f"{SHA256}  0001.tif\n{'0' * 64}  ./0001.tif".encode(), "line 2", "checksum.twice"),
        (b"\n" * (MAX_LINES + 1), f"line {MAX_LINES + 1}", "checksum.lines"),
    ],
)
def test_fault_of_a_manifest_is_named_with_its_place(content: bytes, place: str, code: str) -> None:
    assert codes(content) == [(place, code)]


def test_file_that_is_no_manifest_has_few_faults() -> None:
    assert len(codes(b"nonsense\n" * 1000)) == 20


@given(st.binary(max_size=300))
def test_any_content_gives_lines_or_faults(content: bytes) -> None:
    read = read_checksums(content, "md5sums")
    assert read.lines or read.faults


@given(st.dictionaries(st.text("ab中1.　", max_size=9), st.binary(min_size=16, max_size=16), min_size=1))
def test_manifest_is_read_back(digests: dict[str, bytes]) -> None:
    expected = {f"x{name}x": digest.hex() for name, digest in digests.items()}
    read = read_checksums("".join(f"{digest}  {name}\n" for name, digest in expected.items()).encode(), "MD5SUMS")
    assert {line.path: line.digest for line in read.lines} == expected
    assert read.faults == ()


def test_manifests_are_known_by_their_names() -> None:
    names = ("manifest-sha256.txt", "checksums.sha256", "SHA256SUMS", "manifest-md5.txt", "checksums.md5", "v/MD5SUMS")
    assert [checksum_algorithm(name) for name in names] == ["sha256"] * 3 + ["md5"] * 3
    assert checksum_algorithm("text/SHA256SUMS.json") is None
