"""Events that no version of an OCFL object carries, so that the provenance log alone keeps them. (pure)

They concern a store (a sweep and its findings), a work (a repair, a deletion, a licence, a certificate, a download) or
the repository (an issued report, a key of the log). The detail ``act`` says which of these an event is, and makes it
one that the log alone keeps (`Event.is_kept_in_log`).

The log is public: names of persons and accounts, reasons, addresses of replicas and names of deposited files are sealed
(`preservation/seal.py`). Every function raises `EventInvalid` for values that a log entry cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256 as sha256_of
from typing import Final

from preservation.premis import event_bytes, event_identifier
from preservation.seal import NameSeal
from repository.errors import EventInvalid
from repository.localized import LocalizedText
from repository.model.work import ACT, Event, EventType
from repository.paths import LOG
from repository.store_label import PRIMARY_LABEL
from repository.whole_numbers import LARGEST_NUMBER, parse_whole_number

_LONGEST: Final = 65_535
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class Act(StrEnum):
    """What an event that the log alone keeps says happened."""

    SWEEP = "sweep"
    FINDING = "finding"
    REPAIR = "repair"
    DELETION = "deletion"
    LOSS = "loss"
    LICENCE = "licence"
    CERTIFICATE = "certificate"
    DOWNLOAD = "download"
    REPORT = "report"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Occasion:
    """When (RFC 3339, UTC, to the second) and by what software (name and version) an event is recorded.

    `seal` seals what the event must not publish.
    """

    time: str
    software: str
    seal: NameSeal


@dataclass(frozen=True, slots=True)
class SweepTotals:
    """What a fixity sweep of one store counted: files expected, checked, passed, failed and not checked.

    `canaries` of the planted damaged objects were to be found and `canaries_found` were. `root` is the Merkle root over
    the results, 64 hexadecimal digits.
    """

    expected: int
    checked: int
    passed: int
    failed: int
    not_checked: int
    canaries: int
    canaries_found: int
    root: str

    @property
    def is_success(self) -> bool:
        """Whether files were checked, every file is accounted for, none failed and every canary was found."""
        is_complete = self.checked > 0 and self.expected == self.checked + self.not_checked
        return is_complete and not self.failed and self.canaries_found == self.canaries


def sweep_event(occasion: Occasion, store: str, totals: SweepTotals, *, started: str) -> Event:
    """Return the event of a fixity sweep of a store that began at `started` and ends with the occasion."""
    counts = ("expected", "checked", "passed", "failed", "not_checked", "canaries", "canaries_found")
    return _event(
        occasion,
        (EventType.FIXITY_CHECK, Act.SWEEP),
        (_store(occasion, store), started, totals.root),
        outcome="success" if totals.is_success else "failure",
        store=_store(occasion, store),
        started=started,
        root=totals.root,
        **{name: str(getattr(totals, name)) for name in counts},
    )


def finding_event(
    occasion: Occasion,
    store: str,
    key: str,
    work: str | None,
    *,
    kind: str,
    expected: str | None,
    found: str | None,
    first_seen: str,
) -> Event:
    """Return the event of a finding of a sweep: the file at `key` of a store is damaged, missing or not expected.

    `expected` and `found` are SHA-256 digests, None where there is none. One finding is one event, however many sweeps
    see it, as long as `first_seen` stays.
    """
    return _event(
        occasion,
        (EventType.FIXITY_CHECK, Act.FINDING),
        (_store(occasion, store), _file(occasion, key), kind, expected or "", found or "", first_seen),
        work=work,
        sha256=expected,
        outcome="failure",
        store=_store(occasion, store),
        file=_file(occasion, key),
        kind=kind,
        found=found,
        first_seen=first_seen,
    )


def repair_event(
    occasion: Occasion,
    store: str,
    key: str,
    work: str | None,
    *,
    sha256: str,
    source: str,
    first_seen: str,
    image: str | None = None,
) -> Event:
    """Return the event of putting good bytes back at `key` of a store from the store `source`.

    `sha256` is the digest of the bytes, read back; `first_seen` is that of the finding, so that one finding is repaired
    once. `image` is given for a master.
    """
    return _event(
        occasion,
        (EventType.RECOVERY, Act.REPAIR),
        (_store(occasion, store), _file(occasion, key), sha256, first_seen),
        work=work,
        image=image,
        sha256=sha256,
        store=_store(occasion, store),
        file=_file(occasion, key),
        source=_store(occasion, source),
        first_seen=first_seen,
    )


def deletion_event(
    occasion: Occasion,
    work: str,
    masters: Collection[str],
    *,
    versions: int,
    requested: str,
    requested_by: str,
    confirmed_by: str,
    reason: str,
) -> Event:
    """Return the event that remains of a work whose object of `versions` versions was deleted: its tombstone.

    `masters` are the digests of all masters of all versions. The event has their number and the SHA-256 of the sorted
    digests, one a line; the earlier events of the work, which stay in the log, state each of them. The accounts that
    requested the deletion (at `requested`) and confirmed it, and the reason, are sealed.
    """
    digest = sha256_of("".join(f"{master}\n" for master in sorted(set(masters))).encode()).hexdigest()
    return _event(
        occasion,
        (EventType.DELETION, Act.DELETION),
        (work, digest, requested),
        work=work,
        masters=str(len(set(masters))),
        masters_sha256=digest,
        versions=str(versions),
        requested=requested,
        requested_by=occasion.seal.of("account", requested_by),
        confirmed_by=occasion.seal.of("account", confirmed_by),
        reason=occasion.seal.of("reason", reason),
    )


def is_deletion(event: Event) -> bool:
    """Return whether an event is the tombstone of a work."""
    return event.detail.get(ACT) == Act.DELETION


def loss_event(occasion: Occasion, work: str, *, logged: int, stored: int, reason: str) -> Event:
    """Return the event of accepting that versions of a work are lost: the log names `logged`, `stored` are held.

    The reason is sealed. Nothing is deleted: a copy that is found later may be restored.
    """
    return _event(
        occasion,
        (EventType.DEACCESSION, Act.LOSS),
        (work, str(logged), str(stored)),
        work=work,
        logged=str(logged),
        stored=str(stored),
        reason=occasion.seal.of("reason", reason),
    )


def accepted_loss(event: Event) -> int:
    """Return up to which version the loss of an event's work was accepted; 0 for any other event."""
    logged = event.detail.get("logged", "") if event.detail.get(ACT) == Act.LOSS else ""
    return parse_whole_number(logged, LARGEST_NUMBER) or 0


