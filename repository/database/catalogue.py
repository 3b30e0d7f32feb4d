"""What is held, as an index: queries that return frozen values, and the one transaction that publishes a work.

Storage is the truth; everything here but the jobs can be made again from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update
from sqlalchemy.orm import Session

from repository.database.counters import add_to_counters, read_counters, recount
from repository.database.engine import Sessions, reading, without_limits, write, writing
from repository.database.log_sequence import LogPosition, assign_positions, close_gaps, position_of, unsigned_positions
from repository.database.outbox import NewJob, enqueue
from repository.database.rows import (
    HELD,
    SUMMARY,
    event_values,
    held_image,
    image_of,
    image_values,
    pyramid_of,
    pyramid_values,
    summary_of,
    work_values,
)
from repository.database.tables import EventRow, ImageRow, WorkRow
from repository.model import Event, HeldImage, Image, Pyramid, Work, WorkState, WorkSummary
from repository.work_json import work_of_json

_PUBLISHED: Final = WorkRow.state == WorkState.PUBLISHED.value


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is held: `bytes` of masters, `staged` events that are not yet in the log."""

    works: int
    published: int
    images: int
    bytes: int
    events: int
    staged: int


@dataclass(frozen=True, slots=True)
class Publication:
    """All that the catalogue keeps of one work.

    `pyramids` and `log_indexes` are keyed by the identifiers of images and events; `accessioned` is the time of the
    OCFL object's first version (RFC 3339), `version` the number of its head.
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
        """What the image service must know of an image; None when none is held under this identifier."""
        query = select(ImageRow, *HELD).join(WorkRow, WorkRow.identifier == ImageRow.work)
        with reading(self._sessions) as session:
            row = session.execute(query.where(ImageRow.identifier == identifier)).one_or_none()
        return held_image(row) if row else None

    def work(self, identifier: str) -> Work | None:
        """A work, published or not."""
        with reading(self._sessions) as session:
            document = session.scalar(select(WorkRow.document).where(WorkRow.identifier == identifier))
        return work_of_json(document) if document else None

    def state(self, work: str) -> WorkState | None:
        """Where a work stands with the public."""
        with reading(self._sessions) as session:
            state = session.scalar(select(WorkRow.state).where(WorkRow.identifier == work))
        return WorkState(state) if state else None

    def works(self, offset: int = 0, limit: int = 50, *, newest_first: bool = False) -> list[WorkSummary]:
        """Published works in the order of their accession, or the other way round.

        An index is walked to `offset`: a long way in takes long (docs/benchmarks.md).
        """
        order = [column.desc() if newest_first else column for column in (WorkRow.accessioned, WorkRow.identifier)]
        # Only the index is read of what is passed over.
        page = select(WorkRow.identifier).where(_PUBLISHED).order_by(*order).offset(offset).limit(limit).subquery()
        query = select(*SUMMARY).join(page, page.c.identifier == WorkRow.identifier).order_by(*order)
        with reading(self._sessions) as session:
            return [summary_of(row) for row in session.execute(query)]

    def works_accessioned(self, start: str, end: str) -> list[WorkSummary]:
        """Every published work accessioned from `start` on and before `end`, in the order of accession."""
        query = select(*SUMMARY).where(_PUBLISHED, *_within(start, end))
        with reading(self._sessions) as session:
            rows = session.execute(query.order_by(WorkRow.accessioned, WorkRow.identifier))
            return [summary_of(row) for row in rows]

    def count_accessions(self, start: str, end: str, limit: int) -> int:
        """How many works, published or not, were accessioned from `start` on and before `end`; none beyond `limit`."""
        # State by state: the index begins with it.
        found = [
            select(WorkRow.identifier).where(WorkRow.state == state.value, *_within(start, end)).limit(limit)
            for state in WorkState
        ]
        with reading(self._sessions) as session:
            counts = [session.scalar(select(func.count()).select_from(query.subquery())) or 0 for query in found]
        return min(limit, sum(counts))

    def first_accession(self, start: str, end: str) -> str | None:
        """The time of the first accession from `start` on and before `end`, of a work published or not."""
        first = select(func.min(WorkRow.accessioned)).where(*_within(start, end))
        with reading(self._sessions) as session:
            times = [session.scalar(first.where(WorkRow.state == state.value)) for state in WorkState]
        return min((time for time in times if time), default=None)

    def counts(self) -> Counts:
        """How much is held."""
        with reading(self._sessions) as session:
            found = read_counters(session)
        staged = found["events"] - found["logged"]
        return Counts(found["works"], found["published"], found["images"], found["bytes"], found["events"], staged)

    def published_count(self) -> int:
        """How many works are published: what `works` pages through."""
        return self.counts().published

    def pyramids(self, work: str) -> dict[str, Pyramid]:
        """The pyramids of a work by the identifiers of their images."""
        with reading(self._sessions) as session:
            rows = session.scalars(select(ImageRow).where(ImageRow.work == work)).all()
        return {row.identifier: pyramid_of(row) for row in rows}

    def has_master_of_length(self, master_bytes: int) -> bool:
        """Whether a master that is so many bytes long is held: if not, a new one of that length need not be hashed."""
        query = select(ImageRow.identifier).where(ImageRow.master_bytes == master_bytes).limit(1)
        with reading(self._sessions) as session:
            return session.scalar(query) is not None

    def images_of_master(self, sha256: str) -> list[tuple[Image, Pyramid]]:
        """Images whose masters have this digest."""
        return self._images(select(ImageRow).where(ImageRow.master_sha256 == sha256))

    def publish(self, publication: Publication, follow_up: Sequence[NewJob], now: str) -> None:
        """A work, its images and events as they are now, and the jobs that follow, in one transaction.

        Events already known keep their place in the log.
        """

        def replace(session: Session) -> None:
            work = publication.work.identifier
            before = _hold(session, work)
            places = assign_positions(session, work)
            before |= {"events": len(places), "logged": _logged(places.values())}
            session.execute(delete(ImageRow).where(ImageRow.work == work))
            _put(session, publication, places, known="works" in before)
            # In one order, so that two publications never wait for each other.
            for order in sorted(follow_up, key=lambda order: order.key):
                enqueue(session, order, now)
            after = _tallies_of(publication, places)
            add_to_counters(session, **{name: after[name] - before.get(name, 0) for name in after})

        write(self._sessions, replace)

    def replace_pyramid(self, image: str, pyramid: Pyramid) -> None:
        """The pyramid of an image was made anew; nothing happens when the image is not held any more."""
        change = update(ImageRow).where(ImageRow.identifier == image).values(pyramid_values(pyramid))
        write(self._sessions, lambda session: session.execute(change))

    def rebuild(self, publications: Iterable[Publication]) -> int:
        """Everything held, made anew in one transaction; returns the number of works. Jobs stay as they are.

        Nobody may write the log meanwhile.
        """
        count = 0
        with writing(self._sessions) as session:
            without_limits(session)
            places = unsigned_positions(session)
            session.execute(delete(WorkRow))
            for publication in publications:
                _put(session, publication, places)
                count += 1
            close_gaps(session)
            recount(session)
        return count

    def _images(self, query: Select[ImageRow]) -> list[tuple[Image, Pyramid]]:
        with reading(self._sessions) as session:
            rows = session.scalars(query).all()
        return [(image_of(row), pyramid_of(row)) for row in rows]


def _within(start: str, end: str) -> tuple[ColumnElement[bool], ...]:
    return WorkRow.accessioned >= start, WorkRow.accessioned < end


def _hold(session: Session, work: str) -> dict[str, int]:
    """Keep others from changing a work until the transaction ends; returns what it counts for in the tallies.

    Two that put a work nobody knew meet at its row: the later one is begun again, and finds it.
    """
    columns = (WorkRow.state, WorkRow.images, WorkRow.master_bytes)
    query = select(*columns).where(WorkRow.identifier == work).with_for_update()
    row = session.execute(query).one_or_none()
    if row is None:
        return {}
    published = row.state == WorkState.PUBLISHED.value
    return {"works": 1, "published": int(published), "images": row.images, "bytes": row.master_bytes}


def _put(session: Session, publication: Publication, places: Mapping[str, LogPosition], *, known: bool = False) -> None:
    """Put a work, its images and its events; a work that is `known` has its row, and nothing else, already."""
    work = publication.work
    values = work_values(work, publication.version, publication.accessioned)
    if known:
        session.execute(update(WorkRow).where(WorkRow.identifier == work.identifier).values(values))
    else:
        session.execute(insert(WorkRow), values)
    images = [
        image_values(position, image, work.identifier, publication.pyramids[image.identifier])
        for position, image in enumerate(work.images())
    ]
    if images:
        session.execute(insert(ImageRow), images)
    events = [
        event_values(position, event, position_of(event.identifier, places, publication.log_indexes))
        for position, event in enumerate(publication.events)
    ]
    if events:
        session.execute(insert(EventRow), events)


def _tallies_of(publication: Publication, places: Mapping[str, LogPosition]) -> dict[str, int]:
    """What a work that was just put counts for in the tallies."""
    masters = [image.master for image in publication.work.images()]
    found = [position_of(event.identifier, places, publication.log_indexes) for event in publication.events]
    return {
        "works": 1,
        "published": 1,
        "images": len(masters),
        "bytes": sum(master.bytes for master in masters),
        "events": len(found),
        "logged": _logged(found),
    }


def _logged(places: Iterable[LogPosition]) -> int:
    return sum(place.log_index is not None for place in places)
