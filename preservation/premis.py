"""PREMIS 3 events as canonical JSON. (pure)

An event is written with the semantic units of the PREMIS Data Dictionary (version 3.0, "Event Entity") as canonical
JSON (RFC 8785), so that one event has exactly one sequence of bytes. These bytes are a leaf of the provenance log. An
event's identifier is derived from what happened, not from its time, so that recording it again gives the same event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
import rfc8785

from repository.errors import EventInvalid
from repository.localized import LocalizedText
from repository.model.work import Event, EventType, Master, WorkAccess
from repository.whole_numbers import LARGEST_NUMBER, parse_whole_number

PREMIS_VERSION: Final = "3.0"
_UTC_SECONDS: Final = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z"
_SHA256: Final = r"\A[0-9a-f]{64}\Z"
_Document = TypeVar("_Document")


def ingestion_event(
    work: str,
    image: str,
    master: Master,
    *,
    time: str,
    software: str,
    sm3: str | None = None,
    captured: str | None = None,
) -> Event:
    """Return the event of ingesting a master with `software` (name and version) at `time` (UTC).

    `sm3` is the master's SM3 digest (GB/T 32905) in hexadecimal, if it was computed; `captured` the
    digests that were made when it was scanned, ``sha256:HEX`` or ``md5:HEX``, and that it was compared with.
    Events are published, and file names may contain the names of people: the master's name is kept only in
    ``metadata/work.json``.
    """
    detail = {"bytes": str(master.bytes), "software": software}
    if master.ignored:
        detail["ignored"] = " ".join(master.ignored)
    if sm3:
        detail["sm3"] = sm3
    if captured:
        detail["captured"] = captured
    return Event(
        identifier=event_identifier(EventType.INGESTION, work, image, master.sha256),
        type=EventType.INGESTION.value,
        time=time,
        work=work,
        image=image,
        sha256=master.sha256,
        detail=detail,
    )


def accession_event(work: str, version: int, sha256: str, *, time: str, software: str) -> Event:
    """Return the event of accepting a version of a work; `sha256` is the digest of its deposited record."""
    return Event(
        identifier=event_identifier(EventType.ACCESSION, work, str(version), sha256),
        type=EventType.ACCESSION.value,
        time=time,
        work=work,
        sha256=sha256,
        detail={"software": software, "version": f"v{version}"},
    )


class ChangeOfAccess(StrEnum):
    """What an event of changed access says happened."""

    WITHDRAWAL = "withdrawal"
    RESTORATION = "restoration"
    CHANGE = "change of access"


def access_event(
    work: str, version: int, sha256: str, access: WorkAccess, change: ChangeOfAccess, *, time: str, software: str
) -> Event:
    """Return the event of changing the access to a work in a version; `sha256` is the digest of its access record.

    The record holds the reason, which may name people; the event does not. The agent is the staff, a deposit or the
    software, never a person.
    """
    stated = {"access": access.access.value, "max_size": access.max_size, "until": access.until, "agent": access.agent}
    return Event(
        identifier=event_identifier(EventType.METADATA_MODIFICATION, work, str(version), sha256),
        type=EventType.METADATA_MODIFICATION.value,
        time=time,
        work=work,
        sha256=sha256,
        detail={
            "change": change.value,
            "state": access.state.value,
            **{name: str(value) for name, value in stated.items() if value is not None},
            "software": software,
            "version": f"v{version}",
        },
    )


def version_of_event(event: Event) -> int:
    """Return the number of the version that an event states; 1 for one that states none."""
    return parse_whole_number(event.detail.get("version", "").removeprefix("v"), LARGEST_NUMBER) or 1


def access_of_event(event: Event) -> WorkAccess | None:
    """Return the access that an event of changed access states, without its reason; None for any other event."""
    detail = event.detail
    if event.type != EventType.METADATA_MODIFICATION or "change" not in detail:
        return None
    stated = {**detail, "max_size": parse_whole_number(detail.get("max_size", ""), LARGEST_NUMBER)}
    names = ("state", "access", "max_size", "until", "agent")
    try:
        return msgspec.convert({"changed": event.time, **{name: stated.get(name) for name in names}}, WorkAccess)
    except msgspec.ValidationError as fault:
        raise _invalid(fault) from fault


@dataclass(frozen=True, slots=True)
class CorrectedLines:
    """A correction of the text of a page: how many lines it changed, and the sealed name of the account."""

    lines: int
    account: str


def text_event(
    work: str,
    version: int,
    sha256: str,
    *,
    files: int,
    time: str,
    software: str,
    correction: CorrectedLines | None = None,
) -> Event:
    """Return the event of adding files of text to a preserved work in a version, or of correcting the text of a page.

    `sha256` is the digest of the document that says what is known of the work's files of text.
    """
    detail = {"files": str(files), "software": software, "text": "added", "version": f"v{version}"}
    if correction:
        detail |= {"account": correction.account, "lines": str(correction.lines), "text": "corrected"}
    return Event(
        identifier=event_identifier(EventType.METADATA_MODIFICATION, work, str(version), sha256),
        type=EventType.METADATA_MODIFICATION.value,
        time=time,
        work=work,
        sha256=sha256,
        detail=detail,
    )


def recovery_event(
    work: str, image: str | None, sha256: str, *, damage: str, version: int, time: str, software: str
) -> Event:
    """Return the event of putting the bytes with this digest back into the store, where they were lost or changed.

    `image` is None for a file that is no master; `damage` is what was wrong with the stored bytes, `version` the number
    of the version that records the event.
    """
    return Event(
        identifier=event_identifier(EventType.RECOVERY, work, str(version), sha256),
        type=EventType.RECOVERY.value,
        time=time,
        work=work,
        image=image,
        sha256=sha256,
        detail={"damage": damage, "software": software, "version": f"v{version}"},
    )


def event_bytes(event: Event) -> bytes:
    """Return the event as canonical JSON. Raises `EventInvalid`."""
    return _canonical(_to_json(event))


def parse_event(document: bytes) -> Event:
    """Parse an event: the inverse of `event_bytes`. Raises `EventInvalid` for any other form."""
    event = _to_event(_decode(document, _EventDocument))
    _check_canonical(event_bytes(event), document)
    return event


def events_bytes(events: Sequence[Event]) -> bytes:
    """Return events, in order, as one canonical JSON array."""
    return _canonical([_to_json(event) for event in events])


def parse_events(document: bytes) -> tuple[Event, ...]:
    """Parse an array of events: the inverse of `events_bytes`. Raises `EventInvalid` for any other form."""
    events = tuple(map(_to_event, _decode(document, list[_EventDocument])))
    _check_canonical(events_bytes(events), document)
    return events


class _EventIdentifier(msgspec.Struct, rename="camel"):
    event_identifier_value: str
    event_identifier_type: Literal["sha256"] = "sha256"


class _EventOutcome(msgspec.Struct, rename="camel"):
    event_outcome: str


class _LinkedObject(msgspec.Struct, omit_defaults=True):
    """The object of an event: a work, one image of it and its master's digest, or none of them."""

    work: str | None = None
    image: str | None = None
    sha256: Annotated[str, msgspec.Meta(pattern=_SHA256)] | None = None


