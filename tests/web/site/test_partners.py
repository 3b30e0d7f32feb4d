"""Pages of partners' records: for readers as the partner's, for staff beside their source; collections in IIIF."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from partner_server import dublin_core, record_xml
from search_library import add_work, dated, index
from staff_browser import PASSWORD, Browser

from iiif_server.presentation.collections import ALL
from iiif_server.presentation.linting.linter import lint
from iiif_server.presentation.partner_collections import MOST, PartnerCollectionName, parse_collection_name
from iiif_server.search import local_segments, service
from repository.model.accounts import Role
from repository.model.harvest import HarvestSource, RecordState, SourceKind, SourceSettings, record_key
from repository.repository import Repository
from web.accounts.passwords import Passwords
from web.app import create_app
from web.site.partners import shown_picture
from workers.harvest.formats import read_record
from workers.harvest.keeping import ReceivedRecord, keep_records, keep_source, storable_records
from workers.harvest.xml_documents import parse_xml
from workers.tasks.harvest import find_own_works
from workers.tasks.publish import publish_period

pytestmark = pytest.mark.slow

EVIL = "<script>alert(1)</script>"


def add(repository: Repository, name: str, *records: str, pictures: tuple[str, ...] = ()) -> HarvestSource:
    settings = SourceSettings(SourceKind.OAI_PMH, f"{name}圖書館", picture_hosts=pictures)
    source = HarvestSource(name, "https://partner.example/oai", settings)
    repository.harvests.add(source)
    keep_source(repository, source)
    received = []
    for number, metadata in enumerate(records):
        original = record_xml(("2026-01-01", f"oai:{name}:{number}", metadata)).encode()
        said = read_record(parse_xml(metadata.encode()))
        received.append((ReceivedRecord(f"oai:{name}:{number}", "2026-01-01", original, said), None))
    repository.harvests.apply(
        name, keep_records(repository, storable_records(repository, name, received)), source.state
    )
    return source


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what searches need at each search."""
    monkeypatch.setattr(local_segments, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(service, "SHOWN_SECONDS", 0.0)


@pytest.fixture
def staff(repository: Repository) -> Browser:
    passwords = Passwords(memory_kib=64, passes=1)
    repository.accounts.add("bo", Role.LIBRARIAN, passwords.hash(PASSWORD))
    browser = Browser(create_app(repository, passwords=passwords).test_client())
    browser.log_in("bo")
    return browser


BOOK = dublin_core(
    "論語注疏二十卷 / 〔宋〕邢昺疏",
    creator="〔宋〕邢昺疏",
    date="清乾隆四十七年",
    identifier="https://partner.example/books/1",
    relation="https://partner.example/iiif/presentation/3/1/manifest",
    rights="公有領域",
)
PICTURE = dublin_core("有圖", relation="https://images.example/1.jpg")
BROKEN_PICTURE = dublin_core("圖址有誤", relation="https://[images.example/1.jpg")
KEY = record_key("oai:a:0")


def test_a_record_is_shown_as_the_partners(client: FlaskClient, repository: Repository) -> None:
    add(repository, "a", BOOK)
    assert "a圖書館" in client.get("/partners").get_data(as_text=True)
    assert f"/partners/a/{KEY}" in client.get("/partners/a").get_data(as_text=True)
    page = client.get(f"/partners/a/{KEY}").get_data(as_text=True)
    for words in (
        "此记录来自“a圖書館”",
        "（宋）邢昺疏",
        "1782",
        'href="https://partner.example/books/1"',
        "publicdomain/mark",
    ):
        assert words in page
    assert "/partners" in client.get("/works").get_data(as_text=True)


def test_pictures_are_shown_from_permitted_sites_alone(client: FlaskClient, repository: Repository) -> None:
    add(repository, "a", PICTURE, BROKEN_PICTURE)
    add(repository, "b", PICTURE, pictures=("https://images.example",))
    refused, shown = client.get("/partners/a"), client.get("/partners/b")
    assert refused.status_code == 200
    assert "images.example" not in refused.get_data(as_text=True)
    assert 'src="https://images.example/1.jpg"' in shown.get_data(as_text=True)
    policies = [response.headers["Content-Security-Policy"] for response in (refused, shown, client.get("/works"))]
    assert ["https://images.example" in policy for policy in policies] == [False, True, False]
    assert ["https://partner.example" in policy for policy in policies] == [True, True, False]


def test_a_malformed_picture_from_earlier_rules_is_not_shown(repository: Repository) -> None:
    source = add(repository, "a", BOOK)
    assert shown_picture(source, "https://[images.example/1.jpg") == ""


def test_reader_opens_manifests_at_permitted_sites_alone(client: FlaskClient, repository: Repository) -> None:
    elsewhere = dublin_core("他處", relation="https://images.example/iiif/1/manifest")
    add(repository, "a", BOOK, elsewhere, dublin_core("無清單"))
    shown, *refused = (f"/partners/a/{record_key(f'oai:a:{number}')}" for number in range(3))
    assert f'href="{shown}/read"' in client.get(shown).get_data(as_text=True)
    reader = client.get(f"{shown}/read")
    assert "https://partner.example/iiif/presentation/3/1/manifest" in reader.get_data(as_text=True)
    policy = dict(part.split(" ", 1) for part in reader.headers["Content-Security-Policy"].split("; "))
    assert "https://partner.example" in policy["connect-src"].split()
    assert "https://partner.example" in policy["img-src"].split()
    assert "partner.example" not in client.get(shown).headers["Content-Security-Policy"].partition("connect-src")[2]
    for path in refused:
        assert '/read"' not in client.get(path).get_data(as_text=True)
        assert client.get(f"{path}/read").status_code == 404


def test_markup_and_scripts_of_a_partner_are_text(client: FlaskClient, repository: Repository, staff: Browser) -> None:
    evil = dublin_core("x").replace("x<", "&lt;img src=x onerror=1&gt;&amp;lt;script&gt;alert(1)<")
    add(repository, "a", evil, dublin_core("y", identifier="javascript:alert(1)"))
    for path in ("/partners/a", f"/partners/a/{KEY}", f"/partners/a/{record_key('oai:a:1')}"):
        page = client.get(path).get_data(as_text=True)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert 'href="javascript' not in page
    assert "<script>alert" not in staff.get(f"/staff/harvest/a/{KEY}").get_data(as_text=True)


def test_a_deleted_and_an_unknown_record_are_not_found(client: FlaskClient, repository: Repository) -> None:
    source = add(repository, "a", BOOK)
    from dataclasses import replace  # noqa: PLC0415

    deleted = replace(repository.harvests.record("a", KEY), state=RecordState.DELETED)
    repository.harvests.apply("a", [deleted], source.state)
    assert "来源机构已删除" in client.get(f"/partners/a/{KEY}").get_data(as_text=True)
    paths = (f"/partners/a/{KEY}", "/partners/a/x", "/partners/none", f"/partners/a/{'0' * 24}", "/partners/a?page=2")
    assert [client.get(path).status_code for path in (*paths, f"/partners/a/{KEY}/read")] == [404] * 6


def test_possible_duplicates_are_shown_and_never_merged(
    client: FlaskClient, repository: Repository, publisher: Any
) -> None:
    work = publisher.small_work("論語注疏")
    add(repository, "a", dublin_core("論語注疏二十卷"))
    add(repository, "b", dublin_core("論語注疏"))
    find_own_works(repository)
    page = client.get(f"/partners/a/{KEY}").get_data(as_text=True)
    assert f"/works/{work.identifier}" in page
    assert f"/partners/b/{record_key('oai:b:0')}" in page
    assert f"/partners/a/{KEY}" in client.get(f"/works/{work.identifier}").get_data(as_text=True)
    assert repository.harvests.counts("a").live == repository.harvests.counts("b").live == 1


def test_staff_see_the_source_beside_the_cleaned_record_with_the_rules(
    client: FlaskClient, repository: Repository, staff: Browser
) -> None:
    add(repository, "a", BOOK, PICTURE)
    for path in ("/staff/harvest", "/staff/harvest/a", f"/staff/harvest/a/{KEY}"):
        assert client.get(path).status_code == 303
        assert staff.get(path, "en").status_code == 200
    rules = staff.get("/staff/harvest", "en").get_data(as_text=True)
    assert "Dates as years" in rules
    page = staff.get(f"/staff/harvest/a/{KEY}", "en").get_data(as_text=True)
    for words in ("論語注疏二十卷 / 〔宋〕邢昺疏", "Names, dynasties and roles", "邢昺 | 宋 | 疏", "&lt;dc:title&gt;"):
        assert words in page
    hidden = staff.get(f"/staff/harvest/a/{record_key('oai:a:1')}").get_data(as_text=True)
    assert "不在许可的网站内" in hidden
    assert "/staff/harvest" in staff.get("/staff").get_data(as_text=True)


def test_a_lost_original_is_said_to_be_lost(repository: Repository, staff: Browser) -> None:
    add(repository, "a", BOOK)
    for item in list(repository.store.list("harvested/a/records")):
        repository.store.delete(item.key)
    assert "原文损坏或缺失" in staff.get(f"/staff/harvest/a/{KEY}").get_data(as_text=True)


def test_partners_have_valid_collections_below_the_top(
    client: FlaskClient, repository: Repository, publisher: Any
) -> None:
    publisher.small_work("甲")
    add(repository, "a", BOOK)
    publish_period(repository, ALL)
    documents = {}
    for name in ("top", "partners", "partner-a"):
        response = client.get(f"/iiif/presentation/3/collection/{name}")
        assert (response.status_code, list(lint(response.data).errors)) == (200, [])
        documents[name] = json.loads(response.data)
    assert documents["top"]["items"][-1]["id"] == documents["partners"]["id"]
    assert documents["partners"]["items"][0]["id"] == documents["partner-a"]["id"]
    assert [item["id"] for item in documents["partner-a"]["items"]] == [
        "https://partner.example/iiif/presentation/3/1/manifest"
    ]
    older = json.loads(client.get("/iiif/presentation/2/collection/partner-a").data)
    assert [each["@id"] for each in older["manifests"]] == ["https://partner.example/iiif/presentation/3/1/manifest"]
    assert client.get("/iiif/presentation/3/collection/partner-none").status_code == 404
    assert client.get("/iiif/presentation/3/collection/partners-1-a").status_code == 404


def test_a_partner_of_many_manifests_has_parts(client: FlaskClient, repository: Repository) -> None:
    books = [dublin_core("多", relation=f"https://partner.example/{n}/manifest") for n in range(MOST + 1)]
    add(repository, "a-1", *books)
    whole = json.loads(client.get("/iiif/presentation/3/collection/partner-a-1").data)
    assert [item["type"] for item in whole["items"]] == ["Collection", "Collection"]
    parts = [json.loads(client.get(f"/iiif/presentation/3/collection/partners-{n}-a-1").data) for n in (1, 2)]
    assert [len(part["items"]) for part in parts] == [MOST, 1]
    assert client.get("/iiif/presentation/3/collection/partners-3-a-1").status_code == 404


@pytest.mark.parametrize(
    "name", [PartnerCollectionName("a"), PartnerCollectionName("1-a"), PartnerCollectionName("a", 2)]
)
def test_names_of_collections_have_an_inverse(name: PartnerCollectionName) -> None:
    assert parse_collection_name(name.text) == name


def test_records_are_found_by_search_as_the_partners_and_apart_from_own_works(
    client: FlaskClient, repository: Repository
) -> None:
    work = add_work(repository, "論語集注", record=dated("論語集注", "清"))
    add(repository, "a", BOOK, dublin_core("孟子"))
    add(repository, "b", PICTURE, dublin_core("論語義疏"), pictures=("https://images.example",))
    index(repository)

    page = client.get("/search?q=论语").get_data(as_text=True)
    own, _, others = page.partition('id="of-partners"')
    assert "找到 1 种" in own
    assert f"/works/{work}" in own
    assert "合作机构书目：找到 2 条" in others
    assert f'href="/partners/a/{KEY}"' in others
    assert 'href="https://partner.example/books/1"' in others
    assert 'href="https://partner.example/iiif/presentation/3/1/manifest"' in others
    assert "/partners/" not in own.partition('class="found"')[2]
    assert "partner=a" in own
    assert "partner=b" in own
    picture = client.get("/search?q=有图")
    assert 'src="https://images.example/1.jpg"' in picture.get_data(as_text=True)
    assert "本馆没有找到" in picture.get_data(as_text=True)
    assert "https://images.example" in picture.headers["Content-Security-Policy"]

    chosen = client.get("/search?q=论语&partner=a").get_data(as_text=True)
    assert "合作机构书目：找到 1 条" in chosen
    assert f"/partners/a/{KEY}" in chosen
    assert f"/works/{work}" not in chosen
    assert "partner=" not in client.get("/works?dynasty=清").get_data(as_text=True)


def test_programs_find_records_in_a_list_of_their_own(client: FlaskClient, repository: Repository) -> None:
    add_work(repository, "論語集注")
    add(repository, "a", BOOK)
    index(repository)
    found = client.get("/api/1/search?q=论语").get_json()
    assert (found["total"], [work["title"] for work in found["works"]]) == (1, ["論語集注"])
    [record] = found["partners"]["records"]
    assert record["address"].endswith(f"/partners/a/{KEY}")
    assert {name: record[name] for name in ("partner", "source", "identifier", "title", "page", "manifest")} == {
        "partner": "a",
        "source": "a圖書館",
        "identifier": "oai:a:0",
        "title": "論語注疏二十卷",
        "page": "https://partner.example/books/1",
        "manifest": "https://partner.example/iiif/presentation/3/1/manifest",
    }
    assert [(value["value"], value["works"], value["chosen"]) for value in found["facets"]["partner"]] == [
        ("", 1, True),
        ("*", 1, False),
        ("a", 1, False),
    ]
    for partner in ("a", "*"):
        chosen = client.get("/api/1/search", query_string={"q": "论语", "partner": partner}).get_json()
        assert (chosen["total"], chosen["works"], chosen["partners"]) == (0, [], found["partners"])

    received = ReceivedRecord("oai:a:0", "2026-02-01", b"<record/>", None)
    known = repository.harvests.known("a", [KEY])[KEY]
    source = repository.harvests.source("a")
    kept = keep_records(repository, storable_records(repository, "a", [(received, known)]))
    repository.harvests.apply("a", kept, source.state)
    assert client.get("/api/1/search?q=论语").get_json()["partners"] == {"total": 0, "records": []}
    index(repository)
    assert client.get("/api/1/search?q=论语").get_json()["facets"]["partner"] == []
