"""Deletions of works: requested by one account, confirmed by another, then carried out.

The transaction of a confirmation is the decision: it stages the event of the deletion and enqueues the job that carries
it out. The work leaves the catalogue in the transaction that records the deletion as done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from repository.database.access_changes import lock_work
from repository.database.counters import add_to_counters
from repository.database.deletion_tables import DeletionRow
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.holdings import add_to_holdings, held_groups
from repository.database.kept_events import stage_events
from repository.database.outbox import NewJob, enqueue
from repository.database.report_tables import ConditionRow
from repository.database.search_changes import mark_unindexed
from repository.database.tables import EventRow, ImageRow, JobRow, ReplicaCopyRow, WorkRow
from repository.errors import Busy, CallError, NotFound, Withdrawn
from repository.localized import LocalizedText
from repository.model.work import Event, WorkState

DECIDED: Final = LocalizedText("删除已经确认", "its deletion is confirmed already")
"""Why a deletion that is confirmed can be neither confirmed nor cancelled."""


class DeletionState(StrEnum):
    """How far a deletion is."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    DELETED = "deleted"


class DeletionRefused(CallError):
    """A deletion that may not be requested, confirmed or cancelled; nothing was changed."""

    code = "deletion.refused"
    text = LocalizedText("不能删除 {work}：{reason}", "{work} cannot be deleted: {reason}")


class WorkDeleted(Withdrawn):
    """Held until its deletion was decided; the log still proves that it was held. `day` is that of the decision."""

    code = "deleted"
    text = LocalizedText(
        "{what} 已于 {day} 依馆方决定删除，不再保存；溯源日志仍可证明其曾入藏",
        "{what} was deleted on {day} by a decision of the library; the provenance log still proves that it was held",
    )


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion: the version that the work had when it was requested, by whom and why, and who confirmed it when.

    Times are those of `clock.timestamp`. `event` is the identifier of its event in the log, from the confirmation on.
    The names are '' in a database that was rebuilt from the stores, which name nobody.
    """

    work: str
    state: DeletionState
    version: int
    requested: str
    requested_by: str
    reason: str
    confirmed: str | None = None
    confirmed_by: str | None = None
    event: str | None = None

    @property
    def is_decided(self) -> bool:
        """Whether the deletion is confirmed: it will be, or has been, carried out."""
        return self.state is not DeletionState.REQUESTED

    @property
    def day(self) -> str:
        """The day of the decision, in UTC; '' before it."""
        return (self.confirmed or "")[:10]


class Deletions:
    """The deletions of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def get(self, work: str) -> Deletion | None:
        """Return the deletion of a work; None if none was requested."""
        with read_session(self._sessions) as session:
            row = session.get(DeletionRow, work)
            return _deletion(row) if row else None

    def is_decided(self, work: str) -> bool:
        """Return whether the deletion of a work is confirmed or done."""
        deletion = self.get(work)
        return deletion is not None and deletion.is_decided

    def of_image(self, image: str) -> Deletion | None:
        """Return the decided deletion of the work that an image belonged to, as its events say; None without one."""
        query = select(DeletionRow).join(EventRow, EventRow.work == DeletionRow.work).where(EventRow.image == image)
        with read_session(self._sessions) as session:
            row = session.scalar(query.where(DeletionRow.state != DeletionState.REQUESTED.value).limit(1))
            return _deletion(row) if row else None

    def open(self, limit: int) -> list[Deletion]:
        """Return at most `limit` deletions that are requested or confirmed and not done, the oldest first."""
        query = select(DeletionRow).where(DeletionRow.state != DeletionState.DELETED.value)
        with read_session(self._sessions) as session:
            rows = session.scalars(query.order_by(DeletionRow.requested, DeletionRow.work).limit(limit)).all()
        return [_deletion(row) for row in rows]

    def request(self, work: str, account: str, reason: str, now: str) -> Deletion:
        """Record a request for the newest version of a withdrawn work. Raises `NotFound`, `DeletionRefused`."""

        def action(session: Session) -> Deletion:
            if session.get(DeletionRow, work, with_for_update=True) is not None:
                raise DeletionRefused(work=work, reason=_REQUESTED)
            version = _require_withdrawn(session, work)
            values = {"work": work, "version": version, "requested": now, "requested_by": account, "reason": reason}
            row = DeletionRow(state=DeletionState.REQUESTED.value, **values)
            session.add(row)
            return _deletion(row)

        return run_transaction(self._sessions, action)

    def cancel(self, work: str) -> Deletion:
        """Forget a request that is not confirmed. Raises `NotFound`, `DeletionRefused`."""

        def action(session: Session) -> Deletion:
            row = _requested(session, work)
            cancelled = _deletion(row)
            session.delete(row)
            return cancelled

        return run_transaction(self._sessions, action)

    def confirm(self, expected: Deletion, account: str, event: Event, jobs: Sequence[NewJob], now: str) -> Deletion:
        """Decide the deletion `expected`: stage its event and enqueue `jobs`.

        The work must be as it was when the deletion was requested. Raises `DeletionRefused` otherwise, `NotFound`, and
        `Busy` while a job changes the work.
        """
        work = expected.work

        def action(session: Session) -> Deletion:
            row = _requested(session, work)
            if _deletion(row) != expected:
                raise DeletionRefused(work=work, reason=_CHANGED)
            if _require_withdrawn(session, work) != row.version:
                raise DeletionRefused(work=work, reason=_NEW_VERSION)
            if session.scalar(select(JobRow.key).where(JobRow.claim == work)) is not None:
                raise Busy(what=work)
            row.state, row.confirmed, row.confirmed_by = DeletionState.CONFIRMED.value, now, account
            row.event = event.identifier
            for job in sorted(jobs, key=lambda job: job.key):
                enqueue(session, job, now)
            stage_events(session, [event])
            return _deletion(row)

        return run_transaction(self._sessions, action)

    def finish(self, work: str, jobs: Sequence[NewJob], now: str) -> None:
        """Record that the primary store has deleted a work: it leaves the catalogue, its events stay."""

        def action(session: Session) -> None:
            row = session.get(DeletionRow, work, with_for_update=True)
            if row is None or row.state == DeletionState.DELETED.value:
                return
            row.state = DeletionState.DELETED.value
            _, before = lock_work(session, work)
            groups = held_groups(session, work)
            for table in (ImageRow, ConditionRow):
                session.execute(delete(table).where(table.work == work))
            session.execute(delete(WorkRow).where(WorkRow.identifier == work))
            session.execute(update(EventRow).where(EventRow.work == work).values(kept_in_log=True))
            mark_unindexed(session, work)
            for job in sorted(jobs, key=lambda job: job.key):
                enqueue(session, job, now)
            add_to_holdings(session, {}, groups)
            add_to_counters(session, **{name: -value for name, value in before.items()})

        run_transaction(self._sessions, action)

    def forget_copy(self, work: str, store: str) -> None:
        """Record that a replica no longer holds a work."""
        removal = delete(ReplicaCopyRow).where(ReplicaCopyRow.work == work, ReplicaCopyRow.store == store)
        run_transaction(self._sessions, lambda session: session.execute(removal))

    def restore(self, deletion: Deletion, jobs: Sequence[NewJob], now: str) -> None:
        """Record a decided deletion that a store's tombstone states, and enqueue `jobs`, unless it is known."""

        def action(session: Session) -> None:
            if session.get(DeletionRow, deletion.work, with_for_update=True) is None:
                values = {name: getattr(deletion, name) for name in Deletion.__slots__}
                session.add(DeletionRow(**values | {"state": deletion.state.value}))
                for job in sorted(jobs, key=lambda job: job.key):
                    enqueue(session, job, now)

        run_transaction(self._sessions, action)