class _EventDocument(msgspec.Struct, rename="camel"):
    """An event in the PREMIS Data Dictionary's semantic units."""

    event_identifier: _EventIdentifier
    event_type: EventType
    event_date_time: Annotated[str, msgspec.Meta(pattern=_UTC_SECONDS)]
    event_detail_information: dict[str, str]
    event_outcome_information: _EventOutcome
    linking_object_identifier: _LinkedObject
    version: Literal["3.0"] = PREMIS_VERSION


def _to_json(event: Event) -> Any:
    """Return the event as JSON values. Raise `EventInvalid` for one that could not be parsed again."""
    values = {
        "eventIdentifier": {"eventIdentifierValue": event.identifier},
        "eventType": event.type,
        "eventDateTime": event.time,
        "eventDetailInformation": dict(event.detail),
        "eventOutcomeInformation": {"eventOutcome": event.outcome},
        "linkingObjectIdentifier": {"work": event.work, "image": event.image, "sha256": event.sha256},
    }
    try:
        return msgspec.to_builtins(msgspec.convert(values, _EventDocument))
    except msgspec.ValidationError as fault:
        raise _invalid(fault) from fault


def _to_event(document: _EventDocument) -> Event:
    linked = document.linking_object_identifier
    return Event(
        identifier=document.event_identifier.event_identifier_value,
        type=document.event_type.value,
        time=document.event_date_time,
        work=linked.work,
        image=linked.image,
        sha256=linked.sha256,
        outcome=document.event_outcome_information.event_outcome,
        detail=document.event_detail_information,
    )


def event_identifier(*parts: str) -> str:
    """Return the identifier of an event (64 hexadecimal digits) from what makes it this event and no other."""
    return hashlib.sha256(rfc8785.dumps(list(parts))).hexdigest()


def _decode(document: bytes, kind: type[_Document]) -> _Document:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise _invalid(fault) from fault


def _canonical(values: Any) -> bytes:
    try:
        return rfc8785.dumps(values)
    except rfc8785.CanonicalizationError as fault:
        raise _invalid(fault) from fault


def _check_canonical(canonical: bytes, document: bytes) -> None:
    """Raise `EventInvalid` for a document with unknown members or another spelling than the canonical one."""
    if canonical != document:
        raise EventInvalid(reason=LocalizedText("与规范形式不符", "it is not in canonical form"))


def _invalid(fault: Exception) -> EventInvalid:
    return EventInvalid(reason=LocalizedText(f"内容有误（{fault}）", f"it is malformed ({fault})"))
