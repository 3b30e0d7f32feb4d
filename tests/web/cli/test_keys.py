"""The commands of the log's keys, on a data folder of their own."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from preservation.log import key_file
from preservation.log.log_keys import LogKeys
from web.cli.keys import key_warnings
from web.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("SHANBEN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    assert run("init")[0] == 0
    return tmp_path / "var"


def run(*arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(main, [*arguments, "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout.strip() else None


def test_keys_are_replaced_with_an_overlap(data: Path) -> None:
    first = run("keys", "list")[1]["keys"]
    assert [(key["algorithm"], key["retired"]) for key in first] == [("Ed25519", None), ("ML-DSA-44", None)]
    assert first[0]["days_left"] in {729, 730}
    code, rotated = run("keys", "rotate")
    assert (code, [key["id"] for key in rotated["keys"][2:]]) == (0, [key["id"] for key in first])
    assert run("log", "key")[1]["key"] == rotated["keys"][0]["key"] != first[0]["key"]
    code, retired = run("keys", "retire")
    assert (code, [key["retired"] for key in retired["keys"]]) == (0, [None, None, 2, 2])
    audit = run("log", "verify")[1]
    assert (audit["ok"], audit["size"]) == (True, 4)
    assert (data / "keys" / "log.key").read_text().count("PRIVATE+KEY") == 2


def test_the_only_key_and_unknown_keys_are_not_retired(data: Path) -> None:
    assert run("keys", "rotate")[0] == 0
    listed = run("keys", "list")[1]["keys"]
    assert run("keys", "retire", *(key["id"] for key in listed))[0] != 0
    assert run("keys", "retire", "00000000")[0] != 0
    assert run("keys", "list")[1]["keys"] == listed


def test_warning_before_the_end(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_KEY_DAYS", "20")
    assert "keys rotate" in CliRunner().invoke(main, ["keys", "list"]).output
    monkeypatch.setenv("SHANBEN_KEY_DAYS", "40")
    assert "keys rotate" not in CliRunner().invoke(main, ["keys", "list"]).output


def test_warning_while_no_ml_dsa_key_signs(tmp_path: Path) -> None:
    keys = key_file.create(tmp_path, "library.example/log", "2026-01-01T00:00:00Z").keys
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert list(key_warnings(keys, now, 730)) == []
    for lifetime, text in ((20, "near its end"), (0, "past its end")):
        [warning] = key_warnings(keys, now, lifetime)
        assert text in warning.en
    (warning,) = key_warnings(LogKeys.of(keys.current), now, 730)
    assert "no ML-DSA key" in warning.en
    assert "shanben keys rotate" in warning.zh
