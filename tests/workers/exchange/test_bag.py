"""Bags are judged as the conformance suite of the Library of Congress says; hostile archives write nothing outside."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import bagit
import pytest

from workers.exchange import unpack as unpacking
from workers.exchange.bag import opened_bag, verify_bag
from workers.exchange.bag_faults import BagRefused
from workers.exchange.zip_directory_size import zip_directory_size

SUITE = Path(__file__).resolve().parents[4] / "shared/conformance/bagit"
VALID = sorted(SUITE.glob("*/valid/*"))
INVALID = sorted(SUITE.glob("*/invalid/*"))


@pytest.fixture(scope="module")
def suite(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the suite: `bagit` opens files of the folder that it verifies."""
    return Path(shutil.copytree(shared / "conformance/bagit", tmp_path_factory.mktemp("bags") / "suite"))


@pytest.mark.parametrize("bag", [pytest.param(bag, id=str(bag.relative_to(SUITE))) for bag in VALID])
def test_every_valid_bag_of_the_suite_is_accepted_as_a_folder_and_as_archives(
    suite: Path, bag: Path, tmp_path: Path
) -> None:
    root = suite / bag.relative_to(SUITE)
    verify_bag(root, root)
    for form in ("zip", "tar"):
        file = shutil.make_archive(str(tmp_path / "bag"), form, root.parent, root.name)
        with opened_bag(Path(file), tmp_path) as opened:
            assert opened.payload.is_dir()


