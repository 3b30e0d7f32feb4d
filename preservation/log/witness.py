"""The C2SP tlog-witness protocol as values: what a log submits, and what a witness decides of it. (pure)

A submission is the body of the request ``add-checkpoint``::

    old <size of the tree that the witness cosigned last>
    <consistency proof, a hash a line, base64>

    <the log's checkpoint, a signed note>

`judge` makes the checks of "add-checkpoint" in the order of the specification. The transport belongs to `web/witness`,
and the log's side to `log/witnesses.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from preservation.log.merkle import EMPTY_ROOT, HASH_SIZE, TreeHead, extends
from preservation.log.notes import (
    Algorithm,
    Checkpoint,
    Note,
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_checkpoint,
    parse_note,
    parse_number,
    verify_note,
)
from repository.errors import EvidenceInvalid
from repository.localized import LocalizedText

LONGEST_PROOF: Final = 63
"""The most hashes of a consistency proof (tlog-witness, "add-checkpoint")."""


class Verdict(Enum):
    """What a witness decides of a submission."""

    COSIGN = "cosign"
    MALFORMED = "malformed"
    UNKNOWN_LOG = "unknown-log"
    NOT_SIGNED = "not-signed"
    OTHER_SIZE = "other-size"
    INCONSISTENT = "inconsistent"


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint, as a signed note, and the proof that its tree extends the one of `old_size`."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes

    def content(self) -> bytes:
        """Return the request's body: the inverse of `parse_submission`."""
        lines = [f"old {self.old_size}", *map(encode_base64, self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.note


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict. `size` is that of the tree cosigned last; `note` holds the signatures of the log's keys alone."""

    verdict: Verdict
    size: int = 0
    note: Note | None = None
    checkpoint: Checkpoint | None = None


def parse_submission(body: bytes) -> Submission:
    """Parse the body of a request. Raises `EvidenceInvalid`."""
    top, empty_line, note = body.partition(b"\n\n")
    try:
        old, *lines = top.decode("ascii").split("\n")
    except UnicodeDecodeError as fault:
        raise _malformed() from fault
    size = parse_number(old.removeprefix("old ")) if old.startswith("old ") else None
    proof = tuple(digest for line in lines if (digest := decode_base64(line)) and len(digest) == HASH_SIZE)
    if size is None or not empty_line or len(proof) != len(lines) or len(proof) > LONGEST_PROOF:
        raise _malformed()
    return Submission(size, proof, note)


def judge(
    body: bytes, logs: Mapping[str, Sequence[VerifierKey]], cosigned_head: Callable[[str], TreeHead]
) -> Judgement:
    """Judge a submission by the keys of each accepted origin and the tree head that was cosigned last for it.

    `cosigned_head` returns the head of size 0 for a log that was never cosigned.
    """
    try:
        submission = parse_submission(body)
        checkpoint = parse_checkpoint(parse_note(submission.note).text)
    except EvidenceInvalid:
        return Judgement(Verdict.MALFORMED)
    keys = logs.get(checkpoint.origin, ())
    try:
        note = verify_note(submission.note, keys)
    except EvidenceInvalid:
        return Judgement(Verdict.NOT_SIGNED if keys else Verdict.UNKNOWN_LOG)
    if submission.old_size > checkpoint.size:
        return Judgement(Verdict.MALFORMED)
    own = tuple(signature for signature in note.signatures if any(key.is_claimed_by(signature) for key in keys))
    return _judge_growth(submission, Note(note.text, own), checkpoint, cosigned_head(checkpoint.origin))


def _judge_growth(submission: Submission, note: Note, checkpoint: Checkpoint, old: TreeHead) -> Judgement:
    if submission.old_size != old.size:
        return Judgement(Verdict.OTHER_SIZE, old.size)
    if not _is_consistent(old, checkpoint.head, submission.proof):
        return Judgement(Verdict.INCONSISTENT, old.size)
    return Judgement(Verdict.COSIGN, checkpoint.size, note, checkpoint)


def accepted_logs(keys: Sequence[VerifierKey]) -> Mapping[str, Sequence[VerifierKey]]:
    """Return the keys of each origin: a log's key has the origin as its name. Cosigning keys are left out."""
    logs: dict[str, list[VerifierKey]] = {}
    for key in keys:
        if key.algorithm is Algorithm.ED25519:
            logs.setdefault(key.name, []).append(key)
    return logs


def _is_consistent(old: TreeHead, new: TreeHead, proof: Sequence[bytes]) -> bool:
    if new.size == 0 and new.root != EMPTY_ROOT:
        return False
    # An empty tree is consistent with any tree, and has no proof.
    return extends(old, new, proof) if old.size else not proof


def _malformed() -> EvidenceInvalid:
    return EvidenceInvalid(reason=LocalizedText("不是见证请求", "it is not a request to a witness"))
