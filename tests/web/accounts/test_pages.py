"""Login, logout and the staff page, and attacks on them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import pytest
from flask import Flask
from staff_browser import PASSWORD, Browser, record_hashes

from repository.model.accounts import STAFF, Role
from repository.repository import Repository
from web.accounts.cookies import COOKIE, MAX_FORM_BYTES
from web.accounts.login import ACCOUNT_FAILURES, ADDRESS_FAILURES
from web.accounts.passwords import Passwords
from web.app import create_app

WRONG = "another password"


def session_cookie(browser: Browser) -> str | None:
    cookie = browser.client.get_cookie(COOKIE)
    return cookie.value if cookie else None


def with_cookie(app: Flask, value: str | None) -> Browser:
    browser = Browser(app.test_client())
    browser.client.set_cookie(COOKIE, value or "")
    return browser


@pytest.mark.parametrize("role", sorted(STAFF))
def test_every_role_of_staff_sees_the_staff_page_and_the_status(browser: Browser, role: Role) -> None:
    answer = browser.log_in(role.value)
    assert (answer.status_code, answer.location) == (303, "/staff")
    page = browser.get("/staff")
    assert page.status_code == 200
    assert 'href="/status"' in page.text
    assert 'href="/preservation"' in page.text
    assert ("shanben account" in page.text) is (role is Role.ADMINISTRATOR)
    assert browser.get("/status").status_code == 200


def test_reader_sees_no_page_of_staff_and_can_log_out(browser: Browser) -> None:
    answer = browser.log_in("reader")
    assert (answer.status_code, answer.location) == (303, "/")
    for path in ("/staff", "/preservation"):
        assert browser.get(path).status_code == 303
    assert browser.get("/status").status_code == 403
    assert browser.get("/login").status_code == 200
    page = browser.get("/logout").text
    assert 'href="/staff">返回' not in page
    browser.post("/logout", csrf_token=browser.form_value("/logout"))
    assert browser.get("/logout").status_code == 303


def test_pages_are_in_both_languages_and_kept_by_no_cache(browser: Browser) -> None:
    for path, chinese, english in (("/login", "登录", "Log in"), ("/logout", "退出登录", "Log out")):
        if path == "/logout":
            browser.log_in()
        for language, text in (("zh", chinese), ("en", english)):
            answer = browser.get(path, language)
            assert f"<h1>{text}</h1>" in answer.text
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Robots-Tag"] == "noindex"


def test_every_field_of_the_login_has_a_label_and_its_purpose(browser: Browser) -> None:
    page = browser.get("/login").text
    for field, purpose in (("name", "username"), ("password", "current-password")):
        assert f'<label for="{field}">' in page
        assert re.search(rf'<input id="{field}"[^>]*autocomplete="{purpose}"', page)


def test_staff_page_leads_to_the_login_and_back(browser: Browser) -> None:
    asked = browser.get("/staff?x=1")
    assert (asked.status_code, asked.location) == (303, "/login?next=%2Fstaff%3Fx%3D1")
    assert 'name="next" value="/staff?x=1"' in browser.get(asked.location or "").text
    assert browser.log_in(next="/staff?x=1").location == "/staff?x=1"


def test_refused_status_page_links_to_the_login(browser: Browser) -> None:
    refused = browser.get("/status")
    assert refused.status_code == 403
    assert 'href="/login?next=%2Fstatus"' in refused.text
    assert browser.log_in(next="/status").location == "/status"


@pytest.mark.parametrize(("name", "password"), [("nobody", PASSWORD), ("conservator", WRONG), ("conservator", "")])
def test_wrong_name_and_wrong_password_have_the_same_response(browser: Browser, name: str, password: str) -> None:
    answer = browser.log_in(name, password)
    assert answer.status_code == 403
    assert "账号或密码有误，或账号已停用" in answer.text
    assert 'role="alert"' in answer.text
    assert password not in answer.text or not password
    assert browser.get("/staff").status_code == 303


def test_disabled_account_is_refused_like_a_wrong_password(browser: Browser, staffed: Repository) -> None:
    staffed.accounts.disable("conservator")
    disabled, wrong = browser.log_in(), browser.log_in("librarian", WRONG)
    assert disabled.status_code == wrong.status_code == 403
    assert "账号或密码有误，或账号已停用" in disabled.text


@pytest.mark.parametrize("name", ["nobody", "conservator", "librarian", "x" * 5000, ""])
def test_every_login_computes_one_hash(
    browser: Browser, staffed: Repository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    staffed.accounts.disable("librarian")
    verified = record_hashes(monkeypatch)
    for password in (WRONG, "x" * 5000):
        browser.log_in(name, password)
    assert len(verified) == 2


def test_disabling_an_account_ends_its_sessions(browser: Browser, staffed: Repository) -> None:
    browser.log_in()
    staffed.accounts.disable("conservator")
    assert browser.get("/staff").status_code == 303
    assert browser.get("/status").status_code == 403
    staffed.accounts.enable("conservator")
    assert browser.get("/staff").status_code == 303


def test_changing_a_password_ends_the_sessions(browser: Browser, staffed: Repository, passwords: Passwords) -> None:
    browser.log_in()
    staffed.accounts.change_password("conservator", passwords.hash("a new password"))
    assert browser.get("/staff").status_code == 303


def test_sessions_end_when_unused(staffed: Repository, passwords: Passwords) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    moved = replace(staffed, account_sessions=type(staffed.account_sessions)(staffed.accounts._sessions, lambda: now))
    browser = Browser(create_app(moved, passwords=passwords).test_client())
    browser.log_in()
    now += timedelta(minutes=59)
    assert browser.get("/staff").status_code == 200
    now += timedelta(minutes=61)
    assert browser.get("/staff").status_code == 303


def test_weak_hash_is_replaced_at_the_next_login(staffed: Repository) -> None:
    stronger = Passwords(memory_kib=128, passes=1)
    assert Browser(create_app(staffed, passwords=stronger).test_client()).log_in().status_code == 303
    found = staffed.accounts.credentials("conservator")
    assert found is not None
    assert "m=128," in found.encoded
    assert stronger.verify(found.encoded, PASSWORD)


# Session fixation and cookies


def test_login_replaces_the_session_and_the_value_of_forms(app: Flask, browser: Browser) -> None:
    value = browser.form_value()
    planted = session_cookie(browser)
    browser.post("/login", csrf_token=value, name="conservator", password=PASSWORD)
    assert session_cookie(browser) != planted
    attacker = with_cookie(app, planted)
    assert attacker.get("/staff").status_code == 303
    assert browser.post("/logout", csrf_token=value).status_code == 400, "the form is of before the login"


def test_second_login_ends_the_first_session(app: Flask, browser: Browser) -> None:
    browser.log_in()
    first, value = session_cookie(browser), browser.form_value("/logout")
    browser.post("/login", csrf_token=value, name="librarian", password=PASSWORD)
    assert "librarian" in browser.get("/staff").text
    assert with_cookie(app, first).get("/staff").status_code == 303


def test_logout_ends_the_session_on_the_server(app: Flask, browser: Browser) -> None:
    browser.log_in()
    kept = session_cookie(browser)
    assert browser.get("/logout").status_code == 200
    assert browser.get("/staff").status_code == 200, "opening the page ends nothing"
    assert browser.post("/logout", csrf_token=browser.form_value("/logout")).location == "/login"
    assert browser.get("/staff").status_code == 303
    assert with_cookie(app, kept).get("/staff").status_code == 303


@pytest.mark.parametrize("forged", ["x", "e30.x.y", "eyJsb2dpbiI6ImEifQ.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb", "é"])
def test_forged_cookie_is_no_session(app: Flask, forged: str) -> None:
    assert with_cookie(app, forged).get("/staff").status_code == 303


def cookie_of(browser: Browser) -> SimpleCookie:
    answer = browser.log_in()
    return SimpleCookie("\n".join(each for each in answer.headers.getlist("Set-Cookie") if each.startswith(COOKIE)))


def test_cookie_is_hidden_from_scripts_and_other_sites(browser: Browser) -> None:
    morsel = cookie_of(browser)[COOKIE]
    assert (morsel["httponly"], morsel["samesite"], morsel["secure"]) == (True, "Lax", "")
    assert (morsel["domain"], morsel["expires"], morsel["max-age"]) == ("", "", "")
    assert PASSWORD not in morsel.value


def test_cookie_is_secure_under_https(app: Flask, public_browser: Browser) -> None:
    answer = public_browser.get("/login")
    assert "Secure" in answer.headers["Set-Cookie"], "TLS may end before this server"
    direct = Browser(app.test_client(), host="https://localhost")
    assert cookie_of(direct)[COOKIE]["secure"] is True


def test_pages_of_readers_set_no_cookie(browser: Browser) -> None:
    for path in ("/", "/works"):
        assert "Set-Cookie" not in browser.get(path).headers


def test_web_processes_share_sessions_through_the_database(
    app: Flask, browser: Browser, staffed: Repository, passwords: Passwords
) -> None:
    browser.log_in()
    other = create_app(staffed, passwords=passwords)
    assert other.secret_key == app.secret_key
    assert with_cookie(other, session_cookie(browser)).get("/staff").status_code == 200


# Forged forms


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_form_without_its_value_is_refused(browser: Browser, path: str) -> None:
    browser.log_in()
    answer = browser.post(path, name="conservator", password=PASSWORD)
    assert answer.status_code == 400
    assert "表单已失效" in answer.text
    assert browser.get("/staff").status_code == 200, "nobody was logged out"


def test_form_with_the_value_of_another_session_is_refused(app: Flask, browser: Browser) -> None:
    foreign = Browser(app.test_client()).form_value()
    browser.form_value()
    answer = browser.post("/login", csrf_token=foreign, name="conservator", password=PASSWORD)
    assert answer.status_code == 400
    assert browser.get("/staff").status_code == 303


def test_form_without_cookies_is_refused(app: Flask, browser: Browser) -> None:
    value = browser.form_value()
    answer = Browser(app.test_client()).post("/login", csrf_token=value, name="conservator", password=PASSWORD)
    assert answer.status_code == 400


def test_form_sent_from_another_site_over_https_is_refused(app: Flask) -> None:
    browser = Browser(app.test_client(), host="https://localhost")
    value = browser.form_value()
    answer = browser.client.post(
        "/login",
        base_url=browser.host,
        data={"csrf_token": value, "name": "conservator", "password": PASSWORD},
        headers={"Referer": "https://evil.example/"},
    )
    assert answer.status_code == 400


def test_forged_form_counts_as_no_failed_login(browser: Browser) -> None:
    for _ in range(ACCOUNT_FAILURES + 1):
        browser.post("/login", csrf_token="x", name="conservator", password=WRONG)
    assert browser.log_in().status_code == 303


def test_too_large_form_is_refused(browser: Browser) -> None:
    answer = browser.log_in(password="x" * (MAX_FORM_BYTES + 1))
    assert answer.status_code == 413


def test_method_that_a_page_does_not_have_is_405(browser: Browser) -> None:
    assert browser.post("/staff").status_code == 405
    assert browser.post("/nowhere").status_code == 404


# Open redirects


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "http:evil.example",
        "/staff\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_login_never_leads_to_another_site(browser: Browser, target: str) -> None:
    assert browser.log_in(next=target).location == "/staff"
    again = browser.client.get("/login", query_string={"next": target})
    assert (again.status_code, again.location) == (303, "/staff")


def test_login_leads_to_the_public_address(public_browser: Browser) -> None:
    value = public_browser.form_value()
    cookie = public_browser.client.get_cookie(COOKIE)
    assert cookie is not None
    public_browser.client.set_cookie(COOKIE, cookie.value)  # the reader's browser speaks HTTPS with another server
    answer = public_browser.post("/login", csrf_token=value, name="conservator", password=PASSWORD, next="/status")
    assert (answer.status_code, answer.location) == (303, "https://books.example/status")


# Limits


def test_account_is_limited_after_failures_from_any_address(app: Flask, browser: Browser) -> None:
    for number in range(ACCOUNT_FAILURES):
        Browser(app.test_client(), address=f"203.0.113.{number}").log_in("conservator", WRONG)
    limited = browser.log_in("Conservator")
    assert limited.status_code == 429
    assert 0 < int(limited.headers["Retry-After"]) <= 900
    assert "登录失败次数过多" in limited.text
    assert browser.log_in("librarian").status_code == 303, "other accounts are not"


def test_attempt_whose_password_is_not_checked_counts_as_no_failure(staffed: Repository) -> None:
    passwords = Passwords(memory_kib=64, passes=1, wait_seconds=0.0)
    browser = Browser(create_app(staffed, passwords=passwords).test_client())
    with passwords._slots, passwords._slots:  # other logins take all the places
        statuses = {browser.log_in("conservator").status_code for _ in range(ACCOUNT_FAILURES + 1)}
    assert statuses == {503}
    assert browser.log_in("conservator").status_code == 303


def test_unknown_account_is_limited_alike(browser: Browser) -> None:
    statuses = [browser.log_in("nobody").status_code for _ in range(ACCOUNT_FAILURES + 1)]
    assert statuses == [403] * ACCOUNT_FAILURES + [429]


def test_address_is_limited_after_failures_of_many_accounts(app: Flask, browser: Browser) -> None:
    for number in range(ADDRESS_FAILURES):
        assert browser.log_in(f"nobody-{number}").status_code == 403
    assert browser.log_in().status_code == 429
    assert Browser(app.test_client(), address="203.0.113.1").log_in().status_code == 303


def test_addresses_of_one_ipv6_network_count_together(app: Flask) -> None:
    for number in range(ADDRESS_FAILURES):
        Browser(app.test_client(), address=f"2001:db8::{number:x}").log_in(f"nobody-{number}")
    assert Browser(app.test_client(), address="2001:db8::ffff").log_in().status_code == 429


def test_successful_logins_are_not_limited(browser: Browser) -> None:
    statuses = {browser.log_in("librarian").status_code for _ in range(1)}
    for _ in range(ADDRESS_FAILURES + 1):
        browser.post("/logout", csrf_token=browser.form_value("/logout"))
        statuses.add(browser.log_in("librarian").status_code)
    assert statuses == {303}


def test_session_lasts_while_its_account_is_limited(app: Flask, browser: Browser) -> None:
    browser.log_in()
    for number in range(ACCOUNT_FAILURES + 1):
        Browser(app.test_client(), address=f"203.0.113.{number}").log_in("conservator", WRONG)
    assert browser.get("/staff").status_code == 200
