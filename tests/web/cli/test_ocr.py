"""`shanben ocr` says what it was not told, and what is missing, before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from repository.errors import DependencyMissing
from web.cli.main import main
from workers.ocr import pages

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    assert CliRunner().invoke(main, ["init"]).exit_code == 0


@pytest.mark.parametrize("arguments", [[], ["wc7f21cmhpbzdr8qkz", "--all"], ["mistyped"]])
def test_works_are_named_or_all_are_meant(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["ocr", *arguments])
    assert done.exit_code == 2, done.output


def test_without_the_engine_the_command_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "installed_engine", lambda: None)
    done = CliRunner().invoke(main, ["ocr", "--all"])
    assert done.exit_code == 3, done.output
    assert "make ocr" in done.output
    assert DependencyMissing.code not in done.output


def test_a_library_without_works_has_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "installed_engine", lambda: "RapidOCR 99")
    done = CliRunner().invoke(main, ["ocr", "--all", "--json"])
    assert (done.exit_code, done.stdout) == (0, '{"works": []}\n')