@pytest.mark.parametrize("bag", [pytest.param(bag, id=str(bag.relative_to(SUITE))) for bag in INVALID])
def test_every_invalid_bag_of_the_suite_is_refused(suite: Path, bag: Path) -> None:
    root = suite / bag.relative_to(SUITE)
    with pytest.raises(BagRefused) as refused:
        verify_bag(root, root)
    assert refused.value.faults


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A small valid bag in a folder."""
    (folder := tmp_path / "bag").mkdir()
    (folder / "page.txt").write_text("text")
    bagit.make_bag(str(folder), checksums=["sha256"])
    return folder


def fault_codes(path: Path, staging: Path) -> list[str]:
    with pytest.raises(BagRefused) as refused, opened_bag(path, staging):
        pass
    return [fault.code for fault in refused.value.faults]


def test_each_fault_of_a_bag_is_named(bag: Path, tmp_path: Path) -> None:
    (bag / "bag-info.txt").unlink()  # its size would be wrong first
    (bag / "tagmanifest-sha256.txt").unlink()
    (bag / "data/page.txt").write_text("next")
    assert fault_codes(bag, tmp_path) == ["bag.digest"]
    (bag / "data/page.txt").rename(bag / "data/other.txt")
    assert sorted(fault_codes(bag, tmp_path)) == ["bag.missing", "bag.unexpected"]
    (bag / "bagit.txt").write_text("BagIt-Version: 2.0\nTag-File-Character-Encoding: UTF-8\n")
    assert fault_codes(bag, tmp_path) == ["bag.refused"]
    (bag / "bagit.txt").unlink()
    assert fault_codes(bag, tmp_path) == ["bag.refused"]


def test_nothing_is_fetched_for_an_incomplete_bag(bag: Path, tmp_path: Path) -> None:
    (bag / "data/page.txt").unlink()
    (bag / "fetch.txt").write_text("http://127.0.0.1:1/page.txt 4 data/page.txt\n")
    for name in ("bag-info.txt", "tagmanifest-sha256.txt"):
        (bag / name).unlink()
    assert fault_codes(bag, tmp_path) == ["bag.missing"]


@pytest.mark.parametrize("encoding", ["zlib_codec", "no-such-encoding", "utf-16"])
def test_an_encoding_that_does_not_fit_is_a_fault(bag: Path, tmp_path: Path, encoding: str) -> None:
    (bag / "bagit.txt").write_text(f"BagIt-Version: 0.97\nTag-File-Character-Encoding: {encoding}\n")
    assert fault_codes(bag, tmp_path)


def test_links_in_a_folder_are_refused(bag: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("text")
    (bag / "data/page.txt").unlink()
    (bag / "data/page.txt").symlink_to(tmp_path / "secret")
    assert fault_codes(bag, tmp_path) == ["bag.refused"]
    (bag / "data/page.txt").unlink()
    (bag / "more").symlink_to(tmp_path)
    assert fault_codes(bag, tmp_path) == ["bag.refused"]


ODD_PATHS = ["../outside", "/outside", "a/../../outside", "a//b", "a\\..\\b", "C:x", "a\x07b", "x" * 300, "..", "."]


@pytest.mark.parametrize("path", ODD_PATHS)
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_paths_outside_the_folder_are_refused(tmp_path: Path, path: str, form: str) -> None:
    file = write_archive(tmp_path / f"bag.{form}", {path: b"x"})
    assert fault_codes(file, tmp_path / "staging") == ["bag.refused"]
    assert not (tmp_path / "outside").exists()
    assert not Path("/outside").exists()


def write_archive(file: Path, files: dict[str, bytes]) -> Path:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
    else:
        with tarfile.open(file, "w:") as tar:
            for path, content in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return file


def a_zip_link(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("bag/data")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")


def a_tar_link(kind: bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        with tarfile.open(file, "w:") as tar:
            info = tarfile.TarInfo("bag/data")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)

    return write


def a_tar_with_a_long_header(file: Path) -> None:
    with tarfile.open(file, "w:", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("x")
        info.pax_headers = {"comment": "x" * (5 << 20)}
        tar.addfile(info)


def a_path_twice(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/b", "1")
        archive.writestr("a/./b", "2")


def a_file_that_is_a_folder(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a/b", "2")


def an_encrypted_file(file: Path) -> None:
    write_archive(file, {"a": b"content"})
    content = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    file.write_bytes(content)


def half_an_archive(file: Path) -> None:
    write_archive(file, {"a": bytes(range(256)) * 100})
    content = file.read_bytes()
    file.write_bytes(content[:60] + b"\0" * 40 + content[100:])


HOSTILE = {
    "a link in a ZIP": a_zip_link,
    "a symbolic link in a TAR": a_tar_link(tarfile.SYMTYPE),
    "a hard link in a TAR": a_tar_link(tarfile.LNKTYPE),
    "a device in a TAR": a_tar_link(tarfile.CHRTYPE),
    "a pipe in a TAR": a_tar_link(tarfile.FIFOTYPE),
    "a header of 5 MiB": a_tar_with_a_long_header,
    "a path twice": a_path_twice,
    "a file that is a folder": a_file_that_is_a_folder,
    "an encrypted file": an_encrypted_file,
    "damaged content": half_an_archive,
    "no archive": lambda file: file.write_bytes(b"text"),
    "no bag": lambda file: write_archive(file, {"a/b": b"c"}),
}


@pytest.mark.parametrize("write", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused_and_leave_nothing(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(file := tmp_path / ("bag.tar" if "tar" in getattr(write, "__qualname__", "") else "bag.zip"))
    assert fault_codes(file, tmp_path / "staging") == ["bag.refused"]
    assert list((tmp_path / "staging").glob("*")) == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_is_decompressed_without_a_bound_of_memory_is_refused(
    bag: Path, tmp_path: Path, method: int
) -> None:
    with zipfile.ZipFile(tmp_path / "bag.zip", "w", method) as archive:
        for path in bag.rglob("*.txt"):
            archive.write(path, path.relative_to(tmp_path))
    assert fault_codes(tmp_path / "bag.zip", tmp_path / "staging") == ["bag.refused"]


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_an_archive_that_would_fill_the_disk_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1 << 20)
    monkeypatch.setattr(unpacking, "MOST_TIMES", 2 if form == "zip" else 0)
    file = write_archive(tmp_path / f"bomb.{form}", {f"bag/{n}": bytes(1 << 20) for n in range(3)})
    assert fault_codes(file, tmp_path / "staging") == ["bag.refused"]


def test_an_archive_of_too_many_files_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_ENTRIES", 2)
    for form in ("zip", "tar"):
        file = write_archive(tmp_path / f"many.{form}", {str(n): b"" for n in range(3)})
        assert fault_codes(file, tmp_path / "staging") == ["bag.refused"]
    monkeypatch.setattr(unpacking, "_LARGEST_ZIP_DIRECTORY", 20)
    assert fault_codes(tmp_path / "many.zip", tmp_path / "staging") == ["bag.refused"]


@pytest.mark.slow
def test_the_directory_of_a_zip64_file_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "many.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{number:06d}"), b"")
    assert zip_directory_size(file) == 70_000 * (46 + 6)


@pytest.mark.parametrize("offset", [0, 1 << 40, (1 << 64) - 1])
def test_the_larger_size_counts_that_a_zip_file_states_for_its_directory(tmp_path: Path, offset: int) -> None:
    file = write_archive(tmp_path / "bag.zip", {"a": b"x"})
    content = file.read_bytes()
    end = content.rindex(b"PK\5\6")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 50, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, offset, 1)
    file.write_bytes(content[:end] + record + locator + content[end:])
    assert zip_directory_size(file) == 1 << 50
    assert fault_codes(file, tmp_path / "staging") == ["bag.refused"]
