"""Read everything that can be read of a log, damaged or not, for a rebuild of the catalogue. Writes nothing.

Every problem is reported. An entry that does not match its hash, or whose bundle or tile is damaged, is left out.
Nothing is signed because of what is read here: `log/writer.py` refuses a damaged log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from preservation.log.audit import MOST_PROBLEMS
from preservation.log.merkle import leaf_hash
from preservation.log.notes import parse_checkpoint, parse_note
from preservation.log.tiles import StoredTree, stored_size
from preservation.log_events import is_deletion
from preservation.premis import access_of_event, parse_event, version_of_event
from repository.errors import EventInvalid, KeyNotFound, LogInvalid
from repository.localized import LocalizedText
from repository.model.work import Event, EventType, WorkAccess
from repository.paths import LOG_CHECKPOINT, TILE_WIDTH
from repository.storage.store import ObjectStore

_OF_VERSIONS: Final = frozenset({EventType.ACCESSION, EventType.METADATA_MODIFICATION})
"""The types of events that name the version of the work that they belong to."""


@dataclass(slots=True)
class ReadableLog:
    """What a log says that can be read.

    `indexes` maps event identifiers to the indexes of their entries, `versions` each work to the newest version of it
    that an event names, at least 1, `access` each work whose access was changed to the version and the access of the
    last change, `problems` is what is wrong with the log. `kept` are the events that the log alone keeps, with the
    indexes of their entries: all events of a deleted work, up to its deletion, are among them. `deleted` maps each work
    to the index of its last deletion. All of this is in memory: some 200 bytes for each entry of the log.
    """

    indexes: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    access: dict[str, tuple[int, WorkAccess]] = field(default_factory=dict)
    kept: list[tuple[int, Event]] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)
    problems: list[LocalizedText] = field(default_factory=list)

    def report(self, problem: LocalizedText) -> None:
        """Add a problem, unless there are enough of them."""
        if len(self.problems) < MOST_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)


def read_log(store: ObjectStore, sizes: Iterable[int], problems: Iterable[LocalizedText]) -> ReadableLog:
    """Read the log in `store`; `sizes` are the sizes at which it was signed, `problems` what is wrong with its heads.

    A log whose checkpoint is lost or damaged is read as far as its bundles reach. Raises `StoreFault`.
    """
    log = ReadableLog(problems=list(problems))
    size = max(sizes, default=0)
    if not size:
        size = stored_size(store)
    tree = StoredTree(store, size)
    for index, event in _events(tree, log):
        _note(log, index, event)
    if log.deleted:  # what the log says of a work before its deletion is nowhere else
        earlier = (
            (index, event) for index, event in _events(tree, log) if index < log.deleted.get(event.work or "", 0)
        )
        log.kept += [(index, event) for index, event in earlier if not event.is_kept_in_log]
        log.kept.sort(key=itemgetter(0))
    return log


def _note(log: ReadableLog, index: int, event: Event) -> None:
    """Note what the event at `index` says; events are noted in their order."""
    if event.is_kept_in_log:
        log.kept.append((index, event))
        if event.work and is_deletion(event):
            log.deleted[event.work] = index
            log.versions.pop(event.work, None)
        return
    log.indexes[event.identifier] = index
    if event.work is None:
        return
    number = version_of_event(event) if event.type in _OF_VERSIONS else 1
    log.versions[event.work] = max(number, log.versions.get(event.work, 1))
    if access := access_of_event(event):
        log.access[event.work] = number, access


def stated_size(store: ObjectStore) -> int:
    """Return the size that the stored checkpoint states, unverified; 0 when it cannot be read."""
    try:
        return parse_checkpoint(parse_note(store.read(LOG_CHECKPOINT)).text).size
    except (KeyNotFound, LogInvalid):
        return 0


def _events(tree: StoredTree, log: ReadableLog) -> Iterator[tuple[int, Event]]:
    """Yield the events of the entries that their hashes vouch for, with their indexes; report all others."""
    for index, entry in _entries(tree, log):
        try:
            yield index, parse_event(entry)
        except EventInvalid as fault:
            log.report(LocalizedText(f"条目 {index}：{fault.message.zh}", f"entry {index}: {fault.message.en}"))


def _entries(tree: StoredTree, log: ReadableLog) -> Iterator[tuple[int, bytes]]:
    """Yield the entries that their hashes vouch for, with their indexes; report all others."""
    for number in range((tree.size + TILE_WIDTH - 1) // TILE_WIDTH):
        try:
            entries, hashes = tree.bundle(number), tree.tile(0, number)
        except LogInvalid as fault:
            log.report(fault.message)
            continue
        for index, (entry, stated) in enumerate(zip(entries, hashes, strict=True), number * TILE_WIDTH):
            if leaf_hash(entry) == stated:
                yield index, entry
            else:
                log.report(
                    LocalizedText(
                        f"条目 {index} 与其哈希不符；请从副本恢复",
                        f"entry {index} does not match its hash; restore it from a replica",
                    )
                )
