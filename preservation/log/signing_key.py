"""Sign with the keys of a log and of a witness: only this module and `log/key_file.py` handle private keys.

A private key is one line in the format of Go's ``sumdb/note``, which C2SP tools share:
``PRIVATE+KEY+name+key ID+base64(signature type || 32-byte seed)``. The name of a log's key is the log's origin: a key
signs for one log, whose origin is fixed when the key is created. A witness's key is the file ``witness.key``, mode
0600, which is never overwritten.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from preservation.log.log_keys import LogKeys
from preservation.log.merkle import HASH_SIZE
from preservation.log.notes import (
    TIMESTAMP_SIZE,
    Algorithm,
    Signature,
    VerifierKey,
    cosigned_message,
    decode_base64,
    encode_base64,
    is_key_name,
    key_id,
    ml_dsa_message,
    parse_checkpoint,
)
from preservation.private_file import read_private, write_private
from repository.errors import DependencyMissing, SettingInvalid
from repository.localized import LocalizedText

WITNESS_KEY_FILE: Final = "witness.key"
PREFIX: Final = "PRIVATE+KEY+"
_LONGEST_NAME: Final = 255
"""The longest name of a key in bytes: what ML-DSA signs states the length in one byte."""


class PrivateKey:
    """A private key of one log, Ed25519 or ML-DSA-44. Its seed cannot be read from it."""

    __slots__ = ("_private", "key")

    def __init__(self, origin: str, algorithm: Algorithm, seed: bytes) -> None:
        self._private = private_key(algorithm, seed)
        self.key = VerifierKey(origin, algorithm, self._private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """Return the signature of a checkpoint's text. That of ML-DSA states no time: only witnesses state theirs."""
        if self.key.algorithm is Algorithm.ED25519:
            return Signature(self.key.name, self.key.key_id, self._private.sign(text.encode()))
        message = ml_dsa_message(self.key.name, parse_checkpoint(text), 0)
        return Signature(self.key.name, self.key.key_id, bytes(TIMESTAMP_SIZE) + self._private.sign(message))


class Signer:
    """Signs checkpoints of one log with all keys that are not retired. The private keys cannot be read from it."""

    __slots__ = ("_private", "keys")

    def __init__(self, origin: str, seed: bytes) -> None:
        private = PrivateKey(origin, Algorithm.ED25519, seed)
        self._private: tuple[PrivateKey, ...] = (private,)
        self.keys = LogKeys.of(private.key)

    @classmethod
    def of(cls, keys: LogKeys, private: Sequence[PrivateKey]) -> Signer:
        """Return the signer that has these keys; `private` are those that sign, in their order."""
        signer = cls.__new__(cls)
        signer.keys, signer._private = keys, tuple(private)
        return signer

    @property
    def origin(self) -> str:
        """The log's origin, which is also the name of its keys."""
        return self.keys.name

    @property
    def key(self) -> VerifierKey:
        """The newest Ed25519 key."""
        return self.keys.current

    @property
    def verifier_key(self) -> str:
        """The newest Ed25519 key as a C2SP verifier key line."""
        return self.key.line()

    def sign(self, text: str) -> str:
        """Return the signature lines for a note's text, with their newlines: those of Ed25519 first."""
        order = sorted(self._private, key=lambda private: private.key.algorithm)
        return "".join(private.sign(text).line() for private in order)

    def sign_note(self, text: str) -> bytes:
        """Return the text as a note signed by these keys."""
        return f"{text}\n{self.sign(text)}".encode()


class Cosigner:
    """Cosigns checkpoints as a witness (C2SP tlog-cosignature, Ed25519). The private key cannot be read from it."""

    __slots__ = ("_key", "_private")

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._key = VerifierKey(name, Algorithm.COSIGNATURE, self._private.public_key().public_bytes_raw())

    @property
    def key(self) -> VerifierKey:
        """The public key."""
        return self._key

    def cosign(self, text: str, seconds: int) -> Signature:
        """Return the cosignature of a checkpoint's text at a POSIX time in seconds."""
        signature = self._private.sign(cosigned_message(text.encode(), seconds))
        return Signature(self._key.name, self._key.key_id, seconds.to_bytes(TIMESTAMP_SIZE, "big") + signature)


