"""Conversion between frozen values and rows of the catalogue's tables. Nothing here queries the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from repository.database.log_positions import LogPosition
from repository.database.tables import EventRow, ImageRow, WorkRow
from repository.model.access import decide
from repository.model.work import (
    Access,
    Agent,
    Event,
    HeldImage,
    Image,
    Master,
    Pyramid,
    Rectangle,
    Rights,
    Work,
    WorkAccess,
    WorkState,
    WorkSummary,
)
from repository.model.work_json import work_to_json


def work_values(work: Work, version: int, accessioned: str) -> dict[str, object]:
    """Return the columns of a work, without those of `access_values`."""
    images = list(work.images())
    return {
        "identifier": work.identifier,
        "accessioned": accessioned,
        "version": version,
        "rights_uri": work.rights.uri,
        "watermark": work.rights.watermark,
        "title": work.record.title,
        "creator": list(work.record.creator),
        "date": work.record.date.text if work.record.date else None,
        "cover": images[0].identifier if images else None,
        "images": len(images),
        "master_bytes": sum(image.master.bytes for image in images),
        "document": work_to_json(work),
    }


def access_values(access: WorkAccess, *, pending: bool) -> dict[str, object]:
    """Return the columns of the access to a work; `pending` until its OCFL object holds it."""
    return {
        "state": access.state.value,
        "access": access.access.value,
        "max_size": access.max_size,
        "access_until": access.until,
        "access_changed": access.changed,
        "access_agent": access.agent.value if access.agent else None,
        "access_reason": access.reason,
        "access_pending": pending,
    }


WORK_ACCESS_COLUMNS: Final = (
    WorkRow.state,
    WorkRow.access,
    WorkRow.max_size,
    WorkRow.access_until,
    WorkRow.access_changed,
    WorkRow.access_agent,
    WorkRow.access_reason,
)
"""The columns of the access to a work, in the order of the fields of `WorkAccess`."""


def work_access(row: Row[*tuple[Any, ...]]) -> WorkAccess:
    """Return the access of a result row that has `WORK_ACCESS_COLUMNS`."""
    return WorkAccess(
        state_of(row.state),
        access_of(row.access),
        row.max_size,
        row.access_until,
        row.access_changed,
        Agent(row.access_agent) if row.access_agent else None,
        row.access_reason,
    )


def image_values(position: int, image: Image, work: str, pyramid: Pyramid) -> dict[str, object]:
    """Return the columns of an image at `position` in its work."""
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
        "ignored": list(image.master.ignored) or None,
        "puid": image.master.puid,
        **pyramid_values(pyramid),
        "redactions": [[part.x, part.y, part.width, part.height] for part in image.redactions] or None,
    }


def pyramid_values(pyramid: Pyramid) -> dict[str, object]:
    """Return the columns of an image's pyramid."""
    return {
        "pyramid_key": pyramid.key,
        "pyramid_fingerprint": pyramid.fingerprint,
        "pyramid_bytes": pyramid.bytes,
        "tile_size": pyramid.tile_size,
    }


_NAMED_DIGESTS: Final = ("sm3", "certificate", "report")


def event_values(position: int, event: Event, log_position: LogPosition) -> dict[str, object]:
    """Return the columns of an event at `position` in its work."""
    return {
        "identifier": event.identifier,
        "work": event.work,
        "position": position,
        "type": event.type,
        "time": event.time,
        "image": event.image,
        "sha256": event.sha256,
        "named_digest": next((event.detail[name] for name in _NAMED_DIGESTS if name in event.detail), None),
        "outcome": event.outcome,
        "detail": dict(event.detail),
        "sequence": log_position.sequence,
        "log_index": log_position.log_index,
        "kept_in_log": event.is_kept_in_log,
    }


def event_of(row: EventRow) -> Event:
    """Return the event of a row."""
    return Event(
        identifier=row.identifier,
        type=row.type,
        time=row.time,
        work=row.work,
        image=row.image,
        sha256=row.sha256,
        outcome=row.outcome,
        detail=dict(row.detail),
    )


ACCESS_COLUMNS: Final = (
    WorkRow.access,
    WorkRow.max_size,
    WorkRow.access_until,
    WorkRow.rights_uri,
    WorkRow.watermark,
    WorkRow.state,
)
"""The columns of a work that decide who may see its images."""


def access_of(value: str) -> Access:
    """Return the access level of a row. One that this release does not know shows nothing: restricted."""
    return Access(value) if value in set(Access) else Access.RESTRICTED


def state_of(value: str) -> WorkState:
    """Return the state of a row. One that this release does not know shows nothing: withdrawn."""
    return WorkState(value) if value in set(WorkState) else WorkState.WITHDRAWN


def held_image(row: Row[*tuple[Any, ...]]) -> HeldImage:
    """Return the image of a result row: an `ImageRow` and then `ACCESS_COLUMNS`."""
    image, access, max_size, until, rights_uri, watermark, state = row
    return HeldImage(
        identifier=image.identifier,
        work=image.work,
        width=image.width,
        height=image.height,
        rights=Rights(rights_uri, access_of(access), max_size, watermark, until),
        state=state_of(state),
        pyramid=pyramid_of(image),
        redactions=_redactions_of(image),
    )


def image_of(row: ImageRow) -> Image:
    """Return the image of a row."""
    ignored = tuple(row.ignored or ())
    master = Master(row.master_path, row.master_sha256, row.master_bytes, row.media_type, ignored, row.puid)
    return Image(row.identifier, row.width, row.height, master, _redactions_of(row))


def _redactions_of(row: ImageRow) -> tuple[Rectangle, ...]:
    return tuple(Rectangle(*part) for part in row.redactions or ())


def pyramid_of(row: ImageRow) -> Pyramid:
    """Return the pyramid of an image's row."""
    return Pyramid(row.pyramid_key, row.pyramid_fingerprint, row.pyramid_bytes, row.tile_size)


SUMMARY_COLUMNS: Final = (
    WorkRow.identifier,
    WorkRow.title,
    WorkRow.creator,
    WorkRow.date,
    WorkRow.cover,
    WorkRow.images,
    WorkRow.master_bytes,
    WorkRow.state,
    WorkRow.access,
    WorkRow.max_size,
    WorkRow.access_until,
)
"""The columns of a work that lists show, without its document, which may be long."""


def summary_of(row: Row[*tuple[Any, ...]], now: datetime) -> WorkSummary:
    """Return the summary at `now` of a result row of `SUMMARY_COLUMNS`."""
    rights = Rights(access=access_of(row.access), max_size=row.max_size, until=row.access_until)
    shows_pixels = decide(rights, state_of(row.state), now).shows_pixels
    return WorkSummary(
        identifier=row.identifier,
        title=row.title,
        creator=tuple(row.creator),
        date=row.date,
        cover=row.cover if shows_pixels else None,
        images=row.images,
        bytes=row.master_bytes,
        state=state_of(row.state),
    )
