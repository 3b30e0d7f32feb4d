"""The decisions of a witness, in the order of C2SP tlog-witness, "add-checkpoint"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_log import temporary_signer
from witness_requests import GrowingLog

from preservation.log.merkle import EMPTY_ROOT, HASH_SIZE, TreeHead
from preservation.log.notes import Checkpoint, parse_checkpoint, parse_note
from preservation.log.signing_key import Cosigner
from preservation.log.witness import LONGEST_PROOF, Submission, Verdict, accepted_logs, judge, parse_submission
from repository.errors import EvidenceInvalid

LOG = GrowingLog()
LOGS = accepted_logs([LOG.signer.key])


def head_at(size: int, log: GrowingLog = LOG) -> TreeHead:
    return parse_checkpoint(parse_note(log.note(size)).text).head


def verdict(body: bytes, cosigned: TreeHead) -> Verdict:
    return judge(body, LOGS, lambda _: cosigned).verdict


@given(st.integers(0, 40), st.integers(0, 40))
def test_witness_cosigns_every_consistent_growth(old: int, growth: int) -> None:
    judgement = judge(LOG.submission(old, old + growth), LOGS, lambda _: head_at(old))
    assert (judgement.verdict, judgement.size) == (Verdict.COSIGN, old + growth)
    assert judgement.note == parse_note(LOG.note(old + growth))


@given(st.integers(1, 40), st.integers(0, 40))
def test_witness_never_cosigns_a_fork(old: int, growth: int) -> None:
    body = LOG.fork().submission(old, old + growth)
    assert verdict(body, head_at(old)) is Verdict.INCONSISTENT


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_witness_states_its_size_when_the_old_size_is_another(old: int, growth: int, cosigned: int) -> None:
    judgement = judge(LOG.submission(old, old + growth), LOGS, lambda _: head_at(cosigned))
    assert (judgement.verdict, judgement.size) == (
        (Verdict.COSIGN, old + growth) if cosigned == old else (Verdict.OTHER_SIZE, cosigned)
    )


def test_witness_refuses_a_rollback() -> None:
    assert verdict(LOG.submission(3, 5), head_at(9)) is Verdict.OTHER_SIZE
    assert verdict(Submission(9, (), LOG.note(5)).content(), head_at(9)) is Verdict.MALFORMED


def test_witness_does_not_know_a_log_without_a_configured_key() -> None:
    assert verdict(GrowingLog("other.example/log").submission(0, 1), head_at(0)) is Verdict.UNKNOWN_LOG


def test_witness_refuses_a_checkpoint_that_another_key_signed() -> None:
    assert verdict(GrowingLog(LOG.signer.origin).submission(0, 1), head_at(0)) is Verdict.NOT_SIGNED


def test_witness_refuses_a_false_signature_in_the_name_of_the_logs_key() -> None:
    text = parse_note(LOG.note(5)).text
    false = LOG.signer.sign("another text")
    assert verdict(Submission(0, (), f"{text}\n{false}".encode()).content(), head_at(0)) is Verdict.NOT_SIGNED


def test_witness_ignores_and_drops_signatures_of_unknown_keys() -> None:
    stranger = temporary_signer("stranger.example").sign(parse_note(LOG.note(5)).text)
    judgement = judge(LOG.submission(0, 5) + stranger.encode(), LOGS, lambda _: head_at(0))
    assert judgement.verdict is Verdict.COSIGN
    assert judgement.note == parse_note(LOG.note(5))


def test_empty_tree_has_the_empty_root() -> None:
    def submission(root: bytes) -> bytes:
        return Submission(0, (), LOG.signer.sign_note(Checkpoint(LOG.signer.origin, 0, root).text())).content()

    assert verdict(submission(EMPTY_ROOT), head_at(0)) is Verdict.COSIGN
    assert verdict(submission(b"x" * HASH_SIZE), head_at(0)) is Verdict.INCONSISTENT


@pytest.mark.parametrize(("old", "size"), [(0, 5), (5, 5), (5, 8)])
def test_witness_refuses_a_proof_with_a_hash_too_many(old: int, size: int) -> None:
    submission = parse_submission(LOG.submission(old, size))
    longer = Submission(old, (*submission.proof, b"x" * HASH_SIZE), submission.note)
    assert verdict(longer.content(), head_at(old)) is Verdict.INCONSISTENT


NOTE = LOG.note(5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        NOTE,
        b"old 0\n" + NOTE,
        b"old 00\n\n" + NOTE,
        b"old -1\n\n" + NOTE,
        b"old\n\n" + NOTE,
        b"old 0 \n\n" + NOTE,
        b"OLD 0\n\n" + NOTE,
        b"old 0\nAAAA\n\n" + NOTE,
        b"old 0\n\xff\n\n" + NOTE,
        b"old 0\n\n",
        b"old 0\n\n" + NOTE[:-1],
        b"old 0\n\nno\ncheckpoint\n\n" + NOTE.partition(b"\n\n")[2],
        Submission(0, (b"x" * HASH_SIZE,) * (LONGEST_PROOF + 1), NOTE).content(),
        Submission(6, (), NOTE).content(),
    ],
)
def test_witness_calls_other_requests_malformed(body: bytes) -> None:
    assert verdict(body, head_at(0)) is Verdict.MALFORMED


@given(st.integers(0, (1 << 63) - 1), st.lists(st.binary(min_size=HASH_SIZE, max_size=HASH_SIZE), max_size=63))
def test_parse_submission_is_the_inverse_of_content(size: int, proof: list[bytes]) -> None:
    submission = Submission(size, tuple(proof), NOTE)
    assert parse_submission(submission.content()) == submission


@given(st.binary(max_size=300))
def test_parse_submission_refuses_garbage(body: bytes) -> None:
    with pytest.raises(EvidenceInvalid):
        parse_submission(body)


def test_accepted_logs_leave_cosigning_keys_out() -> None:
    assert accepted_logs([Cosigner("witness.example", b"s" * HASH_SIZE).key]) == {}


def test_accepted_logs_have_all_keys_of_an_origin() -> None:
    newer = temporary_signer(LOG.signer.origin).key
    assert accepted_logs([LOG.signer.key, newer]) == {LOG.signer.origin: [LOG.signer.key, newer]}
