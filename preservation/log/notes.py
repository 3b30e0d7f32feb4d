"""Parse, verify and write signed notes, verifier keys, checkpoints and cosignatures. (pure)

The formats are C2SP signed-note, tlog-checkpoint and tlog-cosignature (Ed25519 and ML-DSA-44). A note is text that ends
in a newline, an empty line, and signature lines ``— name base64(key ID || signature)``. A verifier key is the line
``name+key ID+base64(type || public key)``. A checkpoint is a note whose text is an origin, a tree size and a root, one
on each line.

Malformed or wrongly signed notes raise `EvidenceInvalid`; an unusable verifier key raises `RequestInvalid`. Private
keys belong to `log/signing_key.py`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from preservation.log.merkle import HASH_SIZE, MAX_SIZE, TreeHead
from repository.errors import EvidenceInvalid, RequestInvalid
from repository.localized import LocalizedText
from repository.whole_numbers import parse_whole_number

LONGEST_NOTE: Final = 1 << 20
MOST_SIGNATURES: Final = 100
_MARK: Final = "— "
_CONTROL: Final = re.compile("[\\x00-\\x09\\x0b-\\x1f]")
_KEY_ID: Final = 4
TIMESTAMP_SIZE: Final = 8
"""The bytes of the time before the signature in a cosignature."""

_CHECKPOINT_LINES: Final = 3
_KEY: Final = LocalizedText("验证公钥", "verifier key")


class Algorithm(IntEnum):
    """The supported signature types (signed-note, "Signature types")."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    ML_DSA_44 = 0x06

    @property
    def key_size(self) -> int:
        """The bytes of a public key."""
        return 1312 if self is Algorithm.ML_DSA_44 else HASH_SIZE


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line: the key's name, its 4-byte ID, and the signature bytes."""

    name: str
    key_id: bytes
    signature_bytes: bytes

    def line(self) -> str:
        """Return the signature line of a note, with its newline."""
        return f"{_MARK}{self.name} {encode_base64(self.key_id + self.signature_bytes)}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and its name."""

    name: str
    algorithm: Algorithm
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that distinguish keys of the same name (signed-note, "Signatures")."""
        return key_id(self.name, self.algorithm, self.public)

    def line(self) -> str:
        """Return the verifier key line without newline: the inverse of `parse_verifier_key`."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.algorithm]) + self.public)}"

    def is_claimed_by(self, signature: Signature) -> bool:
        """Return whether a signature names this key; the signature is not verified."""
        return (signature.name, signature.key_id) == (self.name, self.key_id)

    def verifies(self, text: bytes, signature_bytes: bytes) -> bool:
        """Return whether `signature_bytes` is this key's signature of `text`."""
        if self.algorithm is Algorithm.ED25519:
            return verifies_ed25519(self.public, text, signature_bytes)
        seconds, signed = cosignature_time(signature_bytes), signature_bytes[TIMESTAMP_SIZE:]
        if seconds >= 1 << 63:
            return False
        if self.algorithm is Algorithm.ML_DSA_44:
            return _verifies_ml_dsa(self, text, seconds, signed)
        return verifies_ed25519(self.public, cosigned_message(text, seconds), signed)

    def read(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note that this key signed; callers check the origin. Raises `EvidenceInvalid`."""
        return read_checkpoint(note, [self])


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note with unverified signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def content(self) -> bytes:
        """Return the note's bytes: the inverse of `parse_note`."""
        return (self.text + "\n" + "".join(signature.line() for signature in self.signatures)).encode()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head (tlog-checkpoint, "Note text"). `extensions` are opaque lines; this log writes none."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def head(self) -> TreeHead:
        """The tree head that the checkpoint states."""
        return TreeHead(self.size, self.root)

    @property
    def root_text(self) -> str:
        """The root in base64, as written in the checkpoint."""
        return encode_base64(self.root)

    def text(self) -> str:
        """Return the text to sign: the inverse of `parse_checkpoint`."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, self.root_text, *self.extensions))


def key_id(name: str, algorithm: Algorithm, public: bytes) -> bytes:
    """Return the key ID: the first 4 bytes of SHA-256 of name, newline, signature type and public key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:_KEY_ID]


