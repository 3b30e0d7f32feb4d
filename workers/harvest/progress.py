"""The progress of a run, recorded with each part of it, so that a run which is interrupted goes on from there.

What is held of a source is bounded, with the records that the partner has deleted: else a partner that offers other
identifiers in every run would fill the store.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from repository.clock import timestamp
from repository.database.harvest import HeldOfSource, KnownCollection, KnownRecord
from repository.errors import ContentError
from repository.localized import LocalizedText, counted
from repository.model.harvest import HarvestRun, HarvestSource, RecordState, RunTotals, SourceState, record_key
from repository.repository import Repository
from workers.harvest.keeping import ReceivedRecord, StorableRecord, keep_records, mark_deleted, storable_records

MOST_VANISHED_SHARE: Final = 0.2
MOST_VANISHED: Final = 20
"""A complete run deletes at most this share of a source's records, or this number if that is more: a partner whose
list is empty or cut short has not deleted its records. More are held back until a person accepts it."""

_BATCH: Final = 500


class SourceFull(ContentError):
    """A source of which more would be held than the settings allow. What was kept before stays as it is."""

    code = "partner.limit"
    text = LocalizedText(
        "来源 {name} 收割中止：连同对方已删除的记录，将超过每个来源 {most} 的上限；此前所收记录不受影响。对方无误的，"
        "请调高设置 {setting} 后重新收割；如有异常，请运行 shanben harvest remove {name} 去除此来源及其全部记录",
        "Harvesting from {name} has stopped: with the records that the partner has deleted, it would hold more than"
        " {most}, the most for one source. Records that were kept before are not affected. If the partner is right,"
        " raise {setting} and harvest again; if something is wrong, remove the source with all its records:"
        " shanben harvest remove {name}",
    )


@dataclass(slots=True)
class RunRecorder:
    """Records one run of a source: its parts, its deletions and its end. Used from one thread.

    Methods that keep something raise `SourceFull`.
    """

    repository: Repository
    source: HarvestSource
    run: HarvestRun
    _state: SourceState = field(init=False)
    _held: HeldOfSource = field(init=False)

    def __post_init__(self) -> None:
        self._state = replace(self.source.state, run=self.run)
        self._held = self.repository.harvests.held(self.source.name)

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
        storable = storable_records(self.repository, name, different)
        held = self._with_room(storable, [before for _, before in different])
        kept = keep_records(self.repository, storable)
        totals = replace(totals, unchanged=totals.unchanged + len(unchanged))
        self._save(totals, kept, {*chosen, *unchanged} - {record.key for record in kept}, changes)
        self._held = held

    def keep_collection(self, key: str, collection: KnownCollection, before: KnownCollection | None) -> None:
        """Keep a collection as it was read; `before` is what was known of it."""
        held = self._require_room(int(before is None), collection.size - (before.size if before else 0))
        self.repository.harvests.keep_collection(self.source.name, key, collection)
        self._held = held

    def forget_collections(self, met: Collection[str]) -> None:
        """Forget collections that the partner does not list any more; `met` are the keys of the others."""
        self.repository.harvests.forget_collections(self.source.name, met)
        self._held = self.repository.harvests.held(self.source.name)

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

    def _with_room(self, storable: Sequence[StorableRecord], before: Sequence[KnownRecord | None]) -> HeldOfSource:
        """Return what will be held with some records, in place of what was known of each."""
        size = sum(each.record.size for each in storable) - sum(each.size for each in before if each)
        return self._require_room(sum(each is None for each in before), size)

    def _require_room(self, records: int, size: int) -> HeldOfSource:
        """Return what will be held with so many more records and bytes. What does not grow is always accepted."""
        held, settings = self._held.plus(records, size), self.repository.settings
        if records > 0 and held.records > settings.harvest_records:
            records_en = counted(settings.harvest_records, "record", "records")
            most = LocalizedText(f"{settings.harvest_records} 条", records_en)
            raise SourceFull(name=self.source.name, most=most, setting="SHANBEN_HARVEST_RECORDS")
        if size > 0 and held.bytes > settings.harvest_bytes:
            bytes_en = counted(settings.harvest_bytes, "byte", "bytes")
            most = LocalizedText(f"{settings.harvest_bytes} 字节", bytes_en)
            raise SourceFull(name=self.source.name, most=most, setting="SHANBEN_HARVEST_BYTES")
        return held

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
