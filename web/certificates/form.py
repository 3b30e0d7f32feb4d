"""A certificate as it is shown: its rows, how to check it, and the address that its QR code leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iiif_server.urls import LOG_KEY, evidence_path, verify_path
from repository.localized import LocalizedText
from web.certificates.document import CertificateRow, description_rows, proof_rows, text
from web.certificates.facts import CertificateFacts


@dataclass(frozen=True, slots=True)
class CertificateForm:
    """`time` (RFC 3339) is that of the event which the certificate is about; `address` that of its page ``/verify``.

    The picture is shown beside the first `beside` rows; the others take the whole width.
    """

    name: str
    title: LocalizedText
    time: str
    address: str
    rows: tuple[CertificateRow, ...]
    beside: int
    check: LocalizedText
    steps: tuple[LocalizedText, ...]
    limits: LocalizedText


def certificate_form(facts: CertificateFacts, log_key: str, public: Callable[[str], str]) -> CertificateForm:
    """Return the form of a certificate; `public` gives the public address of a path of `iiif_server.urls`."""
    identifier = facts.subject.identifier
    description = description_rows(facts)
    steps = [text("step-digest", address=public(verify_path()))] if facts.placed else []
    steps.append(text("step-evidence", address=public(evidence_path(identifier))))
    steps.append(text("step-key", key=f"{log_key} ({public(LOG_KEY)})"))
    return CertificateForm(
        name=facts.work.record.title,
        title=text("title"),
        time=facts.log.event.time,
        address=public(verify_path(identifier)),
        rows=(*description, *proof_rows(facts)),
        beside=len(description),
        check=text("check"),
        steps=tuple(steps),
        limits=text("limits"),
    )
