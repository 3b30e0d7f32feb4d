"""The catalogue: queries that return frozen values, and the transaction that publishes a work.

The store is authoritative: everything in the catalogue can be rebuilt from it (`workers/maintenance/rebuild.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.orm import Session

from repository.clock import Clock, system_clock
from repository.database.access_changes import (
    AccessChange,
    PreservedAccess,
    change_access,
    lock_work,
    pending_access,
    record_preserved,
)
from repository.database.changes import append_published, append_withdrawn
from repository.database.counters import add_to_counters, read_counters, recount
from repository.database.engine import Sessions, lift_timeouts, read_session, run_transaction, write_session
from repository.database.feed_rebuild import rebuild_feed
from repository.database.holdings import (
    Groups,
    add_to_holdings,
    clear_holdings,
    groups_of,
    held_groups,
    sum_groups,
)
from repository.database.kept_events import forget_readable, restore_logged
from repository.database.log_positions import (
    close_gaps,
    count_logged,
    remove_events,
    unsigned_positions,
)
from repository.database.lost_access import forget_lost, limited_access, lost_access, replace_lost
from repository.database.lost_works import forget_found
from repository.database.outbox import NewJob, enqueue
from repository.database.publication import Publication, insert_publication, totals_of
from repository.database.rows import (
    ACCESS_COLUMNS,
    SUMMARY_COLUMNS,
    WORK_ACCESS_COLUMNS,
    access_values,
    held_image,
    image_of,
    pyramid_of,
    pyramid_values,
    state_of,
    summary_of,
    work_access,
)
from repository.database.search_changes import mark_unindexed
from repository.database.tables import ImageRow, UnheldEventRow, WorkRow
from repository.model.access import is_same_access, rights_under
from repository.model.work import (
    Access,
    Event,
    HeldImage,
    Image,
    Pyramid,
    Rights,
    Work,
    WorkAccess,
    WorkState,
    WorkSummary,
)
from repository.model.work_json import rights_of_json, work_of_json

_BATCH: Final = 500
_PUBLISHED: Final = WorkRow.state == WorkState.PUBLISHED.value
_SHOWN: Final = (_PUBLISHED, WorkRow.access != Access.RESTRICTED.value)


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
class HeldAccess:
    """The access to a work that is in force, and the rights that its last deposit stated.

    `is_pending` until the work's object holds the access.
    """

    access: WorkAccess
    deposited: Rights
    is_pending: bool = False


class Catalogue:
    """The catalogue of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock = system_clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def image(self, identifier: str) -> HeldImage | None:
        """Return what the image service needs of an image; None when there is no such image."""
        query = select(ImageRow, *ACCESS_COLUMNS).join(WorkRow, WorkRow.identifier == ImageRow.work)
        with read_session(self._sessions) as session:
            row = session.execute(query.where(ImageRow.identifier == identifier)).one_or_none()
        return held_image(row) if row else None

    def work(self, identifier: str) -> Work | None:
        """Return a work in any state, with the access that is in force; None when there is no such work."""
        query = select(WorkRow.document, *WORK_ACCESS_COLUMNS).where(WorkRow.identifier == identifier)
        with read_session(self._sessions) as session:
            row = session.execute(query).one_or_none()
        if row is None:
            return None
        work = work_of_json(row.document)
        return replace(work, rights=rights_under(work.rights, work_access(row)))

    def access(self, work: str) -> HeldAccess | None:
        """Return the access to a work; None when there is no such work."""
        columns = (WorkRow.document, WorkRow.access_pending, *WORK_ACCESS_COLUMNS)
        with read_session(self._sessions) as session:
            row = session.execute(select(*columns).where(WorkRow.identifier == work)).one_or_none()
        return HeldAccess(work_access(row), rights_of_json(row.document), row.access_pending) if row else None

    def lost_access(self, work: str) -> WorkAccess | None:
        """Return the access to a work that the last rebuild did not find; None for any other."""
        with read_session(self._sessions) as session:
            return lost_access(session, work)

    def change_access(
        self,
        work: str,
        change: AccessChange,
        jobs: Callable[[str], Sequence[NewJob]],
        now: str,
        *,
        pend: bool = False,
    ) -> WorkAccess | None:
        """Change the access to a work from now on; return it, or None when there is no such work.

        A change is recorded as pending until `record_access`. `jobs` gives the jobs to enqueue, from the time of the
        work's accession. A change to the same access changes nothing, except that it is pending with `pend`.
        """

        def action(session: Session) -> WorkAccess | None:
            return change_access(session, work, change, jobs, now, clock=self._clock, pend=pend)

        return run_transaction(self._sessions, action)

    def record_access(self, work: str, preserved: PreservedAccess, jobs: Sequence[NewJob], now: str) -> None:
        """Record what the newest version of a work's object holds, and enqueue `jobs`."""
        run_transaction(
            self._sessions, lambda session: record_preserved(session, work, preserved, jobs, now, clock=self._clock)
        )

    def ended_restrictions(self, day: str, limit: int) -> list[str]:
        """Return works, at most `limit`, whose access is open from `day` (ISO 8601) or an earlier day on."""
        query = select(WorkRow.identifier).where(WorkRow.access_until.is_not(None), WorkRow.access_until <= day)
        with read_session(self._sessions) as session:
            return list(session.scalars(query.order_by(WorkRow.access_until, WorkRow.identifier).limit(limit)))

    def state(self, work: str) -> WorkState | None:
        """Return the state of a work; None when there is no such work."""
        with read_session(self._sessions) as session:
            state = session.scalar(select(WorkRow.state).where(WorkRow.identifier == work))
        return state_of(state) if state else None

    def version(self, work: str) -> int:
        """Return the number of the newest version of a work that the catalogue knows; 0 when there is no such work."""
        with read_session(self._sessions) as session:
            return session.scalar(select(WorkRow.version).where(WorkRow.identifier == work)) or 0

    def identifiers_after(self, identifier: str, limit: int, *, shown: bool = False) -> list[str]:
        """Return at most `limit` identifiers of works (`shown`: in public view) that follow `identifier`, in order."""
        query = select(WorkRow.identifier).where(WorkRow.identifier > identifier, *(_SHOWN if shown else ()))
        with read_session(self._sessions) as session:
            return list(session.scalars(query.order_by(WorkRow.identifier).limit(limit)))

    def works(self, offset: int = 0, limit: int = 50, *, newest_first: bool = False) -> list[WorkSummary]:
        """Return published works in the order of accession, or in reverse.

        The time grows with `offset`, because an index is scanned to it (docs/benchmarks.md).
        """
        order = [column.desc() if newest_first else column for column in (WorkRow.accessioned, WorkRow.identifier)]
        # Rows before the offset are skipped in the index alone.
        page = select(WorkRow.identifier).where(_PUBLISHED).order_by(*order).offset(offset).limit(limit).subquery()
        query = select(*SUMMARY_COLUMNS).join(page, page.c.identifier == WorkRow.identifier).order_by(*order)
        with read_session(self._sessions) as session:
            now = self._clock()
            return [summary_of(row, now) for row in session.execute(query)]

    def works_accessioned(self, start: str, end: str) -> list[WorkSummary]:
        """Return the published works accessioned from `start` on and before `end`, in the order of accession."""
        query = select(*SUMMARY_COLUMNS).where(_PUBLISHED, *_within(start, end))
        with read_session(self._sessions) as session:
            rows = session.execute(query.order_by(WorkRow.accessioned, WorkRow.identifier))
            now = self._clock()
            return [summary_of(row, now) for row in rows]

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

    def works_of_masters(self, digests: Collection[str]) -> dict[str, int]:
        """Return how many of these different masters (sha256) each work holds; works without any are left out."""
        counts: dict[str, int] = {}
        wanted = sorted(digests)
        with read_session(self._sessions) as session:
            for start in range(0, len(wanted), _BATCH):
                some = ImageRow.master_sha256.in_(wanted[start : start + _BATCH])
                count = func.count(func.distinct(ImageRow.master_sha256))
                for work, held in session.execute(select(ImageRow.work, count).where(some).group_by(ImageRow.work)):
                    counts[work] = counts.get(work, 0) + held
        return counts

    def publish(self, publication: Publication, follow_up: Sequence[NewJob], now: str) -> None:
        """Store a work with its images and events, and enqueue the jobs that follow, in one transaction.

        Events that the catalogue already holds keep their position in the log. A work that the catalogue already holds
        keeps its access, unless it is `Publication.access_before`.
        """

        def action(session: Session) -> None:
            work = publication.work.identifier
            held, before = lock_work(session, work)
            groups = held_groups(session, work)
            if held is None:
                forget_lost(session, work)
            forget_found(session, work, publication.version)
            version = session.scalar(select(WorkRow.version).where(WorkRow.identifier == work))
            positions = remove_events(session, work)
            before |= {"events": len(positions), "logged": count_logged(positions.values())}
            session.execute(delete(ImageRow).where(ImageRow.work == work))
            stays = held is not None and held != publication.access_before
            access = held if held is not None and stays else publication.access_held
            insert_publication(
                session, publication, positions, None if stays else publication.access_held, has_row=held is not None
            )
            if access.state is WorkState.PUBLISHED:
                append_published(session, publication.work, self._clock, changed=version != publication.version)
            else:
                append_withdrawn(session, work, self._clock)
            mark_unindexed(session, work)
            # Always in the same order, so that two publications do not deadlock.
            for job in sorted(follow_up, key=lambda job: job.key):
                enqueue(session, job, now)
            after = totals_of(publication, positions, access)
            add_to_holdings(session, groups_of(publication.work, publication.accessioned), groups)
            add_to_counters(session, **{name: after[name] - before.get(name, 0) for name in after})

        run_transaction(self._sessions, action)

    def replace_pyramid(self, image: str, pyramid: Pyramid) -> None:
        """Record the rebuilt pyramid of an image; do nothing when the image is no longer held."""
        change = update(ImageRow).where(ImageRow.identifier == image).values(pyramid_values(pyramid))
        run_transaction(self._sessions, lambda session: session.execute(change))

    def rebuild(
        self,
        publications: Iterable[Publication],
        logged: Mapping[str, WorkAccess] = MappingProxyType({}),
        kept: Iterable[tuple[int, Event]] = (),
    ) -> int:
        """Replace all works, images and events in one transaction; return the number of works. Jobs stay.

        So do the feed of changes, and a change of access that the objects do not hold yet. The access to works without
        a publication, which the catalogue or the log (`logged`) knows, is kept as that of lost works. `kept` are the
        events that the log alone keeps, with their indexes there; those that it does not have yet stay. Nobody may
        write the log meanwhile.
        """
        works = []
        with write_session(self._sessions) as session:
            lift_timeouts(session)
            positions = unsigned_positions(session)
            pending, limited = pending_access(session), limited_access(session)
            before = list(session.scalars(select(WorkRow.identifier)))
            forget_readable(session)
            session.execute(delete(WorkRow))
            session.execute(delete(UnheldEventRow))
            groups: Groups = {}
            for publication in publications:
                insert_publication(session, publication, positions, publication.access_held)
                groups = sum_groups((groups, groups_of(publication.work, publication.accessioned)))
                works.append(publication.work.identifier)
                change = pending.get(works[-1])
                if change is not None and is_same_access(change, publication.access_held):
                    del pending[works[-1]]  # the object holds it, with its reason
            for work, access in pending.items():
                row = update(WorkRow).where(WorkRow.identifier == work)
                session.execute(row.values(access_values(access, pending=True)))
            replace_lost(session, limited, logged, works, self._clock())
            restore_logged(session, kept)
            close_gaps(session)
            rebuild_feed(session, self._clock)
            mark_unindexed(session, *before, *works)
            clear_holdings(session)
            add_to_holdings(session, groups)
            recount(session)
        return len(works)

    def _images(self, query: Select[ImageRow]) -> list[tuple[Image, Pyramid]]:
        with read_session(self._sessions) as session:
            rows = session.scalars(query).all()
        return [(image_of(row), pyramid_of(row)) for row in rows]


def _within(start: str, end: str) -> tuple[ColumnElement[bool], ...]:
    return WorkRow.accessioned >= start, WorkRow.accessioned < end
