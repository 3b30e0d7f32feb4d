"""The second witness: what the signed log says of the content of a work.

The catalogue says at which indexes of the log the events of a work are; the digests come from the entries of the log
themselves. Events that are not in the log yet are pending: what they state does not contradict the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from preservation.log.log import ProvenanceLog
from preservation.ocfl.inventory import Inventory
from preservation.premis import parse_event
from repository.database.log_sequence import LogSequence
from repository.errors import EventInvalid, LogInvalid, StoreFault
from repository.localized import LocalizedText

_ALWAYS_LOGGED = ("masters/", "metadata/work.json")
"""Logical paths whose every digest an event of the log states; other files of an object may have no event."""


@dataclass(frozen=True, slots=True)
class LoggedContent:
    """The digests (SHA-256 in hexadecimal) of a work's files: in the log, and in events that are not logged yet.

    `readable` is false when the log does not tell: it is damaged or out of reach, or there is none.
    """

    logged: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    readable: bool = True

    @property
    def is_unknown(self) -> bool:
        """Whether no event, logged or not, concerns the work."""
        return self.readable and not self.logged and not self.pending

    def contradictions(self, inventory: Inventory) -> Contradictions:
        """Compare an inventory with the log."""
        if not self.readable:
            return Contradictions()
        known = self.logged | self.pending
        unlogged = {
            path: digest
            for digest, listed in inventory.manifest.items()
            for path in listed
            if digest not in known and _is_always_logged(path)
        }
        return Contradictions(tuple(sorted(self.logged - inventory.manifest.keys())), unlogged)


@dataclass(frozen=True, slots=True)
class Contradictions:
    """Where an inventory and the log differ: digests only in the log, and content paths whose digest is not in it."""

    unlisted: Sequence[str] = ()
    unlogged: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of differences."""
        return len(self.unlisted) + len(self.unlogged)

    @property
    def expected(self) -> str | None:
        """The digest that the log has in the place of the only one that it does not know; None if that is unclear."""
        return self.unlisted[0] if len(self.unlisted) == 1 and len(self.unlogged) <= 1 else None


class LogWitness:
    """Reads from a log what it says of works. `sequence` knows where the events of a work are."""

    def __init__(self, log: ProvenanceLog | None, sequence: LogSequence) -> None:
        self._log = log
        self._sequence = sequence

    def content_of(self, work: str) -> LoggedContent:
        """Return what the log says of a work. Raises `DatabaseFault`."""
        positions = self._sequence.positions_of(work)
        pending = frozenset(event.sha256 for event, index in positions if index is None and event.sha256)
        indexes = sorted(index for _, index in positions if index is not None)
        if self._log is None:
            return LoggedContent(pending=pending, readable=False)
        try:
            logged = frozenset(self._digests(self._log, work, indexes))
        except (EventInvalid, LogInvalid, StoreFault):
            return LoggedContent(pending=pending, readable=False)
        return LoggedContent(logged, pending)

    @staticmethod
    def _digests(log: ProvenanceLog, work: str, indexes: Sequence[int]) -> Iterator[str]:
        for start, end in _ranges(indexes):
            events = [parse_event(entry) for entry in log.entries(start, end)]
            if len(events) != end - start or any(event.work != work for event in events):
                raise LogInvalid(
                    reason=LocalizedText(f"其中没有 {work} 的事件", f"it does not have the events of {work}")
                )
            yield from (event.sha256 for event in events if event.sha256)


def _is_always_logged(content_path: str) -> bool:
    return content_path.split("/", 2)[-1].startswith(_ALWAYS_LOGGED)


def _ranges(indexes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the ranges ``[start, end)`` of consecutive numbers among sorted ones."""
    start = end = -1
    for index in indexes:
        if index != end:
            if start >= 0:
                yield start, end
            start = index
        end = index + 1
    if start >= 0:
        yield start, end
