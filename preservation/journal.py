"""The journal: events staged in the catalogue become leaves of the provenance log, each once.

A crash between the log's signing and the catalogue's note of it leaves entries that the catalogue does not know; the
next run reads them back from the log's tail before it adds anything, so that no event is told twice.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from preservation import keys
from preservation.events import event_bytes, event_of
from preservation.log import ProvenanceLog
from repository.errors import LogBusy, NotHeld
from repository.handle import Repository
from repository.locks import exclusive

BATCH: Final = 4096
"""Events a checkpoint: the more, the fewer partial tiles."""

_WAIT_SECONDS: Final = 120.0


def open_log(repository: Repository) -> ProvenanceLog:
    """The provenance log of a repository, with this machine's key. Raises `ToolAbsent` when there is no key."""
    settings = repository.settings
    return ProvenanceLog(repository.store, keys.load(settings.keys), settings.data / "log.lock")


def verifier_key(repository: Repository) -> str:
    """The log's public key as a C2SP verifier key line. Raises `ToolAbsent` when there is no key."""
    return keys.load(repository.settings.keys).verifier_key


def record_events(repository: Repository) -> int:
    """Bring every staged event into the log; returns how many were added. Raises `LogBusy`, `LogInvalid`."""
    log = open_log(repository)
    catalogue = repository.catalogue
    with exclusive(repository.settings.data / "journal.lock", _WAIT_SECONDS, LogBusy()):
        # An append of nothing publishes what a writer that died had signed and not published.
        log.append(())
        _note_known(repository, log)
        added = 0
        while events := catalogue.staged_events(BATCH):
            first = log.append([event_bytes(event) for event in events])
            catalogue.mark_logged({event.identifier: first + place for place, event in enumerate(events)})
            added += len(events)
    return added


def log_indexes(log: ProvenanceLog) -> dict[str, int]:
    """Every event in the log with the index of its leaf."""
    return {event_of(leaf).identifier: index for index, leaf in enumerate(log.entries(0, log.size))}


def evidence(repository: Repository, image: str) -> bytes:
    """The evidence file of the newest event of an image. Raises `NotHeld` when none is in the log."""
    index = repository.catalogue.event_index(image)
    if index is None:
        raise NotHeld(what=image)
    return open_log(repository).evidence(index)


def _note_known(repository: Repository, log: ProvenanceLog) -> None:
    start = repository.catalogue.logged_count()
    tail = enumerate(log.entries(start, log.size), start=start)
    while leaves := list(islice(tail, BATCH)):
        repository.catalogue.mark_logged({event_of(leaf).identifier: index for index, leaf in leaves})
