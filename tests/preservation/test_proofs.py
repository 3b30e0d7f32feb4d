from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation import keys, merkle, proofs
from preservation.notes import Checkpoint
from repository.errors import EvidenceInvalid, RequestInvalid

SIGNER = keys.generate("library.example/log")
ENTRIES = [f"entry {number}".encode() for number in range(7)]


def make_evidence(signer: keys.Signer = SIGNER, origin: str = SIGNER.origin, index: int = 4) -> proofs.Evidence:
    leaves = [merkle.leaf_hash(entry) for entry in ENTRIES]
    proof = merkle.inclusion_proof(index, len(leaves), lambda start, end: merkle.tree_hash(leaves[start:end]))
    checkpoint = Checkpoint(origin, len(leaves), merkle.tree_hash(leaves))
    return proofs.Evidence(ENTRIES[index], index, tuple(proof), signer.sign_note(checkpoint.text()))


def test_sound_evidence_gives_back_the_entry_and_where_it_stands() -> None:
    checked = proofs.check(make_evidence().content(), SIGNER.verifier_key)
    assert (checked.entry, checked.index, checked.size, checked.origin) == (b"entry 4", 4, 7, "library.example/log")


def test_evidence_is_read_and_written_the_same() -> None:
    evidence = make_evidence()
    assert proofs.parse(evidence.content()) == evidence
    assert evidence.content().startswith(b"c2sp.org/tlog-proof@v1\nextra ZW50cnkgNA==\nindex 4\n")


def test_a_log_of_one_entry_needs_no_hashes() -> None:
    note = SIGNER.sign_note(Checkpoint(SIGNER.origin, 1, merkle.leaf_hash(b"")).text())
    content = proofs.Evidence(b"", 0, (), note).content()
    assert proofs.check(content, SIGNER.verifier_key).entry == b""


def test_every_changed_bit_is_noticed() -> None:
    content = make_evidence().content()
    for place in range(len(content)):
        for bit in (1, 4, 32):
            changed = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
            with pytest.raises(EvidenceInvalid):
                proofs.check(changed, SIGNER.verifier_key)


def test_every_cut_is_noticed() -> None:
    content = make_evidence().content()
    for end in range(len(content)):
        with pytest.raises(EvidenceInvalid):
            proofs.check(content[:end], SIGNER.verifier_key)


def test_evidence_of_one_entry_is_none_of_another() -> None:
    evidence = make_evidence()
    swapped = proofs.Evidence(ENTRIES[3], evidence.index, evidence.proof, evidence.checkpoint)
    with pytest.raises(EvidenceInvalid, match="may be altered"):
        proofs.check(swapped.content(), SIGNER.verifier_key)


def test_a_checkpoint_by_another_key_does_not_count() -> None:
    impostor = keys.generate(SIGNER.origin)
    with pytest.raises(EvidenceInvalid, match="not signed by the key given"):
        proofs.check(make_evidence(signer=impostor).content(), SIGNER.verifier_key)


def test_a_checkpoint_of_another_log_does_not_count() -> None:
    with pytest.raises(EvidenceInvalid, match="another log"):
        proofs.check(make_evidence(origin="other.example/log").content(), SIGNER.verifier_key)


def test_a_mistyped_key_is_the_callers_fault() -> None:
    with pytest.raises(RequestInvalid):
        proofs.check(make_evidence().content(), SIGNER.verifier_key[:-1])


@given(st.binary(max_size=200))
def test_garbage_is_refused(content: bytes) -> None:
    for file in (content, f"{proofs.HEADER}\nextra \nindex 0\n".encode() + content):
        with pytest.raises(EvidenceInvalid):
            proofs.check(file, SIGNER.verifier_key)


@pytest.mark.parametrize(
    "content",
    [
        b"x" * (proofs.LONGEST_EVIDENCE + 1),
        f"{proofs.HEADER}\nindex 4\n\n".encode(),
        f"{proofs.HEADER}\nextra !\nindex 4\n\n".encode(),
        f"{proofs.HEADER}\nextra QQ==\nindex 04\n\n".encode(),
        f"{proofs.HEADER}\nextra QQ==\nindex 4\nAAAA\n\n".encode(),
        (f"{proofs.HEADER}\nextra QQ==\nindex 4\n" + f"{'A' * 43}=\n" * 64 + "\n").encode(),
    ],
)
def test_a_file_of_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(EvidenceInvalid):
        proofs.check(content, SIGNER.verifier_key)
