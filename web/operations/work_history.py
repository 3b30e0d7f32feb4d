"""The history of a work for staff: versions of its object, events with their places in the log, fixity findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from repository.database.deletions import Deletion
from repository.database.fixity_values import RecordedFinding
from repository.errors import NotFound
from repository.localized import LocalizedText
from repository.model.work import Event
from repository.repository import Repository
from web.messages.interface import MESSAGES

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A version of a work's object: its number, creation time (RFC 3339), message, and numbers of files.

    `added` are the files whose bytes are new in it, `files` all that it has.
    """

    number: int
    created: str
    message: str
    added: int
    files: int

    def to_json(self) -> dict[str, object]:
        """Return the version for programs."""
        return {
            "version": f"v{self.number}",
            "created": self.created,
            "message": self.message,
            "added": self.added,
            "files": self.files,
        }


@dataclass(frozen=True, slots=True)
class WorkHistory:
    """The versions of a work, none of one that was deleted; its events with log indexes; its findings; its deletion."""

    versions: Sequence[VersionSummary]
    events: Sequence[tuple[Event, int | None]]
    findings: Sequence[RecordedFinding]
    deletion: Deletion | None


def work_history(repository: Repository, work: str) -> WorkHistory:
    """Return the history of a work, held or deleted. Memory: all its events, about 500 bytes for each image.

    Raises `NotFound` for a work of which nothing is known, `ObjectInvalid`, `DigestMismatch`, `StoreFault`,
    `DatabaseFault`.
    """
    events = list(_events(repository, work))
    deletion = repository.deletions.get(work)
    inventory = None if deletion and deletion.is_decided else objects.read_inventory(repository.store, work)
    if not events and inventory is None:
        raise NotFound(what=work)
    findings = repository.findings.findings_of_work(work)
    return WorkHistory(versions_of(inventory) if inventory else (), events, findings, deletion)


def versions_of(inventory: Inventory) -> list[VersionSummary]:
    """Return the versions of an object, the first one first."""
    known: set[str] = set()
    versions = []
    for number, version in enumerate(inventory.versions, start=1):
        digests = set(version.state.values())
        added = len(digests - known)
        versions.append(VersionSummary(number, version.created, version.message, added, len(version.state)))
        known |= digests
    return versions


def event_json(event: Event, log_index: int | None) -> dict[str, object]:
    """Return an event for programs; `log_index` is None for one that the log does not hold yet."""
    return {
        "identifier": event.identifier,
        "type": event.type,
        "time": event.time,
        "image": event.image,
        "sha256": event.sha256,
        "outcome": event.outcome,
        "detail": dict(event.detail),
        "log_index": log_index,
    }


def finding_json(finding: RecordedFinding) -> dict[str, object]:
    """Return a finding for programs."""
    return {
        "store": finding.store,
        "key": finding.key,
        "work": finding.work,
        "kind": finding.kind,
        "expected": finding.expected,
        "found": finding.found,
        "first_seen": finding.first_seen,
        "state": finding.state.value,
        "done": finding.done,
    }


def _events(repository: Repository, work: str) -> Iterator[tuple[Event, int | None]]:
    start = 0
    while page := repository.log_sequence.history_of(work, start, _PAGE):
        yield from page
        start += len(page)


def outcome_name(event: Event) -> LocalizedText:
    """Return the outcome of an event in words; an outcome of other software stands as recorded."""
    known = event.outcome in {"success", "failure"}
    return MESSAGES[f"history.{event.outcome}"] if known else LocalizedText(event.outcome, event.outcome)


def finding_kind(finding: RecordedFinding) -> LocalizedText:
    """Return what is wrong, for people."""
    return MESSAGES[f"finding.{finding.kind}"]


def finding_state(finding: RecordedFinding) -> LocalizedText:
    """Return the state of a finding, for people."""
    return MESSAGES[f"finding-state.{finding.state.value}"]
