"""Unpacks the ZIP or TAR file of a bag into a folder, without trusting it.

Only regular files are written, only below the folder, each path once. Links, special files, encrypted and sparse
entries are refused. The number of entries and the bytes that are written are bounded, so that a small file cannot fill
the disk; what an entry claims about its size does not count. Entries of a ZIP file are stored or deflated: `zipfile`
decompresses all others without a bound of memory.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from repository.errors import StagingFault
from repository.localized import LocalizedText
from workers.exchange.bag_faults import BagRefused
from workers.exchange.zip_directory_size import zip_directory_size

MOST_ENTRIES: Final = 500_000
MOST_TIMES: Final = 100
"""How many times larger than its file the content of an archive may be, if it is larger than `FREE_BYTES`."""

FREE_BYTES: Final = 1 << 30
_LARGEST_HEADER: Final = 4 << 20
_LARGEST_ZIP_DIRECTORY: Final = 256 << 20
_DISK_SHARE: Final = 0.9
_CHUNK: Final = 1 << 20
_LONGEST_NAME: Final = 255
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_UNREADABLE: Final = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, ValueError)
"""What `zipfile` and `tarfile` raise for a damaged file."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _ArchiveEntry:
    path: str
    content: _Readable


def unpack(file: Path, folder: Path) -> None:
    """Unpack a ZIP or TAR file into an empty folder. Raises `BagRefused`, `StagingFault`."""
    try:
        with _entries(file) as entries:
            _write(file, folder, entries)
    except _UNREADABLE as fault:
        raise _refused(file, LocalizedText(f"文件已损坏（{fault}）", f"the file is damaged ({fault})")) from fault


@contextmanager
def _entries(file: Path) -> Iterator[Iterator[_ArchiveEntry]]:
    try:
        is_zip, is_tar = zipfile.is_zipfile(file), tarfile.is_tarfile(file)
    except OSError as fault:
        raise _refused(file, LocalizedText("无法读取", "it cannot be read")) from fault
    if is_zip:
        size = zip_directory_size(file)
        if size is None or size > _LARGEST_ZIP_DIRECTORY:
            raise _refused(file, _TOO_MANY)
        with zipfile.ZipFile(file) as archive:
            yield _zip_entries(file, archive)
    elif is_tar:
        with file.open("rb") as opened, tarfile.open(fileobj=_BoundedReads(opened), mode="r:") as tar:
            yield _tar_entries(file, tar)
    else:
        raise _refused(
            file,
            LocalizedText(
                "不是 ZIP 或 TAR 文件，也不是文件夹；压缩的 TAR 请先解压",
                "it is neither a ZIP or TAR file nor a folder; decompress a compressed TAR file first",
            ),
        )


def _zip_entries(file: Path, archive: zipfile.ZipFile) -> Iterator[_ArchiveEntry]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if info.is_dir():
            continue
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise _not_regular(file, info.filename)
        if info.flag_bits & 1:
            raise _refused(file, LocalizedText("内有加密文件", "it has encrypted files"), info.filename)
        if info.compress_type not in _METHODS:
            raise _refused(file, _OTHER_METHOD, info.filename)
        with archive.open(info) as content:
            yield _ArchiveEntry(info.filename, content)


def _tar_entries(file: Path, tar: tarfile.TarFile) -> Iterator[_ArchiveEntry]:
    for info in tar:
        tar.members.clear()  # type: ignore[attr-defined]  # else it remembers every entry
        if info.isdir():
            continue
        content = tar.extractfile(info) if info.isreg() and not info.issparse() else None
        if content is None:
            raise _not_regular(file, info.name)
        yield _ArchiveEntry(info.name, content)


class _BoundedReads(io.RawIOBase):
    """A file of which at most 4 MiB are read at once: a header of a TAR file may claim any length."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError("header too long")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _write(file: Path, folder: Path, entries: Iterator[_ArchiveEntry]) -> None:
    remaining = _most_bytes(file, folder)
    for number, entry in enumerate(entries, start=1):
        if number > MOST_ENTRIES:
            raise _refused(file, _TOO_MANY)
        target = folder / _safe_path(file, entry.path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as written:
                while chunk := entry.content.read(_CHUNK):
                    remaining -= len(chunk)
                    if remaining < 0:
                        raise _refused(file, _TOO_LARGE)
                    written.write(chunk)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as fault:
            raise _refused(file, LocalizedText("同一路径出现两次", "it has the same path twice"), entry.path) from fault
        except OSError as fault:
            raise StagingFault(reason=fault.strerror or str(fault)) from fault


def _most_bytes(file: Path, folder: Path) -> int:
    """Return how many bytes may be written: by the size of the archive, and by the free space of the disk."""
    free = int(shutil.disk_usage(folder).free * _DISK_SHARE)
    return min(max(FREE_BYTES, MOST_TIMES * file.stat().st_size), free)


def _safe_path(file: Path, path: str) -> str:
    """Return the path of an entry below the folder. Raises `BagRefused` for one that may be elsewhere."""
    segments = [segment for segment in path.split("/") if segment != "."]
    is_safe = all(
        segment not in {"", ".."} and segment.isprintable() and len(os.fsencode(segment)) <= _LONGEST_NAME
        for segment in segments
    )
    if not segments or not is_safe or "\\" in path or path[1:2] == ":":
        raise _refused(file, LocalizedText("路径不合规范", "it has a path that is not allowed"), path)
    return "/".join(segments)


_OTHER_METHOD: Final = LocalizedText(
    "未用 DEFLATE 压缩；请先解压核对，以文件夹导入",
    "it is compressed by another method than DEFLATE; unpack the file yourself, check it, and import the folder",
)
_TOO_MANY: Final = LocalizedText(f"文件多于 {MOST_ENTRIES} 个", f"it has more than {MOST_ENTRIES} files")
_TOO_LARGE: Final = LocalizedText(
    f"解压后过大：超过文件本身的 {MOST_TIMES} 倍，或磁盘空间不足；请手工解压核对后，以文件夹导入",
    f"its content is more than {MOST_TIMES} times as large as the file, or larger than the free space; unpack it"
    " yourself, check it, and import the folder",
)


def _not_regular(file: Path, path: str) -> BagRefused:
    return _refused(file, LocalizedText("内有链接或特殊文件", "it has a link or a special file"), path)


def _refused(file: Path, reason: LocalizedText, path: str = "") -> BagRefused:
    return BagRefused.because(file, reason, path)
