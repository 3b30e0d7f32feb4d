from __future__ import annotations

import json
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from preservation.premis import (
    accession_event,
    event_bytes,
    events_bytes,
    ingestion_event,
    parse_event,
    parse_events,
)
from repository.errors import EventInvalid
from repository.model.work import Event, EventType, Master

DIGEST = "0f" * 32
times = st.datetimes().map(lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0"))
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
words = st.text(max_size=20)
events_strategy = st.builds(
    Event,
    identifier=words,
    type=st.sampled_from([kind.value for kind in EventType]),
    time=times,
    work=st.none() | words,
    image=st.none() | words,
    sha256=st.none() | digests,
    outcome=words,
    detail=st.dictionaries(words, words, max_size=4),
)


@given(events_strategy)
def test_parse_event_is_the_inverse_of_event_bytes(event: Event) -> None:
    assert parse_event(event_bytes(event)) == event
    assert rfc8785.dumps(json.loads(event_bytes(event))) == event_bytes(event)


@given(st.lists(events_strategy, max_size=4))
def test_parse_events_is_the_inverse_of_events_bytes(events: list[Event]) -> None:
    assert parse_events(events_bytes(events)) == tuple(events)


def ingestion(
    time: str = "2026-01-02T03:04:05Z",
    work: str = "w1",
    image: str = "i1",
    sha256: str = DIGEST,
    ignored: tuple[str, ...] = (),
) -> Event:
    master = Master("masters/1.tif", sha256, 5, "image/tiff", ignored)
    return ingestion_event(work, image, master, time=time, software="shanben 0.1.0")


def test_ingestion_event_records_what_the_image_does_not_show() -> None:
    event = ingestion(ignored=("extra-samples", "colour-profile"))
    assert event.detail["ignored"] == "extra-samples colour-profile"
    assert event.identifier == ingestion().identifier


def test_ingestion_event_is_written_with_premis_semantic_units() -> None:
    assert json.loads(event_bytes(ingestion())) == {
        "eventIdentifier": {"eventIdentifierType": "sha256", "eventIdentifierValue": ingestion().identifier},
        "eventType": "ingestion",
        "eventDateTime": "2026-01-02T03:04:05Z",
        "eventDetailInformation": {"bytes": "5", "software": "shanben 0.1.0"},
        "eventOutcomeInformation": {"eventOutcome": "success"},
        "linkingObjectIdentifier": {"image": "i1", "sha256": DIGEST, "work": "w1"},
        "version": "3.0",
    }


def test_event_identifier_does_not_depend_on_the_time() -> None:
    assert ingestion(time="2027-01-01T00:00:00Z").identifier == ingestion().identifier


def test_event_identifiers_of_different_events_differ() -> None:
    def accession(work: str, version: int, sha256: str) -> Event:
        return accession_event(work, version, sha256, time="2026-01-02T03:04:05Z", software="s")

    events = [
        ingestion(),
        ingestion(work="w2"),
        ingestion(image="i2"),
        ingestion(sha256="1f" * 32),
        ingestion(work="w1i", image="1"),
        accession("w1", 1, DIGEST),
        accession("w1", 2, DIGEST),
        accession("w1", 11, DIGEST),
        accession("w11", 1, DIGEST),
        accession("w1", 1, "1f" * 32),
    ]
    assert len({event.identifier for event in events}) == len(events)


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2026-01-02 03:04:05"},
        {"time": "2026-01-02T03:04:05+08:00"},
        {"time": "2026-01-02T03:04:05.5Z"},
        {"type": "hearsay"},
        {"sha256": "abc"},
        {"sha256": DIGEST.upper()},
        {"detail": {"bytes": 5}},
        {"work": 5},
        {"outcome": "\ud800"},
    ],
)
def test_event_bytes_refuses_an_event_outside_the_repertoire(changes: dict[str, object]) -> None:
    with pytest.raises(EventInvalid):
        event_bytes(replace(ingestion(), **changes))


WRITTEN = event_bytes(ingestion())


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"5",
        b"\xff",
        b"[" * 100_000,
        WRITTEN[:-1],
        WRITTEN + b"\n",
        WRITTEN.replace(b",", b", "),
        WRITTEN.replace(b'{"event', b'{"more":"x","event', 1),
        WRITTEN.replace(b'"w1"', b"1"),
        WRITTEN.replace(b'"w1"', b'["w1"]'),
        WRITTEN.replace(b'"3.0"', b'"2.0"'),
        WRITTEN.replace(b"w1", b"\\u0077\\u0031"),
        WRITTEN.replace(b'"image":"i1",', b'"image":null,'),
        json.dumps(json.loads(WRITTEN)).encode(),
    ],
)
def test_parse_event_refuses_every_non_canonical_form(document: bytes) -> None:
    with pytest.raises(EventInvalid):
        parse_event(document)
    with pytest.raises(EventInvalid):
        parse_events(b"[" + document + b"]" if document else b"")


@given(st.binary(max_size=200))
def test_parse_event_refuses_garbage(document: bytes) -> None:
    with pytest.raises(EventInvalid):
        parse_event(document)
