"""The timestamped checkpoints in the store, ``log/timestamped/<size>``: signed notes, written once and never replaced.

Each has the log's signature, the cosignatures that the checkpoint had by then, and the authority's timestamp. All are
kept: of those that cover an entry, the oldest proves the earliest time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from preservation.log.heads import timestamped_sizes
from preservation.log.log import ProvenanceLog
from preservation.log.log_keys import CheckpointKey
from preservation.log.notes import Note, parse_checkpoint, parse_note
from preservation.log.sequencer import log_keys
from preservation.log.timestamp import Timestamp, read_roots, request_timestamp, verify_timestamp
from preservation.log.witnesses import cosigned_checkpoint
from repository.config import Settings
from repository.errors import EvidenceInvalid, KeyExists, LogInvalid, NotFound, ShanbenError
from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT, LOG_TIMESTAMPED, log_timestamped
from repository.repository import Repository
from repository.storage.store import ObjectStore

TIMESTAMP_EVERY: Final = timedelta(days=1)
"""How often a growing log is timestamped without being asked to."""


@dataclass(frozen=True, slots=True)
class TimestampedCheckpoint:
    """The size of a timestamped checkpoint, and its timestamp."""

    size: int
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class TimestampsCheck:
    """The valid timestamps of a log, by size, and what is wrong with the others."""

    valid: tuple[TimestampedCheckpoint, ...]
    problems: tuple[LocalizedText, ...]


def timestamp_log(log: ProvenanceLog, store: ObjectStore, settings: Settings) -> TimestampedCheckpoint:
    """Have the newest checkpoint timestamped, unless it is; return its timestamp.

    If a quorum of witnesses cosigned entries that have no timestamp yet, their checkpoint is taken. Raises `NotFound`
    for an empty log, `ServiceUnavailable`, `SettingInvalid`, `LogInvalid`, `StoreFault`.
    """
    roots = read_roots(settings.tsa_certificates)
    note = _note_to_timestamp(log, store)
    size = parse_checkpoint(note.text).size
    if size not in timestamped_sizes(store):
        signature = request_timestamp(settings.tsa, note.text, roots)
        with suppress(KeyExists):  # another process was faster
            store.put_new(log_timestamped(size), Note(note.text, (*note.signatures, signature)).content())
    return _read(store, log.key, size, roots)


def is_timestamp_due(log: ProvenanceLog, store: ObjectStore, settings: Settings, now: datetime) -> bool:
    """Return whether entries are without a timestamp, and the newest timestamp is `TIMESTAMP_EVERY` old.

    Raises as `timestamp_log`.
    """
    newest = max(timestamped_sizes(store), default=0)
    if newest >= log.size:
        return False
    if not newest:
        return True
    read = _read(store, log.key, newest, read_roots(settings.tsa_certificates))
    return now - datetime.fromisoformat(read.timestamp.time) >= TIMESTAMP_EVERY


def verify_timestamps(store: ObjectStore, key: CheckpointKey, settings: Settings) -> TimestampsCheck:
    """Verify every timestamp; the trees are the audit's matter. Raises `SettingInvalid`, `StoreFault`."""
    roots = read_roots(settings.tsa_certificates)
    valid: list[TimestampedCheckpoint] = []
    problems: list[LocalizedText] = []
    for size in timestamped_sizes(store):
        try:
            valid.append(_read(store, key, size, roots))
        except LogInvalid as fault:
            where = log_timestamped(size)
            problems.append(LocalizedText(f"{where}：{fault.message.zh}", f"{where}: {fault.message.en}"))
    return TimestampsCheck(tuple(valid), tuple(problems))


def newest_timestamp(repository: Repository) -> TimestampedCheckpoint | None:
    """Return the newest timestamped checkpoint; None without one, and while it cannot be read or is at fault.

    The authority's certificates are not checked.
    """
    with suppress(ShanbenError):
        if sizes := timestamped_sizes(repository.store):
            return _read(repository.store, log_keys(repository), sizes[-1], ())
    return None


def judge_of_notes(settings: Settings) -> Callable[[str, bytes], bool]:
    """Return a function that says of a note, by its key in the store, whether a timestamp that it must have verifies.

    The authority's certificates are checked if the settings have its roots. Raises `SettingInvalid`.
    """
    roots = read_roots(settings.tsa_certificates)

    def is_valid(key: str, content: bytes) -> bool:
        if not key.startswith(f"{LOG_TIMESTAMPED}/"):
            return True
        try:
            return verify_timestamp(parse_note(content), roots) is not None
        except LogInvalid:
            return False

    return is_valid


def _read(
    store: ObjectStore, key: CheckpointKey, size: int, roots: Sequence[x509.Certificate]
) -> TimestampedCheckpoint:
    content = store.read(log_timestamped(size))
    checkpoint, found = key.read(content), verify_timestamp(parse_note(content), roots)
    if found is None or (checkpoint.origin, checkpoint.size) != (key.name, size):
        reason = LocalizedText("不是此日志的时间戳", "it is no timestamp of this log")
        raise EvidenceInvalid(reason=reason)
    return TimestampedCheckpoint(size, found)


def _note_to_timestamp(log: ProvenanceLog, store: ObjectStore) -> Note:
    cosigned = cosigned_checkpoint(store, log.key)
    newest = max(timestamped_sizes(store), default=0)
    if cosigned and parse_checkpoint(parse_note(cosigned).text).size > newest:
        return parse_note(cosigned)
    note = parse_note(log.checkpoint_note())
    if not parse_checkpoint(note.text).size:
        raise NotFound(what=LOG_CHECKPOINT)
    return note
