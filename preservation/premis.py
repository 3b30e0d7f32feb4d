"""PREMIS 3 events as canonical JSON. (pure)

An event is written with the semantic units of the PREMIS Data Dictionary (version 3.0, "Event Entity") as canonical
JSON (RFC 8785), so that one event has exactly one sequence of bytes. These bytes are a leaf of the provenance log. An
event's identifier is derived from what happened, not from its time, so that recording it again gives the same event.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import rfc8785

from repository.errors import EventInvalid
from repository.localized import LocalizedText
from repository.model import Event

PREMIS_VERSION: Final = "3.0"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class EventType(StrEnum):
    """The terms used here of the Library of Congress vocabulary of PREMIS event types."""

    ACCESSION = "accession"
    FIXITY_CHECK = "fixity check"
    INGESTION = "ingestion"
    MESSAGE_DIGEST_CALCULATION = "message digest calculation"
    VALIDATION = "validation"


def ingestion_event(
    work: str,
    image: str,
    sha256: str,
    *,
    bytes: int,  # noqa: A002 -- as in `Master`
    time: str,
    software: str,
) -> Event:
    """Return the event of ingesting a master with `software` (name and version) at `time` (UTC).

    Events are published, and file names may contain the names of people: the master's name is kept only in
    ``metadata/work.json``.
    """
    return Event(
        identifier=_identifier(EventType.INGESTION, work, image, sha256),
        type=EventType.INGESTION.value,
        time=time,
        work=work,
        image=image,
        sha256=sha256,
        detail={"bytes": str(bytes), "software": software},
    )


def accession_event(work: str, version: int, sha256: str, *, time: str, software: str) -> Event:
    """Return the event of accepting a version of a work; `sha256` is the digest of its deposited record."""
    return Event(
        identifier=_identifier(EventType.ACCESSION, work, str(version), sha256),
        type=EventType.ACCESSION.value,
        time=time,
        work=work,
        sha256=sha256,
        detail={"software": software, "version": f"v{version}"},
    )


def event_bytes(event: Event) -> bytes:
    """Return the event as canonical JSON. Raises `EventInvalid`."""
    return _canonical(_to_json(event))


def parse_event(document: bytes) -> Event:
    """Parse an event: the inverse of `event_bytes`. Raises `EventInvalid` for any other form."""
    event = _of_json(_parse(document))
    _check_canonical(event_bytes(event), document)
    return event


def events_bytes(events: Sequence[Event]) -> bytes:
    """Return events, in order, as one canonical JSON array."""
    return _canonical([_to_json(event) for event in events])


def parse_events(document: bytes) -> tuple[Event, ...]:
    """Parse an array of events: the inverse of `events_bytes`. Raises `EventInvalid` for any other form."""
    values = _parse(document)
    if not isinstance(values, list):
        raise EventInvalid(reason=LocalizedText("并非事件列表", "it is not an array of events"))
    events = tuple(map(_of_json, values))
    _check_canonical(events_bytes(events), document)
    return events


def _identifier(*parts: str) -> str:
    return hashlib.sha256(rfc8785.dumps(list(parts))).hexdigest()


def _parse(document: bytes) -> Any:
    try:
        return json.loads(document)
    except (ValueError, RecursionError) as fault:
        raise EventInvalid(reason=LocalizedText(f"并非 JSON：{fault}", f"it is not JSON: {fault}")) from fault


def _canonical(values: Any) -> bytes:
    try:
        return rfc8785.dumps(values)
    except rfc8785.CanonicalizationError as fault:
        raise EventInvalid(
            reason=LocalizedText(f"无法写成 JSON：{fault}", f"it cannot be written as JSON: {fault}")
        ) from fault


def _check_canonical(canonical: bytes, document: bytes) -> None:
    """Raise `EventInvalid` for a document with unknown members or another spelling than the canonical one."""
    if canonical != document:
        raise EventInvalid(reason=LocalizedText("与规范形式不符", "it is not in canonical form"))


def _to_json(event: Event) -> dict[str, Any]:
    _check(event)
    linked = {"work": event.work, "image": event.image, "sha256": event.sha256}
    return {
        "eventIdentifier": {"eventIdentifierType": "sha256", "eventIdentifierValue": event.identifier},
        "eventType": event.type,
        "eventDateTime": event.time,
        "eventDetailInformation": dict(event.detail),
        "eventOutcomeInformation": {"eventOutcome": event.outcome},
        "linkingObjectIdentifier": {name: value for name, value in linked.items() if value is not None},
        "version": PREMIS_VERSION,
    }


def _of_json(values: Any) -> Event:
    try:
        linked = values["linkingObjectIdentifier"]
        return Event(
            identifier=values["eventIdentifier"]["eventIdentifierValue"],
            type=values["eventType"],
            time=values["eventDateTime"],
            work=linked["work"],
            image=linked.get("image"),
            sha256=linked.get("sha256"),
            outcome=values["eventOutcomeInformation"]["eventOutcome"],
            detail=dict(values["eventDetailInformation"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as fault:
        raise EventInvalid(reason=LocalizedText(f"内容不全：{fault!r}", f"something is missing: {fault!r}")) from fault


def _check(event: Event) -> None:
    """Raise `EventInvalid` for an event that this repository does not write, or that could not be parsed again."""
    texts = (event.identifier, event.type, event.time, event.work, event.outcome, *event.detail, *event.detail.values())
    optional = tuple(text for text in (event.image, event.sha256) if text is not None)
    if not all(isinstance(text, str) for text in texts + optional):
        raise EventInvalid(reason=LocalizedText("各项只能是文字", "all its values must be strings"))
    if event.type not in set(EventType):
        raise EventInvalid(
            reason=LocalizedText(f"未知的事件类型：{event.type!r}", f"unknown event type {event.type!r}")
        )
    if not _TIME.fullmatch(event.time):
        raise EventInvalid(
            reason=LocalizedText(
                f"时间须为 UTC、精确到秒：{event.time!r}", f"the time must be in UTC with seconds: {event.time!r}"
            )
        )
    if event.sha256 is not None and not _SHA256.fullmatch(event.sha256):
        raise EventInvalid(
            reason=LocalizedText(f"并非 sha256：{event.sha256!r}", f"{event.sha256!r} is not a SHA-256 digest")
        )
