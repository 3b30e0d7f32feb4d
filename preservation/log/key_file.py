"""The key file of a log, ``log.key``: its private keys, and the public keys that were retired.

The file has mode 0600, in a folder outside the store. It is the list of `log/log_keys.py` with the private key in the
place of each key that signs; the file of an earlier release, one private key alone, is such a list. With a passphrase
it is encrypted (`preservation/key_encryption.py`). It is replaced as a whole, never changed in place.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from preservation.key_encryption import NONCE_SIZE, SALT_SIZE, decrypt, encrypt, is_encrypted
from preservation.log.log_keys import LogKey, LogKeys, parse_log_key
from preservation.log.merkle import HASH_SIZE
from preservation.log.notes import Algorithm, VerifierKey, parse_verifier_key
from preservation.log.signing_key import (
    PREFIX,
    PrivateKey,
    Signer,
    check_origin,
    checked_name,
    damaged_file,
    parse_private_line,
    private_line,
)
from preservation.private_file import read_private, replace_private, write_private
from repository.errors import DependencyMissing, RequestInvalid, SettingInvalid
from repository.localized import LocalizedText

KEY_FILE: Final = "log.key"
_SIGNING: Final = (Algorithm.ED25519, Algorithm.ML_DSA_44)


@dataclass(frozen=True, slots=True)
class _HeldKey:
    """A line of the file: a key, and its seed unless it is retired."""

    key: LogKey
    seed: bytes | None

    def line(self) -> str:
        if self.seed is None:
            return self.key.line()
        return self.key.line().replace(self.key.key.line(), private_line(self.key.key, self.seed), 1)


def create(folder: Path, origin: str, created: str = "", passphrase: str = "") -> Signer:
    """Create the keys of a log, made at the time `created` (RFC 3339), and store them in `folder`.

    Raises `SettingInvalid` when a key exists or the origin is invalid.
    """
    entries = _new_entries(checked_name(origin, "log_origin"), created)
    write_private(folder / KEY_FILE, _content(entries, passphrase))
    return _signer(entries)


def load(folder: Path, passphrase: str = "") -> Signer:
    """Load the keys in `folder`. Raises `DependencyMissing` when there are none, `SettingInvalid` for unusable ones."""
    return _signer(_load(folder, passphrase))


def load_or_create(folder: Path, origin: str, created: str = "", passphrase: str = "") -> Signer:
    """Load the keys in `folder`, or create them for `origin`. Raises `SettingInvalid` when they have another origin."""
    if not (folder / KEY_FILE).exists():
        return create(folder, origin, created, passphrase)
    signer = load(folder, passphrase)
    check_origin(signer.origin, origin)
    return signer


def add_keys(folder: Path, created: str, passphrase: str = "") -> LogKeys:
    """Add a new key of each algorithm, which signs beside the old ones; return all keys. Raises as `load`."""
    entries = _load(folder, passphrase)
    entries = [*_new_entries(entries[0].key.key.name, created), *entries]
    replace_private(folder / KEY_FILE, _content(entries, passphrase))
    return _public(entries)


def retire_keys(folder: Path, keys: Sequence[VerifierKey], size: int, passphrase: str = "") -> LogKeys:
    """Remove the private parts of these keys, which sign no log of more than `size` entries; return all keys.

    Raises as `load`.
    """
    entries = [
        _HeldKey(LogKey(each.key.key, each.key.created, size), None) if each.seed and each.key.key in keys else each
        for each in _load(folder, passphrase)
    ]
    replace_private(folder / KEY_FILE, _content(entries, passphrase))
    return _public(entries)


def encrypt_file(folder: Path, passphrase: str) -> bool:
    """Encrypt the file under the passphrase unless it is encrypted; return whether this call did. Raises as `load`."""
    if is_encrypted(_read(folder)):
        return False
    replace_private(folder / KEY_FILE, _content(_load(folder, passphrase), passphrase))
    return True


def _new_entries(origin: str, created: str) -> list[_HeldKey]:
    seeds = [(algorithm, secrets.token_bytes(HASH_SIZE)) for algorithm in _SIGNING]
    return [_HeldKey(LogKey(PrivateKey(origin, algorithm, seed).key, created), seed) for algorithm, seed in seeds]


def _content(entries: Sequence[_HeldKey], passphrase: str) -> bytes:
    content = "".join(f"{entry.line()}\n" for entry in entries).encode()
    return encrypt(content, passphrase, secrets.token_bytes(SALT_SIZE + NONCE_SIZE)) if passphrase else content


def _signer(entries: Sequence[_HeldKey]) -> Signer:
    signing = [PrivateKey(each.key.key.name, each.key.key.algorithm, each.seed) for each in entries if each.seed]
    return Signer.of(_public(entries), signing)


def _public(entries: Sequence[_HeldKey]) -> LogKeys:
    return LogKeys(tuple(entry.key for entry in entries))


def _read(folder: Path) -> bytes:
    try:
        return read_private(folder / KEY_FILE)
    except FileNotFoundError as fault:
        remedy = LocalizedText(
            "请运行 shanben init，或放回备份的密钥", "run shanben init, or restore the key from its backup"
        )
        raise DependencyMissing(what=LocalizedText("日志签名密钥", "the log's signing key"), remedy=remedy) from fault


def _load(folder: Path, passphrase: str) -> list[_HeldKey]:
    content = _read(folder)
    if is_encrypted(content):
        content = _decrypted(content, passphrase)
    try:
        entries = [_parse(line) for line in content.decode().removesuffix("\n").split("\n")]
    except (ValueError, RequestInvalid) as fault:
        raise damaged_file(KEY_FILE) from fault
    if not any(entry.seed and entry.key.key.algorithm is Algorithm.ED25519 for entry in entries):
        raise damaged_file(KEY_FILE)
    if len({entry.key.key.name for entry in entries}) != 1:
        raise damaged_file(KEY_FILE)
    return entries


def _decrypted(content: bytes, passphrase: str) -> bytes:
    if not passphrase:
        remedy = LocalizedText("请设置 SHANBEN_KEY_PASSPHRASE_FILE", "set SHANBEN_KEY_PASSPHRASE_FILE")
        raise DependencyMissing(
            what=LocalizedText("日志签名密钥的口令", "the passphrase of the log's key"), remedy=remedy
        )
    decrypted = decrypt(content, passphrase)
    if decrypted is None:
        reason = LocalizedText("口令不符，或文件已损坏", "the passphrase is another one, or the file is damaged")
        raise SettingInvalid(name=KEY_FILE, reason=reason)
    return decrypted


def _parse(line: str) -> _HeldKey:
    first, *words = line.split(" ")
    if not first.startswith(PREFIX):
        key = parse_log_key(parse_verifier_key(first), words)
        if key.retired is None:
            raise ValueError("a public key that is not retired")
        return _HeldKey(key, None)
    name, algorithm, seed = parse_private_line(first)
    if algorithm not in _SIGNING:
        raise ValueError("the key of a witness")
    return _HeldKey(parse_log_key(PrivateKey(name, algorithm, seed).key, words), seed)
