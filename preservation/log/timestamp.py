"""Timestamps of checkpoints by an authority that the library does not run (RFC 3161).

The authority signs the SHA-256 of a checkpoint's text with the time. Its response (a DER ``TimeStampResp``) is kept as
a signature line of the note: its key name is the authority's host, its key ID that of the signature type 0xff with the
identifier ``rfc3161`` (signed-note, "Signature types"). Programs that do not know the line ignore it, and so the note
stays a C2SP checkpoint. `timestamp_response` gives the response as a file that ``openssl ts -verify`` reads; the
checkpoint's text is the file that it is a timestamp of.

A response is checked when it is received: status, nonce, digest. The authority's certificates are checked as well if
the roots that the reader trusts are given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from preservation.log.notes import Note, Signature
from repository.clock import timestamp
from repository.errors import EvidenceInvalid, RequestInvalid, SettingInvalid
from repository.local_files import read_start
from repository.localized import LocalizedText
from repository.network.http_client import ServiceUnavailable, is_service_url, post

REQUEST_SECONDS: Final = 10.0
"""The seconds that connecting to an authority, and each read from it, may take."""

LONGEST_ROOTS: Final = 1 << 24
"""The most bytes of a file of root certificates."""

_DONE: Final = 200
_TYPE: Final = "application/timestamp-query"
_SIGNATURE_TYPE: Final = b"\xffrfc3161"
_MALFORMED: Final = (
    ValueError,
    UnsupportedAlgorithm,
    VerificationError,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the libraries raise for a response, or a certificate in it, that cannot be read or does not verify."""

_KEY_ID: Final = 4
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


@dataclass(frozen=True, slots=True)
class Timestamp:
    """When an authority saw a checkpoint (RFC 3339), and whether its certificates lead to a trusted root."""

    authority: str
    time: str
    trusted: bool


def request_timestamp(url: str, text: str, roots: Sequence[x509.Certificate]) -> Signature:
    """Ask the authority at `url` to timestamp a checkpoint's text; return the signature line to add to the note.

    Raises `ServiceUnavailable`, `SettingInvalid`.
    """
    if not is_service_url(url):
        raise SettingInvalid(name="tsa", reason=LocalizedText("应为网址", "it must be an http or https address"))
    name = urlsplit(url).hostname or ""
    builder = TimestampRequestBuilder(text.encode(), HashAlgorithm.SHA256)
    request = builder.build()
    answer = post(url, request.as_bytes(), _TYPE, REQUEST_SECONDS)
    if answer.status != _DONE:
        reason = LocalizedText(f"应答状态为 {answer.status}", f"it answers with status {answer.status}")
        raise ServiceUnavailable(service=url, reason=reason)
    try:
        _check(answer.body, text, request, roots)
    except EvidenceInvalid as fault:
        raise ServiceUnavailable(service=url, reason=fault.message) from fault
    return note_signature(name, answer.body)


def note_signature(authority: str, response: bytes) -> Signature:
    """Return the signature line that carries the response of an authority."""
    return Signature(authority, _key_id(authority), response)


def timestamp_response(note: Note) -> bytes | None:
    """Return the authority's response that a note carries; None without one."""
    return next((found.signature_bytes for found in note.signatures if found.key_id == _key_id(found.name)), None)


def verify_timestamp(note: Note, roots: Sequence[x509.Certificate]) -> Timestamp | None:
    """Return the timestamp of a note, None without one. Raises `EvidenceInvalid` for one that is not of this note."""
    found = next((found for found in note.signatures if found.key_id == _key_id(found.name)), None)
    if found is None:
        return None
    response = _check(found.signature_bytes, note.text, None, roots)
    return Timestamp(found.name, timestamp(response.tst_info.gen_time), bool(roots))


def read_roots(path: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM file; '' gives none. Raises `SettingInvalid`."""
    if not path:
        return []
    try:
        content = read_start(Path(path), LONGEST_ROOTS)
        if len(content) > LONGEST_ROOTS:
            raise ValueError(f"> {LONGEST_ROOTS} bytes")
        return x509.load_pem_x509_certificates(content)
    except RequestInvalid as fault:
        raise SettingInvalid(name="tsa_certificates", reason=fault.message) from fault
    except (OSError, ValueError) as fault:
        raise SettingInvalid(name="tsa_certificates", reason=str(fault)) from fault


def _check(
    content: bytes, text: str, request: TimeStampRequest | None, roots: Sequence[x509.Certificate]
) -> TimeStampResponse:
    """Return the decoded response if it is a timestamp of `text`. Raises `EvidenceInvalid`."""
    try:
        response = decode_timestamp_response(content)
        status = PKIStatus(response.status)
        if status not in {PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS}:
            raise _invalid(f"{status.name} {' '.join(response.status_string)}".strip())
        information = response.tst_info
        imprint = information.message_imprint
        if (imprint.hash_algorithm, imprint.message) != (_SHA256, hashlib.sha256(text.encode()).digest()):
            raise _invalid("the digest is that of other data")
        if request is not None and information.nonce != request.nonce:
            raise _invalid("the nonce is another one")
        if roots:
            VerifierBuilder(roots=list(roots)).build().verify_message(response, text.encode())
    except _MALFORMED as fault:
        raise _invalid(str(fault)) from fault
    return response


def _key_id(name: str) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _SIGNATURE_TYPE).digest()[:_KEY_ID]


def _invalid(reason: str) -> EvidenceInvalid:
    return EvidenceInvalid(reason=LocalizedText(f"时间戳无效（{reason}）", f"the timestamp is not valid ({reason})"))
