"""Viewers search within a work, as Content Search 2.0 and 1.0 say. Section numbers are theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from search_library import WITHDRAWN, add_work, index

from iiif_server.presentation.linting.linter import lint_document
from iiif_server.search import content_search, local_segments, service
from repository.config import Settings
from repository.model.work import Access, WorkAccess
from repository.repository import Repository, memory_repository
from web.app import create_app

ADDRESS = "https://lib.example"
SEARCH_2 = "http://iiif.io/api/search/2/context.json"
SEARCH_1 = "http://iiif.io/api/search/1/context.json"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = memory_repository(Settings(data=tmp_path_factory.mktemp("data"), base_url=ADDRESS))
    add_work(repository, "論語", [["子曰學而", "時習之"], ["不亦說乎", "子曰學也", "有子曰君子"]])
    add_work(repository, "限", [["子曰"]], access=WorkAccess(access=Access.RESTRICTED))
    add_work(repository, "撤", [["子曰"]], access=WITHDRAWN)
    add_work(repository, "無", [])
    index(repository)
    return repository


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_segments, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(service, "SHOWN_SECONDS", 0.0)


@pytest.fixture
def client(repository: Repository) -> FlaskClient:
    return create_app(repository).test_client()


def work(repository: Repository, name: str = "論語") -> str:
    titles = {summary.title: summary.identifier for summary in repository.catalogue.works(0, 9)}
    return titles[name]


def get(client: FlaskClient, path: str, **query: str) -> dict[str, Any]:
    response = client.get(path, query_string=query or None)
    assert response.status_code == 200, response.text
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    document: dict[str, Any] = response.get_json(force=True)
    return document


def test_a_hit_is_an_annotation_on_its_place_with_the_text_around_it(
    client: FlaskClient, repository: Repository
) -> None:
    name = work(repository)
    document = get(client, f"/iiif/search/2/{name}", q="说乎")
    canvas = f"{ADDRESS}/iiif/presentation/3/{name}/canvas/2"
    [item] = document["items"]
    assert (document["@context"], document["type"]) == (SEARCH_2, "AnnotationPage")
    assert document["id"] == f"{ADDRESS}/iiif/search/2/{name}?q=%E8%AF%B4%E4%B9%8E"
    assert {"ignored", "partOf", "next", "prev", "startIndex"}.isdisjoint(document)
    assert item["body"] == {"type": "TextualBody", "value": "說乎", "format": "text/plain"}
    assert (item["motivation"], item["target"]) == ("supplementing", f"{canvas}#xywh=250,50,16,40")
    [additional] = document["annotations"]
    [context] = additional["items"]
    assert context["motivation"] == "contextualizing"  # 4.3.1
    assert context["target"] == {
        "type": "SpecificResource",
        "source": item["id"],
        "selector": [{"type": "TextQuoteSelector", "prefix": "不亦", "exact": "說乎", "suffix": "子曰學也有子曰君子"}],
    }
    plain = {name: value for name, value in document.items() if name != "annotations"}
    assert not lint_document({**plain, "@context": "http://iiif.io/api/presentation/3/context.json"}).errors


def test_a_hit_that_a_line_end_divides_has_an_annotation_for_each_line(
    client: FlaskClient, repository: Repository
) -> None:
    document = get(client, f"/iiif/search/2/{work(repository)}", q="而時，習")
    [context] = document["annotations"][0]["items"]  # 4.3.4
    assert [item["body"]["value"] for item in document["items"]] == ["而", "時習"]
    assert [target["source"] for target in context["target"]] == [item["id"] for item in document["items"]]
    first, last = (target["selector"][0] for target in context["target"])
    assert (first["prefix"], last["suffix"]) == ("子曰學", "之")
    assert "suffix" not in first
    assert "prefix" not in last
    [hit] = get(client, f"/iiif/search/1/{work(repository)}", q="而時，習")["hits"]
    assert (hit["match"], len(hit["annotations"])) == ("而時習", 2)


def test_version_1_is_a_list_with_hits(client: FlaskClient, repository: Repository) -> None:
    name = work(repository)
    document = get(client, f"/iiif/search/1/{name}", q="说乎", user="https://example.org/me")
    [resource] = document["resources"]
    [hit] = document["hits"]
    assert document["@context"] == ["http://iiif.io/api/presentation/2/context.json", SEARCH_1]
    assert (document["@type"], document["startIndex"]) == ("sc:AnnotationList", 0)
    assert document["within"]["@type"] == "sc:Layer"
    assert (document["within"]["total"], document["within"]["ignored"]) == (1, ["user"])  # 3.4.1
    assert resource["on"] == f"{ADDRESS}/iiif/presentation/3/{name}/canvas/2#xywh=250,50,16,40"
    assert resource["resource"]["chars"] == "說乎"
    assert (resource["@type"], resource["motivation"]) == ("oa:Annotation", "sc:painting")
    assert hit == {
        "@type": "search:Hit",
        "annotations": [resource["@id"]],
        "match": "說乎",
        "before": "不亦",
        "after": "子曰學也有子曰君子",
    }


@pytest.mark.parametrize(
    ("version", "query", "found", "ignored"),
    [
        (2, {"q": "子曰"}, 3, None),
        (2, {"q": "子曰", "motivation": ""}, 3, None),
        (2, {"q": "子曰", "motivation": "painting supplementing"}, 3, None),
        (2, {"q": "子曰", "motivation": "painting"}, 0, None),
        (1, {"q": "子曰", "motivation": "painting"}, 3, None),
        (1, {"q": "子曰", "motivation": "non-painting"}, 0, None),
        (2, {"q": "子曰", "date": "2020-01-01T00:00:00Z/2021-01-01T00:00:00Z", "user": "x", "foo": "1"}, 3,
         ["date", "foo", "user"]),
        (2, {"q": "說乎 習之"}, 2, None),
        (2, {"q": "子曰 君子 子曰"}, 4, None),
        (2, {"q": "孟"}, 0, None),
        (2, {"q": "，。"}, 0, None),
    ],
)  # fmt: skip
def test_parameters_restrict_the_annotations_or_are_named_as_ignored(
    client: FlaskClient,
    repository: Repository,
    version: int,
    query: dict[str, str],
    found: int,
    ignored: list[str] | None,
) -> None:
    document = get(client, f"/iiif/search/{version}/{work(repository)}", **query)
    assert len(document["items" if version == 2 else "resources"]) == found
    assert document.get("ignored") == ignored


@pytest.mark.parametrize("version", [1, 2])
def test_pages_of_a_result_have_every_annotation_once(
    client: FlaskClient, repository: Repository, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_search, "HITS_A_PAGE", 2)
    items, whole = ("resources", "within") if version == 1 else ("items", "partOf")
    name, identifier = ("@id", "@id") if version == 1 else ("id", "id")

    def address(reference: Any) -> str:
        return str(reference if version == 1 else reference["id"]).removeprefix(ADDRESS)

    first = document = get(client, f"/iiif/search/{version}/{work(repository)}", q="子", foo="1")
    found, starts = [], []
    while True:
        found += [item[identifier] for item in document[items]]
        starts.append(document["startIndex"])
        assert address(document[whole]["first"]) == first[name].removeprefix(ADDRESS)
        if "next" not in document:
            break
        following = get(client, address(document["next"]))
        assert address(following["prev"]) == document[name].removeprefix(ADDRESS)
        document = following
    assert address(first[whole]["last"]) == document[name].removeprefix(ADDRESS)
    assert (starts, first[whole]["total"], len(set(found))) == ([0, 2], 4, 4)
    assert client.get(f"/iiif/search/{version}/{work(repository)}?q=子&page=3").status_code == 400


def test_completions_are_what_the_text_has_after_what_was_typed(client: FlaskClient, repository: Repository) -> None:
    name = work(repository)
    document = get(client, f"/iiif/autocomplete/2/{name}", q="子曰", foo="1")
    assert (document["@context"], document["type"], document["ignored"]) == (SEARCH_2, "TermPage", ["foo"])
    assert document["id"].startswith(f"{ADDRESS}/iiif/autocomplete/2/{name}?q=")
    assert document["items"] == [
        {"value": "子曰", "total": 3},
        {"value": "子曰學", "total": 2},
        {"value": "子曰君子", "total": 1},
        {"value": "子曰學也有子", "total": 1},
        {"value": "子曰學而時習", "total": 1},
    ]
    frequent = get(client, f"/iiif/autocomplete/2/{name}", q="子曰", min="2")["items"]
    assert [term["value"] for term in frequent] == ["子曰", "子曰學"]


def test_completions_of_version_1_link_to_their_search(client: FlaskClient, repository: Repository) -> None:
    document = get(client, f"/iiif/autocomplete/1/{work(repository)}", q="说")
    [term] = document["terms"]
    assert (document["@context"], document["@type"]) == (SEARCH_1, "search:TermList")
    assert (term["match"], term["count"]) == ("說乎子曰學", 1)
    linked = get(client, term["url"].removeprefix(ADDRESS))
    assert linked["within"]["total"] == term["count"]


@pytest.mark.parametrize("service_name", ["search", "autocomplete"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("name", "query", "status"),
    [
        ("論語", "", 400),
        ("論語", "?q=%20", 400),
        ("論語", f"?q={'子' * 1001}", 400),
        ("論語", "?q=子&page=0&min=-1", 400),
        ("限", "?q=子曰", 401),
        ("無", "?q=子曰", 200),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    client: FlaskClient, repository: Repository, service_name: str, version: int, name: str, query: str, status: int
) -> None:
    response = client.get(f"/iiif/{service_name}/{version}/{work(repository, name)}{query}")
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    if status != 200:
        assert response.content_type == "application/problem+json"
        assert "子曰" not in response.text


def test_the_text_of_a_work_that_is_withdrawn_is_found_no_more(tmp_path: Path) -> None:
    repository = memory_repository(Settings(data=tmp_path))
    name = add_work(repository, "撤", [["子曰"]])
    index(repository)
    client = create_app(repository).test_client()
    assert len(get(client, f"/iiif/search/2/{name}", q="子曰")["items"]) == 1
    repository.catalogue.change_access(name, lambda _: WITHDRAWN, lambda _: (), "2026-01-02T00:00:00Z")
    for path in (f"/iiif/search/2/{name}", f"/iiif/search/1/{name}", f"/iiif/autocomplete/2/{name}"):
        assert client.get(path, query_string={"q": "子曰"}).status_code == 410


def test_an_unknown_work_or_version_is_not_found(client: FlaskClient, repository: Repository) -> None:
    assert client.get("/iiif/search/2/w000000000000000?q=a").status_code == 404
    assert client.get(f"/iiif/search/3/{work(repository)}?q=a").status_code == 404