def cosigned_message(text: bytes, seconds: int) -> bytes:
    """Return what a witness signs of a checkpoint's text (tlog-cosignature, "Ed25519 signed message")."""
    return b"cosignature/v1\ntime %d\n" % seconds + text


def ml_dsa_message(name: str, checkpoint: Checkpoint, seconds: int) -> bytes:
    """Return what the ML-DSA key `name` signs of a checkpoint (tlog-cosignature, "ML-DSA-44 signed message").

    `seconds` is 0 for a signature that states no time. Raises `ValueError` for names longer than 255 bytes.
    """
    names = [len(part).to_bytes(1, "big") + part for part in (name.encode(), checkpoint.origin.encode())]
    numbers = [number.to_bytes(TIMESTAMP_SIZE, "big") for number in (seconds, 0, checkpoint.size)]
    return b"".join((b"subtree/v1\n\0", names[0], numbers[0], names[1], *numbers[1:], checkpoint.root))


def without_ml_dsa(note: bytes, keys: Iterable[VerifierKey]) -> bytes:
    """Return a note without the signatures of those of `keys` that are ML-DSA keys: they are 3 kB each.

    Raises `EvidenceInvalid`.
    """
    parsed, large = parse_note(note), [key for key in keys if key.algorithm is Algorithm.ML_DSA_44]
    kept = [each for each in parsed.signatures if not any(key.is_claimed_by(each) for key in large)]
    return Note(parsed.text, tuple(kept)).content()


def cosignature_time(signature_bytes: bytes) -> int:
    """Return the POSIX time in seconds at which a witness made a cosignature."""
    return int.from_bytes(signature_bytes[:TIMESTAMP_SIZE], "big")


def is_key_name(name: str) -> bool:
    """Return whether `name` may name a key: not empty, without spaces, plus signs and control characters."""
    return bool(name) and "+" not in name and not any(character.isspace() or character < " " for character in name)


def parse_verifier_key(line: str) -> VerifierKey:
    """Parse a verifier key line. Raises `RequestInvalid`."""
    name, _, rest = line.strip().partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode_base64(encoded)
    if not material or not is_key_name(name):
        raise RequestInvalid(
            part=_KEY,
            reason=LocalizedText("应为“名称+编号+公钥”一行", "it must be one line of the form name+id+key"),
        )
    if material[0] not in set(Algorithm) or len(material) != 1 + Algorithm(material[0]).key_size:
        reason = LocalizedText("只支持 Ed25519 与 ML-DSA-44 公钥", "only Ed25519 and ML-DSA-44 keys are supported")
        raise RequestInvalid(part=_KEY, reason=reason)
    key = VerifierKey(name, Algorithm(material[0]), material[1:])
    if key.key_id.hex() != identifier:
        raise RequestInvalid(
            part=_KEY,
            reason=LocalizedText("编号与公钥不符，请重新复制", "its ID does not match the key; copy the line again"),
        )
    return key


def parse_note(content: bytes) -> Note:
    """Parse a note without verifying its signatures. Raises `EvidenceInvalid`."""
    if len(content) > LONGEST_NOTE:
        raise EvidenceInvalid(
            reason=LocalizedText(f"文件超过 {LONGEST_NOTE} 字节", f"the file is larger than {LONGEST_NOTE} bytes")
        )
    try:
        decoded = content.decode()
    except UnicodeDecodeError as fault:
        raise EvidenceInvalid(reason=LocalizedText("不是 UTF-8 文本", "it is not UTF-8 text")) from fault
    text, empty_line, signature_lines = decoded.rpartition("\n\n")
    if not empty_line or not signature_lines.endswith("\n") or _CONTROL.search(decoded):
        raise EvidenceInvalid(
            reason=LocalizedText(
                "不是签名文本，或已被截断；请重新下载", "it is not a signed note or is truncated; download it again"
            )
        )
    lines = signature_lines.removesuffix("\n").split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise EvidenceInvalid(
            reason=LocalizedText(f"签名多于 {MOST_SIGNATURES} 个", f"it has more than {MOST_SIGNATURES} signatures")
        )
    return Note(text + "\n", tuple(_parse_signature(line) for line in lines))


