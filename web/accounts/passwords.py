"""Passwords of accounts: their rules, and hashing by Argon2id (RFC 9106).

One hash takes 64 MiB and one core for a fraction of a second. A process computes at most two at a time, in threads of
pages and outside the interpreter's lock, so that logins cannot delay the pages and tiles of readers for long.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from repository.errors import CallError, SystemFault
from repository.localized import LocalizedText

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 256

_MEMORY_KIB: Final = 64 << 10
_PASSES: Final = 3
_LANES: Final = 1
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_CONCURRENT: Final = 2
_WAIT_SECONDS: Final = 1.0


class PasswordUnfit(CallError):
    """A new password that breaks the rules."""

    code = "account.password"
    text = LocalizedText("不能用此密码：{reason}", "The password cannot be used: {reason}")


class PasswordsBusy(SystemFault):
    """Too many passwords are being checked at once."""

    code = "account.busy"
    transient = True
    text = LocalizedText("同时登录的人过多；请稍后重试", "Too many logins at once; try again shortly")


class Passwords:
    """Hashes and verifies passwords."""

    def __init__(
        self, *, memory_kib: int = _MEMORY_KIB, passes: int = _PASSES, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self._hasher = PasswordHasher(passes, memory_kib, _LANES, _HASH_BYTES, _SALT_BYTES, type=Type.ID)
        self._wait_seconds = wait_seconds
        self._slots = BoundedSemaphore(_CONCURRENT)
        salt, digest = (b64encode(bytes(size)).rstrip(b"=").decode() for size in (_SALT_BYTES, _HASH_BYTES))
        self._of_nobody = f"$argon2id$v=19$m={memory_kib},t={passes},p={_LANES}${salt}${digest}"

    def hash(self, password: str) -> str:
        """Return the encoded hash of a password, with its parameters and a random salt. Raises `PasswordsBusy`."""
        self._acquire()
        try:
            return self._hasher.hash(_normalized(password))
        finally:
            self._slots.release()

    def verify(self, encoded: str | None, password: str) -> bool:
        """Return whether a password has this hash. Raises `PasswordsBusy`.

        None, for an account that does not exist, takes as long as a wrong password. So does a password that is too
        long: only its length is refused.
        """
        self._acquire()
        try:
            return self._hasher.verify(encoded or self._of_nobody, _normalized(password[: MAX_CHARACTERS + 1]))
        except (VerificationError, InvalidHashError):
            return False
        finally:
            self._slots.release()

    def needs_rehash(self, encoded: str) -> bool:
        """Return whether a hash has other parameters than new ones."""
        return self._hasher.check_needs_rehash(encoded)

    def _acquire(self) -> None:
        if not self._slots.acquire(timeout=self._wait_seconds):
            raise PasswordsBusy


def check_password(name: str, password: str) -> None:
    """Check a new password of an account against the rules (NIST SP 800-63B, section 3.1.1). Raises `PasswordUnfit`."""
    length = len(_normalized(password))
    if not MIN_CHARACTERS <= length <= MAX_CHARACTERS:
        reason = LocalizedText(
            f"应有 {MIN_CHARACTERS} 至 {MAX_CHARACTERS} 个字符，现有 {length} 个",
            f"it must have {MIN_CHARACTERS} to {MAX_CHARACTERS} characters, not {length}",
        )
    elif len(set(password)) < MIN_CHARACTERS // 3 or name in password.casefold():
        reason = LocalizedText(
            "过于简单；不要含账号名，也不要反复用同几个字符",
            "it is too simple; leave out the name of the account, and do not repeat a few characters",
        )
    else:
        return
    raise PasswordUnfit(reason=reason)


def _normalized(password: str) -> str:
    """Return the form of a password that is hashed (RFC 8265, section 4.2): keyboards differ in how they compose."""
    return unicodedata.normalize("NFC", password)
