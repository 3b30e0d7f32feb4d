"""``shanben fixity run`` and ``plan``, as an operator and as a program call them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from deposits import write_deposit
from planted_faults import flip

from repository.config import Settings
from repository.identifiers import Kind, mint
from repository.paths import ocfl_object
from repository.repository import open_repository
from repository.storage.folder import FolderStore
from web.cli.main import main
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

KEYS = {"expected", "checked", "passed", "failed", "not_checked", "seconds", "findings"}


class Result(NamedTuple):
    """The exit code of a command, its standard output, and its standard error."""

    code: int
    output: str
    messages: str

    @property
    def document(self) -> Any:
        return json.loads(self.output)


def fixity(*arguments: str) -> Result:
    done = CliRunner().invoke(main, ["fixity", *arguments])
    return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> tuple[Path, str]:
    """A data folder with one work, never changed, and the work."""
    folder = tmp_path_factory.mktemp("filled")
    context = TaskContext(prepare_repository(open_repository(Settings(data=folder / "var"))), examiner)
    with local_runner(context) as runner:
        job = runner.run(ingest_job(write_deposit(folder / "deposit", 1)))
    return folder / "var", str((job.result or {})["identifier"])


@pytest.fixture
def work(filled: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The work of a copied data folder in the current folder, without any setting."""
    for name in list(os.environ):
        if name.startswith("SHANBEN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setenv("SHANBEN_AUTOREPAIR", "0")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(filled[0], tmp_path / "var")
    return filled[1]


def test_sound_library_is_checked_and_then_nothing_is_due(work: str) -> None:
    before = fixity("plan", "--json").document
    assert before.keys() == {"files", "bytes", "due", "late", "bytes_per_second", "ends"}
    assert before["due"] == before["files"] > 0

    done = fixity("run", "--json")
    assert (done.code, done.document.keys(), done.document["findings"]) == (0, KEYS, [])
    assert done.document["expected"] == done.document["checked"] == done.document["passed"] >= before["files"]

    again = fixity("run", "--json")
    assert (again.code, again.document["expected"]) == (3, 0)
    assert "No file is due" in again.messages
    assert "--all" in again.messages
    assert "incomplete" not in again.messages
    report = fixity("report", "--format", "html", "-o", "report.html", "--json")
    assert report.code in {0, 1}
    assert "nothing was due" in Path("report.html").read_text("utf-8")
    assert fixity("plan", "--json").document["due"] == 0


def test_damage_is_shown_and_one_work_can_be_checked(work: str) -> None:
    key = f"{ocfl_object(work)}/v1/content/metadata/work.json"
    flip(FolderStore(Path("var/store")), key)
    done = fixity("run", "--work", work, "--json")
    (finding,) = done.document["findings"]
    assert (done.code, done.document["failed"]) == (1, 1)
    assert (finding["store"], finding["key"], finding["kind"], finding["work"]) == ("store", key, "changed", work)
    assert finding["state"] == "open"

    shown = fixity("run", "--all", "--store", "store", "--limit", "100000000")
    assert shown.code == 1
    assert f"✗ changed  store  {key}" in shown.output
    assert "shanben repair" in shown.messages + shown.output


def test_files_that_were_not_checked_are_no_clean_check(work: str) -> None:
    assert fixity("run", "--all").code == 0
    Path("var/log.signed").write_bytes(b"damaged")
    done = fixity("run", "--all", "--json")
    assert (done.code, done.document["findings"]) == (3, [])
    assert done.document["not_checked"] > 0
    assert "not checked; run shanben fixity run --all" in done.messages
    assert "Not checked: log.signed in the data folder" in done.messages
    flip(FolderStore(Path("var/store")), f"{ocfl_object(work)}/v1/content/metadata/work.json")
    assert fixity("run", "--all").code == 1


@pytest.mark.parametrize("arguments", [("--work", mint(Kind.WORK)), ("--work", "x"), ("--store", "elsewhere")])
def test_what_is_unknown_is_a_wrong_call(work: str, arguments: tuple[str, str]) -> None:
    assert fixity("run", *arguments, "--json").code == 2
