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


def test_error_page_is_in_both_languages(client: FlaskClient) -> None:
    response = client.get("/no/such/page")
    assert response.status_code == 404
    assert response.mimetype == "text/html"
    assert "找不到此页" in response.text
    assert 'lang="en"' in response.text
    assert "Page not found" in response.text


def test_identifier_with_a_wrong_check_character_is_reported_as_mistyped(client: FlaskClient, publisher: Any) -> None:
    identifier = publisher.book().identifier
    mistyped = identifier[:-1] + ("0" if identifier[-1] != "0" else "1")
    response = client.get(f"/works/{mistyped}", headers={"Accept-Language": "en"})
    assert response.status_code == 404
    assert "mistyped" in response.text


def test_unknown_identifier_is_reported_as_not_held(client: FlaskClient, publisher: Any) -> None:
    image = publisher.small_work("別書")
    other = next(iter(image.images())).identifier
    assert "校验字符不符" in client.get(f"/works/{other}").text
    unknown = identifiers.mint(identifiers.Kind.WORK, "nobody has this")
    response = client.get(f"/works/{unknown}")
    assert response.status_code == 404
    assert "馆藏中没有" in response.text


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "application/json, text/html;q=0.5"]
)
def test_client_that_prefers_json_gets_a_problem_document(client: FlaskClient, accept: str) -> None:
    response = client.get("/works/nothing", headers={"Accept": accept})
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    assert response.get_json(force=True)["code"] == "identifier.invalid"


@pytest.mark.parametrize(
    "path", ["/iiif/presentation/3/x/manifest", "/iiif/nothing", "/log/tile/x", "/log/proof/i1", "/health/x"]
)
def test_services_report_errors_as_problem_documents(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers={"Accept": "text/html,*/*"})
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    assert response.get_json(force=True)["status"] == 404


@pytest.mark.parametrize("host", ["..", 300 * "a"])
def test_host_that_is_no_host_name_is_a_bad_request(client: FlaskClient, host: str) -> None:
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"


def test_client_that_accepts_anything_gets_a_page(client: FlaskClient) -> None:
    for accept in ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "*/*", ""):
        assert client.get("/nothing", headers={"Accept": accept}).mimetype == "text/html"


def test_unsupported_method_gets_the_allowed_ones(client: FlaskClient) -> None:
    response = client.post("/works")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


class BrokenStore:
    """A store that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise StoreFault(key="secret/place", reason="the disk is on fire")

        return fail


def test_response_discloses_no_internal_cause(repository: Repository, publisher: Any) -> None:
    work = publisher.book()
    broken = replace(repository, store=BrokenStore())
    client = create_app(broken).test_client()
    response = client.get(f"/iiif/presentation/3/{work.identifier}/manifest")
    assert response.status_code == 503
    assert "fire" not in response.text
    assert "Retry-After" in response.headers
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.get_json() == {"status": "unavailable", "database": "ok", "store": "store"}
    assert client.get(f"/works/{work.identifier}").status_code == 200


def test_working_repository_is_ready(client: FlaskClient) -> None:
    assert client.get("/health/ready").get_json()["status"] == "ok"


@pytest.mark.parametrize(
    "path", ["/", "/works", "/nothing", "/health/live", "/iiif/presentation/3/x/manifest", "/static/site.css"]
)
def test_security_policy_allows_no_other_origin(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_security_policy_allows_pictures_from_the_public_origin(public_client: FlaskClient) -> None:
    policy = public_client.get("/").headers["Content-Security-Policy"]
    assert "img-src 'self' https://books.example data: blob:" in policy
    assert "script-src 'self';" in policy


def test_static_files_named_by_content_are_immutable(client: FlaskClient) -> None:
    page = client.get("/").text
    start = page.index("/static/site.css?v=")
    address = page[start : page.index('"', start)]
    assert "immutable" in client.get(address).headers["Cache-Control"]
    assert client.get("/static/site.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/../app.py").status_code == 404
