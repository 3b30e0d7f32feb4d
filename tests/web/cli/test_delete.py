"""`shanben delete`: passwords from standard input, two accounts, and what remains."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import ShanbenHere
from deposits import write_deposit

PASSWORDS = {"anna": "correct horse 1", "bo": "battery staple 2"}


def run_as(library: ShanbenHere, name: str, *arguments: str, password: str = "", **settings: str) -> tuple[int, dict]:
    done = library.run(*arguments, "--json", stdin=f"{password or PASSWORDS[name]}\n", **settings)
    return done.code, done.document or {"error": done.errors}


@pytest.mark.slow
def test_a_work_is_deleted_by_two_accounts(tmp_path: Path) -> None:
    library = ShanbenHere(tmp_path, replicas=tmp_path / "replica")
    for name in PASSWORDS:
        code, _ = run_as(library, name, "account", "add", name, "--role", "conservator")
        assert code == 0
    deposit = write_deposit(tmp_path / "deposit", pages=1)
    work = library.run_json("ingest", deposit).document["works"][0]["identifier"]
    request = ("delete", "request", work, "--account", "anna", "--reason", "權利人要求")
    assert library.run("withdraw", work, "--reason", "x").code == 0
    code, requested = run_as(library, "anna", *request)
    assert (code, requested["state"], requested["requested_by"]) == (0, "requested", "anna")
    confirm = ("delete", "confirm", work, "--account", "bo")
    assert run_as(library, "bo", *confirm, password="another password", delete_days="0")[0] == 2
    code, deleted = run_as(library, "bo", *confirm, delete_days="0")
    assert (code, deleted["state"]) == (0, "deleted"), deleted
    left = [path for store in ("var/store", "replica") for path in (tmp_path / store).rglob("*.tif")]
    assert [path for path in left if "canaries" not in path.parts] == []  # canaries are of no work
    assert (
        len([path for store in ("var/store", "replica") for path in (tmp_path / store / "deleted").rglob("*.json")])
        == 2
    )
    history = library.run_json("history", work).document
    assert history["versions"] == []
    assert history["events"][-1]["type"] == "deletion"
    assert history["deletion"] == {"state": "deleted"}
