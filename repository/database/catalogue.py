"""The catalogue: queries that return frozen values, and the transaction that publishes a work.

The store is authoritative: everything in the catalogue can be rebuilt from it (`workers/maintenance/rebuild.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update
from sqlalchemy.orm import Session

from repository.database.counters import add_to_counters, read_counters, recount
from repository.database.engine import Sessions, lift_timeouts, read_session, run_transaction, write_session
from repository.database.log_sequence import LogPosition, close_gaps, position_of, remove_events, unsigned_positions
from repository.database.outbox import NewJob, enqueue
from repository.database.rows import (
    ACCESS_COLUMNS,
    SUMMARY_COLUMNS,
    event_values,
    held_image,
    image_of,
    image_values,
    pyramid_of,
    pyramid_values,
    state_of,
    summary_of,
    work_values,
)
from repository.database.tables import EventRow, ImageRow, WorkRow
from repository.model import Event, HeldImage, Image, Pyramid, Work, WorkState, WorkSummary
from repository.work_json import work_of_json

_PUBLISHED: Final = WorkRow.state == WorkState.PUBLISHED.value


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals of the catalogue: `bytes` are those of masters, `staged` counts events that are not in the log yet."""

    works: int
    published: int
    images: int
    bytes: int
    events: int
    staged: int


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything the catalogue stores of one work.

    `pyramids` is keyed by image identifiers, `log_indexes` by event identifiers; `accessioned` is the time of the OCFL
    object's first version (RFC 3339), `version` the number of its head version.
    """

    work: Work
    pyramids: Mapping[str, Pyramid]
    events: Sequence[Event]
    version: int
    accessioned: str
    log_indexes: Mapping[str, int]


class Catalogue:
    """The catalogue of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def image(self, identifier: str) -> HeldImage | None:
        """Return what the image service needs of an image; None when there is no such image."""
        query = select(ImageRow, *ACCESS_COLUMNS).join(WorkRow, WorkRow.identifier == ImageRow.work)
        with read_session(self._sessions) as session:
            row = session.execute(query.where(ImageRow.identifier == identifier)).one_or_none()
        return held_image(row) if row else None

    def work(self, identifier: str) -> Work | None:
        """Return a work in any state; None when there is no such work."""
        with read_session(self._sessions) as session:
            document = session.scalar(select(WorkRow.document).where(WorkRow.identifier == identifier))
        return work_of_json(document) if document else None

    def state(self, work: str) -> WorkState | None:
        """Return the state of a work; None when there is no such work."""
        with read_session(self._sessions) as session:
            state = session.scalar(select(WorkRow.state).where(WorkRow.identifier == work))
        return state_of(state) if state else None

    def version(self, work: str) -> int:
        """Return the number of the newest version of a work that the catalogue knows; 0 when there is no such work."""
        with read_session(self._sessions) as session:
            return session.scalar(select(WorkRow.version).where(WorkRow.identifier == work)) or 0

    def works(self, offset: int = 0, limit: int = 50, *, newest_first: bool = False) -> list[WorkSummary]:
        """Return published works in the order of accession, or in reverse.

        The time grows with `offset`, because an index is scanned to it (docs/benchmarks.md).
        """
        order = [column.desc() if newest_first else column for column in (WorkRow.accessioned, WorkRow.identifier)]
        # Rows before the offset are skipped in the index alone.
        page = select(WorkRow.identifier).where(_PUBLISHED).order_by(*order).offset(offset).limit(limit).subquery()
        query = select(*SUMMARY_COLUMNS).join(page, page.c.identifier == WorkRow.identifier).order_by(*order)
        with read_session(self._sessions) as session:
            return [summary_of(row) for row in session.execute(query)]

    def works_accessioned(self, start: str, end: str) -> list[WorkSummary]:
        """Return the published works accessioned from `start` on and before `end`, in the order of accession."""
        query = select(*SUMMARY_COLUMNS).where(_PUBLISHED, *_within(start, end))
        with read_session(self._sessions) as session:
            rows = session.execute(query.order_by(WorkRow.accessioned, WorkRow.identifier))
            return [summary_of(row) for row in rows]

    def count_accessions(self, start: str, end: str, limit: int) -> int:
        """Return how many works in any state were accessioned from `start` on and before `end`, at most `limit`."""
        # One query for each state, because the index begins with the state.
        queries = [
            select(WorkRow.identifier).where(WorkRow.state == state.value, *_within(start, end)).limit(limit)
            for state in WorkState
        ]
        with read_session(self._sessions) as session:
            counts = [session.scalar(select(func.count()).select_from(query.subquery())) or 0 for query in queries]
        return min(limit, sum(counts))

    def first_accession(self, start: str, end: str) -> str | None:
        """Return the time of the first accession from `start` on and before `end`, of works in any state."""
        first = select(func.min(WorkRow.accessioned)).where(*_within(start, end))
        with read_session(self._sessions) as session:
            times = [session.scalar(first.where(WorkRow.state == state.value)) for state in WorkState]
        return min((time for time in times if time), default=None)

    def counts(self) -> Counts:
        """Return the totals of the catalogue."""
        with read_session(self._sessions) as session:
            totals = read_counters(session)
        staged = totals["events"] - totals["logged"]
        return Counts(totals["works"], totals["published"], totals["images"], totals["bytes"], totals["events"], staged)

    def published_count(self) -> int:
        """Return how many works are published: the length of what `works` pages through."""
        return self.counts().published

    def pyramids(self, work: str) -> dict[str, Pyramid]:
        """Return the pyramids of a work by image identifier."""
        with read_session(self._sessions) as session:
            rows = session.scalars(select(ImageRow).where(ImageRow.work == work)).all()
        return {row.identifier: pyramid_of(row) for row in rows}

    def has_master_of_length(self, master_bytes: int) -> bool:
        """Return whether a held master has this length. If not, a new one of this length is no duplicate."""
        query = select(ImageRow.identifier).where(ImageRow.master_bytes == master_bytes).limit(1)
        with read_session(self._sessions) as session:
            return session.scalar(query) is not None

    def images_of_master(self, sha256: str) -> list[tuple[Image, Pyramid]]:
        """Return the images whose masters have this digest."""
        return self._images(select(ImageRow).where(ImageRow.master_sha256 == sha256))

    def publish(self, publication: Publication, follow_up: Sequence[NewJob], now: str) -> None:
        """Store a work with its images and events, and enqueue the jobs that follow, in one transaction.

        Events that the catalogue already holds keep their position in the log.
        """

        def replace(session: Session) -> None:
            work = publication.work.identifier
            before = _lock_work(session, work)
            positions = remove_events(session, work)
            before |= {"events": len(positions), "logged": _count_logged(positions.values())}
            session.execute(delete(ImageRow).where(ImageRow.work == work))
            _insert(session, publication, positions, has_row="works" in before)
            # Always in the same order, so that two publications do not deadlock.
            for job in sorted(follow_up, key=lambda job: job.key):
                enqueue(session, job, now)
            after = _totals_of(publication, positions)
            add_to_counters(session, **{name: after[name] - before.get(name, 0) for name in after})

        run_transaction(self._sessions, replace)

    def replace_pyramid(self, image: str, pyramid: Pyramid) -> None:
        """Record the rebuilt pyramid of an image; do nothing when the image is no longer held."""
        change = update(ImageRow).where(ImageRow.identifier == image).values(pyramid_values(pyramid))
        run_transaction(self._sessions, lambda session: session.execute(change))

    def rebuild(self, publications: Iterable[Publication]) -> int:
        """Replace all works, images and events in one transaction; return the number of works. Jobs stay.

        Nobody may write the log meanwhile.
        """
        count = 0
        with write_session(self._sessions) as session:
            lift_timeouts(session)
            positions = unsigned_positions(session)
            session.execute(delete(WorkRow))
            for publication in publications:
                _insert(session, publication, positions)
                count += 1
            close_gaps(session)
            recount(session)
        return count

    def _images(self, query: Select[ImageRow]) -> list[tuple[Image, Pyramid]]:
        with read_session(self._sessions) as session:
            rows = session.scalars(query).all()
        return [(image_of(row), pyramid_of(row)) for row in rows]


