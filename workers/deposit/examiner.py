"""Reads what a deposit contains in sandboxes: its record, and its masters (`masters/examine.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from repository.config import Settings
from repository.errors import SandboxFailed
from repository.faults import Fault
from repository.localized import LocalizedText
from repository.sandbox.functions import SandboxFunction
from workers.deposit.checksums import ReadChecksums, read_checksums
from workers.deposit.record import ReadRecord, read_record
from workers.deposit.record_reader import RECORD_FILE
from workers.deposit.survey import DocumentReader
from workers.masters.examine import FUNCTIONS, ChildExaminer, Examiner, decoding_pool
from workers.text.read import ReadText, read_text

RECORD_SECONDS: Final = 20.0
"""How long the reading of a record or a text may take; a large one takes a second."""

_READ_RECORD: Final = SandboxFunction(read_record.__module__, read_record.__name__, ReadRecord)


_READ_CHECKSUMS: Final = SandboxFunction(read_checksums.__module__, read_checksums.__name__, ReadChecksums)
_READ_TEXT: Final = SandboxFunction(read_text.__module__, read_text.__name__, ReadText)


class DepositExaminer(Examiner, DocumentReader, Protocol):
    """Examines the files of a deposit, as `ChildDepositExaminer` does."""


class ChildDepositExaminer(ChildExaminer):
    """Examines the files of deposits in the sandboxes of one pool. Several threads may use it."""

    def read_record(self, content: bytes) -> ReadRecord:
        """Return the contents of a record and its faults."""
        try:
            return self._pool.call(_READ_RECORD, content, seconds=RECORD_SECONDS)
        except SandboxFailed as failure:
            return ReadRecord(None, (_limit(RECORD_FILE, "record.limit", failure),))

    def read_checksums(self, content: bytes, manifest: str) -> ReadChecksums:
        """Return the lines of a checksum manifest and its faults."""
        try:
            return self._pool.call(_READ_CHECKSUMS, content, manifest, seconds=RECORD_SECONDS)
        except SandboxFailed as failure:
            return ReadChecksums((), (_limit(manifest, "checksum.limit", failure),))

    def read_text(self, content: bytes, name: str) -> ReadText:
        """Return the text of a file of text and its faults."""
        try:
            return self._pool.call(_READ_TEXT, content, name, seconds=RECORD_SECONDS)
        except SandboxFailed as failure:
            return ReadText(None, (_limit(name, "text.limit", failure),))


def _limit(file: str, code: str, failure: SandboxFailed) -> Fault:
    reason = failure.message
    message = LocalizedText(
        f"无法读取此文件（{reason.zh}）；请简化后重试",
        f"the file cannot be read ({reason.en}); simplify it and try again",
    )
    return Fault(file, "", code, message)


@contextmanager
def open_deposit_examiner(
    settings: Settings, scratch: Path, concurrency: int | None = None, cores: int | None = None
) -> Iterator[ChildDepositExaminer]:
    """Open an examiner as `masters.examine.open_child_examiner` does."""
    with decoding_pool(
        (*FUNCTIONS, _READ_RECORD, _READ_CHECKSUMS, _READ_TEXT), settings, scratch, concurrency, cores
    ) as pool:
        yield ChildDepositExaminer(pool, settings, scratch, pool.count)