def _parse_signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    material = decode_base64(encoded)
    if not line.startswith(_MARK) or not is_key_name(name) or material is None or len(material) <= _KEY_ID:
        raise EvidenceInvalid(reason=LocalizedText("签名行格式有误", "a signature line is malformed"))
    return Signature(name, material[:_KEY_ID], material[_KEY_ID:])


def verify_note(content: bytes, keys: Sequence[VerifierKey]) -> Note:
    """Return the note if at least one of `keys` signed it and no signature in their names is false.

    Signatures by other keys are ignored (signed-note, "Signatures"). Raises `EvidenceInvalid`.
    """
    note = parse_note(content)
    text = note.text.encode()
    claims = [(key, signature) for signature in note.signatures for key in keys if key.is_claimed_by(signature)]
    if not claims:
        raise EvidenceInvalid(
            reason=LocalizedText(
                "没有所给公钥的签名，请核对公钥", "it is not signed by the key given; check which key you use"
            )
        )
    for key, signature in claims:
        if not key.verifies(text, signature.signature_bytes):
            raise EvidenceInvalid(
                reason=LocalizedText(f"{key.name} 的签名无效", f"the signature of {key.name} is invalid")
            )
    return note


def cosigners(content: bytes, keys: Iterable[VerifierKey]) -> Mapping[str, int]:
    """Return the names of those of `keys` that cosigned a note, with the times of their cosignatures (POSIX seconds).

    A signature in the name of one of the keys that is false makes the note invalid (signed-note, "Signatures"). Raises
    `EvidenceInvalid`.
    """
    note = parse_note(content)
    claims = [(key, signature) for key in keys for signature in note.signatures if key.is_claimed_by(signature)]
    if claims:
        verify_note(content, [key for key, _ in claims])
    return {key.name: cosignature_time(signature.signature_bytes) for key, signature in claims}


def parse_checkpoint(text: str) -> Checkpoint:
    """Parse a note's text as a checkpoint. Raises `EvidenceInvalid`."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < _CHECKPOINT_LINES or not all(lines) or not text.endswith("\n"):
        raise EvidenceInvalid(reason=LocalizedText("不是检查点", "it is not a checkpoint"))
    origin, size, root, *extensions = lines
    digest = decode_base64(root)
    number = parse_number(size)
    if number is None or digest is None or len(digest) != HASH_SIZE:
        raise EvidenceInvalid(
            reason=LocalizedText("检查点的条数或树根有误", "the checkpoint's size or root is malformed")
        )
    return Checkpoint(origin, number, digest, tuple(extensions))


def read_checkpoint(content: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Verify a note and return its checkpoint; callers must check the origin. Raises `EvidenceInvalid`."""
    return parse_checkpoint(verify_note(content, keys).text)


def parse_number(digits: str) -> int | None:
    """Parse a size or index: ASCII decimal, no leading zeroes, below 2**63. Return None for anything else."""
    number = parse_whole_number(digits, MAX_SIZE - 1)
    return number if number is not None and str(number) == digits else None


def verifies_ed25519(public: bytes, message: bytes, signature_bytes: bytes) -> bool:
    """Return whether `signature_bytes` is the Ed25519 signature (RFC 8032) of `message` by the 32-byte public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature_bytes, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _verifies_ml_dsa(key: VerifierKey, text: bytes, seconds: int, signature_bytes: bytes) -> bool:
    """Return whether a signature is the ML-DSA-44 signature (FIPS 204) of a checkpoint's text by a key."""
    try:
        message = ml_dsa_message(key.name, parse_checkpoint(text.decode()), seconds)
        MLDSA44PublicKey.from_public_bytes(key.public).verify(signature_bytes, message)
    except (InvalidSignature, ValueError, EvidenceInvalid):
        return False
    return True


def encode_base64(content: bytes) -> str:
    """Encode as standard base64 (RFC 4648 section 4)."""
    return base64.b64encode(content).decode("ascii")


def decode_base64(text: str) -> bytes | None:
    """Decode canonical standard base64 (RFC 4648 section 4). Return None for any other form."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if encode_base64(content) == text else None
