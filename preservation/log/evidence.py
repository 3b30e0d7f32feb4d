"""Evidence files: that an entry is in the log, checked by anyone, offline, with the log's public key alone. (pure)

C2SP tlog-proof::

    c2sp.org/tlog-proof@v1
    extra <the entry, base64>
    index <the entry's index>
    <inclusion proof, a hash a line, base64, from the leaf to the root>

    <the log's checkpoint, verbatim>

The specification leaves the extra data to the application: here it is the entry itself, so that the file needs nothing
beside it. It is believed only because its hash is what the proof leads to the signed root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from preservation.log import notes
from preservation.log.merkle import HASH_SIZE, includes, leaf_hash
from preservation.log.notes import decode_base64, encode_base64
from repository.errors import EvidenceInvalid
from repository.localized import LocalizedText

HEADER: Final = "c2sp.org/tlog-proof@v1"
LONGEST_EVIDENCE: Final = 2 << 20
_LONGEST_PROOF: Final = 63


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an evidence file holds, not checked yet. `checkpoint` is the signed note as the log published it."""

    entry: bytes
    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def content(self) -> bytes:
        """The file; `parse` reads it."""
        lines = [HEADER, f"extra {encode_base64(self.entry)}", f"index {self.index}", *map(encode_base64, self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


@dataclass(frozen=True, slots=True)
class CheckedEvidence:
    """What an evidence file proves: the entry stood at `index` when the log `origin` had `size` entries and `root`."""

    entry: bytes
    index: int
    size: int
    root: bytes
    origin: str


def check(content: bytes, verifier_key: str) -> CheckedEvidence:
    """Check an evidence file against the log's verifier key line, offline.

    1. The file has the form of a tlog-proof with the entry in it.
    2. The verifier key is one.
    3. The checkpoint is signed by this key.
    4. The checkpoint is of the log that the key is named for.
    5. The entry's hash, at its index, leads by the proof to the checkpoint's root.

    Raises `RequestInvalid` for step 2 and `EvidenceInvalid` for all others.
    """
    # 1. The form.
    evidence = parse(content)
    # 2. The key.
    key = notes.parse_verifier_key(verifier_key)
    # 3. The signature.
    checkpoint = notes.read_checkpoint(evidence.checkpoint, [key])
    # 4. The log.
    if checkpoint.origin != key.name:
        raise EvidenceInvalid(reason=LocalizedText("检查点属于另一日志", "the checkpoint is of another log"))
    # 5. The proof.
    if not includes(checkpoint.head, evidence.index, leaf_hash(evidence.entry), evidence.proof):
        reason = LocalizedText(
            "条目与签发的树根不符，可能被改动", "the entry does not lead to the signed root: it may be altered"
        )
        raise EvidenceInvalid(reason=reason)
    return CheckedEvidence(evidence.entry, evidence.index, checkpoint.size, checkpoint.root, checkpoint.origin)


def parse(content: bytes) -> Evidence:
    """What an evidence file holds. Raises `EvidenceInvalid` for any other form than the one `content` gives."""
    if len(content) > LONGEST_EVIDENCE:
        raise _malformed()
    top, empty_line, checkpoint = content.partition(b"\n\n")
    try:
        header, extra, index, *proof = top.decode("ascii").split("\n")
    except ValueError as fault:
        raise _malformed() from fault
    if not empty_line or header != HEADER:
        raise _malformed()
    return Evidence(_entry(extra), _index(index), _proof(proof), checkpoint)


def _entry(line: str) -> bytes:
    entry = decode_base64(line.removeprefix("extra ")) if line.startswith("extra ") else None
    if entry is None:
        raise EvidenceInvalid(reason=LocalizedText("文件中没有条目原文", "the file does not hold the entry"))
    return entry


def _index(line: str) -> int:
    index = notes.parse_number(line.removeprefix("index ")) if line.startswith("index ") else None
    if index is None:
        raise _malformed()
    return index


def _proof(lines: Sequence[str]) -> tuple[bytes, ...]:
    hashes = tuple(digest for line in lines if (digest := decode_base64(line)) and len(digest) == HASH_SIZE)
    if len(hashes) != len(lines) or len(hashes) > _LONGEST_PROOF:
        raise _malformed()
    return hashes


def _malformed() -> EvidenceInvalid:
    return EvidenceInvalid(
        reason=LocalizedText("不是证据文件，或已被截断", "it is not an evidence file, or is cut short")
    )
