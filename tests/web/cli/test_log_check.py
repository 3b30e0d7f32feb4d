"""`shanben log check` of files that are not evidence, and with a key that is empty."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import SHANBEN, ShanbenHere
from memory_log import temporary_signer

from preservation.log import evidence, merkle
from preservation.log.notes import Checkpoint
from preservation.premis import accession_event, event_bytes
from repository.model.work import EventType

pytestmark = pytest.mark.slow

SIGNER = temporary_signer("library.example/log")


@pytest.fixture
def shanben(tmp_path: Path) -> ShanbenHere:
    leaf = merkle.leaf_hash(b"entry")
    note = SIGNER.sign_note(Checkpoint(SIGNER.origin, 1, merkle.tree_hash([leaf])).text())
    (tmp_path / "evidence").write_bytes(evidence.EvidenceFile(b"entry", 0, (), note).content())
    return ShanbenHere(tmp_path)


KEY = ("--key", SIGNER.verifier_key)


@pytest.mark.parametrize(
    "arguments",
    [
        *((file, *KEY) for file in ("/dev/zero", "pipe")),
        *(("evidence", "--policy", file) for file in ("/dev/zero", "pipe")),
        *(("evidence", *KEY, "--roots", file) for file in ("/dev/zero", "pipe", "endless")),
    ],
)
def test_file_without_an_end_is_refused(shanben: ShanbenHere, arguments: tuple[str, ...]) -> None:
    os.mkfifo(shanben.folder / "pipe")
    with (shanben.folder / "endless").open("wb") as file:
        file.truncate(1 << 40)
    limited = ["sh", "-c", 'ulimit -v 4000000; exec "$@"', "sh", SHANBEN, "log", "check"]
    done = subprocess.run(
        [*limited, *arguments],
        cwd=shanben.folder,
        env=shanben.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", ["/dev/stdin", "/proc/self/fd/0"])
def test_evidence_is_read_from_a_pipe_that_is_standard_input(shanben: ShanbenHere, place: str) -> None:
    done = subprocess.run(
        [SHANBEN, "log", "check", place, *KEY, "--json"],
        cwd=shanben.folder,
        env=shanben.environment,
        input=(shanben.folder / "evidence").read_bytes(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"not a regular file" not in done.stderr
    assert done.returncode == 1, done.stderr
    assert b"event" in done.stderr, done.stderr


def test_empty_key_is_no_key_of_this_machine(shanben: ShanbenHere) -> None:
    """A script whose variable is empty must not verify by the key of the machine that it runs on."""
    assert shanben.run("init").code == 0
    checked = shanben.run_json("log", "check", "evidence", "--key", "")
    assert checked.code == 2
    assert "keys is not valid" in checked.errors


def test_outcome_of_a_check_that_found_damage_is_stated(shanben: ShanbenHere) -> None:
    found = accession_event("w000000000000", 1, "ab" * 32, time="2026-01-01T00:00:00Z", software="t")
    entry = event_bytes(replace(found, type=EventType.FIXITY_CHECK.value, outcome="failure"))
    note = SIGNER.sign_note(Checkpoint(SIGNER.origin, 1, merkle.tree_hash([merkle.leaf_hash(entry)])).text())
    (shanben.folder / "evidence").write_bytes(evidence.EvidenceFile(entry, 0, (), note).content())
    checked = shanben.run("log", "check", "evidence", *KEY)
    assert (checked.code, "fixity check (failure) of w000000000000" in checked.output) == (0, True), checked.errors
