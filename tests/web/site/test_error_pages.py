"""Errors: a readable page for people, a problem document for programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from repository import identifiers
from repository.errors import StoreFault
from repository.repository import Repository
from web.app import create_app


def test_a_person_reads_it_in_both_languages(client: FlaskClient) -> None:
    answer = client.get("/no/such/page")
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "找不到这一页" in answer.text
    assert 'lang="en"' in answer.text
    assert "There is no such page" in answer.text


def test_a_mistyped_identifier_is_called_that(client: FlaskClient, shelf: Any) -> None:
    identifier = shelf.book().identifier
    mistyped = identifier[:-1] + ("0" if identifier[-1] != "0" else "1")
    answer = client.get(f"/works/{mistyped}", headers={"Accept-Language": "en"})
    assert answer.status_code == 404
    assert "mistyped" in answer.text


def test_an_unknown_identifier_is_not_called_mistyped(client: FlaskClient, shelf: Any) -> None:
    image = shelf.small_work("別書")
    other = next(iter(image.images())).identifier
    assert "校验字符不符" in client.get(f"/works/{other}").text
    unknown = identifiers.mint(identifiers.Kind.WORK, "nobody has this")
    answer = client.get(f"/works/{unknown}")
    assert answer.status_code == 404
    assert "馆藏中没有" in answer.text


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "application/json, text/html;q=0.5"]
)
def test_a_program_gets_a_problem_document(client: FlaskClient, accept: str) -> None:
    answer = client.get("/works/nothing", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json(force=True)["code"] == "identifier.invalid"


@pytest.mark.parametrize(
    "path", ["/iiif/presentation/3/x/manifest", "/iiif/nothing", "/log/tile/x", "/log/proof/i1", "/health/x"]
)
def test_services_always_answer_programs(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json(force=True)["status"] == 404


def test_a_browser_that_takes_anything_gets_a_page(client: FlaskClient) -> None:
    for accept in ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "*/*", ""):
        assert client.get("/nothing", headers={"Accept": accept}).mimetype == "text/html"


def test_a_method_that_is_not_offered_says_which_are(client: FlaskClient) -> None:
    answer = client.post("/works")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


class BrokenStore:
    """A store that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise StoreFault(key="secret/place", reason="the disk is on fire")

        return fail


def test_what_went_wrong_inside_is_not_told_outside(repository: Repository, shelf: Any) -> None:
    work = shelf.book()
    broken = replace(repository, store=BrokenStore())
    client = create_app(broken).test_client()
    answer = client.get(f"/iiif/presentation/3/{work.identifier}/manifest")
    assert answer.status_code == 503
    assert "fire" not in answer.text
    assert "Retry-After" in answer.headers
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.get_json() == {"status": "unavailable", "database": "ok", "store": "store"}
    assert client.get(f"/works/{work.identifier}").status_code == 200


def test_a_repository_in_order_is_ready(client: FlaskClient) -> None:
    assert client.get("/health/ready").get_json()["status"] == "ok"


@pytest.mark.parametrize(
    "path", ["/", "/works", "/nothing", "/health/live", "/iiif/presentation/3/x/manifest", "/static/site.css"]
)
def test_nothing_is_loaded_from_elsewhere(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_pictures_may_come_from_the_public_address(public_client: FlaskClient) -> None:
    policy = public_client.get("/").headers["Content-Security-Policy"]
    assert "img-src 'self' https://books.example data: blob:" in policy
    assert "script-src 'self';" in policy


def test_static_files_are_kept_when_their_names_change_with_them(client: FlaskClient) -> None:
    page = client.get("/").text
    start = page.index("/static/site.css?v=")
    address = page[start : page.index('"', start)]
    assert "immutable" in client.get(address).headers["Cache-Control"]
    assert client.get("/static/site.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/../app.py").status_code == 404