def load_or_create_cosigner(folder: Path, name: str) -> Cosigner:
    """Load the witness's key in `folder`, or create it with this name; '' keeps the name of an existing key.

    Raises `SettingInvalid` when the key is unusable or has another name, or when there is none and no name is given.
    """
    path = folder / WITNESS_KEY_FILE
    if not path.exists():
        seed = secrets.token_bytes(HASH_SIZE)
        cosigner = Cosigner(checked_name(name, "--name"), seed)
        write_private(path, f"{private_line(cosigner.key, seed)}\n".encode())
        return cosigner
    cosigner = Cosigner(*_parse(read_private(path)))
    if name not in ("", cosigner.key.name):
        reason = LocalizedText(
            f"密钥属于 {cosigner.key.name}，名称不可更改；请省略 --name",
            f"the key is that of {cosigner.key.name}, whose name cannot change; leave --name out",
        )
        raise SettingInvalid(name="--name", reason=reason)
    return cosigner


def check_origin(origin: str, setting: str) -> None:
    """Raise `SettingInvalid` when the setting `log_origin` differs from the key's origin; '' accepts any key."""
    if setting not in ("", origin):
        reason = LocalizedText(
            f"密钥属于日志 {origin}，日志名称不可更改；请改回或清空此设置",
            f"the key belongs to the log {origin}, whose origin cannot change; set this to {origin} or leave it empty",
        )
        raise SettingInvalid(name="log_origin", reason=reason)


def checked_name(name: str, setting: str) -> str:
    """Return the name of a key. Raises `SettingInvalid` for one that no key can have."""
    if not is_key_name(name):
        reason = LocalizedText(
            f"{name!r} 不能含空格或加号，也不能为空", f"{name!r} must not be empty or contain spaces or plus signs"
        )
        raise SettingInvalid(name=setting, reason=reason)
    if len(name.encode()) > _LONGEST_NAME:
        reason = LocalizedText(f"名称至多 {_LONGEST_NAME} 字节", f"the name has at most {_LONGEST_NAME} bytes")
        raise SettingInvalid(name=setting, reason=reason)
    return name


def signing_key_missing() -> DependencyMissing:
    """Return the error for a machine that can read the log and not sign it."""
    remedy = LocalizedText(
        "日志由持有密钥的机器签发；如需在本机签发，请从该机复制 keys 目录（权限 600）",
        "another machine holds the key and signs the log; to sign on this machine too, copy that machine's keys folder"
        " (mode 600)",
    )
    return DependencyMissing(what=LocalizedText("日志签名密钥", "the log's signing key"), remedy=remedy)


def _parse(content: bytes) -> tuple[str, bytes]:
    """Return the name and the seed of a witness's private key."""
    try:
        name, algorithm, seed = parse_private_line(content.decode().removesuffix("\n"))
    except ValueError as fault:
        raise damaged_file(WITNESS_KEY_FILE) from fault
    if algorithm is not Algorithm.COSIGNATURE:
        raise damaged_file(WITNESS_KEY_FILE)
    return name, seed


def private_line(key: VerifierKey, seed: bytes) -> str:
    """Return the line of a private key, without newline."""
    return f"{PREFIX}{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.algorithm]) + seed)}"


def parse_private_line(line: str) -> tuple[str, Algorithm, bytes]:
    """Return the name, the algorithm and the seed of a private key. Raises `ValueError`."""
    name, _, rest = line.removeprefix(PREFIX).partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode_base64(encoded) or b""
    if not (line.startswith(PREFIX) and is_key_name(name) and len(material) == 1 + HASH_SIZE):
        raise ValueError("malformed")
    algorithm, seed = Algorithm(material[0]), material[1:]
    # The key ID serves as a checksum: a damaged seed gives another public key.
    if key_id(name, algorithm, private_key(algorithm, seed).public_key().public_bytes_raw()).hex() != identifier:
        raise ValueError("damaged")
    return name, algorithm, seed


def private_key(algorithm: Algorithm, seed: bytes) -> Ed25519PrivateKey | MLDSA44PrivateKey:
    """Return the private key of a 32-byte seed."""
    if algorithm is Algorithm.ML_DSA_44:
        return MLDSA44PrivateKey.from_seed_bytes(seed)
    return Ed25519PrivateKey.from_private_bytes(seed)


def damaged_file(name: str) -> SettingInvalid:
    """Return the error for a key file that cannot be used."""
    reason = LocalizedText("文件已损坏；请放回备份", "the file is damaged; restore it from its backup")
    return SettingInvalid(name=name, reason=reason)
