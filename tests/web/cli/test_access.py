"""Withdrawing, restoring and restricting a work by commands; the database may be lost in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import ShanbenHere
from deposits import write_deposit

from repository.config import Settings
from repository.repository import open_repository
from web.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shanben(tmp_path_factory: pytest.TempPathFactory) -> ShanbenHere:
    return ShanbenHere(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def work(shanben: ShanbenHere) -> str:
    deposit = write_deposit(shanben.folder / "deposit", pages=1)
    done = shanben.run_json("ingest", deposit)
    assert done.code == 0, done.errors
    assert done.document["works"][0]["state"] == "published"
    return str(done.document["works"][0]["identifier"])


@pytest.mark.slow
def test_a_withdrawn_work_stays_withdrawn_until_it_is_restored(shanben: ShanbenHere, work: str) -> None:
    done = shanben.run_json("withdraw", work, "--reason", "應權利人請求")
    assert (done.code, done.document["identifier"], done.document["state"]) == (0, work, "withdrawn"), done.errors

    for file in (shanben.folder / "var").glob("shanben.sqlite*"):
        file.unlink()
    assert shanben.run("rebuild").code == 0
    assert state(shanben.folder, work) == "withdrawn"

    again = shanben.run_json("ingest", shanben.folder / "deposit")
    assert (again.code, again.document["works"][0]["state"]) == (0, "withdrawn")
    assert f"shanben restore {work}" in again.errors
    assert state(shanben.folder, work) == "withdrawn"

    restored = shanben.run_json("restore", work)
    assert (restored.code, restored.document["state"]) == (0, "published")
    assert shanben.run_json("log", "verify").document["ok"] is True
    assert shanben.run_json("store", "validate").code == 0


@pytest.mark.slow
def test_access_is_set_with_its_size_and_its_end(shanben: ShanbenHere, work: str) -> None:
    reduced = shanben.run_json("access", work, "reduced", "--max-size", "300")
    assert (reduced.code, reduced.document["access"], reduced.document["max_size"]) == (0, "reduced", 300)
    closed = shanben.run_json("access", work, "restricted", "--until", "2999-01-01")
    assert (closed.code, closed.document["access"], closed.document["until"]) == (0, "restricted", "2999-01-01")
    opened = shanben.run_json("access", work, "open", "--reason", "期滿")
    assert (opened.code, opened.document["access"], opened.document["until"]) == (0, "open", None)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("access", "{work}", "reduced"), "--max-size"),
        (("access", "{work}", "open", "--max-size", "5"), "--max-size"),
        (("access", "{work}", "reduced", "--max-size", "0"), "--max-size"),
        (("access", "{work}", "reduced", "--max-size", "9999999999"), "--max-size"),
        (("access", "{work}", "closed"), "closed"),
        (("access", "{work}", "restricted", "--until", "2001-01-01"), "--until"),
        (("access", "{work}", "restricted", "--until", "next year"), "--until"),
        (("access", "{work}", "open", "--until", "2999-01-01"), "--until"),
        (("withdraw", "{work}"), "--reason"),
        (("withdraw", "{work}", "--reason", " "), "--reason"),
        (("withdraw", "{work}", "--reason", "a\x1b[2J"), "--reason"),
        (("withdraw", "w123", "--reason", "x"), "w123"),
    ],
)
def test_a_wrong_call_changes_nothing_and_names_its_fault(
    shanben: ShanbenHere, work: str, arguments: tuple[str, ...], named: str
) -> None:
    before = state(shanben.folder, work)
    done = CliRunner(env=shanben.environment).invoke(main, [argument.format(work=work) for argument in arguments])
    assert done.exit_code == 2
    assert named in done.stderr
    assert "\x1b[2J" not in done.stderr
    assert state(shanben.folder, work) == before


def state(folder: Path, work: str) -> str:
    held = open_repository(Settings(data=folder / "var")).catalogue.access(work)
    assert held is not None
    return held.access.state.value
