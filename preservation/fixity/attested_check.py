"""Check the checkpoints that witnesses cosigned or an authority timestamped, by every signature that can be verified.

They are signed notes: the log's key verifies the text, the keys of witnesses and the certificates of the authority, as
far as the settings have them, verify what was added.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from preservation.digests import sha256
from preservation.fixity.files import require_reachable
from preservation.fixity.findings import FileCheck, FindingKind, FixityFinding
from preservation.log.log_keys import CheckpointKey
from preservation.log.notes import VerifierKey, cosigners, parse_note
from preservation.log.timestamp import read_roots, verify_timestamp
from preservation.log.witnesses import witness_policy
from repository.config import Settings
from repository.errors import KeyNotFound, LogInvalid, SettingInvalid, StoreFault
from repository.localized import Language, LocalizedText
from repository.paths import LOG_TIMESTAMPED, log_timestamped
from repository.storage.store import ObjectStore

_OTHER: Final = LocalizedText("属于另一日志，或名称不符", "it is that of another log, or has another name")


@dataclass(frozen=True, slots=True)
class Attestations:
    """The keys that verify attested checkpoints: of the log, of witnesses, and certificates of an authority."""

    log: CheckpointKey
    witnesses: Sequence[VerifierKey] = ()
    roots: Sequence[x509.Certificate] = ()


def read_attestations(settings: Settings, log: CheckpointKey) -> Attestations:
    """Return the keys and certificates of the settings; those that cannot be used are left out."""
    witnesses: list[VerifierKey] = []
    roots: list[x509.Certificate] = []
    with suppress(SettingInvalid):
        witnesses = [witness.key for witness in witness_policy(settings).witnesses]
    with suppress(SettingInvalid):
        roots = read_roots(settings.tsa_certificates)
    return Attestations(log, witnesses, roots)


def check_attested(store: ObjectStore, key: str, attestations: Attestations) -> FileCheck:
    """Check one attested checkpoint. Raises `StoreFault` only when the whole store is unreachable."""
    try:
        content = store.read(key)
    except KeyNotFound:  # replaced, or not yet there
        return FileCheck(key, finding=FixityFinding(key, FindingKind.MISSING))
    except StoreFault as fault:
        require_reachable(store)
        reason = str(fault.details.get("reason", ""))
        return FileCheck(key, finding=FixityFinding(key, FindingKind.UNREADABLE, detail=reason))
    try:
        _verify(key, content, attestations)
    except LogInvalid as fault:
        detail = fault.in_language(Language.ENGLISH)
        finding = FixityFinding(key, FindingKind.CHANGED, found=sha256([content]), detail=detail)
        return FileCheck(key, len(content), finding)
    return FileCheck(key, len(content))


def _verify(key: str, content: bytes, attestations: Attestations) -> None:
    """Raise `LogInvalid` unless the note is what its key says."""
    checkpoint = attestations.log.read(content)
    if checkpoint.origin != attestations.log.name:
        raise LogInvalid(reason=_OTHER)
    cosigners(content, attestations.witnesses)
    if key.startswith(f"{LOG_TIMESTAMPED}/"):
        found = verify_timestamp(parse_note(content), attestations.roots)
        if found is None or log_timestamped(checkpoint.size) != key:
            raise LogInvalid(reason=_OTHER)
