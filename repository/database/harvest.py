"""Sources and records of partners. Changes of a part of a run and the run's progress are one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.harvest_tables import HarvestedCollectionRow, HarvestedRecordRow, HarvestSourceRow
from repository.database.search_changes import mark_unindexed
from repository.errors import CallError, NotFound
from repository.localized import LocalizedText
from repository.model.harvest import (
    HarvestedRecord,
    HarvestSource,
    RecordState,
    SourceSettings,
    SourceState,
    is_source_name,
    record_identifier,
)

_COLUMNS: Final = tuple(field.name for field in fields(HarvestedRecord))
_BATCH: Final = 500
_LIVE: Final = HarvestedRecordRow.state == RecordState.LIVE.value


class SourceTaken(CallError):
    """A source that is added under a name which another one has."""

    code = "partner.taken"
    text = LocalizedText(
        "已有名为 {name} 的来源；请换名称，或先用 shanben harvest remove 去除",
        "There is a source named {name} already; choose another name, or remove it with shanben harvest remove",
    )


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """What a run must know of a record that the database has: its state, digest, validators and last complete run."""

    state: RecordState
    digest: str
    datestamp: str
    etag: str
    modified: str
    seen: int
    first_seen: str
    ours: str | None
    size: int


@dataclass(frozen=True, slots=True)
class KnownCollection:
    """A collection as it was last read: its validators, and its manifests and collections by URL."""

    etag: str
    modified: str
    members: Mapping[str, Sequence[str]]

    @property
    def size(self) -> int:
        """The bytes of the members as JSON."""
        return len(msgspec.json.encode(self.members))


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """The records of a source that are offered, those that the partner has deleted, and those offered with manifest."""

    live: int = 0
    deleted: int = 0
    manifests: int = 0


@dataclass(frozen=True, slots=True)
class HeldOfSource:
    """What is held of a source: records, also those that the partner has deleted, and collections; and their bytes."""

    records: int = 0
    bytes: int = 0

    def plus(self, records: int, size: int) -> HeldOfSource:
        """Return this with so many records and bytes more."""
        return HeldOfSource(self.records + records, self.bytes + size)


class Harvests:
    """The sources and records of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add(self, source: HarvestSource) -> None:
        """Add a source. Raises `SourceTaken`."""

        def action(session: Session) -> None:
            if session.get(HarvestSourceRow, source.name) is not None:
                raise SourceTaken(name=source.name)
            session.add(_source_row(source))

        run_transaction(self._sessions, action)

    def source(self, name: str) -> HarvestSource:
        """Return a source. Raises `NotFound`, also for what no source can be named: PostgreSQL takes no NUL."""
        row = None
        if is_source_name(name):
            with read_session(self._sessions) as session:
                row = session.get(HarvestSourceRow, name)
        if row is None:
            raise NotFound(what=LocalizedText(f"收割来源 {name}", f"source {name}"))
        return _source(row)

    def sources(self) -> list[HarvestSource]:
        """Return all sources by name."""
        with read_session(self._sessions) as session:
            return [_source(row) for row in session.scalars(select(HarvestSourceRow).order_by(HarvestSourceRow.name))]

    def remove(self, name: str) -> None:
        """Forget a source with its records."""

        def action(session: Session) -> None:
            keys = session.scalars(select(HarvestedRecordRow.key).where(HarvestedRecordRow.source == name)).all()
            for table in (HarvestedRecordRow, HarvestedCollectionRow):
                session.execute(delete(table).where(table.source == name))
            session.execute(delete(HarvestSourceRow).where(HarvestSourceRow.name == name))
            mark_unindexed(session, *(record_identifier(name, key) for key in keys))

        run_transaction(self._sessions, action)

    def save_state(self, name: str, state: SourceState) -> None:
        """Record the state of a source."""
        self.apply(name, [], state)

    def apply(
        self, name: str, records: Sequence[HarvestedRecord], state: SourceState, seen: Collection[str] = ()
    ) -> None:
        """Record a part of a run: its records, the keys `seen` that did not change, and the state of the source."""

        def action(session: Session) -> None:
            number = state.run.number if state.run else state.runs
            for record in sorted(records, key=lambda record: record.key):
                values = {column: getattr(record, column) for column in _COLUMNS} | {"state": record.state.value}
                session.merge(HarvestedRecordRow(**values, seen=number))
            if seen:
                table = HarvestedRecordRow
                change = update(table).where(table.source == name, table.key.in_(sorted(seen)))
                session.execute(change.values(seen=number))
            change = update(HarvestSourceRow).where(HarvestSourceRow.name == name)
            session.execute(change.values(state=msgspec.to_builtins(state)))
            mark_unindexed(session, *(record_identifier(name, record.key) for record in records))

        run_transaction(self._sessions, action)

    def known(self, name: str, keys: Collection[str]) -> dict[str, KnownRecord]:
        """Return what is known of the records of a source that have these keys."""
        table = HarvestedRecordRow
        columns: tuple[Any, ...] = (
            table.state, table.digest, table.datestamp, table.etag, table.modified, table.seen, table.first_seen,
            table.ours, table.size,
        )  # fmt: skip
        query = select(table.key, *columns).where(table.source == name, table.key.in_(sorted(keys)))
        with read_session(self._sessions) as session:
            return {row[0]: KnownRecord(RecordState(row[1]), *row[2:]) for row in session.execute(query)}

    def unseen(self, name: str, number: int, limit: int) -> list[HarvestedRecord]:
        """Return at most `limit` records that are offered and were met last before the complete run `number`."""
        table = HarvestedRecordRow
        query = select(table).where(table.source == name, _LIVE, table.seen < number).order_by(table.key).limit(limit)
        return self._records(query)

    def count_unseen(self, name: str, number: int) -> int:
        """Return how many records are offered and were met last before the complete run `number`."""
        table = HarvestedRecordRow
        query = select(func.count()).select_from(table).where(table.source == name, _LIVE, table.seen < number)
        with read_session(self._sessions) as session:
            return session.scalar(query) or 0

    def counts(self, name: str) -> SourceCounts:
        """Return the numbers of a source's records."""
        table = HarvestedRecordRow
        query = select(table.state, func.count(), func.count().filter(table.manifest != "")).where(table.source == name)
        with read_session(self._sessions) as session:
            rows = {row[0]: (row[1], row[2]) for row in session.execute(query.group_by(table.state))}
        live, manifests = rows.get(RecordState.LIVE.value, (0, 0))
        return SourceCounts(live, rows.get(RecordState.DELETED.value, (0, 0))[0], manifests)

    def held(self, name: str) -> HeldOfSource:
        """Return what is held of a source in all."""
        found = HeldOfSource()
        with read_session(self._sessions) as session:
            for table in (HarvestedRecordRow, HarvestedCollectionRow):
                query = select(func.count(), func.coalesce(func.sum(table.size), 0)).where(table.source == name)
                count, size = session.execute(query).one()
                found = found.plus(count, int(size))
        return found

    def records(self, name: str, state: RecordState, offset: int, limit: int) -> list[HarvestedRecord]:
        """Return records of a source by title."""
        table = HarvestedRecordRow
        query = select(table).where(table.source == name, table.state == state.value).order_by(table.title, table.key)
        return self._records(query.offset(offset).limit(limit))

    def manifests(self, name: str, offset: int, limit: int) -> list[HarvestedRecord]:
        """Return records that are offered and have a IIIF manifest, by key."""
        table = HarvestedRecordRow
        query = select(table).where(table.source == name, _LIVE, table.manifest != "").order_by(table.key)
        return self._records(query.offset(offset).limit(limit))

    def record(self, name: str, key: str) -> HarvestedRecord:
        """Return a record. Raises `NotFound`."""
        with read_session(self._sessions) as session:
            row = session.get(HarvestedRecordRow, (name, key))
        if row is None:
            raise NotFound(what=LocalizedText(f"收割记录 {name}/{key}", f"record {name}/{key}"))
        return _record(row)

    def chosen(self, pairs: Sequence[tuple[str, str]]) -> list[HarvestedRecord]:
        """Return those of some records, by source and key, that are offered; in any order."""
        table = HarvestedRecordRow
        return self._records(select(table).where(tuple_(table.source, table.key).in_(pairs), _LIVE)) if pairs else []

    def offered_after(self, last: tuple[str, str], limit: int) -> list[HarvestedRecord]:
        """Return at most `limit` records that are offered, of all sources, by source and key, after `last`."""
        table = HarvestedRecordRow
        query = select(table).where(tuple_(table.source, table.key) > tuple_(*last), _LIVE)
        return self._records(query.order_by(table.source, table.key).limit(limit))

    def same_work(self, work_key: str, limit: int) -> list[HarvestedRecord]:
        """Return records that are offered and may be of the same work, of all sources."""
        table = HarvestedRecordRow
        query = select(table).where(table.work_key == work_key, _LIVE).order_by(table.source, table.key).limit(limit)
        return self._records(query) if work_key else []

    def of_work(self, work: str, limit: int) -> list[HarvestedRecord]:
        """Return records that are offered and may be of a work of this library."""
        table = HarvestedRecordRow
        query = select(table).where(table.ours == work, _LIVE).order_by(table.source, table.key).limit(limit)
        return self._records(query)

    def set_ours(self, works: Mapping[str, str]) -> int:
        """Record by key of a work which work of this library has it; return how many records were changed."""

        def action(session: Session) -> int:
            table = HarvestedRecordRow
            rows = session.scalars(select(table).where(table.work_key.in_(sorted(works)))).all()
            changed = [row for row in rows if row.ours != works[row.work_key]]
            for row in changed:
                row.ours = works[row.work_key]
            return len(changed)

        return run_transaction(self._sessions, action) if works else 0

    def collection(self, name: str, key: str) -> KnownCollection | None:
        """Return a collection as it was last read; None for one that was not."""
        with read_session(self._sessions) as session:
            row = session.get(HarvestedCollectionRow, (name, key))
        return KnownCollection(row.etag, row.modified, _members(row.members)) if row else None

    def keep_collection(self, name: str, key: str, collection: KnownCollection) -> None:
        """Record a collection as it was read."""
        values: dict[str, Any] = {"etag": collection.etag, "modified": collection.modified, "size": collection.size}
        members = {kind: list(urls) for kind, urls in collection.members.items()}
        row = HarvestedCollectionRow(source=name, key=key, members=members, **values)
        run_transaction(self._sessions, lambda session: session.merge(row))

    def forget_collections(self, name: str, met: Collection[str]) -> None:
        """Forget the collections of a source but those with the keys `met`."""
        table = HarvestedCollectionRow

        def action(session: Session) -> None:
            known = session.scalars(select(table.key).where(table.source == name))
            keys = sorted(set(known) - set(met))
            for start in range(0, len(keys), _BATCH):
                chosen = table.key.in_(keys[start : start + _BATCH])
                session.execute(delete(table).where(table.source == name, chosen))

        run_transaction(self._sessions, action)

    def _records(self, query: Any) -> list[HarvestedRecord]:
        with read_session(self._sessions) as session:
            return [_record(row) for row in session.scalars(query)]


def _source_row(source: HarvestSource) -> HarvestSourceRow:
    settings, state = msgspec.to_builtins(source.settings), msgspec.to_builtins(source.state)
    return HarvestSourceRow(name=source.name, url=source.url, settings=settings, state=state)


def _source(row: HarvestSourceRow) -> HarvestSource:
    settings = msgspec.convert(row.settings, SourceSettings)
    return HarvestSource(row.name, row.url, settings, msgspec.convert(row.state, SourceState))


def _record(row: HarvestedRecordRow) -> HarvestedRecord:
    values = {column: getattr(row, column) for column in _COLUMNS}
    return HarvestedRecord(**values | {"state": RecordState(row.state)})


def _members(value: Mapping[str, object]) -> dict[str, list[str]]:
    return {kind: [str(url) for url in urls] for kind, urls in value.items() if isinstance(urls, list)}
