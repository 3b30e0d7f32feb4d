"""Create, load and use the keys of a log and of a witness: the only module that handles private keys.

A log's key is the file ``log.key``, a witness's the file ``witness.key``, mode 0600, in a separate folder. It holds one
line in the format of Go's ``sumdb/note``, which C2SP tools share:
``PRIVATE+KEY+name+key ID+base64(signature type || 32-byte Ed25519 seed)``. The name of a log's key is the log's origin:
a key signs for one log, whose origin is fixed when the key is created. The file is never overwritten.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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
)
from preservation.private_file import read_private, write_private
from repository.errors import DependencyMissing, SettingInvalid
from repository.localized import LocalizedText

KEY_FILE: Final = "log.key"
WITNESS_KEY_FILE: Final = "witness.key"
_PREFIX: Final = "PRIVATE+KEY+"


class Signer:
    """Signs notes for one log. The private key cannot be read from it."""

    __slots__ = ("_key", "_private")

    def __init__(self, origin: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._key = VerifierKey(origin, Algorithm.ED25519, self._private.public_key().public_bytes_raw())

    @property
    def origin(self) -> str:
        """The log's origin, which is also the key's name."""
        return self._key.name

    @property
    def key(self) -> VerifierKey:
        """The public key."""
        return self._key

    @property
    def verifier_key(self) -> str:
        """The public key as a C2SP verifier key line."""
        return self._key.line()

    def sign(self, text: str) -> str:
        """Return the signature line for a note's text, with its newline."""
        return Signature(self.origin, self._key.key_id, self._private.sign(text.encode())).line()

    def sign_note(self, text: str) -> bytes:
        """Return the text as a note signed by this key."""
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


def create(folder: Path, origin: str) -> Signer:
    """Create a key and store it in `folder`. Raises `SettingInvalid` when a key exists or the origin is invalid."""
    seed = secrets.token_bytes(HASH_SIZE)
    signer = Signer(_checked(origin, "log_origin"), seed)
    _store(folder / KEY_FILE, signer.key, seed)
    return signer


def load_or_create_cosigner(folder: Path, name: str) -> Cosigner:
    """Load the witness's key in `folder`, or create it with this name; '' keeps the name of an existing key.

    Raises `SettingInvalid` when the key is unusable or has another name, or when there is none and no name is given.
    """
    path = folder / WITNESS_KEY_FILE
    if not path.exists():
        seed = secrets.token_bytes(HASH_SIZE)
        cosigner = Cosigner(_checked(name, "--name"), seed)
        _store(path, cosigner.key, seed)
        return cosigner
    cosigner = Cosigner(*_parse(read_private(path), WITNESS_KEY_FILE, Algorithm.COSIGNATURE))
    if name not in ("", cosigner.key.name):
        reason = LocalizedText(
            f"密钥属于 {cosigner.key.name}，名称不可更改；请省略 --name",
            f"the key is that of {cosigner.key.name}, whose name cannot change; leave --name out",
        )
        raise SettingInvalid(name="--name", reason=reason)
    return cosigner


def load(folder: Path) -> Signer:
    """Load the key in `folder`. Raises `DependencyMissing` when it is missing, `SettingInvalid` when it is unusable."""
    try:
        content = read_private(folder / KEY_FILE)
    except FileNotFoundError as fault:
        remedy = LocalizedText(
            "请运行 shanben init，或放回备份的密钥", "run shanben init, or restore the key from its backup"
        )
        raise DependencyMissing(what=LocalizedText("日志签名密钥", "the log's signing key"), remedy=remedy) from fault
    return Signer(*_parse(content, KEY_FILE, Algorithm.ED25519))


def load_or_create(folder: Path, origin: str) -> Signer:
    """Load the key in `folder`, or create it for `origin`. Raises `SettingInvalid` when it has another origin."""
    if not (folder / KEY_FILE).exists():
        return create(folder, origin)
    signer = load(folder)
    check_origin(signer.origin, origin)
    return signer


def check_origin(origin: str, setting: str) -> None:
    """Raise `SettingInvalid` when the setting `log_origin` differs from the key's origin; '' accepts any key."""
    if setting not in ("", origin):
        reason = LocalizedText(
            f"密钥属于日志 {origin}，日志名称不可更改；请改回或清空此设置",
            f"the key belongs to the log {origin}, whose origin cannot change; set this to {origin} or leave it empty",
        )
        raise SettingInvalid(name="log_origin", reason=reason)


def _checked(name: str, setting: str) -> str:
    if not is_key_name(name):
        reason = LocalizedText(
            f"{name!r} 不能含空格或加号，也不能为空", f"{name!r} must not be empty or contain spaces or plus signs"
        )
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


def _store(path: Path, key: VerifierKey, seed: bytes) -> None:
    """Write a new key file, durably. Raises `SettingInvalid` when one exists."""
    line = f"{_PREFIX}{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.algorithm]) + seed)}\n"
    write_private(path, line.encode())


def _parse(content: bytes, file: str, algorithm: Algorithm) -> tuple[str, bytes]:
    """Return the name and the seed of a private key."""
    damaged = SettingInvalid(
        name=file,
        reason=LocalizedText("文件已损坏；请放回备份", "the file is damaged; restore it from its backup"),
    )
    try:
        line = content.decode().removesuffix("\n")
    except UnicodeDecodeError as fault:
        raise damaged from fault
    name, _, rest = line.removeprefix(_PREFIX).partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode_base64(encoded) or b""
    if not (line.startswith(_PREFIX) and is_key_name(name) and len(material) == 1 + HASH_SIZE):
        raise damaged
    seed = material[1:]
    # The key ID serves as a checksum: a damaged seed gives another public key.
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    if material[0] != algorithm or key_id(name, algorithm, public).hex() != identifier:
        raise damaged
    return name, seed