def _within(start: str, end: str) -> tuple[ColumnElement[bool], ...]:
    return WorkRow.accessioned >= start, WorkRow.accessioned < end


def _lock_work(session: Session, work: str) -> dict[str, int]:
    """Lock a work's row until the transaction ends; return what it contributes to the counters.

    Of two transactions that insert the same new work, the later one fails on its key and is retried.
    """
    columns = (WorkRow.state, WorkRow.images, WorkRow.master_bytes)
    query = select(*columns).where(WorkRow.identifier == work).with_for_update()
    row = session.execute(query).one_or_none()
    if row is None:
        return {}
    published = row.state == WorkState.PUBLISHED.value
    return {"works": 1, "published": int(published), "images": row.images, "bytes": row.master_bytes}


def _insert(
    session: Session, publication: Publication, positions: Mapping[str, LogPosition], *, has_row: bool = False
) -> None:
    """Insert a work with its images and events; `has_row` when the work's own row exists and is updated."""
    work = publication.work
    values = work_values(work, publication.version, publication.accessioned)
    if has_row:
        session.execute(update(WorkRow).where(WorkRow.identifier == work.identifier).values(values))
    else:
        session.execute(insert(WorkRow), values)
    images = [
        image_values(number, image, work.identifier, publication.pyramids[image.identifier])
        for number, image in enumerate(work.images())
    ]
    if images:
        session.execute(insert(ImageRow), images)
    events = [
        event_values(number, event, position_of(event.identifier, positions, publication.log_indexes))
        for number, event in enumerate(publication.events)
    ]
    if events:
        session.execute(insert(EventRow), events)


def _totals_of(publication: Publication, positions: Mapping[str, LogPosition]) -> dict[str, int]:
    """Return what a work contributes to the counters."""
    masters = [image.master for image in publication.work.images()]
    events = [position_of(event.identifier, positions, publication.log_indexes) for event in publication.events]
    return {
        "works": 1,
        "published": 1,
        "images": len(masters),
        "bytes": sum(master.bytes for master in masters),
        "events": len(events),
        "logged": _count_logged(events),
    }


def _count_logged(positions: Iterable[LogPosition]) -> int:
    return sum(position.log_index is not None for position in positions)
