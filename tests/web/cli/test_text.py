"""`shanben text add` names the files that it was given, and leaves no failed job when it refuses them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from deposits import write_deposit

from web.cli.main import main

pytestmark = pytest.mark.slow


def test_a_refused_text_is_named_as_it_was_given_and_is_no_failed_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    done = runner.invoke(main, ["ingest", str(write_deposit(tmp_path / "deposit")), "--json"])
    [work] = json.loads(done.stdout)["works"]
    Path("addtext").mkdir()
    Path("addtext/x.txt").write_text("天地玄黃", "utf-8")
    refused = runner.invoke(main, ["text", "add", work["identifier"], "addtext/x.txt", "--json"])
    assert refused.exit_code == 1, refused.output
    assert [(fault["file"], fault["code"]) for fault in json.loads(refused.stdout)["faults"]] == [
        ("addtext/x.txt", "text.page")
    ]
    assert "addtext/x.txt" in refused.stderr
    assert "added/x" not in refused.output
    status = json.loads(runner.invoke(main, ["status", "--json"]).stdout)
    assert (status["failed"], status["jobs"].get("failed", 0)) == ([], 0)
