"""Evidence files: prove offline, with only the log's public key, that an entry is in the provenance log. (pure)

An evidence file is a C2SP tlog-proof::

    c2sp.org/tlog-proof@v1
    extra <the entry, base64>
    index <the entry's index>
    <inclusion proof, a hash a line, base64, from the leaf to the root>

    <the log's checkpoint>

The specification leaves the extra data to the application. Here it is the entry itself, so that the file is
self-contained. `verify` accepts the entry only if the inclusion proof leads from its hash to the signed root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from preservation.log import notes
from preservation.log.log_keys import parse_log_keys
from preservation.log.merkle import HASH_SIZE, includes, leaf_hash
from preservation.log.notes import VerifierKey, decode_base64, encode_base64
from repository.errors import EvidenceInvalid
from repository.localized import LocalizedText

HEADER: Final = "c2sp.org/tlog-proof@v1"
LONGEST_EVIDENCE: Final = 2 << 20
_LONGEST_PROOF: Final = 63
_ARCHIVE: Final = b"PK\x03\x04"
_IS_ARCHIVE: Final = LocalizedText(
    "这是压缩包；请先解压，再逐一核验其中的证据文件，或运行其中的 verify.py",
    "it is an archive; unpack it, then check the evidence files in it one by one, or run the verify.py in it",
)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """The parsed, unverified content of an evidence file.

    `checkpoint` is the signed note that the log published, without signatures of ML-DSA: they are larger than
    everything else together.
    """

    entry: bytes
    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def content(self) -> bytes:
        """Return the file's bytes: the inverse of `parse`."""
        lines = [HEADER, f"extra {encode_base64(self.entry)}", f"index {self.index}", *map(encode_base64, self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """A verified evidence file: the log `origin`, at `size` entries and `root`, holds the entry at `index`.

    `cosigners` are the names of the given witnesses that cosigned the checkpoint, with the times (POSIX seconds).
    """

    entry: bytes
    index: int
    size: int
    root: bytes
    origin: str
    cosigners: Mapping[str, int]


def verify(content: bytes, verifier_key: str, witness_keys: Sequence[VerifierKey] = ()) -> VerifiedEvidence:
    """Verify an evidence file against the log's verifier key line, and the keys of witnesses if any, offline.

    `verifier_key` may also be the list of all keys of the log (`log/log_keys.py`).

    1. Parse the file as a tlog-proof whose extra data is the entry.
    2. Parse the verifier key.
    3. Verify the checkpoint's signature by this key.
    4. Compare the checkpoint's origin with the key's name.
    5. Verify the inclusion proof from the entry's hash to the checkpoint's root.
    6. Verify the cosignatures in the names of these witnesses. The caller decides how many are needed.

    Raises `RequestInvalid` for step 2 and `EvidenceInvalid` for all others.
    """
    # 1. Parse the file.
    evidence = parse(content)
    # 2. Parse the key.
    key = parse_log_keys(verifier_key)
    # 3. Verify the signature.
    checkpoint = key.read(evidence.checkpoint)
    # 4. Compare the origin.
    if checkpoint.origin != key.name:
        raise EvidenceInvalid(
            reason=LocalizedText(
                "检查点属于另一日志，请核对所用的公钥", "the checkpoint belongs to another log; check which key you use"
            )
        )
    # 5. Verify the proof.
    if not includes(checkpoint.head, evidence.index, leaf_hash(evidence.entry), evidence.proof):
        reason = LocalizedText(
            "条目与签发的树根不符，可能被改动；请向藏馆重新索取证据文件",
            "the entry does not lead to the signed root, so it may have been altered; request the evidence file again",
        )
        raise EvidenceInvalid(reason=reason)
    # 6. Verify the cosignatures.
    cosigners = notes.cosigners(evidence.checkpoint, witness_keys)
    head = (checkpoint.size, checkpoint.root, checkpoint.origin)
    return VerifiedEvidence(evidence.entry, evidence.index, *head, cosigners)


def parse(content: bytes) -> EvidenceFile:
    """Parse an evidence file. Raises `EvidenceInvalid` for any form other than the one `content` returns."""
    if content.startswith(_ARCHIVE):
        raise EvidenceInvalid(reason=_IS_ARCHIVE)
    if len(content) > LONGEST_EVIDENCE:
        raise _malformed()
    top, empty_line, checkpoint = content.partition(b"\n\n")
    try:
        header, extra, index, *proof = top.decode("ascii").split("\n")
    except ValueError as fault:
        raise _malformed() from fault
    if not empty_line or header != HEADER:
        raise _malformed()
    return EvidenceFile(_entry(extra), _index(index), _proof(proof), checkpoint)


def _entry(line: str) -> bytes:
    entry = decode_base64(line.removeprefix("extra ")) if line.startswith("extra ") else None
    if entry is None:
        raise EvidenceInvalid(
            reason=LocalizedText(
                "文件中没有条目原文；请重新索取证据文件",
                "the file does not contain the entry; request the evidence file again",
            )
        )
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
        reason=LocalizedText(
            "不是证据文件，或已被截断；请重新下载", "it is not an evidence file or is truncated; download it again"
        )
    )
