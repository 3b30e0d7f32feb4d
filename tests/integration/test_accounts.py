"""`shanben account` as an operator runs it, and logins at two servers that share a database."""

from __future__ import annotations

import http.cookiejar
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from command_line import COMMAND_SECONDS, SHANBEN, Shanben
from web_server import NO_LOCAL_WORKER, WebServer

from web.cli.main import main

pytestmark = pytest.mark.integration

PASSWORD = "七月流火，九月授衣，一之日觱发"
ELSEWHERE = {"X-Forwarded-For": "198.51.100.7"}


def run(shanben: Shanben, *arguments: str, stdin: bytes = b"") -> tuple[int, Any, str]:
    """Run a command with a standard input. Return the exit code, the JSON document, and standard error."""
    done = subprocess.run(
        [SHANBEN, "account", *arguments, "--json"],
        cwd=shanben.folder,
        env=shanben.environment,
        input=stdin,
        capture_output=True,
        timeout=COMMAND_SECONDS,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr.decode()


def run_here(shanben: Shanben, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run a command in this process, for which half a second less is spent. Return the exit code and both outputs."""
    done = CliRunner(env=shanben.environment).invoke(main, ["account", *arguments, "--json"], input=stdin)
    return done.exit_code, done.stdout, done.stderr


class Browser:
    """A browser elsewhere that keeps its cookies for every server."""

    def __init__(self) -> None:
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))

    def open(self, address: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Open a page or send a form. Return status, text and the address that it led to."""
        body = urllib.parse.urlencode(form).encode() if form else None
        try:
            with self._opener.open(urllib.request.Request(address, body, ELSEWHERE), timeout=60) as answer:
                return answer.status, answer.read().decode(), answer.url
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), address

    def log_in(self, server: str, name: str, password: str) -> tuple[int, str, str]:
        value = re.search(r'name="csrf_token" value="([^"]+)"', self.open(f"{server}/login")[1])
        assert value is not None
        return self.open(f"{server}/login", {"csrf_token": value[1], "name": name, "password": password})


def test_accounts_are_added_listed_disabled_and_enabled(tmp_path: Path) -> None:
    shanben = Shanben(tmp_path)
    password = f"{PASSWORD}\n".encode()
    code, added, errors = run(shanben, "add", "Li.Mei", "--role", "conservator", stdin=password)
    assert (code, added["name"], added["role"], added["disabled"]) == (0, "li.mei", "conservator", None), errors
    code, _, errors = run_here(shanben, "add", "li.mei", "--role", "librarian", stdin=password)
    assert (code, "exists already" in errors) == (2, True)
    for unfit, words in ((b"short\n", "12"), (b"", "no password"), (b"\xff\n", "UTF-8"), (b"x" * 9000, "no password")):
        code, output, errors = run_here(shanben, "add", "wang", "--role", "librarian", stdin=unfit)
        assert (code, output, words in errors) == (2, "", True), errors
    assert run_here(shanben, "add", "a b", "--role", "librarian", stdin=password)[0] == 2
    assert json.loads(run_here(shanben, "disable", "LI.MEI")[1])["disabled"]
    assert [each["name"] for each in run(shanben, "list")[1]["accounts"]] == ["li.mei"]
    assert json.loads(run_here(shanben, "enable", "li.mei")[1])["disabled"] is None
    for change in ("disable", "enable"):
        assert run_here(shanben, change, "nobody")[0] == 2
    assert run_here(shanben, "password", "nobody", stdin=password)[0] == 2
    stored = (tmp_path / "var/shanben.sqlite").read_bytes()
    assert PASSWORD.encode() not in stored


def test_two_servers_share_a_session_and_a_disabled_account_loses_it_on_both(tmp_path: Path) -> None:
    shanben = Shanben(tmp_path)
    assert run_here(shanben, "add", "li", "--role", "conservator", stdin=PASSWORD.encode())[0] == 0
    first = WebServer(tmp_path, shanben.environment | NO_LOCAL_WORKER)
    second = WebServer(tmp_path, shanben.environment | NO_LOCAL_WORKER, processes=1)
    browser = Browser()
    with first, second:
        assert browser.open(f"{first.address}/status")[0] == 403
        assert browser.log_in(first.address, "li", "wrong password")[0] == 403
        assert browser.log_in(first.address, "li", PASSWORD)[2] == f"{first.address}/staff"
        for server in (first, second) * 4:  # the first has two processes
            status, text, address = browser.open(f"{server.address}/staff")
            assert (status, address, "li" in text) == (200, f"{server.address}/staff", True)
            assert browser.open(f"{server.address}/status")[0] == 200
        assert run_here(shanben, "disable", "li")[0] == 0
        for server in (first, second):
            assert browser.open(f"{server.address}/staff")[2].startswith(f"{server.address}/login")
            assert browser.open(f"{server.address}/status")[0] == 403
