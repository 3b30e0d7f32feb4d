"""Requests to a partner's server: limited in their rate, repeated after a pause, and conditional.

A server that answers 429 or 503 is asked again after the time in its Retry-After (RFC 9110, section 10.2.3), one that
fails or cannot be reached after a pause that doubles. A server that asks for a longer pause than `LONGEST_PAUSE` is
asked again by the next run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from repository.localized import LocalizedText
from repository.network.guarded_http import FetchedAnswer, GuardedClient, PartnerFaulty, PartnerUnavailable

TRIES: Final = 5
LONGEST_PAUSE: Final = 300.0
_FIRST_PAUSE: Final = 2.0
_BUSY: Final = frozenset({429, 503})
_GONE: Final = frozenset({404, 410})
_NOT_MODIFIED: Final = 304
_LONGEST_VALIDATOR: Final = 500


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A document; `body` is None if it has not changed. `etag` and `modified` are its validators, '' for none."""

    body: bytes | None
    etag: str = ""
    modified: str = ""


class DocumentGone(PartnerFaulty):
    """A document that the partner says it does not have, by status 404 or 410."""

    code = "partner.gone"


@dataclass(slots=True)
class PoliteClient:
    """Asks one partner. `rate` is the most requests a second; `wait` sleeps for some seconds."""

    client: GuardedClient
    rate: float
    wait: Callable[[float], None] = time.sleep
    requests: int = field(default=0, init=False)
    _next: float = field(default=0.0, init=False)

    def get(self, url: str, accept: str, etag: str = "", modified: str = "") -> FetchedDocument:
        """Return a document, or that it still has these validators.

        Raises `DocumentGone`, `PartnerFaulty`, `PartnerUnavailable`, `AddressRefused`.
        """
        headers = {"Accept": accept, "If-None-Match": etag, "If-Modified-Since": modified}
        for attempt in range(TRIES):
            try:
                return self._document(url, self._answer(url, {name: value for name, value in headers.items() if value}))
            except PartnerUnavailable as fault:
                pause = float(str(fault.details.get("seconds") or 0)) or _FIRST_PAUSE * 2**attempt
                if attempt == TRIES - 1 or pause > LONGEST_PAUSE:
                    raise
                self.wait(pause * random.uniform(1.0, 1.2))  # noqa: S311 - spreads retries, no secret
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, url: str, headers: dict[str, str]) -> FetchedAnswer:
        pause = self._next - time.monotonic()
        if pause > 0:
            self.wait(pause)
        self._next = time.monotonic() + 1 / self.rate
        self.requests += 1
        return self.client.get(url, headers)

    def _document(self, url: str, answer: FetchedAnswer) -> FetchedDocument:
        status = answer.status
        if status == _NOT_MODIFIED:
            return FetchedDocument(None)
        if status in _BUSY or status >= 500:
            seconds = retry_after(answer.headers.get("retry-after", ""))
            raise PartnerUnavailable(url=url, reason=f"HTTP {status}", seconds=seconds)
        if status in _GONE:
            raise DocumentGone(url=url, reason=f"HTTP {status}")
        if status != 200:
            reason = LocalizedText(f"状态码为 {status}", f"its status is {status}")
            raise PartnerFaulty(url=url, reason=reason)
        return FetchedDocument(answer.body, _validator(answer, "etag"), _validator(answer, "last-modified"))


def _validator(answer: FetchedAnswer, name: str) -> str:
    """Return a validator as it can be stored and sent back; '' for none, and for one that cannot."""
    value = answer.headers.get(name, "")
    return value if value.isprintable() and len(value) <= _LONGEST_VALIDATOR else ""


def retry_after(value: str) -> int:
    """Return the seconds that a Retry-After asks to wait, as a number or a date; 0 for none."""
    if value.isascii() and value.isdecimal():
        return min(int(value[:9]), 10**6)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((zoned - datetime.now(UTC)).total_seconds()) + 1)
