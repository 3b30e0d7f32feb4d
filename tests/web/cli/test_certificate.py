"""The command that writes certificates, and what issuing one records."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from command_line import ShanbenHere
from deposits import write_deposit

from preservation.log.sequencer import open_log
from preservation.premis import parse_event
from repository.config import Settings
from repository.repository import open_repository


@pytest.mark.slow
def test_certificate_is_written_and_its_issue_is_an_event_that_names_nobody(tmp_path: Path) -> None:
    shanben = ShanbenHere(tmp_path, base_url="https://books.example")
    done = shanben.run_json("ingest", write_deposit(tmp_path / "deposit", pages=1))
    work = done.document["works"][0]["identifier"]
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    written = shanben.run_json("certificate", work, "-o", first)
    assert written.code == 0, written.errors
    repository = open_repository(Settings(data=tmp_path / "var"))
    log = open_log(repository)
    size = log.size
    assert written.document == {
        "file": str(first),
        "sha256": hashlib.sha256(first.read_bytes()).hexdigest(),
        "issued": False,
    }
    listed = subprocess.run(["pdfimages", "-list", first], capture_output=True, check=True)
    assert len(listed.stdout.splitlines()) == 3

    assert shanben.run("certificate", work, "-o", second, "--issue", "nobody").code == 2
    assert not second.exists()
    password = "a long enough passphrase\n" * 2
    for account, role in (("reader1", "reader"), ("former1", "conservator"), ("conservator1", "conservator")):
        assert shanben.run("account", "add", account, "--role", role, stdin=password).code == 0
    assert shanben.run("account", "disable", "former1").code == 0
    for account in ("reader1", "former1"):
        assert shanben.run("certificate", work, "-o", second, "--issue", account).code == 2
    assert not second.exists()
    issued = shanben.run_json("certificate", work, "-o", second, "--issue", "Conservator1")
    assert issued.code == 0, issued.errors
    assert second.read_bytes() == first.read_bytes()
    assert log.size == size + 1
    entry = log.entry(size)
    event = parse_event(entry)
    assert (event.work, event.detail["act"], event.detail["certificate"]) == (
        work,
        "certificate",
        issued.document["sha256"],
    )
    assert b"conservator1" not in entry
    assert shanben.run("certificate", work, base_url="").code == 2
