"""What programs read in the page of a work, and oEmbed."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import etree

from repository.model.work import Access, Rights
from repository.repository import Repository
from web.app import create_app


def metadata(page: str) -> dict[str, list[str]]:
    document = etree.HTML(page)
    found: dict[str, list[str]] = {}
    for element in document.iter("meta"):
        if name := element.get("name") or element.get("property"):
            found.setdefault(name, []).append(element.get("content"))
    return found


def test_page_of_a_work_has_dublin_core_open_graph_and_schema_org(public_client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = public_client.get(f"/works/{work.identifier}").text
    address = f"https://books.example/shan/works/{work.identifier}"
    found = metadata(page)
    assert found["DC.title"] == found["og:title"] == ["千字文 <試>"]
    assert found["DC.creator"] == ["周興嗣 (梁) 撰", "某人注"]
    assert found["og:url"] == found["DC.identifier"] == [address]
    assert found["og:image"][0].startswith("https://books.example/shan/iiif/image/3/")
    (script,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
    described = json.loads(script)
    assert "<" not in script
    assert (described["@type"], described["name"], described["url"]) == ("Book", "千字文 <試>", address)
    assert f'<link rel="canonical" href="{address}">' in page


def test_page_of_a_restricted_work_names_no_picture(public_client: FlaskClient, publisher: Any) -> None:
    work = publisher.book(Rights(None, Access.RESTRICTED))
    page = public_client.get(f"/works/{work.identifier}").text
    assert "og:image" not in metadata(page)
    assert "/iiif/image/" not in page


def test_oembed_is_found_in_the_page_and_links_to_the_work(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}").text
    (address,) = re.findall(r'type="application/json\+oembed" href="([^"]+)"', page)
    answer = client.get(html.unescape(address)).get_json()
    assert (answer["version"], answer["type"], answer["title"]) == ("1.0", "link", "千字文 <試>")
    assert client.get(
        "/oembed", query_string={"url": f"http://localhost/works/{work.identifier}/read?page=2"}
    ).get_json()


def test_oembed_gives_the_reader_in_a_frame_to_the_sites_that_may_embed_it(
    repository: Repository, publisher: Any
) -> None:
    work = publisher.book()
    settings = replace(repository.settings, embedders=("https://partner.example",))
    client = create_app(replace(repository, settings=settings)).test_client()
    query = {"url": f"http://localhost/works/{work.identifier}", "maxwidth": "300"}
    answer = client.get("/oembed", query_string=query).get_json()
    assert (answer["type"], answer["width"], answer["height"]) == ("rich", 300, 600)
    frame = etree.HTML(answer["html"]).find(".//iframe")
    assert frame.get("title") == "千字文 <試>"
    reader = client.get(frame.get("src").removeprefix("http://localhost"))
    assert reader.headers["Content-Security-Policy"].endswith("frame-ancestors 'self' https://partner.example")
    page = client.get(f"/works/{work.identifier}")
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"url": "https://elsewhere.example/works/w1"}, 400),
        ({"url": "http://localhost/works"}, 400),
        ({"url": "http://[/works/w1"}, 400),
        ({"url": "http://localhost/works/w0000000000000"}, 404),
        ({"url": "WORK", "format": "xml"}, 404),
        ({"url": "WORK", "maxwidth": "0"}, 400),
        ({"url": "WORK", "maxwidth": "wide"}, 400),
    ],
)
def test_oembed_refuses_what_it_cannot_answer(
    client: FlaskClient, publisher: Any, query: dict[str, str], status: int
) -> None:
    work = publisher.small_work("書")
    query = {
        name: f"http://localhost/works/{work.identifier}" if value == "WORK" else value for name, value in query.items()
    }
    refused = client.get("/oembed", query_string=query)
    assert (refused.status_code, refused.content_type) == (status, "application/problem+json")
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
