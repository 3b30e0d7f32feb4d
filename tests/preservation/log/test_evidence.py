from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_log import temporary_signer

from preservation.log import evidence, merkle, signing_key
from preservation.log.notes import Checkpoint
from repository.errors import EvidenceInvalid, RequestInvalid

SIGNER = temporary_signer("library.example/log")
ENTRIES = [f"entry {number}".encode() for number in range(7)]


def make_evidence(
    signer: signing_key.Signer = SIGNER, origin: str = SIGNER.origin, index: int = 4
) -> evidence.EvidenceFile:
    leaves = [merkle.leaf_hash(entry) for entry in ENTRIES]
    proof = merkle.inclusion_proof(index, len(leaves), lambda start, end: merkle.tree_hash(leaves[start:end]))
    checkpoint = Checkpoint(origin, len(leaves), merkle.tree_hash(leaves))
    return evidence.EvidenceFile(ENTRIES[index], index, tuple(proof), signer.sign_note(checkpoint.text()))


def test_evidence_gives_the_entry_and_its_index() -> None:
    checked = evidence.verify(make_evidence().content(), SIGNER.verifier_key)
    assert (checked.entry, checked.index, checked.size, checked.origin) == (b"entry 4", 4, 7, "library.example/log")


def test_evidence_parse_is_the_inverse_of_content() -> None:
    evidence_file = make_evidence()
    assert evidence.parse(evidence_file.content()) == evidence_file
    assert evidence_file.content().startswith(b"c2sp.org/tlog-proof@v1\nextra ZW50cnkgNA==\nindex 4\n")


def test_evidence_from_a_log_of_one_entry_has_an_empty_proof() -> None:
    note = SIGNER.sign_note(Checkpoint(SIGNER.origin, 1, merkle.leaf_hash(b"")).text())
    content = evidence.EvidenceFile(b"", 0, (), note).content()
    assert evidence.verify(content, SIGNER.verifier_key).entry == b""


def test_evidence_with_any_changed_bit_is_refused() -> None:
    content = make_evidence().content()
    for place in range(len(content)):
        for bit in (1, 4, 32):
            changed = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
            with pytest.raises(EvidenceInvalid):
                evidence.verify(changed, SIGNER.verifier_key)


def test_truncated_evidence_is_refused() -> None:
    content = make_evidence().content()
    for end in range(len(content)):
        with pytest.raises(EvidenceInvalid):
            evidence.verify(content[:end], SIGNER.verifier_key)


def test_evidence_does_not_verify_another_entry() -> None:
    evidence_file = make_evidence()
    swapped = evidence.EvidenceFile(ENTRIES[3], evidence_file.index, evidence_file.proof, evidence_file.checkpoint)
    with pytest.raises(EvidenceInvalid, match="may have been altered"):
        evidence.verify(swapped.content(), SIGNER.verifier_key)


def test_evidence_signed_by_another_key_is_refused() -> None:
    other_signer = temporary_signer(SIGNER.origin)
    with pytest.raises(EvidenceInvalid, match="not signed by the key given"):
        evidence.verify(make_evidence(signer=other_signer).content(), SIGNER.verifier_key)


def test_evidence_from_another_log_is_refused() -> None:
    with pytest.raises(EvidenceInvalid, match="another log"):
        evidence.verify(make_evidence(origin="other.example/log").content(), SIGNER.verifier_key)


def test_evidence_verification_with_a_mistyped_key_is_a_request_fault() -> None:
    with pytest.raises(RequestInvalid):
        evidence.verify(make_evidence().content(), SIGNER.verifier_key[:-1])


@given(st.binary(max_size=200))
def test_evidence_verification_refuses_garbage(content: bytes) -> None:
    for file in (content, f"{evidence.HEADER}\nextra \nindex 0\n".encode() + content):
        with pytest.raises(EvidenceInvalid):
            evidence.verify(file, SIGNER.verifier_key)


@pytest.mark.parametrize(
    "content",
    [
        b"x" * (evidence.LONGEST_EVIDENCE + 1),
        f"{evidence.HEADER}\nindex 4\n\n".encode(),
        f"{evidence.HEADER}\nextra !\nindex 4\n\n".encode(),
        f"{evidence.HEADER}\nextra QQ==\nindex 04\n\n".encode(),
        f"{evidence.HEADER}\nextra QQ==\nindex 4\nAAAA\n\n".encode(),
        (f"{evidence.HEADER}\nextra QQ==\nindex 4\n" + f"{'A' * 43}=\n" * 64 + "\n").encode(),
    ],
)
def test_evidence_of_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(EvidenceInvalid):
        evidence.verify(content, SIGNER.verifier_key)
