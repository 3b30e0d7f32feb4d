"""Sources that are harvested, and partners' records, as values. (pure)"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_NAME: Final = re.compile(r"(?=.{1,32}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")


class SourceKind(StrEnum):
    """The protocol of a source."""

    OAI_PMH = "oai-pmh"
    IIIF = "iiif"


class RecordState(StrEnum):
    """Whether a partner offers a record, or has deleted it."""

    LIVE = "live"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What an operator decides about a source.

    `set` and `format` are OAI-PMH's, '' for all and for the richest that can be read. `hours` is the time between runs,
    `rate` the most requests a second. `picture_hosts` are further origins from which its pictures may be shown.
    """

    kind: SourceKind
    title: str = ""
    set: str = ""
    format: str = ""
    hours: int = 24
    rate: float = 1.0
    picture_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What a run did: records by outcome.

    `unreadable` have no usable content, `collisions` shared an identifier with another one, `held_back` are missing at
    the partner and were kept, because too many are missing at once.
    """

    added: int = 0
    changed: int = 0
    deleted: int = 0
    unchanged: int = 0
    unreadable: int = 0
    collisions: int = 0
    held_back: int = 0

    @property
    def has_changed(self) -> bool:
        """Whether the run changed any record."""
        return bool(self.added or self.changed or self.deleted)


@dataclass(frozen=True, slots=True)
class HarvestRun:
    """A run that has not ended: where it goes on after an interruption.

    `number` counts the complete runs of the source, and `is_full` says whether this is one: it meets every record.
    `since` is the partner's time at its first answer, `token` that of the next part. `listed` of `size` records have
    been met; `size` is None if the partner does not state it.
    """

    number: int
    started: str
    is_full: bool
    since: str = ""
    token: str = ""
    listed: int = 0
    size: int | None = None
    totals: RunTotals = RunTotals()


@dataclass(frozen=True, slots=True)
class SourceState:
    """The state of a source: its current run and what the last one did.

    `since` is the partner's time of the last successful run, from which the next one asks. `ended` is when a run
    last ended, `succeeded` when one did without fault, `completed` when a full one did. `failing` is the time since
    which all runs have failed, and `fault` the last reason, in both languages. `deletes` is how an OAI-PMH provider
    records deletions. Times are RFC 3339, '' for never. `rules` is the version of the rules by which all records are
    cleaned.
    """

    since: str = ""
    ended: str = ""
    succeeded: str = ""
    completed: str = ""
    failing: str = ""
    fault: dict[str, str] = field(default_factory=dict)
    format: str = ""
    deletes: str = ""
    runs: int = 0
    rules: int = 0
    run: HarvestRun | None = None
    totals: RunTotals = RunTotals()


@dataclass(frozen=True, slots=True)
class HarvestSource:
    """A source with its settings and state."""

    name: str
    url: str
    settings: SourceSettings
    state: SourceState = SourceState()

    @property
    def shown_title(self) -> str:
        """The title of the source, its name without one."""
        return self.settings.title or self.name


@dataclass(frozen=True, slots=True)
class HarvestedRecord:
    """A record of a partner as the database holds it. Texts are '' for none.

    `document` is a `Cleaning` as JSON. `size` is that of the record in the store, in bytes.
    """

    source: str
    key: str
    identifier: str
    datestamp: str
    state: RecordState
    digest: str
    title: str
    creator: str
    date: str
    earliest: int | None
    latest: int | None
    manifest: str
    thumbnail: str
    work_key: str
    ours: str | None
    document: bytes
    etag: str
    modified: str
    first_seen: str
    updated: str
    size: int = 0


def record_key(identifier: str) -> str:
    """Return the key of a record: 24 hexadecimal digits of the SHA-256 of its identifier at the partner."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:24]


def record_identifier(source: str, key: str) -> str:
    """Return the identifier of a record among those of all sources; no work has one with a slash."""
    return f"{source}/{key}"


def parts_of_identifier(identifier: str) -> tuple[str, str]:
    """Return the source and the key of `record_identifier`; the key is '' for the identifier of a work."""
    source, _, key = identifier.partition("/")
    return source, key


def is_record_key(text: str) -> bool:
    """Return whether a text has the form of a record's key."""
    return re.fullmatch(r"[0-9a-f]{24}", text) is not None


def is_source_name(name: str) -> bool:
    """Return whether a name can be that of a source: 1 to 32 lower-case letters, digits and inner hyphens."""
    return _NAME.fullmatch(name) is not None
