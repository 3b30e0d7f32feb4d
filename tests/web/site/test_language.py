"""The language of a page, and the completeness of the texts in both languages."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, nodes

import web
from web.messages import interface
from web.site import language

TEMPLATES = Path(web.__file__).parent / "templates"


def translated_keys(template: str) -> tuple[set[str], set[str]]:
    """The keys that a template translates, and the constant beginnings of those that it composes."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    tree = environment.parse((TEMPLATES / template).read_text("utf-8"))
    keys, prefixes = set(), set()
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "translate":
            key = call.args[0]
            if isinstance(key, nodes.Const):
                keys.add(str(key.value))
            elif isinstance(key, nodes.Concat) and isinstance(key.nodes[0], nodes.Const):
                prefixes.add(str(key.nodes[0].value))
    return keys, prefixes


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_templates_translate_only_known_keys(template: str) -> None:
    keys, prefixes = translated_keys(template)
    assert keys <= interface.MESSAGES.keys()
    assert all(any(key.startswith(prefix) for key in interface.MESSAGES) for prefix in prefixes)


def test_templates_contain_no_chinese_text_of_their_own() -> None:
    for path in TEMPLATES.glob("*.html"):
        text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        assert not re.findall(r"[\u4e00-\u9fff]", text), path.name


def test_every_text_exists_in_both_languages_with_the_same_placeholders() -> None:
    for key, text in interface.MESSAGES.items():
        assert text.zh.strip(), key
        assert text.en.strip(), key
        assert re.search(r"[\u4e00-\u9fff]", text.zh) or "IIIF" in text.zh, key
        assert not re.search(r"[\u4e00-\u9fff]", text.en), key
        assert placeholders(text.zh) == placeholders(text.en), key


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        (None, "zh-Hans"),
        ("", "zh-Hans"),
        ("*", "zh-Hans"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-TW", "zh-Hans"),
        ("en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("fr,en;q=0.5,zh;q=0.9", "zh-Hans"),
        ("fr", "en"),
        (";;;q=,", "en"),
    ],
)
def test_accept_language_decides_the_language_of_a_page(client: FlaskClient, accepted: str | None, tag: str) -> None:
    answer = client.get("/", headers={} if accepted is None else {"Accept-Language": accepted})
    assert f'<html lang="{tag}">' in answer.text
    assert answer.headers["Content-Language"] == tag
    assert {"Accept-Language", "Cookie"} <= set(answer.headers["Vary"].split(", "))


def test_language_switch_sets_a_cookie_and_redirects_to_the_same_page(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    answer = client.get(f"/works/{work.identifier}/read?page=2&lang=en")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/works/{work.identifier}/read?page=2"
    assert '<html lang="en">' in client.get("/works").text
    client.get("/works?lang=zh-Hans")
    assert '<html lang="zh-Hans">' in client.get("/works", headers={"Accept-Language": "en"}).text


def test_link_to_the_other_language_keeps_the_query(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}/read?page=2").text
    assert f'href="/works/{work.identifier}/read?page=2&amp;lang=en"' in page


@pytest.mark.parametrize("wanted", ["de", "", "zh", "en\r\nX: y"])
def test_unknown_language_changes_nothing(client: FlaskClient, wanted: str) -> None:
    answer = client.get("/works", query_string={"lang": wanted})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


@given(path=st.text(st.sampled_from("/\\.:@%?#\t\n\r evil-com"), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_language_switch_never_redirects_to_another_host(client: FlaskClient, path: str) -> None:
    answer = client.get("/", environ_overrides={"PATH_INFO": "/" + path, "QUERY_STRING": "lang=en"})
    assert answer.status_code in {303, 308}
    location = answer.headers["Location"]
    visited = urljoin("http://localhost/", re.sub(r"[\t\r\n]", "", location).replace("\\", "/"))
    assert urlsplit(visited).netloc == "localhost"


@pytest.mark.parametrize(
    ("languages", "tag"),
    [((), "zh"), (("lzh",), "lzh"), (("zh-Hant-HK",), "zh-Hant-HK"), (("ja", "zh"), "ja")],
)
def test_catalogued_text_is_tagged_with_the_language_of_the_record(languages: tuple[str, ...], tag: str) -> None:
    assert language.catalogue_tag(languages) == tag
