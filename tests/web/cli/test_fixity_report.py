"""``shanben fixity report``: the same moment gives the same bytes, as a file and on standard output."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repository.config import Settings
from repository.repository import open_repository
from web.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("SHANBEN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fixity", "report", *arguments])


def test_report_is_written_and_the_same_moment_is_the_same_bytes(folder: Path) -> None:
    done = report("--format", "json", "-o", "now.json", "--json")
    assert done.exit_code == 0, done.output
    stated = json.loads(done.stdout)
    assert (stated["state"], stated["alarms"]) == ("empty", [])
    written = (folder / "now.json").read_bytes()
    assert json.loads(written)["at"] == stated["at"]
    assert report("--format", "json", "--at", stated["at"]).stdout_bytes == written
    page = report("--at", stated["at"]).stdout_bytes
    assert page.startswith(b"<!doctype html>")
    assert "尚无馆藏。".encode() in page


def test_report_of_a_time_without_one_is_refused() -> None:
    for at, code in (("2020-01-01", 2), ("yesterday", 2)):
        refused = report("--at", at)
        assert (refused.exit_code, refused.stdout) == (code, "")
        assert at in refused.stderr or "2026-01-31" in refused.stderr


def test_report_that_cannot_be_written_is_an_error_and_not_issued(folder: Path) -> None:
    refused = report("--format", "json", "-o", "absent/now.json")
    assert refused.exit_code == 3
    assert "absent/now.json" in refused.stderr
    counts = open_repository(Settings(data=folder / "var")).catalogue.counts()
    assert (counts.events, counts.staged) == (0, 0)


def test_json_needs_a_file_for_a_report_of_another_form(folder: Path) -> None:
    refused = report("--format", "html", "--json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "-o" in refused.stderr
    assert not (folder / "var").exists()
    assert json.loads(report("--format", "json", "--json").stdout)["works"] == 0
