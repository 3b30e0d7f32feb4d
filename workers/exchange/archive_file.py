"""Writes a bag into a ZIP or TAR file, one entry after another, in bounded memory and without a folder on the disk.

ZIP is the default: its entries are stored uncompressed, because masters are compressed already, and any computer opens
it. TAR is for institutions that ask for it (APTrust, Chronopolis). The same entries give the same bytes.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import Final, Protocol

from repository.storage.content import Chunk

_MODE: Final = 0o644
_REGULAR: Final = 0o100000
_UNIX: Final = 3
_FIRST_ZIP_YEAR: Final = 1980


class ArchiveFile(Protocol):
    """An archive that is being written."""

    def add(self, path: str, size: int, chunks: Iterable[Chunk]) -> None:
        """Write a file of `size` bytes. What the chunks raise, also at their end, is raised."""


@contextmanager
def writing_archive(target: Path, time: datetime) -> Iterator[ArchiveFile]:
    """Yield the archive at `target`, a TAR file if its suffix is ``.tar``, whose entries have this time.

    Raises `OSError`.
    """
    if target.suffix.lower() == ".tar":
        with tarfile.open(target, "x:", format=tarfile.PAX_FORMAT) as tar:
            yield _TarArchive(tar, time)
    else:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
            yield _ZipArchive(archive, time)


@contextmanager
def writing_zip(output: RawIOBase, time: datetime) -> Iterator[ArchiveFile]:
    """Yield a ZIP archive that is written to `output`, which need not be able to seek."""
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        yield _ZipArchive(archive, time)


class _ZipArchive:
    def __init__(self, archive: zipfile.ZipFile, time: datetime) -> None:
        self._archive = archive
        utc = time.astimezone(UTC)
        self._time = (max(utc.year, _FIRST_ZIP_YEAR), utc.month, utc.day, utc.hour, utc.minute, utc.second)

    def add(self, path: str, size: int, chunks: Iterable[Chunk]) -> None:
        entry = zipfile.ZipInfo(path, self._time)
        entry.create_system, entry.external_attr = _UNIX, (_REGULAR | _MODE) << 16
        entry.file_size = size
        with self._archive.open(entry, "w", force_zip64=size >= zipfile.ZIP64_LIMIT // 2) as file:
            for chunk in chunks:
                file.write(chunk)


class _TarArchive:
    def __init__(self, archive: tarfile.TarFile, time: datetime) -> None:
        self._archive = archive
        self._time = int(time.timestamp())

    def add(self, path: str, size: int, chunks: Iterable[Chunk]) -> None:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode, entry.mtime = size, _MODE, self._time
        source = _ChunkReader(chunks)
        self._archive.addfile(entry, source)
        source.finish()


class _ChunkReader:
    """Chunks as a file that can be read once."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, fewer only at the end."""
        parts: list[Chunk] = [self._rest]
        length = len(self._rest)
        while length < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            length += len(chunk)
        content = b"".join(parts)
        self._rest = content[size:]
        return content[:size]

    def finish(self) -> None:
        """Take what is left, so that the chunks raise what they raise at their end."""
        for _ in self._chunks:
            pass
