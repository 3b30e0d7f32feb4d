"""Errors: a readable page for people, a problem document for programs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import default_exceptions

from repository import identifiers
from repository.errors import StoreFault
from repository.repository import Repository
from web.app import create_app


@pytest.mark.parametrize(
    ("accepted", "cookie", "tags"),
    [
        (None, None, ["zh-Hans", "en"]),
        ("", None, ["zh-Hans", "en"]),
        ("*", None, ["zh-Hans", "en"]),
        ("fr", None, ["en", "zh-Hans"]),
        ("zh-CN,en;q=0.8", None, ["zh-Hans"]),
        ("en-GB", None, ["en"]),
        ("en-GB", "zh-Hans", ["zh-Hans"]),
    ],
)
@pytest.mark.parametrize(
    ("path", "status", "titles", "advice"),
    [
        ("/no/such", 404, ("找不到此页", "Page not found"), ("在馆藏中查找", "browse the works")),
        ("/works?page=x", 400, ("请求有误", "Bad request"), ("1 至 1 之间", "from 1 to 1")),
    ],
)
def test_error_is_in_the_language_of_the_reader_and_in_both_when_it_is_unknown(
    client: FlaskClient,
    accepted: str | None,
    cookie: str | None,
    tags: list[str],
    path: str,
    status: int,
    titles: tuple[str, str],
    advice: tuple[str, str],
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    if cookie:
        client.set_cookie("language", cookie)
    page = client.get(path, headers=headers)
    assert (page.status_code, page.mimetype) == (status, "text/html")
    document = client.get(path, headers={**headers, "Accept": "application/json"})
    texts = {"zh-Hans": (titles[0], advice[0]), "en": (titles[1], advice[1])}
    for tag, (title, words) in texts.items():
        assert (f">{title}</h" in page.text) is (tag in tags)
        assert (words in page.text) is (tag in tags)
        assert (words in document.get_json(force=True)["detail"]) is (tag in tags)
    assert page.headers["Content-Language"].split(", ") == tags
    assert sorted(document.headers["Content-Language"].split(", ")) == sorted(tags)
    assert f'<html lang="{tags[0]}">' in page.text


def test_every_error_status_has_a_title_and_advice_in_both_languages(client: FlaskClient) -> None:
    application = client.application
    for status, error in default_exceptions.items():
        for accept in ("text/html", "application/json"):
            with application.test_request_context("/x", headers={"Accept": accept}):
                response = application.make_response(application.handle_user_exception(error()))
                text = response.get_data(as_text=True)
            assert response.status_code == status
            chinese = re.findall("[\u4e00-\u9fff]+", text)
            assert "出错了" not in text, status
            assert {"请核对地址", "请减少内容", "请稍后再试", "请改用", "请联系馆方"} & set(chinese), status
            assert re.search("[Pp]lease check|send less|try again later|use GET|contact the library", text), status


def test_page_beyond_the_last_says_which_pages_exist(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book().identifier
    for number in (0, 5, 999):
        for address in (f"/works/{work}/read?page={number}", f"/works/{work}/read?page={number}&x=1"):
            response = client.get(address)
            assert response.status_code == 404
            assert "1 至 4" in response.text
            assert "1 to 4" in response.text
    for value in ("x", "-1", "1.5", "99999999999", ""):
        response = client.get(f"/works/{work}/read?page={value}", headers={"Accept": "application/json"})
        assert response.status_code == 400
        document = response.get_json(force=True)
        assert document["part"] == "page"
        assert "1 to 4" in document["detail"]
    assert "1 to 1" in client.get("/works?page=9").text


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


def test_documents_that_name_no_icon_have_that_of_the_pages(client: FlaskClient) -> None:
    page = client.get("/").text
    named = client.get(page[page.index("/static/mark.svg?v=") :].partition('"')[0])
    icon = client.get("/favicon.ico")
    assert (icon.status_code, icon.content_type, icon.data) == (200, named.content_type, named.data)
    assert icon.headers["Cache-Control"] == "public, max-age=86400"
    again = client.get("/favicon.ico", headers={"If-None-Match": icon.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_static_files_named_by_content_are_immutable(client: FlaskClient) -> None:
    page = client.get("/").text
    start = page.index("/static/site.css?v=")
    address = page[start : page.index('"', start)]
    assert "immutable" in client.get(address).headers["Cache-Control"]
    assert client.get("/static/site.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/../app.py").status_code == 404


def test_form_that_is_too_large_is_named_as_that(client: FlaskClient) -> None:
    for language, words in (("en", "What was sent is too large"), ("zh", "提交的内容过大")):
        page = client.post("/login", data={"name": "x" * 70_000}, headers={"Accept-Language": language})
        assert page.status_code == 413
        assert words in page.text
