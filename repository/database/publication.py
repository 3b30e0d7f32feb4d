"""The rows of one publication of a work: the work, its images and its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from repository.database.holdings import replace_conditions
from repository.database.log_positions import LogPosition, count_logged, position_of
from repository.database.rows import access_values, event_values, image_values, work_values
from repository.database.tables import EventRow, ImageRow, WorkRow
from repository.model.access import deposited_access
from repository.model.work import Event, Pyramid, Work, WorkAccess, WorkState


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything the catalogue stores of one work.

    `pyramids` is keyed by image identifiers, `log_indexes` by event identifiers; `accessioned` is the time of the OCFL
    object's first version (RFC 3339), `version` the number of its head version. `access` is the access that the object
    holds, None for that of the deposit. It replaces the access `access_before`, and no other: a change that the staff
    made meanwhile stays in force.
    """

    work: Work
    pyramids: Mapping[str, Pyramid]
    events: Sequence[Event]
    version: int
    accessioned: str
    log_indexes: Mapping[str, int]
    access: WorkAccess | None = None
    access_before: WorkAccess | None = None

    @property
    def access_held(self) -> WorkAccess:
        """The access that the work's object holds."""
        return self.access or deposited_access(self.work.rights)


def insert_publication(
    session: Session,
    publication: Publication,
    positions: Mapping[str, LogPosition],
    access: WorkAccess | None,
    *,
    has_row: bool = False,
) -> None:
    """Insert a work with its images and events; `has_row` when the work's own row exists and is updated.

    `access` None leaves the access of an existing row as it is.
    """
    work = publication.work
    values = work_values(work, publication.version, publication.accessioned)
    if access is not None:
        values |= access_values(access, pending=False)
    if has_row:
        session.execute(update(WorkRow).where(WorkRow.identifier == work.identifier).values(values))
    else:
        session.execute(insert(WorkRow), values)
    replace_conditions(session, work)
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


def totals_of(publication: Publication, positions: Mapping[str, LogPosition], access: WorkAccess) -> dict[str, int]:
    """Return what a work contributes to the counters."""
    masters = [image.master for image in publication.work.images()]
    events = [position_of(event.identifier, positions, publication.log_indexes) for event in publication.events]
    return {
        "works": 1,
        "published": int(access.state is WorkState.PUBLISHED),
        "images": len(masters),
        "bytes": sum(master.bytes for master in masters),
        "events": len(events),
        "logged": count_logged(events),
    }
