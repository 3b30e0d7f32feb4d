"""Append the events staged in the catalogue to the provenance log, each exactly once.

One process at a time, on any machine, extends the log. It appends the staged events of all processes in batches:

1. *Number*: assign consecutive log indexes to staged events in one transaction (`repository/database/log_sequence.py`).
   From here on the database has decided which event each entry is. Publishing a work again keeps its numbers.
2. *Append*: read the events from the log's size on by their numbers, and append them at exactly these indexes. After a
   crash the next writer appends the same entries at the same indexes; a writer that lost its lock and still runs writes
   the same bytes under the same keys (`log/writer.py`).
3. *Note*: mark events numbered below the signed size as logged. The next run repeats this step after a crash.

A process that finds the log locked waits a few seconds and then gives up. The lock's holder looks for staged events
once more after it has released the lock, so an event staged after its last batch, by a process that then found the log
locked, is not left behind.

A database restored from a backup may be behind the signed log. The entries that it does not know are read before new
numbers are assigned. Events that it holds get their indexes, and events that the log alone keeps are taken from it; the
others are remembered and get theirs when their work is published again, so that no event is logged twice. A lost
database is rebuilt (`shanben rebuild`), which reads the numbers from the log; numbers assigned but never signed are
lost. A running writer of the lost database could overwrite tiles of the new one: stop all workers before such a
rebuild.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from itertools import islice
from typing import Final

from preservation.log import key_file
from preservation.log.checkpoint_file import CheckpointFile
from preservation.log.heads import RememberedCheckpointInvalid
from preservation.log.key_file import KEY_FILE
from preservation.log.log import ProvenanceLog
from preservation.log.log_keys import LogKeys, parse_log_keys
from preservation.log.merkle import TreeHead
from preservation.log.notes import parse_checkpoint, parse_note
from preservation.log.readable import ReadableLog, read_log, stated_size
from preservation.log.signing_key import Signer
from preservation.log.tiles import has_tiles
from preservation.log.writer import Append
from preservation.log.writer_lock import DatabaseWriterLock, FileWriterLock, WriterLock
from preservation.premis import event_bytes, parse_event
from repository.config import Settings
from repository.errors import DependencyMissing, EvidenceInvalid, LogBusy, LogInvalid, SettingInvalid
from repository.localized import LocalizedText
from repository.model.work import Event
from repository.repository import Repository

BATCH: Final = 4096
"""Events in one batch. Larger batches write fewer partial tiles."""

_WAIT_SECONDS: Final = 5.0
_LONG_WAIT_SECONDS: Final = 120.0


def open_log(repository: Repository) -> ProvenanceLog:
    """Return the provenance log of a repository, for reading. Raises as `log_keys`."""
    return _log_of(repository, log_keys(repository))


def verifier_key(repository: Repository) -> str:
    """Return the log's newest public key as a C2SP verifier key line. Raises as `log_keys`."""
    return log_keys(repository).line()


def log_keys(repository: Repository) -> LogKeys:
    """Return the log's public keys. Raises `DependencyMissing` when no key exists yet.

    The database has them, so this machine's private keys are not read.
    """
    registered = repository.log_sequence.verifier_keys()
    return parse_log_keys(registered) if registered else load_signer(repository.settings).keys


def load_signer(settings: Settings) -> Signer:
    """Load this machine's signing keys. Raises `DependencyMissing`, `SettingInvalid`."""
    return key_file.load(settings.keys, settings.signing_passphrase())


def log_key(repository: Repository) -> Signer | LogKeys:
    """Return the signer that has this machine's keys, or the log's public keys on a machine without keys.

    Raises `DependencyMissing` when no key exists yet, and `SettingInvalid` when this machine's keys belong to another
    log, are not those that sign the log now, or cannot be used.
    """
    registered = repository.log_sequence.verifier_keys()
    if registered and not (repository.settings.keys / KEY_FILE).exists():
        return parse_log_keys(registered)
    signer = load_signer(repository.settings)
    if registered:
        keys = parse_log_keys(registered)
        if not (keys.knows(signer.keys) and signer.keys.knows(keys)):
            reason = LocalizedText(
                f"此密钥不是日志现用的密钥（{keys.line()}）；请移走它，需在本机签发时换成日志的密钥",
                f"it does not have the keys that sign the log now ({keys.line()}); remove it, or replace it with the"
                " log's key file to sign here",
            )
            raise SettingInvalid(name=KEY_FILE, reason=reason)
    return signer


def can_sign(repository: Repository) -> bool:
    """Return whether this machine has the log's signing key and may extend the log.

    Raises `SettingInvalid` when its key belongs to another log or cannot be used.
    """
    try:
        return isinstance(log_key(repository), Signer)
    except DependencyMissing:
        return False


def record_events(repository: Repository) -> int:
    """Append every staged event to the log; return how many this call appended.

    When it returns, each event is in the log or another writer is appending it. A checkpoint that was signed and not
    published is published. Raises `DependencyMissing` without the signing key, `LogInvalid`, `StoreFault`,
    `DatabaseFault`.
    """
    log = _log_of(repository, log_key(repository))
    appended = 0
    while True:
        try:
            with log.writing() as append:
                appended += _append_staged(repository, log, append)
        except LogBusy:
            return appended
        # Look again after releasing the lock: a process that found the log locked staged its events before that.
        if not repository.log_sequence.has_unlogged_events():
            return appended


