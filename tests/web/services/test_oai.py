"""OAI-PMH 2.0 over HTTP: every response is valid by its schemas, lists go on under change, deletions are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from followed_library import ADDRESS, FollowedLibrary
from lxml import etree
from schemas import partners_schema

from iiif_server.oai import provider
from iiif_server.records.formats import BY_PREFIX
from repository.model.work import Access, Rights

PMH = "{http://www.openarchives.org/OAI/2.0/}"


@pytest.fixture
def library(tmp_path: Path) -> FollowedLibrary:
    return FollowedLibrary(tmp_path / "var")


@pytest.fixture(scope="module")
def schema(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    return partners_schema(shared, tmp_path_factory.mktemp("schemas"))


def ask(library: FollowedLibrary, verb: str, **arguments: str) -> etree._Element:
    query = {"verb": verb, **{name.rstrip("_"): value for name, value in arguments.items()}}
    response = library.client.get(f"/oai?{urlencode(query)}")
    assert (response.status_code, response.content_type) == (200, "text/xml; charset=utf-8")
    return etree.fromstring(response.data)


def error(answer: etree._Element) -> str | None:
    found = answer.find(f"{PMH}error")
    return None if found is None else found.get("code")


def headers(answer: etree._Element) -> list[tuple[str, bool]]:
    return [
        (found.findtext(f"{PMH}identifier").rpartition(":")[2], found.get("status") == "deleted")
        for found in answer.iter(f"{PMH}header")
    ]


def token(answer: etree._Element) -> str | None:
    return next((found.text or "" for found in answer.iter(f"{PMH}resumptionToken")), None)


def filled(library: FollowedLibrary) -> list[str]:
    works = [
        library.publish("甲", classification="經部·易類", holder="某圖書館", language=("lzh",)),
        library.publish("乙", classification="史部", holder="他館"),
        library.publish("丙"),
    ]
    library.withdraw("乙")
    return works


def test_every_response_is_valid_by_its_schemas(library: FollowedLibrary, schema: etree.XMLSchema) -> None:
    work = filled(library)[0]
    identifier = f"oai:books.example:{work}"
    requests: list[dict[str, str]] = [
        {},
        {"verb": "Identify"},
        {"verb": "ListSets"},
        {"verb": "ListMetadataFormats"},
        {"verb": "ListMetadataFormats", "identifier": identifier},
        {"verb": "ListRecords", "metadataPrefix": "none"},
        {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc", "set": "class", "from": "2026-01-01"},
        *({"verb": "ListRecords", "metadataPrefix": prefix} for prefix in BY_PREFIX),
        *({"verb": "GetRecord", "metadataPrefix": prefix, "identifier": identifier} for prefix in BY_PREFIX),
    ]
    for request in requests:
        posted, got = library.client.post("/oai", data=request), library.client.get("/oai", query_string=request)
        assert posted.data == got.data
        schema.assertValid(etree.fromstring(got.data))


def test_identify_says_what_harvesters_need(library: FollowedLibrary) -> None:
    first = library.now
    filled(library)
    answer = ask(library, "Identify").find(f"{PMH}Identify")
    found = {etree.QName(element).localname: element.text for element in answer}
    assert found == {
        "repositoryName": "某館",
        "baseURL": f"{ADDRESS}/oai",
        "protocolVersion": "2.0",
        "adminEmail": "postmaster@books.example",
        "earliestDatestamp": f"{first:%Y-%m-%dT%H:%M}:01Z",
        "deletedRecord": "persistent",
        "granularity": "YYYY-MM-DDThh:mm:ssZ",
    }


def test_the_mail_address_is_a_setting(tmp_path: Path) -> None:
    library = FollowedLibrary(tmp_path, contact_mail="books@library.example")
    assert ask(library, "Identify").findtext(f".//{PMH}adminEmail") == "books@library.example"


def test_a_withdrawn_work_is_a_deleted_record_without_metadata(library: FollowedLibrary) -> None:
    works = filled(library)
    answer = ask(library, "ListRecords", metadataPrefix="mods")
    assert headers(answer) == [(works[0], False), (works[2], False), (works[1], True)]
    deleted = ask(library, "GetRecord", metadataPrefix="mods", identifier=f"oai:books.example:{works[1]}")
    assert headers(deleted) == [(works[1], True)]
    assert deleted.find(f".//{PMH}metadata") is None
    assert "乙" not in etree.tostring(deleted, encoding="unicode")
    library.restore("乙")
    assert headers(ask(library, "ListRecords", metadataPrefix="mods"))[-1] == (works[1], False)


def test_sets_select_and_a_harvester_of_a_set_learns_of_deletions(library: FollowedLibrary) -> None:
    works = filled(library)
    sets = {
        found.findtext(f"{PMH}setName"): found.findtext(f"{PMH}setSpec")
        for found in ask(library, "ListSets").iter(f"{PMH}set")
    }
    assert "某圖書館" in sets
    assert "他館" not in sets  # all that it holds is withdrawn
    assert headers(ask(library, "ListIdentifiers", metadataPrefix="mods", set=sets["某圖書館"])) == [(works[0], False)]
    assert headers(ask(library, "ListIdentifiers", metadataPrefix="mods", set="class:shi")) == [(works[1], True)]
    assert error(ask(library, "ListIdentifiers", metadataPrefix="mods", set="class:ji")) == "noRecordsMatch"


def test_a_range_of_days_or_seconds_selects(library: FollowedLibrary) -> None:
    works = filled(library)
    one = "2026-01-01T00:00:01Z"
    assert headers(ask(library, "ListIdentifiers", metadataPrefix="mods", from_=one, until=one)) == [(works[0], False)]
    assert len(headers(ask(library, "ListIdentifiers", metadataPrefix="mods", until="2026-01-01"))) == 3
    for arguments in ({"from_": "2026-01-02"}, {"until": "2025-12-31"}, {"until": "2025-12-31T23:59:59Z"}):
        assert error(ask(library, "ListRecords", metadataPrefix="mods", **arguments)) == "noRecordsMatch"


@pytest.mark.parametrize(
    ("verb", "arguments", "condition"),
    [
        ("GetRecord", {"metadataPrefix": "mods", "identifier": "x"}, "idDoesNotExist"),
        ("GetRecord", {"metadataPrefix": "mods", "identifier": "oai:books.example:w0"}, "idDoesNotExist"),
        ("ListMetadataFormats", {"identifier": "oai:books.example:"}, "idDoesNotExist"),
        ("ListRecords", {"metadataPrefix": "ead"}, "cannotDisseminateFormat"),
        ("ListRecords", {"resumptionToken": "x"}, "badResumptionToken"),
        ("ListSets", {"resumptionToken": "x"}, "badResumptionToken"),
        ("ListRecords", {"metadataPrefix": "mods"}, "noRecordsMatch"),
        ("ListRecords", {}, "badArgument"),
        ("Listen", {}, "badVerb"),
    ],
)
def test_errors_of_the_protocol(library: FollowedLibrary, verb: str, arguments: dict[str, str], condition: str) -> None:
    answer = ask(library, verb, **arguments)
    assert error(answer) == condition
    stated = dict(answer.find(f"{PMH}request").attrib)
    assert stated == ({} if condition in {"badVerb", "badArgument"} else {"verb": verb, **arguments})


def test_another_host_has_other_identifiers(library: FollowedLibrary) -> None:
    work = filled(library)[0]
    answer = ask(library, "GetRecord", metadataPrefix="mods", identifier=f"oai:other.example:{work}")
    assert error(answer) == "idDoesNotExist"


def test_a_list_is_given_in_pages_that_count_what_they_hold(library: FollowedLibrary, monkeypatch: Any) -> None:
    monkeypatch.setattr(provider, "RECORDS", 2)
    works = [library.publish(name) for name in "甲乙丙丁戊"]
    answer, found = ask(library, "ListRecords", metadataPrefix="oai_dc"), []
    states = []
    while True:
        found += [name for name, _ in headers(answer)]
        (state,) = answer.iter(f"{PMH}resumptionToken")
        states.append((state.get("cursor"), state.get("completeListSize"), state.get("expirationDate") is not None))
        if not state.text:
            break
        answer = ask(library, "ListRecords", resumptionToken=state.text)
    assert found == works
    assert states == [("0", "5", True), ("2", "5", True), ("4", "5", False)]


def test_a_page_ends_when_it_is_large(library: FollowedLibrary, monkeypatch: Any) -> None:
    monkeypatch.setattr(provider, "_BYTES", 4000)
    for name in "甲乙丙丁戊己庚":
        library.publish(name, summary="言" * 500)
    answer = ask(library, "ListRecords", metadataPrefix="oai_dc")
    assert 1 <= len(headers(answer)) <= 3
    assert token(answer)


def test_a_list_that_changes_while_it_is_harvested_loses_nothing(library: FollowedLibrary, monkeypatch: Any) -> None:
    monkeypatch.setattr(provider, "RECORDS", 2)
    works = [library.publish(name) for name in "甲乙丙丁"]
    answer = ask(library, "ListRecords", metadataPrefix="oai_dc")
    following = token(answer)
    library.withdraw("甲")  # harvested already
    library.publish("丙")  # not yet
    library.publish("戊")
    rest = []
    while following:
        answer = ask(library, "ListRecords", resumptionToken=following)
        rest += headers(answer)
        following = token(answer)
    assert rest[:3] == [(works[3], False), (works[0], True), (works[2], False)]
    assert len(rest) == 4


def test_what_remains_of_a_range_may_all_have_changed(library: FollowedLibrary, monkeypatch: Any) -> None:
    monkeypatch.setattr(provider, "RECORDS", 1)
    for name in "甲乙":
        library.publish(name)
    answer = ask(library, "ListRecords", metadataPrefix="oai_dc", until="2026-01-01T00:00:02Z")
    following = token(answer)
    assert following
    library.publish("乙")
    assert error(ask(library, "ListRecords", resumptionToken=following)) == "noRecordsMatch"


def test_restricted_works_are_harvested_without_their_images(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book(Rights(None, Access.RESTRICTED))
    answer = client.get("/oai?verb=ListRecords&metadataPrefix=mets").text
    assert work.record.title[:3] in answer
    assert "/iiif/image/" not in answer


def test_scripts_of_any_origin_may_harvest(library: FollowedLibrary) -> None:
    assert library.client.get("/oai?verb=Identify").headers["Access-Control-Allow-Origin"] == "*"
