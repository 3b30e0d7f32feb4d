"""Replaces the keys of the provenance log, with an overlap in which the old and the new keys sign.

1. **Rotate**: add new keys to the key file, then to the list in the database. From the next checkpoint on, old and new
   keys sign. Institutions that verify the log learn the new key (`/log/keys`) while the old one still works.
2. **Retire**: remove the private parts of the old keys from the file, then note their retirement in the database. They
   stay listed, and verify the checkpoints of their time.

Each change is an event of the log, staged before the database has the new keys. A process killed between file and
database leaves a change that the next change, `shanben init` or worker finishes (`workers/tasks/log_keys.py`). The
other machines that sign need the new key file; until they have it, they refuse to sign.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Final

from preservation.log import key_file
from preservation.log.log_keys import LogKeys
from preservation.log.notes import Algorithm, VerifierKey, parse_note
from preservation.log.sequencer import load_signer, log_key, open_log, record_events
from preservation.log.signing_key import signing_key_missing
from repository.clock import timestamp
from repository.errors import Busy, NotFound, RequestInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from workers.tasks.log_keys import finish_change, replace_keys
from workers.tasks.outdated import heed_log

_WAIT_SECONDS: Final = 60.0


def rotate_keys(repository: Repository) -> LogKeys:
    """Add new keys, which sign beside the old ones; return all keys. Raises `DependencyMissing`, `SettingInvalid`."""
    settings = repository.settings
    with _locked(repository):
        before = _held(repository)
        after = key_file.add_keys(settings.keys, timestamp(repository.clock()), settings.signing_passphrase())
        replace_keys(repository, before, after)
    heed_log(repository)
    record_events(repository)
    return after


def retire_keys(repository: Repository, key_ids: Collection[str] = ()) -> LogKeys:
    """Retire keys by their IDs in hexadecimal, or all but the newest of each algorithm; return all keys.

    Raises `NotFound` for an ID that no signing key has, and `RequestInvalid` if no remaining Ed25519 key has signed the
    newest checkpoint; `DependencyMissing`, `SettingInvalid`.
    """
    settings = repository.settings
    with _locked(repository):
        before = _held(repository)
        retired = _chosen(before, key_ids)
        size = open_log(repository).size
        _require_signed(repository, [each.key for each in before.signing if each.key not in retired])
        after = key_file.retire_keys(settings.keys, retired, size, settings.signing_passphrase())
        replace_keys(repository, before, after)
    heed_log(repository)
    record_events(repository)
    return after


def _locked(repository: Repository) -> AbstractContextManager[object]:
    return repository.locks.hold("log key", _WAIT_SECONDS, Busy(what=LocalizedText("日志密钥", "the log's key")))


def _held(repository: Repository) -> LogKeys:
    """Return the keys of this machine, which must be those that sign the log. An interrupted change is finished."""
    if repository.log_sequence.verifier_keys() and (repository.settings.keys / key_file.KEY_FILE).exists():
        finish_change(repository)
    if isinstance(log_key(repository), LogKeys):
        raise signing_key_missing()
    return load_signer(repository.settings).keys


def _chosen(keys: LogKeys, key_ids: Collection[str]) -> list[VerifierKey]:
    signing = {each.key.key_id.hex(): each.key for each in keys.signing}
    if unknown := sorted(set(key_ids) - signing.keys()):
        raise NotFound(what=LocalizedText(f"在用的密钥 {unknown[0]}", f"a key in use with the ID {unknown[0]}"))
    if key_ids:
        return [signing[each] for each in sorted(set(key_ids))]
    newest = {key.algorithm: key for key in reversed(signing.values())}
    return [key for key in signing.values() if key != newest[key.algorithm]]


def _require_signed(repository: Repository, remaining: Sequence[VerifierKey]) -> None:
    """Raise `RequestInvalid` unless a remaining Ed25519 key has signed the newest checkpoint."""
    signatures = parse_note(open_log(repository).checkpoint_note()).signatures
    usable = [key for key in remaining if key.algorithm is Algorithm.ED25519]
    if not any(key.is_claimed_by(each) for key in usable for each in signatures):
        reason = LocalizedText(
            "余下的 Ed25519 密钥尚未签发最新的检查点；请先运行 shanben keys rotate",
            "no remaining Ed25519 key has signed the newest checkpoint; run shanben keys rotate first",
        )
        raise RequestInvalid(part=LocalizedText("停用的密钥", "keys to retire"), reason=reason)