def needs_recording(repository: Repository) -> bool:
    """Return whether `record_events` has work: events that are not in the log, or a checkpoint to publish.

    So it has when the database does not know entries of the signed log, because it was restored from a backup.
    """
    log_sequence = repository.log_sequence
    if log_sequence.has_unlogged_events() or open_log(repository).is_behind():
        return True
    return bool(log_sequence.unknown_ranges(stated_size(repository.store)))


def exclusive_writer(repository: Repository) -> AbstractContextManager[object]:
    """Hold the writer lock, so that no other process extends the log. Raises `LogBusy` after a long wait."""
    # The lock is that of the data folder or the database, whatever the log's origin.
    return _writer_lock(repository, "", _LONG_WAIT_SECONDS).hold()


def read_damaged_log(repository: Repository) -> ReadableLog:
    """Return everything of the log that can be read, also if it is damaged, or no key is known to verify it with."""
    try:
        return open_log(repository).readable()
    except (DependencyMissing, SettingInvalid) as fault:
        store = repository.store
        size = stated_size(store)
        return read_log(store, [size], [fault.message] if size or has_tiles(store) else [])


def remembered_size(repository: Repository) -> int:
    """Return the size of the newest checkpoint that is remembered outside the store; 0 without one.

    Its signature is not verified. Raises `RememberedCheckpointInvalid`, `StoreFault`, `DatabaseFault`.
    """
    return max((head.size for head in remembered_heads(repository)), default=0)


def remembered_heads(repository: Repository) -> list[TreeHead]:
    """Return the newest signed head from every place outside the store that keeps it, in no order.

    Its signature is not verified. Raises `RememberedCheckpointInvalid`, `StoreFault`, `DatabaseFault`.
    """
    try:
        return [parse_checkpoint(parse_note(note).text).head for note in remembered_notes(repository)]
    except EvidenceInvalid as fault:
        raise RememberedCheckpointInvalid from fault


def remembered_notes(repository: Repository) -> list[bytes]:
    """Return the newest signed checkpoint from every place outside the store that keeps it, unverified, in no order.

    Raises `StoreFault`, `DatabaseFault`.
    """
    text = repository.log_sequence.verifier_keys()
    return _writer_lock(repository, parse_log_keys(text).name if text else "", _WAIT_SECONDS).remembered()


def _append_staged(repository: Repository, log: ProvenanceLog, append: Append) -> int:
    log_sequence = repository.log_sequence
    # An empty append publishes a checkpoint that a killed writer signed and did not publish.
    size = append(())
    _adopt_signed(repository, log, size)
    appended = 0
    while events := _next_batch(repository, size):
        append([event_bytes(event) for event in events], size)
        size += len(events)
        appended += len(events)
        log_sequence.mark_logged(size)
    return appended


def _next_batch(repository: Repository, size: int) -> list[Event]:
    """Return the next events from the log's size on, after assigning numbers to staged events."""
    log_sequence = repository.log_sequence
    log_sequence.assign_sequence_numbers(size, BATCH)
    events = log_sequence.numbered_events(size, BATCH)
    if not events and log_sequence.next_sequence_number() > size:
        reason = LocalizedText(
            f"目录数据库中缺少应为第 {size} 条的事件；请停止全部工作进程后运行 shanben rebuild",
            f"the catalogue lacks the event numbered {size}; stop all workers and run shanben rebuild",
        )
        raise LogInvalid(reason=reason)
    return events


def _adopt_signed(repository: Repository, log: ProvenanceLog, size: int) -> None:
    """Learn the entries of the signed log that the database does not know; mark all signed events as logged."""
    log_sequence = repository.log_sequence
    log_sequence.void_numbers(_contradicted(log, log_sequence.unsigned_numbers(size)))
    for start, end in log_sequence.unknown_ranges(size):
        entries = enumerate(log.entries(start, end), start=start)
        while leaves := list(islice(entries, BATCH)):
            log_sequence.adopt_log_entries({index: parse_event(leaf) for index, leaf in leaves}, size)
    log_sequence.mark_logged(size)


def _contradicted(log: ProvenanceLog, identifiers: Mapping[int, str]) -> list[int]:
    """Return the numbers under which the signed log has another event than the one with this identifier."""
    if not identifiers:
        return []
    start = min(identifiers)
    signed = enumerate(log.entries(start, max(identifiers) + 1), start=start)
    return [
        index for index, leaf in signed if index in identifiers and parse_event(leaf).identifier != identifiers[index]
    ]


def _log_of(repository: Repository, key: Signer | LogKeys) -> ProvenanceLog:
    origin = key.origin if isinstance(key, Signer) else key.name
    return ProvenanceLog(repository.store, key, _writer_lock(repository, origin, _WAIT_SECONDS))


def _writer_lock(repository: Repository, origin: str, seconds: float) -> WriterLock:
    lock_path = repository.settings.data / "log.lock"
    if not repository.log_sequence.shared:
        return FileWriterLock(lock_path, seconds)
    file = CheckpointFile(lock_path.with_suffix(".signed"))
    return DatabaseWriterLock(repository.log_sequence, repository.locks, origin, file, seconds)
