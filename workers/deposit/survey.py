"""Surveys a deposit folder: lists its files and reads its record. No image is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from repository.errors import DepositNotMounted
from repository.faults import Fault
from repository.localized import LocalizedText
from workers.deposit.listing import PageFile, list_deposit
from workers.deposit.record import Description, ReadRecord
from workers.deposit.record_limits import MAX_BYTES
from workers.deposit.record_reader import RECORD_FILE


@dataclass(frozen=True, slots=True)
class Survey:
    """The contents of a deposit folder, by names and record.

    `pages` are the image files; `documents` the files that are preserved unread, by their path within the deposit;
    `description` is the record, or None when it cannot be read; `ignored` are the paths of files that are left out.
    """

    folder: Path
    pages: tuple[PageFile, ...]
    documents: Mapping[str, Path]
    description: Description | None
    faults: tuple[Fault, ...]
    ignored: tuple[str, ...] = ()

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


def survey(folder: Path, read_record: Callable[[bytes], ReadRecord]) -> Survey:
    """Survey the deposit in `folder`. Faults are returned; raises what `read_record` raises."""
    listing = list_deposit(folder)
    description, record_faults = _read_description(listing.documents, read_record)
    faults = (*listing.faults, *record_faults, *_unreadable_documents(listing.documents))
    return Survey(folder, listing.pages, listing.documents, description, faults, listing.ignored)


def file_signature(path: Path) -> str:
    """Return size and modification time of a file, which show whether it was changed. Raises `DepositNotMounted`."""
    try:
        status = path.stat()
    except OSError as fault:
        raise DepositNotMounted(path=path, reason=fault.strerror) from fault
    return f"{status.st_size} {status.st_mtime_ns}"


def file_digest(path: Path) -> str:
    """Return the sha256 of a file of the deposit, in hexadecimal. Raises `DepositNotMounted`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise DepositNotMounted(path=path, reason=fault.strerror) from fault


def _read_description(documents: Mapping[str, Path], read_record: Callable[[bytes], ReadRecord]) -> ReadRecord:
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
    return read_record(content)


def _unreadable_documents(documents: Mapping[str, Path]) -> Iterator[Fault]:
    """Yield a fault for each file that is preserved unread and cannot be read completely; the record is read anyway."""
    for name, path in documents.items():
        try:
            if name != RECORD_FILE:
                with path.open("rb") as file:
                    hashlib.file_digest(file, "sha256")
        except OSError as fault:
            yield _unreadable(name, fault)


def _unreadable(name: str, fault: OSError) -> Fault:
    message = LocalizedText(f"无法读取文件：{fault.strerror}", f"the file cannot be read: {fault.strerror}")
    return Fault(name, "", "file.unreadable", message)
