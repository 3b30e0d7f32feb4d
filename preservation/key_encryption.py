"""Encrypt a key file under a passphrase: scrypt (RFC 7914) and AES-256-GCM. (pure)

The file is a line that names the format, and one of base64: the salt, the nonce and the ciphertext.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SALT_SIZE: Final = 16
NONCE_SIZE: Final = 12
_HEADER: Final = b"shanben encrypted key 1\n"
_COST: Final = 1 << 15
"""The cost of scrypt: 32 MiB of memory and about 0.1 s, with a block size of 8."""


def is_encrypted(content: bytes) -> bool:
    """Return whether a file's content is encrypted."""
    return content.startswith(_HEADER)


def encrypt(content: bytes, passphrase: str, randomness: bytes) -> bytes:
    """Encrypt; `randomness` has `SALT_SIZE` and `NONCE_SIZE` bytes that are used once."""
    salt, nonce = randomness[:SALT_SIZE], randomness[SALT_SIZE : SALT_SIZE + NONCE_SIZE]
    encrypted = AESGCM(_derived(passphrase, salt)).encrypt(nonce, content, _HEADER)
    return _HEADER + base64.b64encode(salt + nonce + encrypted) + b"\n"


def decrypt(content: bytes, passphrase: str) -> bytes | None:
    """Return what was encrypted; None if the passphrase is another one or the file is damaged."""
    try:
        material = base64.b64decode(content.removeprefix(_HEADER).strip(), validate=True)
        salt, nonce = material[:SALT_SIZE], material[SALT_SIZE : SALT_SIZE + NONCE_SIZE]
        return AESGCM(_derived(passphrase, salt)).decrypt(nonce, material[SALT_SIZE + NONCE_SIZE :], _HEADER)
    except (InvalidTag, ValueError, binascii.Error):
        return None


def _derived(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode())
