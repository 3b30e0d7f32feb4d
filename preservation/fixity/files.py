"""Check one stored file: read it in chunks, in bounded memory, and compare its SHA-256.

A file that the store cannot read is a finding and does not end the run, unless the whole store is unreachable: then
`StoreFault` is raised, because nothing more can be said about any file.
"""

from __future__ import annotations

from dataclasses import dataclass

from preservation.digests import Digester
from preservation.fixity.findings import FileCheck, FindingKind, FixityFinding
from preservation.progress import OnProgress, ignore_progress
from repository.errors import KeyNotFound, StoreFault
from repository.storage.store import ObjectStore


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """A file that a store must hold: its key, its SHA-256 in hexadecimal, and its work, None for others."""

    key: str
    sha256: str
    work: str | None = None

    def passed(self, size: int) -> FileCheck:
        """Return the check of a file that was read and is as expected."""
        return FileCheck(self.key, size)

    def failed(self, kind: FindingKind, *, found: str | None = None, size: int = 0, detail: str = "") -> FileCheck:
        """Return the check of a file with a finding."""
        return FileCheck(self.key, size, FixityFinding(self.key, kind, self.work, self.sha256, found, detail))


def check_file(store: ObjectStore, expected: ExpectedFile, on_progress: OnProgress = ignore_progress) -> FileCheck:
    """Read a file completely and compare it. Raises `StoreFault` only when the whole store is unreachable."""
    digester = Digester("sha256")
    try:
        for chunk in digester.pass_through(store.chunks(expected.key)):
            on_progress(len(chunk))
    except KeyNotFound:
        return expected.failed(FindingKind.MISSING)
    except StoreFault as fault:
        require_reachable(store)
        return expected.failed(FindingKind.UNREADABLE, size=digester.bytes, detail=str(fault.details.get("reason", "")))
    found = digester.hexdigest("sha256")
    if found != expected.sha256:
        return expected.failed(FindingKind.CHANGED, found=found, size=digester.bytes)
    return expected.passed(digester.bytes)


def require_reachable(store: ObjectStore) -> None:
    """Raise `StoreFault` when the store as a whole is unreachable, and not only some of its files."""
    next(iter(store.list()), None)
