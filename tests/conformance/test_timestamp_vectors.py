"""Timestamps of another authority: the responses of sigstore's, made by its own client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from preservation.log.notes import Note
from preservation.log.timestamp import note_signature, read_roots, verify_timestamp
from repository.errors import EvidenceInvalid

NAME = "timestamp.sigstage.dev"


@pytest.fixture
def vectors(shared: Path) -> Path:
    return shared / "conformance" / "rfc3161" / "sigstage"


def note(vectors: Path, file: str, text: str = "hello") -> Note:
    return Note(text, (note_signature(NAME, (vectors / file).read_bytes()),))


def test_timestamp_of_sigstores_authority_is_verified(vectors: Path) -> None:
    roots = read_roots(str(vectors / "ts_chain.pem"))
    found = verify_timestamp(note(vectors, "response-sha256.tsr"), roots)
    assert found is not None
    assert (found.authority, found.time, found.trusted) == (NAME, "2025-05-09T11:58:55Z", True)


@pytest.mark.parametrize("file", ["response-sha512.tsr", "response-no-embedded-cert.tsr"])
def test_timestamps_that_no_request_of_ours_asks_for_are_refused(vectors: Path, file: str) -> None:
    with pytest.raises(EvidenceInvalid):
        verify_timestamp(note(vectors, file), read_roots(str(vectors / "ts_chain.pem")))


def test_timestamp_of_sigstores_authority_does_not_verify_another_text(vectors: Path) -> None:
    for roots in ([], read_roots(str(vectors / "ts_chain.pem"))):
        with pytest.raises(EvidenceInvalid, match="other data"):
            verify_timestamp(replace(note(vectors, "response-sha256.tsr"), text="other"), roots)
