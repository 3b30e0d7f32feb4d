"""Surveys a deposit folder: lists its files and reads its record. No image is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from preservation.digests import file_digests
from repository.errors import DepositNotMounted
from repository.faults import Fault
from repository.localized import LocalizedText
from workers.deposit import checksums
from workers.deposit.checksums import Checksum, ReadChecksums, checksum_algorithm
from workers.deposit.listing import PageFile, list_deposit
from workers.deposit.record import Description, ReadRecord
from workers.deposit.record_limits import MAX_BYTES
from workers.deposit.record_reader import RECORD_FILE
from workers.text.read import ReadText
from workers.text.source import MAX_BYTES as MAX_TEXT_BYTES
from workers.text.source import SourceText
from workers.text.statement import TEXT_FOLDER


class DocumentReader(Protocol):
    """Reads the documents of a deposit that are understood, as `ChildDepositExaminer` does."""

    def read_record(self, content: bytes) -> ReadRecord:
        """Return what `record.read_record` returns, or a fault if that takes too much time or memory.

        Raises `StagingFault`, `SandboxNotStarted`.
        """

    def read_checksums(self, content: bytes, manifest: str) -> ReadChecksums:
        """Return what `checksums.read_checksums` returns, or a fault, likewise."""

    def read_text(self, content: bytes, name: str) -> ReadText:
        """Return what `workers.text.read.read_text` returns, or a fault, likewise."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The contents of a deposit folder, by names and record.

    `pages` are the image files; `documents` the files that are preserved unread, by their path within the deposit;
    `description` is the record, or None when it cannot be read; `ignored` are the paths of files that are left out;
    `checksums` are the lines of its checksum manifests, `texts` the text of its files of text, by their paths.
    """

    folder: Path
    pages: tuple[PageFile, ...]
    documents: Mapping[str, Path]
    description: Description | None
    faults: tuple[Fault, ...]
    ignored: tuple[str, ...] = ()
    checksums: tuple[Checksum, ...] = ()
    texts: Mapping[str, SourceText] = field(default_factory=dict)

    @property
    def capture_algorithms(self) -> frozenset[str]:
        """The digests of masters that the manifests give."""
        return frozenset(checksum.algorithm for checksum in self.checksums)

    @property
    def readable_pages(self) -> list[PageFile]:
        """The pages that are not empty files, which are faults already."""
        return [page for page in self.pages if page.size]

    def documents_digest(self) -> str:
        """Return a sha256 over names and contents of the documents; one that cannot be read is a fault already."""
        digest = hashlib.sha256()
        for name, path in sorted(self.documents.items()):
            try:
                content = file_digest(path)
            except DepositNotMounted:
                content = ""
            digest.update(f"{name}\0{content}\n".encode())
        return digest.hexdigest()


def survey(folder: Path, reader: DocumentReader) -> Survey:
    """Survey the deposit in `folder`. Faults are returned; raises what `reader` raises."""
    listing = list_deposit(folder)
    description, record_faults = _read_description(listing.documents, reader)
    listed, manifest_faults = _read_manifests(listing.documents, reader)
    texts, text_faults = read_texts(listing.documents, reader)
    unreadable = _unreadable_documents(listing.documents)
    faults = (*listing.faults, *record_faults, *manifest_faults, *text_faults, *unreadable)
    files = (listing.pages, listing.documents)
    return Survey(folder, *files, description, faults, listing.ignored, listed, texts)


def is_text(name: str) -> bool:
    """Return whether a path is that of a file of text which is read; JSON there is preserved unread."""
    return name.startswith(f"{TEXT_FOLDER}/") and not name.lower().endswith(".json")


def read_texts(files: Mapping[str, Path], reader: DocumentReader) -> tuple[dict[str, SourceText], list[Fault]]:
    """Return the text of the files of text among `files`, by path, and the faults of those that cannot be read.

    Raises what `reader` raises.
    """
    texts: dict[str, SourceText] = {}
    faults: list[Fault] = []
    for name, path in sorted(files.items()):
        if not is_text(name):
            continue
        try:
            with path.open("rb") as file:
                read = reader.read_text(file.read(MAX_TEXT_BYTES + 1), name)
        except OSError as fault:
            faults.append(_unreadable(name, fault))
            continue
        faults += read.faults
        if read.text:
            texts[name] = read.text
    return texts, faults


def file_signature(path: Path) -> str:
    """Return size and modification time of a file, which show whether it was changed. Raises `DepositNotMounted`."""
    try:
        status = path.stat()
    except OSError as fault:
        raise DepositNotMounted(path=path, reason=fault.strerror) from fault
    return f"{status.st_size} {status.st_mtime_ns}"


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest of a file of the deposit, in hexadecimal. Raises `DepositNotMounted`."""
    try:
        with path.open("rb") as file:
            return file_digests(file, algorithm)[algorithm]
    except OSError as fault:
        raise DepositNotMounted(path=path, reason=fault.strerror) from fault


def _read_description(documents: Mapping[str, Path], reader: DocumentReader) -> ReadRecord:
    if RECORD_FILE not in documents:
        return ReadRecord(None, ())
    try:
        with documents[RECORD_FILE].open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as fault:
        return ReadRecord(None, (_unreadable(RECORD_FILE, fault),))
    if len(content) > MAX_BYTES:
        limit = f"{MAX_BYTES >> 20} MiB"
        message = LocalizedText(f"文件超过 {limit}；请精简", f"the file is larger than {limit}; shorten it")
        return ReadRecord(None, (Fault(RECORD_FILE, "", "record.size", message),))
    return reader.read_record(content)


def _read_manifests(
    documents: Mapping[str, Path], reader: DocumentReader
) -> tuple[tuple[Checksum, ...], Sequence[Fault]]:
    """Return the lines of all checksum manifests and their faults; one that cannot be read is a fault already."""
    read: list[Checksum] = []
    faults: list[Fault] = []
    for name, path in sorted(documents.items()):
        if checksum_algorithm(name) is None:
            continue
        try:
            with path.open("rb") as file:
                content = file.read(checksums.MAX_BYTES)
        except OSError:
            continue
        manifest = reader.read_checksums(content, name)
        faults += manifest.faults
        if len(read) + len(manifest.lines) > checksums.MAX_CHECKSUMS:
            most = checksums.MAX_CHECKSUMS
            zh, en = f"各校验清单合计超过 {most} 个文件", f"the checksum manifests list more than {most} files together"
            message = LocalizedText(f"{zh}；请移走多余的清单", f"{en}; remove those that are not needed")
            faults.append(Fault(name, "", "checksum.lines", message))
            break
        read += manifest.checksums(name)
    return tuple(read), faults


def _unreadable_documents(documents: Mapping[str, Path]) -> Iterator[Fault]:
    """Yield a fault for each file that is preserved unread and cannot be read completely; the record is read anyway."""
    for name, path in documents.items():
        try:
            if name != RECORD_FILE and not is_text(name):
                with path.open("rb") as file:
                    hashlib.file_digest(file, "sha256")
        except OSError as fault:
            yield _unreadable(name, fault)


def _unreadable(name: str, fault: OSError) -> Fault:
    message = LocalizedText(f"无法读取文件：{fault.strerror}", f"the file cannot be read: {fault.strerror}")
    return Fault(name, "", "file.unreadable", message)
