"""The commands ``shanben harvest``: a source is added, harvested, listed and removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from partner_server import OaiProvider, PartnerServer, dublin_core, partner_server

from web.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def partner() -> Iterator[PartnerServer]:
    with partner_server() as server:
        provider = OaiProvider()
        for number in range(3):
            provider.put(f"oai:x:{number}", "2025-01-01T00:00:00Z", dublin_core(f"書{number}"))
        server.answer = provider
        yield server


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("SHANBEN_HARVEST_PRIVATE", "127.0.0.1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["harvest", *arguments])


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


@pytest.mark.usefixtures("library")
def test_a_source_is_added_harvested_listed_and_removed(partner: PartnerServer) -> None:
    url = f"{partner.url}/oai"
    added = document(run("add", "a", url, "--rate", "100", "--json"))
    assert (added["kind"], added["records"]) == ("oai-pmh", 0)
    assert document(run("run", "--json"))["sources"][0]["added"] == 3
    again = document(run("run", "a", "--json"))["sources"][0]
    assert (again["has_changed"], again["added"]) == (False, 0)
    assert "nothing has changed" in run("run", "a").output
    (listed,) = document(run("list", "--json"))["sources"]
    assert (listed["name"], listed["records"], listed["fault"]) == ("a", 3, None)
    rebuilt = document(CliRunner().invoke(main, ["search", "rebuild", "--json"]))
    assert (rebuilt["works"], rebuilt["records"]) == (0, 3)
    assert "0 works, 0 pages with text, 3 records of partners" in CliRunner().invoke(main, ["search", "rebuild"]).output
    assert run("add", "a", url).exit_code == 2
    assert document(run("remove", "a", "--json")) == {"name": "a", "records": 3}
    assert document(run("list", "--json")) == {"sources": []}


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("name", "url", "code"),
    [
        ("Bad_Name", "http://127.0.0.1/oai", 2),
        ("a", "ftp://partner.example/", 2),
        ("a", "http://169.254.169.254/latest", 2),
        ("a", "{partner}/none", 1),
    ],
)
def test_a_source_that_cannot_be_harvested_is_refused(partner: PartnerServer, name: str, url: str, code: int) -> None:
    if "none" in url:
        partner.answer = lambda path, query: partner_answer()
    result = run("add", name, url.format(partner=partner.url))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("origin", ["http://[x", "ftp://images.example", "https://images.example/folder"])
def test_pictures_from_what_is_no_origin_are_refused(origin: str) -> None:
    result = run("add", "a", "http://127.0.0.1/oai", "--pictures", origin)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output


def partner_answer() -> Any:
    from partner_server import Answer  # noqa: PLC0415

    return Answer(b"<html>hello</html>")
