"""What is held, as an index: queries that return frozen values, and the one transaction that publishes a work.

Storage is the truth; everything here but the jobs can be made again from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from repository.database import Sessions
from repository.errors import DatabaseFault
from repository.jobs import JobOrder, enqueue
from repository.ledger import Place, close_gaps, place_of, take_places, unsigned_places
from repository.model import Access, Event, HeldImage, Image, Master, Pyramid, Rights, Work, WorkState, WorkSummary
from repository.serial import work_of_json, work_to_json
from repository.tables import EventRow, ImageRow, WorkRow


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is held: `bytes` of masters, `staged` events that are not yet in the log."""

    works: int
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
        query = select(ImageRow, WorkRow.access, WorkRow.max_size, WorkRow.rights_uri, WorkRow.state).join(
            WorkRow, WorkRow.identifier == ImageRow.work
        )
        with self._reading() as session:
            row = session.execute(query.where(ImageRow.identifier == identifier)).one_or_none()
        return _held_image(row) if row else None

    def work(self, identifier: str) -> Work | None:
        """A work, published or not."""
        with self._reading() as session:
            document = session.scalar(select(WorkRow.document).where(WorkRow.identifier == identifier))
        return work_of_json(document) if document else None

    def state(self, work: str) -> WorkState | None:
        """Where a work stands with the public."""
        with self._reading() as session:
            state = session.scalar(select(WorkRow.state).where(WorkRow.identifier == work))
        return WorkState(state) if state else None

    def works(self, offset: int = 0, limit: int = 50) -> list[WorkSummary]:
        """Published works in the order of their accession."""
        query = (
            select(WorkRow)
            .where(WorkRow.state == WorkState.PUBLISHED.value)
            .order_by(WorkRow.accessioned, WorkRow.identifier)
        )
        with self._reading() as session:
            return [_summary(row) for row in session.scalars(query.offset(offset).limit(limit))]

    def counts(self) -> Counts:
        """How much is held."""
        with self._reading() as session:
            works, images, size = session.execute(
                select(
                    func.count(),
                    func.coalesce(func.sum(WorkRow.images), 0),
                    func.coalesce(func.sum(WorkRow.master_bytes), 0),
                )
            ).one()
            events, logged = session.execute(select(func.count(), func.count(EventRow.log_index))).one()
        return Counts(works, int(images), int(size), events, events - logged)

    def published_count(self) -> int:
        """How many works are published: what `works` pages through."""
        query = select(func.count()).select_from(WorkRow).where(WorkRow.state == WorkState.PUBLISHED.value)
        with self._reading() as session:
            return session.scalar(query) or 0

    def pyramids(self, work: str) -> dict[str, Pyramid]:
        """The pyramids of a work by the identifiers of their images."""
        with self._reading() as session:
            rows = session.scalars(select(ImageRow).where(ImageRow.work == work)).all()
        return {row.identifier: _pyramid(row) for row in rows}

    def known_images(self, master_bytes: int) -> list[tuple[Image, Pyramid]]:
        """Images whose masters are so many bytes long: what a master about to be taken in may turn out to be."""
        with self._reading() as session:
            rows = session.scalars(select(ImageRow).where(ImageRow.master_bytes == master_bytes)).all()
        return [(_image(row), _pyramid(row)) for row in rows]

    def publish(self, publication: Publication, follow_up: Sequence[JobOrder], now: str) -> None:
        """A work, its images and events as they are now, and the jobs that follow, in one transaction.

        Events already known keep their place in the log.
        """
        with self._writing() as session:
            places = take_places(session, publication.work.identifier)
            session.execute(delete(WorkRow).where(WorkRow.identifier == publication.work.identifier))
            _insert(session, publication, places)
            for order in follow_up:
                enqueue(session, order, now)

    def replace_all(self, publications: Iterable[Publication]) -> int:
        """Everything held, made anew in one transaction; returns the number of works. Jobs stay as they are.

        Nobody may write the log meanwhile.
        """
        count = 0
        with self._writing() as session:
            places = unsigned_places(session)
            session.execute(delete(WorkRow))
            for publication in publications:
                _insert(session, publication, places)
                count += 1
            close_gaps(session)
        return count

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with self._sessions() as session:
                yield session
        except SQLAlchemyError as fault:
            raise DatabaseFault(reason=str(fault.__cause__ or fault)) from fault

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        try:
            with self._sessions.begin() as session:
                yield session
        except SQLAlchemyError as fault:
            raise DatabaseFault(reason=str(fault.__cause__ or fault)) from fault


