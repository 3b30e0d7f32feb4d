"""Search as readers use it, without scripts, and as programs do."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from search_library import WITHDRAWN, add_work, dated, index

from iiif_server.search import local_segments, service
from repository.config import Settings
from repository.repository import Repository, memory_repository
from web.app import create_app

CHINESE = {"Accept-Language": "zh"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, dict[str, str]]:
    repository = memory_repository(Settings(data=tmp_path_factory.mktemp("data")))
    works = {
        "論語": add_work(
            repository,
            "論語",
            [["子曰學而", "時習之"], ["不亦說乎", "子曰<b>"]],
            dated("論語", "明萬曆三十五年", classification="經部", creator=("孔子",), language=("lzh",)),
        ),
        "史记": add_work(repository, "史记", [["论语者五经之錧鎋"]], dated("史记", "清", classification="史部")),
    }
    index(repository)
    return repository, works


@pytest.fixture
def client(library: tuple[Repository, dict[str, str]]) -> FlaskClient:
    return create_app(library[0]).test_client()


@pytest.mark.parametrize("text", ["论语", "論語"])
def test_a_reader_finds_the_same_works_by_either_form_and_reads_what_matched(client: FlaskClient, text: str) -> None:
    page = client.get("/search", query_string={"q": text}, headers=CHINESE).text
    assert "找到 2 种" in page
    assert "原字 1" in page
    assert "繁简相通 1" in page
    assert "<mark>论语</mark>者五经" in page


def test_hits_lead_to_their_pages_and_are_escaped(
    client: FlaskClient, library: tuple[Repository, dict[str, str]]
) -> None:
    work = library[1]["論語"]
    page = client.get("/search", query_string={"q": "子曰", "work": work}, headers=CHINESE).text
    assert "此书中共 2 处" in page
    assert f"/works/{work}/read?page=2&amp;q=%" in page
    assert "<mark>子曰</mark>&lt;b&gt;" in page
    assert "<rect" in page
    assert client.get("/search", query_string={"q": "子", "work": "w000000000000000"}).status_code in {400, 404}


def test_hits_that_are_not_all_counted_are_said_to_be_more(
    client: FlaskClient, library: tuple[Repository, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_HITS", 1)
    page = client.get("/search", query_string={"q": "子曰", "work": library[1]["論語"]}, headers=CHINESE).text
    assert "此书中至少有 1 处" in page


def test_facets_and_orders_are_links_that_keep_the_search(client: FlaskClient) -> None:
    page = client.get("/search", query_string={"q": "论语", "class": "经部"}, headers=CHINESE)
    assert "找到 1 种" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "class=%E7%BB%8F%E9%83%A8&amp;sort=title" in page.text
    assert "文言文" in page.text
    assert "language=lzh" in page.text
    works = client.get("/works", query_string={"dynasty": "明"}, headers=CHINESE).text
    assert "共 1 种" in works
    assert 'lang="zh">史记' not in works


@pytest.mark.parametrize("facet", ["access", "text", "class"])
def test_a_value_that_no_facet_has_finds_nothing(client: FlaskClient, facet: str) -> None:
    for path in ("/search", "/works"):
        page = client.get(path, query_string={facet: "unheard-of"})
        assert page.status_code == 200
        assert ">unheard-of<" in page.text


def test_a_search_without_result_helps(client: FlaskClient) -> None:
    page = client.get("/search", query_string={"q": "子曰學時"}, headers=CHINESE).text
    assert "没有找到" in page
    assert "试检" in page
    assert 'class="facets"' not in page


@pytest.mark.parametrize("arguments", [{"date": "什么"}, {"sort": "x"}, {"q": "天" * 1001}])
def test_an_invalid_search_is_refused_with_what_to_do(client: FlaskClient, arguments: dict[str, str]) -> None:
    assert client.get("/search", query_string=arguments).status_code == 400
    problem = client.get("/api/1/search", query_string=arguments)
    assert (problem.status_code, problem.content_type) == (400, "application/problem+json")


def test_programs_get_the_keys_that_are_agreed(client: FlaskClient, library: tuple[Repository, dict[str, str]]) -> None:
    document = client.get("/api/1/search", query_string={"q": "习之，不亦"}).get_json()
    assert document["total"] == 1
    [work] = document["works"]
    assert (work["identifier"], work["title"]) == (library[1]["論語"], "論語")
    [hit] = work["hits"]
    assert {name: hit[name] for name in ("page", "text", "tier", "regions")} == {
        "page": 1,
        "text": "子曰學而時習之不亦說乎子曰<b>",
        "tier": "folded",
        "regions": ["230,30,16,40"],
    }
    assert document["facets"]["class"] == [{"value": "经部", "works": 1, "chosen": False}]
    assert client.get("/api/1/search").headers["Access-Control-Allow-Origin"] == "*"


def test_reign_years_limit_a_search(client: FlaskClient, library: tuple[Repository, dict[str, str]]) -> None:
    found = client.get("/api/1/search", query_string={"date": "萬曆三十五年"}).get_json()["works"]
    assert [work["identifier"] for work in found] == [library[1]["論語"]]


def test_suggestions_come_by_pinyin(client: FlaskClient) -> None:
    suggestions = client.get("/api/1/suggest", query_string={"q": "lunyu"}).get_json()["suggestions"]
    assert suggestions == [{"text": "論語", "kind": "title", "works": 1}]


def test_the_description_names_every_address_and_key(client: FlaskClient) -> None:
    description = client.get("/api/1/openapi.json").get_json()
    assert set(description["paths"]) == {"/api/1/search", "/api/1/suggest"}
    schemas = description["components"]["schemas"]
    document = client.get("/api/1/search", query_string={"q": "子曰"}).get_json()
    assert set(document) == set(schemas["SearchResult"]["properties"])
    works = schemas["SearchResult"]["properties"]["works"]["items"]["properties"]
    assert set(document["works"][0]) == set(works)
    assert set(document["works"][0]["hits"][0]) == set(works["hits"]["items"]["properties"])


BOXES = [("/", "q"), ("/works", "header-q"), ("/search", "q"), ("/verify", "header-q")]


@pytest.mark.parametrize(("path", "box"), BOXES)
def test_every_page_has_one_search_box(client: FlaskClient, path: str, box: str) -> None:
    page = client.get(path).text
    assert page.count('role="search"') == page.count(f'<input id="{box}" type="search"') == 1


def test_a_withdrawn_work_is_not_found_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_segments, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(service, "SHOWN_SECONDS", 0.0)
    repository = memory_repository(Settings(data=tmp_path))
    work = add_work(repository, "論語", [["子曰"]])
    index(repository)
    client = create_app(repository).test_client()
    assert client.get("/api/1/search", query_string={"q": "子曰"}).get_json()["total"] == 1
    repository.catalogue.change_access(work, lambda _: WITHDRAWN, lambda _: (), "2026-01-02T00:00:00Z")
    assert client.get("/api/1/search", query_string={"q": "子曰"}).get_json()["total"] == 0