def _requested(session: Session, work: str) -> DeletionRow:
    row = session.get(DeletionRow, work, with_for_update=True)
    if row is None:
        raise NotFound(what=LocalizedText(f"删除 {work} 的申请", f"request to delete {work}"))
    if row.state != DeletionState.REQUESTED.value:
        raise DeletionRefused(work=work, reason=DECIDED)
    return row


def _require_withdrawn(session: Session, work: str) -> int:
    """Lock a work and return its version.

    Raises `NotFound`, and `DeletionRefused` unless the work is withdrawn and its object holds the withdrawal.
    """
    query = select(WorkRow.state, WorkRow.version, WorkRow.access_pending).where(WorkRow.identifier == work)
    row = session.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise NotFound(what=work)
    if row.state != WorkState.WITHDRAWN.value:
        raise DeletionRefused(work=work, reason=_PUBLIC)
    if row.access_pending:
        raise DeletionRefused(work=work, reason=_PENDING)
    return int(row.version)


def _deletion(row: DeletionRow) -> Deletion:
    return Deletion(
        row.work,
        DeletionState(row.state),
        row.version,
        row.requested,
        row.requested_by,
        row.reason,
        row.confirmed,
        row.confirmed_by,
        row.event,
    )


_REQUESTED = LocalizedText("已有人申请删除", "its deletion was requested already")
_CHANGED = LocalizedText("申请已变动；请重新查看", "the request has changed; look at it again")
_PUBLIC = LocalizedText(
    "仍在公开；请先用 shanben withdraw 撤下", "it is in public view; withdraw it first, by shanben withdraw"
)
_PENDING = LocalizedText("撤下尚未存档；请稍后重试", "its withdrawal is not preserved yet; try again shortly")
_NEW_VERSION = LocalizedText(
    "申请之后又有新版本；请核对后撤销并重新申请",
    "it has a new version since the request; check it, then cancel the request and make a new one",
)