def _insert(session: Session, publication: Publication, places: Mapping[str, Place]) -> None:
    work = publication.work
    session.execute(insert(WorkRow), _work_values(publication))
    if images := [
        _image_values(position, image, work.identifier, publication.pyramids[image.identifier])
        for position, image in enumerate(work.images())
    ]:
        session.execute(insert(ImageRow), images)
    if events := [
        _event_values(position, event, place_of(event.identifier, places, publication.log_indexes))
        for position, event in enumerate(publication.events)
    ]:
        session.execute(insert(EventRow), events)


def _work_values(publication: Publication) -> dict[str, object]:
    work = publication.work
    images = list(work.images())
    return {
        "identifier": work.identifier,
        "accessioned": publication.accessioned,
        "version": publication.version,
        "state": WorkState.PUBLISHED.value,
        "access": work.rights.access.value,
        "max_size": work.rights.max_size,
        "rights_uri": work.rights.uri,
        "title": work.record.title,
        "creator": list(work.record.creator),
        "date": work.record.date.text if work.record.date else None,
        "cover": images[0].identifier if images and work.rights.access is not Access.RESTRICTED else None,
        "images": len(images),
        "master_bytes": sum(image.master.bytes for image in images),
        "document": work_to_json(work),
    }


def _image_values(position: int, image: Image, work: str, pyramid: Pyramid) -> dict[str, object]:
    return {
        "identifier": image.identifier,
        "work": work,
        "position": position,
        "width": image.width,
        "height": image.height,
        "master_path": image.master.path,
        "master_sha256": image.master.sha256,
        "master_bytes": image.master.bytes,
        "media_type": image.master.media_type,
        "pyramid_key": pyramid.key,
        "pyramid_fingerprint": pyramid.fingerprint,
        "pyramid_bytes": pyramid.bytes,
        "tile_size": pyramid.tile_size,
    }


def _event_values(position: int, event: Event, place: Place) -> dict[str, object]:
    return {
        "identifier": event.identifier,
        "work": event.work,
        "position": position,
        "type": event.type,
        "time": event.time,
        "image": event.image,
        "sha256": event.sha256,
        "outcome": event.outcome,
        "detail": dict(event.detail),
        "sequence": place.sequence,
        "log_index": place.log_index,
    }


def _held_image(row: Row[ImageRow, str, int | None, str | None, str]) -> HeldImage:
    image, access, max_size, rights_uri, state = row
    return HeldImage(
        identifier=image.identifier,
        work=image.work,
        width=image.width,
        height=image.height,
        rights=Rights(rights_uri, Access(access), max_size),
        state=WorkState(state),
        pyramid=_pyramid(image),
    )


def _image(row: ImageRow) -> Image:
    master = Master(row.master_path, row.master_sha256, row.master_bytes, row.media_type)
    return Image(row.identifier, row.width, row.height, master)


def _pyramid(row: ImageRow) -> Pyramid:
    return Pyramid(row.pyramid_key, row.pyramid_fingerprint, row.pyramid_bytes, row.tile_size)


def _summary(row: WorkRow) -> WorkSummary:
    return WorkSummary(
        identifier=row.identifier,
        title=row.title,
        creator=tuple(row.creator),
        date=row.date,
        cover=row.cover,
        images=row.images,
        bytes=row.master_bytes,
        state=WorkState(row.state),
    )