def licence_event(
    occasion: Occasion,
    work: str,
    *,
    number: str,
    licence: str,
    licensee: str,
    account: str,
    image: str | None = None,
    until: str | None = None,
) -> Event:
    """Return the event of granting a licence for a work or one image of it.

    `number` is the library's own number of the grant and `licence` the URI of the terms; both are published. `until` is
    the last day (ISO 8601). The licensee and the granting account are sealed.
    """
    return _event(
        occasion,
        (EventType.POLICY_ASSIGNMENT, Act.LICENCE),
        (work, image or "", number),
        work=work,
        image=image,
        number=number,
        licence=licence,
        until=until,
        licensee=occasion.seal.of("licensee", licensee),
        account=occasion.seal.of("account", account),
    )


def certificate_event(
    occasion: Occasion, work: str, *, sha256: str, image: str | None = None, account: str | None = None
) -> Event:
    """Return the event of issuing a certificate about a work or one image; `sha256` is the certificate's digest."""
    return _event(
        occasion,
        (EventType.DISSEMINATION, Act.CERTIFICATE),
        (work, image or "", sha256),
        work=work,
        image=image,
        certificate=sha256,
        account=account and occasion.seal.of("account", account),
    )


def download_event(occasion: Occasion, work: str, *, what: str, account: str, image: str | None = None) -> Event:
    """Return the event of a download of restricted material in full size by an account.

    `what` names what was sent, such as ``image`` or ``pdf``. Downloads of the same by one account in one second are one
    event.
    """
    sealed = occasion.seal.of("account", account)
    return _event(
        occasion,
        (EventType.DISSEMINATION, Act.DOWNLOAD),
        (work, image or "", what, sealed, occasion.time),
        work=work,
        image=image,
        what=what,
        account=sealed,
    )


def report_event(occasion: Occasion, *, sha256: str, at: str, account: str | None = None) -> Event:
    """Return the event of issuing a preservation report on the state at the time `at`; `sha256` is its digest."""
    return _event(
        occasion,
        (EventType.DISSEMINATION, Act.REPORT),
        (sha256, at),
        report=sha256,
        at=at,
        account=account and occasion.seal.of("account", account),
    )


def key_event(occasion: Occasion, verifier_key: str, *, change: str, size: int) -> Event:
    """Return the event of a change of the log's keys at a size of the log.

    `change` is ``added`` for a key that signs from now on, and ``retired`` for one that signs no more.
    """
    return _event(
        occasion,
        (EventType.POLICY_ASSIGNMENT, Act.KEY),
        (verifier_key, change),
        key=verifier_key,
        change=change,
        size=str(size),
    )


def _event(
    occasion: Occasion,
    kind: tuple[EventType, Act],
    identity: tuple[str, ...],
    /,
    *,
    work: str | None = None,
    image: str | None = None,
    sha256: str | None = None,
    outcome: str = "success",
    **detail: str | None,
) -> Event:
    """Return an event of these kinds whose identifier is derived from `identity`; details that are None are left out.

    Its bytes are made once, so that what cannot be logged is refused before it is staged.
    """
    type_, act = kind
    stated = {name: value for name, value in detail.items() if value is not None}
    event = Event(
        identifier=event_identifier(type_, act, *identity),
        type=type_.value,
        time=occasion.time,
        work=work,
        image=image,
        sha256=sha256 if sha256 and _DIGEST.fullmatch(sha256) else None,
        outcome=outcome,
        detail={ACT: act.value, "software": occasion.software, **stated},
    )
    if len(event_bytes(event)) > _LONGEST:
        raise EventInvalid(reason=LocalizedText("内容过长", "it is too long for a log entry"))
    return event


def _store(occasion: Occasion, name: str) -> str:
    """Return a store's name for an event. Those of replicas are sealed: they are addresses."""
    return name if name == PRIMARY_LABEL else occasion.seal.of("store", name)


def _file(occasion: Occasion, key: str) -> str:
    """Return what events call the file at a key: the key of a file of the log, and any other sealed."""
    return key if key.startswith(f"{LOG}/") else occasion.seal.of("file", key)
