"""The progress of a run, recorded with each part of it, so that a run which is interrupted goes on from there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from repository.clock import timestamp
from repository.database.harvest import KnownRecord
from repository.model.harvest import HarvestRun, HarvestSource, RecordState, RunTotals, SourceState, record_key
from repository.repository import Repository
from workers.harvest.keeping import ReceivedRecord, keep_records, mark_deleted

MOST_VANISHED_SHARE: Final = 0.2
MOST_VANISHED: Final = 20
"""A complete run deletes at most this share of a source's records, or this number if that is more: a partner whose
list is empty or cut short has not deleted its records. More are held back until a person accepts it."""

_BATCH: Final = 500


@dataclass(slots=True)
class RunRecorder:
    """Records one run of a source: its parts, its deletions and its end. Used from one thread."""

    repository: Repository
    source: HarvestSource
    run: HarvestRun
    _state: SourceState = field(init=False)

    def __post_init__(self) -> None:
        self._state = replace(self.source.state, run=self.run)

    @property
    def state(self) -> SourceState:
        """The state of the source as it was last recorded."""
        return self._state

    def note(self, **changes: Any) -> None:
        """Record changes of the state besides the run, with the next part."""
        self._state = replace(self._state, **changes)

    def advance(self, **changes: Any) -> None:
        """Record where the run is."""
        self.record([], **changes)

    def record(self, received: Sequence[ReceivedRecord], unchanged: Collection[str] = (), **changes: Any) -> None:
        """Keep the records of one part that are new or have changed, with the place where the run goes on.

        `unchanged` are keys of further records that were met.
        """
        name = self.source.name
        chosen, collisions = _newest(received)
        known = self.repository.harvests.known(name, [*chosen, *unchanged])
        totals = replace(self.run.totals, collisions=self.run.totals.collisions + collisions)
        different: list[tuple[ReceivedRecord, KnownRecord | None]] = []
        for key, record in chosen.items():
            before = known.get(key)
            outcome = _outcome(record, before, self.run.number if self.run.is_full else -1)
            if outcome in {"added", "changed", "deleted"}:
                different.append((record, before))
            if outcome:
                totals = replace(totals, **{outcome: getattr(totals, outcome) + 1})
        kept = keep_records(self.repository, name, different)
        totals = replace(totals, unchanged=totals.unchanged + len(unchanged))
        self._save(totals, kept, {*chosen, *unchanged} - {record.key for record in kept}, changes)

    def count(self, **added: int) -> None:
        """Add to the totals of the run, with the next part."""
        totals = self.run.totals
        self.run = replace(self.run, totals=replace(totals, **{k: getattr(totals, k) + v for k, v in added.items()}))

    def delete_vanished(self, *, accept: bool, is_doubtful: bool = False) -> None:
        """After a complete run, record what the partner no longer lists as deleted.

        Unless `accept`, too much at once is held back, and everything if the list `is_doubtful`.
        """
        harvests, name, number = self.repository.harvests, self.source.name, self.run.number
        missing, live = harvests.count_unseen(name, number), harvests.counts(name).live
        is_much = missing > max(MOST_VANISHED, live * MOST_VANISHED_SHARE) or missing == live or is_doubtful
        if missing and is_much and not accept:
            self.count(held_back=missing)
            return
        while records := harvests.unseen(name, number, _BATCH):
            deleted = mark_deleted(self.repository, records)
            totals = replace(self.run.totals, deleted=self.run.totals.deleted + len(deleted))
            self._save(totals, deleted, (), {})

    def end(self, **changes: Any) -> SourceState:
        """Record the end of a run that found no fault, and return the state of the source."""
        now = timestamp(self.repository.clock())
        run = self.run
        self._state = replace(
            self._state,
            since=run.since or self._state.since,
            ended=now,
            succeeded=now,
            completed=now if run.is_full else self._state.completed,
            failing="",
            fault={},
            runs=run.number,
            run=None,
            totals=run.totals,
            **changes,
        )
        self.repository.harvests.save_state(self.source.name, self._state)
        return self._state

    def _save(self, totals: RunTotals, kept: Sequence[Any], seen: Collection[str], changes: dict[str, Any]) -> None:
        self.run = replace(self.run, totals=totals, **changes)
        self._state = replace(self._state, run=self.run)
        marked = seen if self.run.is_full else ()
        self.repository.harvests.apply(self.source.name, kept, self._state, marked)


def _newest(received: Sequence[ReceivedRecord]) -> tuple[dict[str, ReceivedRecord], int]:
    """Return the newest record of each identifier by key, and how many others shared one with different content."""
    chosen: dict[str, ReceivedRecord] = {}
    collisions = 0
    for record in received:
        key = record_key(record.identifier)
        other = chosen.get(key)
        if other is None or record.datestamp > other.datestamp:
            chosen[key] = record
        if other is not None and other.digest != record.digest:
            collisions += 1
    return chosen, collisions


def _outcome(record: ReceivedRecord, before: KnownRecord | None, number: int) -> str:
    """Return which total counts a record; '' for one that was deleted before it was known, or already is.

    In a complete run a record that this run has met already keeps its content, unless the other one is newer.
    """
    is_deletion = record.source is None
    if before is None:
        return "" if is_deletion else "added"
    if is_deletion:
        return "" if before.state is RecordState.DELETED else "deleted"
    if before.state is RecordState.LIVE and before.digest == record.digest:
        return "unchanged"
    if before.seen == number and before.datestamp >= record.datestamp and before.state is RecordState.LIVE:
        return "collisions"
    return "added" if before.state is RecordState.DELETED else "changed"
