"""A client written from the two specifications alone logs in, gets tokens and probes; and attacks on the services."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from staff_browser import PASSWORD, Browser

from iiif_server.auth.credentials import COOKIE, PARTNER_PREFIX
from iiif_server.urls import auth_path
from repository.model.partners import Scope
from repository.model.work import Access, Rights
from repository.repository import Repository

VIEWER = "https://viewer.example"


@pytest.fixture
def image(publisher: Any) -> str:
    """An image of a restricted work, the first in these tests."""
    work = publisher.book(Rights(access=Access.RESTRICTED))
    return next(iter(work.images())).identifier


@pytest.fixture
def work(staffed: Repository, image: str) -> str:
    held = staffed.catalogue.image(image)
    assert held
    return held.work


def open_access(browser: Browser, work: str, origin: str = VIEWER, version: int = 2, **fields: str) -> Any:
    """Open the access service and send its form."""
    path = f"{auth_path(version, 'access', work)}?origin={origin}"
    fields = fields or {"name": "reader", "password": PASSWORD}
    return browser.post(path, csrf_token=browser.form_value(path), origin=origin, **fields)


def token_message(browser: Browser, work: str, origin: str = VIEWER, version: int = 2) -> dict[str, Any]:
    """Open the token service in a frame, and return the message that its script sends to the frame's parent."""
    answer = browser.get(f"{auth_path(version, 'token', work)}?messageId=m1&origin={origin}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert f"frame-ancestors {origin.rstrip('/')}" in answer.headers["Content-Security-Policy"]
    sent = re.search(r"postMessage\(\n(.*),\n(.*)\n\)", answer.text)
    assert sent
    assert json.loads(sent[2]) == origin.rstrip("/")
    message: dict[str, Any] = json.loads(sent[1])
    assert message["messageId"] == "m1"
    return message


def probe(browser: Browser, image: str, token: str | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = browser.client.get(auth_path(2, "probe", image), headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "private, no-store"
    found: dict[str, Any] = answer.get_json()
    assert (found["@context"], found["type"]) == ("http://iiif.io/api/auth/2/context.json", "AuthProbeResult2")
    return found


def test_reader_logs_in_from_a_viewer_and_out_again(browser: Browser, work: str, image: str) -> None:
    assert probe(browser, image)["status"] == 401
    assert token_message(browser, work)["profile"] == "missingAspect"
    done = open_access(browser, work)
    assert done.status_code == 200
    assert "window.close()" in done.text
    message = token_message(browser, work)
    assert (message["type"], message["expiresIn"]) == ("AuthAccessToken2", 600)
    token = message["accessToken"]
    assert probe(browser, image, token) == {
        "@context": "http://iiif.io/api/auth/2/context.json", "type": "AuthProbeResult2", "status": 200,
    }  # fmt: skip
    cookie = browser.client.get_cookie(COOKIE, path="/iiif/")
    assert cookie
    assert token not in cookie.value
    assert "已退出" in browser.get(auth_path(2, "logout")).text
    assert browser.client.get_cookie(COOKIE, path="/iiif/") is None
    assert probe(browser, image, token)["status"] == 401


def test_token_of_one_work_tells_nothing_of_another(browser: Browser, publisher: Any, work: str, image: str) -> None:
    open_access(browser, work)
    other = publisher.small_work("書").identifier
    assert probe(browser, image, token_message(browser, other)["accessToken"])["status"] == 401


def test_origin_that_did_not_ask_for_access_gets_no_token(browser: Browser, work: str) -> None:
    open_access(browser, work)
    assert token_message(browser, work, "https://other.example")["profile"] == "invalidOrigin"
    again = open_access(browser, work, "https://other.example", consent="yes")
    assert again.status_code == 200, "the reader has logged in, and only consents"
    assert "accessToken" in token_message(browser, work, "https://other.example")
    assert "accessToken" in token_message(browser, work), "the first viewer remains"
    assert "accessToken" in token_message(browser, work, "http://localhost"), "the library's own pages"


@pytest.mark.parametrize("origin", ["", "null", "https://a.example/path", "javascript:alert(1)", "https://a';b"])
def test_malformed_origin_is_an_invalid_request_and_enters_no_header(browser: Browser, work: str, origin: str) -> None:
    open_access(browser, work)
    answer = browser.client.get(auth_path(2, "token", work), query_string={"messageId": "1", "origin": origin})
    assert "invalidRequest" in answer.text
    assert "accessToken" not in answer.text
    assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors *")


def test_message_id_cannot_end_the_script(browser: Browser, work: str) -> None:
    query = {"messageId": '</script><script>alert(1)"', "origin": VIEWER}
    answer = browser.client.get(auth_path(2, "token", work), query_string=query)
    assert answer.text.count("</script>") == 1


def test_expired_and_forged_cookies_have_different_errors(browser: Browser, staffed: Repository, work: str) -> None:
    open_access(browser, work)
    staffed.accounts.disable("reader")
    assert token_message(browser, work)["profile"] == "expiredAspect"
    browser.client.set_cookie(COOKIE, "forged", path="/iiif/")
    assert token_message(browser, work)["profile"] == "invalidAspect"


def test_wrong_password_and_a_forged_form_set_no_cookie(browser: Browser, work: str) -> None:
    refused = open_access(browser, work, name="reader", password="wrong")
    assert refused.status_code == 403
    assert 'role="alert"' in refused.text
    forged = browser.post(auth_path(2, "access", work), name="reader", password=PASSWORD)
    assert forged.status_code == 400
    assert forged.mimetype == "text/html"
    assert browser.client.get_cookie(COOKIE, path="/iiif/") is None


def test_cookie_crosses_sites_over_https_alone(browser: Browser, public_browser: Browser, work: str) -> None:
    plain = next(each for each in open_access(browser, work).headers.getlist("Set-Cookie") if each.startswith(COOKIE))
    assert "SameSite=Lax" in plain
    assert "不会为其他网站" in browser.get(f"{auth_path(2, 'access', work)}?origin={VIEWER}").text
    page = public_browser.get("/login").text
    assert page
    public_browser.host = "https://books.example"
    crossing = open_access(public_browser, work).headers.getlist("Set-Cookie")
    assert any(each.startswith(COOKIE) and "SameSite=None" in each and "Secure" in each for each in crossing)


def test_older_viewer_gets_its_token_in_a_frame_or_as_json(browser: Browser, work: str) -> None:
    refused = browser.get(auth_path(1, "token", work))
    assert (refused.status_code, refused.get_json()["error"]) == (401, "missingCredentials")
    open_access(browser, work, version=1)
    message = token_message(browser, work, f"{VIEWER}/", version=1)
    assert set(message) == {"messageId", "accessToken", "expiresIn"}
    assert set(browser.get(auth_path(1, "token", work)).get_json()) == {"accessToken", "expiresIn"}


def test_reduced_image_is_substituted_and_relocated(browser: Browser, publisher: Any) -> None:
    book = publisher.book(Rights(access=Access.REDUCED, max_size=300))
    image = next(iter(book.images())).identifier
    refused = probe(browser, image)
    assert refused["status"] == 401
    assert refused["substitute"][0]["service"][0]["id"].endswith(f"/iiif/image/3/{image}~reduced")
    open_access(browser, book.identifier)
    token = token_message(browser, book.identifier)["accessToken"]
    moved = probe(browser, image, token)
    assert (moved["status"], moved["location"]["type"]) == (302, "Image")
    assert moved["location"]["service"][0]["id"].endswith(f"/iiif/image/3/{image}~full")
    assert probe(browser, f"{image}~full", token)["status"] == 200
    assert probe(browser, f"{image}~full")["status"] == 401


def test_image_that_only_holds_the_logout_address_logs_nobody_out(browser: Browser, work: str) -> None:
    open_access(browser, work)
    held = browser.client.get(auth_path(2, "logout"), headers={"Sec-Fetch-Dest": "image"})
    assert held.status_code == 404
    assert "accessToken" in token_message(browser, work)


def test_partner_probes_with_its_own_token(browser: Browser, staffed: Repository, image: str) -> None:
    _, token = staffed.partner_tokens.create("partner", [Scope.RESTRICTED_IMAGES], PARTNER_PREFIX)
    assert probe(browser, image, token)["status"] == 200
    assert probe(browser, image, f"{token}x")["status"] == 401


def test_reader_opens_the_pages_of_a_restricted_work(browser: Browser, work: str) -> None:
    public = browser.get(f"/works/{work}").text
    assert f'href="/login?next=/works/{work}"' in public
    assert browser.get(f"/works/{work}/read").status_code == 401
    assert browser.log_in("reader", next=f"/works/{work}").location == f"/works/{work}"
    page = browser.get(f"/works/{work}")
    assert "您已登录" in page.text
    assert "/read?page=1" in page.text
    assert page.headers["Cache-Control"] == "no-store", "the next reader at this computer finds nothing of it"
    assert browser.get(f"/works/{work}/read").status_code == 200
    assert "volumes" in browser.get(f"/works/{work}/record.json").get_json()


def test_scripts_of_other_sites_may_send_the_token(app: Flask, image: str) -> None:
    allowed = app.test_client().options(auth_path(2, "probe", image)).headers["Access-Control-Allow-Headers"]
    assert "authorization" in allowed.lower(), "the wildcard does not cover it (Fetch, section 3.3)"
