"""The public keys of a log: those that sign it now, and those that signed it once. (pure)

A log is signed by an Ed25519 key, and by an ML-DSA-44 key beside it. While keys are replaced, the old and the new ones
sign. A retired key stays listed, because it verifies the checkpoints and the evidence of its time; it verifies no
checkpoint with more entries than the log had when the key was retired.

The list is text, one key a line, the newest first: a C2SP verifier key, ``since`` and the time (RFC 3339) at which the
key was made, ``-`` if that is not known, and for a retired key ``until`` and the size of the log at its retirement. A
verifier key alone is a list too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from preservation.log.notes import (
    Algorithm,
    Checkpoint,
    Signature,
    VerifierKey,
    parse_note,
    parse_number,
    parse_verifier_key,
    read_checkpoint,
)
from repository.errors import EvidenceInvalid, RequestInvalid
from repository.localized import LocalizedText

_UNKNOWN: Final = "-"
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key of a log: when it was made (RFC 3339, '' if not known), and the log's size at its retirement, if it is."""

    key: VerifierKey
    created: str = ""
    retired: int | None = None

    def ends(self, days: int) -> datetime | None:
        """Return when the key is `days` days old and should have been replaced; None if its age is not known."""
        return datetime.fromisoformat(self.created) + timedelta(days) if self.created else None

    def line(self) -> str:
        """Return the line of the list, without newline."""
        until = "" if self.retired is None else f" until {self.retired}"
        return f"{self.key.line()} since {self.created or _UNKNOWN}{until}"


@dataclass(frozen=True, slots=True)
class LogKeys:
    """All keys of a log, the newest first; at least one Ed25519 key is not retired."""

    keys: tuple[LogKey, ...]

    @classmethod
    def of(cls, key: CheckpointKey) -> LogKeys:
        """Return the keys of a log that has this key alone; a list of keys stays as it is."""
        return key if isinstance(key, LogKeys) else cls((LogKey(key),))

    @property
    def signing(self) -> tuple[LogKey, ...]:
        """The keys that sign the log now."""
        return tuple(each for each in self.keys if each.retired is None)

    @property
    def newest(self) -> LogKey:
        """The newest Ed25519 key that signs: the one that the library publishes as its own."""
        return next(each for each in self.signing if each.key.algorithm is Algorithm.ED25519)

    @property
    def current(self) -> VerifierKey:
        """The verifier key of `newest`."""
        return self.newest.key

    @property
    def name(self) -> str:
        """The name of all keys: the log's origin."""
        return self.current.name

    def line(self) -> str:
        """Return the verifier key line of the current key."""
        return self.current.line()

    def text(self) -> str:
        """Return the list: the inverse of `parse_log_keys`."""
        return "".join(f"{each.line()}\n" for each in self.keys)

    def read(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note signed by one of the keys; callers check the origin.

        Raises `EvidenceInvalid`.
        """
        checkpoint = read_checkpoint(note, [each.key for each in self.keys])
        signatures = parse_note(note).signatures
        signed = [each for each in self.keys if any(map(each.key.is_claimed_by, signatures))]
        if not any(each.retired is None or checkpoint.size <= each.retired for each in signed):
            raise EvidenceInvalid(
                reason=LocalizedText(
                    "仅由已停用的密钥签名，且晚于其停用", "only a key signed it that was retired before that"
                )
            )
        return checkpoint

    def is_claimed_by(self, signature: Signature) -> bool:
        """Return whether a signature names one of the keys; the signature is not verified."""
        return any(each.key.is_claimed_by(signature) for each in self.keys)

    def knows(self, other: LogKeys) -> bool:
        """Return whether these keys follow from the `other` ones: they have them all, and all that were retired."""
        retired = {each.key for each in self.keys if each.retired is not None}
        known = {each.key for each in self.keys}
        return all(each.key in (known if each.retired is None else retired) for each in other.keys)

    def with_new(self, keys: Sequence[LogKey]) -> LogKeys:
        """Return the keys with new ones before them."""
        return LogKeys((*keys, *self.keys))

    def retire(self, key: VerifierKey, size: int) -> LogKeys:
        """Return the keys with one retired at a size of the log."""
        return LogKeys(tuple(replace(each, retired=size) if each.key == key else each for each in self.keys))


CheckpointKey = LogKeys | VerifierKey
"""What verifies the checkpoints of a log: `read` returns the checkpoint of a note, `name` is the log's origin."""


def parse_log_keys(text: str) -> LogKeys:
    """Parse a list of keys. Raises `RequestInvalid` for one that no log can have."""
    keys = LogKeys(tuple(_parse(line) for line in text.splitlines() if line.strip()))
    ed25519 = [each.key for each in keys.signing if each.key.algorithm is Algorithm.ED25519]
    if not ed25519 or len({each.key.name for each in keys.keys}) > 1:
        raise _malformed()
    return keys


def parse_log_key(key: VerifierKey, words: Sequence[str]) -> LogKey:
    """Return the key that a line of a list describes, from the words after the verifier key.

    Raises `RequestInvalid`.
    """
    stated = dict(zip(words[::2], words[1::2], strict=False))
    created, until = stated.get("since", _UNKNOWN), stated.get("until")
    retired = None if until is None else parse_number(until)
    is_time = created == _UNKNOWN or _TIME.fullmatch(created)
    if (
        len(words) != 2 * len(stated)
        or not stated.keys() <= {"since", "until"}
        or not is_time
        or (until and retired is None)
    ):
        raise _malformed()
    return LogKey(key, "" if created == _UNKNOWN else created, retired)


def _parse(line: str) -> LogKey:
    verifier_key, *words = line.split()
    return parse_log_key(parse_verifier_key(verifier_key), words)


def _malformed() -> RequestInvalid:
    return RequestInvalid(
        part=LocalizedText("日志公钥表", "list of the log's keys"),
        reason=LocalizedText("格式有误，或没有可用的 Ed25519 公钥", "it is malformed, or has no Ed25519 key in use"),
    )
