"""The journal: events staged in the catalogue become leaves of the provenance log, each once.

One at a time extends the log, on whichever machine; it takes what everybody staged, in batches. A batch goes so:

1. *Number*: staged events are given consecutive places in the log, in a transaction (`repository/ledger.py`). From
   here on the catalogue has decided what every entry is, and nothing changes that: a work published anew keeps them.
2. *Append*: the events from the log's size on are read back by their numbers and appended at exactly these indexes.
   Killed anywhere here, the next writer appends the same entries at the same places; a writer that lost its lock and
   lives on writes the same bytes under the same keys (`log/log.py`).
3. *Note*: events numbered below the size signed are in the log. A crash before it is made up for by the next run.

Whoever finds the log held waits a little, and then leaves: the holder looks once more for events after it has let go,
so that one staged after its last look, by somebody who then found the log held, is not left behind.

A catalogue restored from a backup may be behind the signed log. The log's tail that it does not know is read back
before anything is numbered, so that no event is told twice. One that was lost altogether is made again by a rebuild,
which takes the places from the log; numbers given and not signed are lost with it. A writer of the lost database that
still lives could put its tiles over those of the new one: end all workers before such a rebuild.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import islice
from typing import Final

from preservation.log import signing_key
from preservation.log.log import Append, ProvenanceLog
from preservation.log.notes import VerifierKey, parse_verifier_key
from preservation.log.signing_key import KEY_FILE, Signer
from preservation.log.writer_lock import DatabaseWriterLock, FileWriterLock, SignedFile, WriterLock
from preservation.premis import event_bytes, event_of
from repository.errors import LogBusy, LogInvalid, NotFound, SettingInvalid
from repository.localized import LocalizedText
from repository.model import Event
from repository.repository import Repository

BATCH: Final = 4096
"""Events a checkpoint: the more, the fewer partial tiles."""

_WAIT_SECONDS: Final = 5.0
_LONG_WAIT_SECONDS: Final = 120.0


def open_log(repository: Repository, seconds: float = _WAIT_SECONDS) -> ProvenanceLog:
    """The provenance log of a repository; where this machine has no signing key, for reading only.

    A writer waits at most `seconds` for another. Raises `DependencyMissing` when no machine has made a key yet, and
    `SettingInvalid` when this machine's is another's.
    """
    key = _log_key(repository)
    return ProvenanceLog(repository.store, key, _guard(repository, key, seconds))


def verifier_key(repository: Repository) -> str:
    """The log's public key as a C2SP verifier key line. Raises as `open_log` does."""
    key = _log_key(repository)
    return key.verifier_key if isinstance(key, Signer) else key.line()


def can_sign(repository: Repository) -> bool:
    """Whether this machine has the log's signing key, and so may extend the log. Raises as `open_log` does."""
    return isinstance(_log_key(repository), Signer)


def record_events(repository: Repository) -> int:
    """Bring every staged event into the log; returns how many this call added.

    When it returns, each is in the log or in the hands of another writer. What was signed and is not published is
    published. Raises `DependencyMissing` without the signing key, `LogInvalid`, `StoreFault`, `DatabaseFault`.
    """
    log = open_log(repository)
    added = 0
    while True:
        try:
            with log.writing() as append:
                added += _record(repository, log, append)
        except LogBusy:
            return added
        # Only now: whoever was turned away meanwhile had staged before.
        if not repository.log_sequence.waiting():
            return added


def needs_recording(repository: Repository) -> bool:
    """Whether `record_events` has something to do: events that are not in the log, or a checkpoint to publish."""
    return repository.log_sequence.waiting() or open_log(repository).is_behind()


def exclusive_writer(repository: Repository) -> AbstractContextManager[object]:
    """Keep everybody from extending the log meanwhile. Raises `LogBusy` when somebody does for too long."""
    return _guard(repository, _log_key(repository), _LONG_WAIT_SECONDS).hold()


def log_indexes(log: ProvenanceLog) -> dict[str, int]:
    """Every event in the log with the index of its leaf."""
    return {event_of(leaf).identifier: index for index, leaf in enumerate(log.entries(0, log.size))}


def evidence(repository: Repository, image: str) -> bytes:
    """The evidence file of the newest event of an image. Raises `NotFound` when none is in the log."""
    index = repository.log_sequence.event_index(image)
    if index is None:
        raise NotFound(what=image)
    return open_log(repository).evidence(index)


def _record(repository: Repository, log: ProvenanceLog, append: Append) -> int:
    log_sequence = repository.log_sequence
    # An append of nothing publishes what a writer that died had signed and not published.
    size = append(())
    _note_known(repository, log, size)
    added = 0
    while events := _next_batch(repository, size):
        append([event_bytes(event) for event in events], size)
        size += len(events)
        added += len(events)
        log_sequence.note_logged(size)
    return added


def _next_batch(repository: Repository, size: int) -> list[Event]:
    """The events whose place begins at the log's size, numbered now if they were not."""
    log_sequence = repository.log_sequence
    log_sequence.number(size, BATCH)
    events = log_sequence.numbered(size, BATCH)
    if not events and log_sequence.numbered_end() > size:
        reason = LocalizedText(
            f"目录中缺少应为第 {size} 条的事件；请停止全部工作进程后运行 shanben rebuild",
            f"the event that is to be entry {size} is not in the catalogue; end all workers and run shanben rebuild",
        )
        raise LogInvalid(reason=reason)
    return events


def _note_known(repository: Repository, log: ProvenanceLog, size: int) -> None:
    log_sequence = repository.log_sequence
    start = log_sequence.known(size)
    tail = enumerate(log.entries(start, size), start=start)
    while leaves := list(islice(tail, BATCH)):
        log_sequence.adopt({event_of(leaf).identifier: index for index, leaf in leaves}, size)
    log_sequence.note_logged(size)


def _log_key(repository: Repository) -> Signer | VerifierKey:
    registered = repository.log_sequence.log_key()
    if registered and not (repository.settings.keys / KEY_FILE).exists():
        return parse_verifier_key(registered)
    signer = signing_key.load(repository.settings.keys)
    if registered and signer.verifier_key != registered:
        reason = LocalizedText(
            f"此密钥不是日志的密钥（{registered}）；请移走它，需在本机签发时换成日志的密钥",
            f"this is not the log's key ({registered}); take it away, or put the log's key in its place to sign here",
        )
        raise SettingInvalid(name=KEY_FILE, reason=reason)
    return signer


def _guard(repository: Repository, key: Signer | VerifierKey, seconds: float) -> WriterLock:
    lock = repository.settings.data / "log.lock"
    if not repository.log_sequence.shared:
        return FileWriterLock(lock, seconds)
    origin = key.origin if isinstance(key, Signer) else key.name
    file = SignedFile(lock.with_suffix(".signed"))
    return DatabaseWriterLock(repository.log_sequence, repository.locks, origin, file, seconds)
