"""Requests that OAI-PMH allows are parsed; each other is refused with the protocol's error."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiif_server.oai.arguments import OaiRefused, parse_arguments
from iiif_server.oai.tokens import LIFE, ListState, Tokens
from repository.clock import timestamp
from repository.model.changes import RecordRange

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKENS = Tokens(b"secret")
STATE = ListState(
    "ListRecords", "mods", RecordRange(7, "2026-01-01T00:00:00Z", None, "class:jing"), 200, 1000, timestamp(NOW)
)


def parsed(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


@pytest.mark.parametrize(
    "query",
    [
        "verb=Identify",
        "verb=ListSets",
        "verb=ListSets&resumptionToken=x",
        "verb=ListMetadataFormats&identifier=oai:a:b",
        "metadataPrefix=mods&identifier=x&verb=GetRecord",
        "verb=ListRecords&resumptionToken=x",
        "verb=ListIdentifiers&metadataPrefix=oai_dc&from=2026-01-01&until=2026-01-01&set=class:jing",
    ],
)
def test_what_the_protocol_allows_is_parsed(query: str) -> None:
    request = parse_arguments(parsed(query))
    assert {("verb", request.verb), *request.arguments.items()} == set(parsed(query))


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("", "badVerb"),
        ("verb=", "badVerb"),
        ("verb=identify", "badVerb"),
        ("verb=Identify&verb=Identify", "badVerb"),
        ("verb=GetMetadata&identifier=x&metadataPrefix=mods", "badVerb"),
        ("verb=Identify&metadataPrefix=mods", "badArgument"),
        ("verb=ListRecords", "badArgument"),
        ("verb=GetRecord&identifier=x", "badArgument"),
        ("verb=GetRecord&metadataPrefix=mods", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&metadataPrefix=mods", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&resumptionToken=x", "badArgument"),
        ("verb=ListRecords&metadataPrefix=", "badArgument"),
        ("verb=ListRecords&metadataPrefix=a/b", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&set=", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&set=a::b", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&set=%E7%BB%8F", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&from=2026", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&from=2026-02-30", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&from=2026-01-01T00:00:00", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&from=2026-01-01T24:01:00Z", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&until=2026-01-01T00:00:00.5Z", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&from=2026-01-02&until=2026-01-01", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods&from=2026-01-01&until=2026-01-02T00:00:00Z", "badArgument"),
        ("verb=GetRecord&metadataPrefix=mods&identifier=%01", "badArgument"),
        (f"verb=GetRecord&metadataPrefix=mods&identifier={'x' * 3000}", "badArgument"),
    ],
)
def test_what_it_does_not_allow_is_refused_with_its_error(query: str, condition: str) -> None:
    with pytest.raises(OaiRefused) as refused:
        parse_arguments(parsed(query))
    assert refused.value.condition == condition


def test_a_day_is_the_whole_of_it() -> None:
    request = parse_arguments(parsed("verb=ListRecords&metadataPrefix=mods&from=2026-01-01&until=2026-01-02"))
    assert (request.first, request.last) == ("2026-01-01T00:00:00Z", "2026-01-02T23:59:59Z")


def test_a_token_is_read_back_for_its_verb_until_it_expires() -> None:
    token = TOKENS.write(STATE)
    assert TOKENS.read(token, "ListRecords", NOW + LIFE) == STATE
    for read in (
        lambda: TOKENS.read(token, "ListIdentifiers", NOW),
        lambda: TOKENS.read(token, "ListRecords", NOW + LIFE + timedelta(seconds=1)),
        lambda: Tokens(b"another").read(token, "ListRecords", NOW),
        lambda: TOKENS.read(TOKENS.write(replace(STATE, total="x")), "ListRecords", NOW),  # type: ignore[arg-type]
    ):
        with pytest.raises(OaiRefused) as refused:
            read()
        assert refused.value.condition == "badResumptionToken"


@settings(max_examples=30)
@given(st.text(max_size=60) | st.builds(lambda place: TOKENS.write(STATE)[:place], st.integers(0, 80)))
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(OaiRefused):
        TOKENS.read(token, "ListRecords", NOW)
