"""Limits the requests of one client, by what they cost.

==================================================  ==================================  ========================
requests                                            processor time                      limit, a minute
==================================================  ==================================  ========================
search, lists of works, OAI-PMH, ``/api``,          1 to 80 ms, more in large indexes;  the setting
parts of the sitemap                                480 ms for a part of the sitemap
pages, records and texts of a work                  4 to 26 ms for 300 pages,           `_TIMES_OF_A_WORK` times
                                                    15 to 210 ms for 2,000              the setting
all else: manifests, tiles, the log                 below 5 ms                          none
==================================================  ==================================  ========================

The two are counted apart, so that a viewer that loads the text of many pages can still search. The numbers are counted
by the library `limits` in a moving window of a minute. With Redis as the broker, all web processes count together;
without it, each process counts its own, so that ``n`` processes serve a client at up to ``n`` times the rate. A partner
whose token has the scope ``harvest`` is counted by its token, at `_PARTNER_TIMES` the rate. Renderings and searches for
pictures have budgets of their own, because they differ in cost.
"""

from __future__ import annotations

import time
from math import ceil
from typing import Final

from flask import request
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from iiif_server.auth.credentials import credentials_of
from iiif_server.request.cost import RequestLimited
from iiif_server.urls import COSTLY_ROOTS, WORKS, is_made_of_a_work
from repository.config import Settings
from repository.localized import LocalizedText
from repository.model.partners import Scope
from repository.repository import Repository
from web.trusted_networks import request_address

_PARTNER_TIMES: Final = 10
_TIMES_OF_A_WORK: Final = 4
_COUNTED: Final = {1: "requests", _TIMES_OF_A_WORK: "works"}
_TIMEOUTS: Final = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}


class RequestsLimited(RequestLimited):
    """A client has sent more requests than it may."""

    code = "request.rate"
    text = LocalizedText(
        "请求过于频繁；请在 {seconds} 秒后重试，或向馆方申请合作机构令牌",
        "Too many requests from this address; try again in {seconds} seconds, or ask the library for a partner's token",
    )


class RequestLimits:
    """Counts the current request before it is answered. Raises `RequestsLimited`, `DatabaseFault`."""

    def __init__(self, repository: Repository) -> None:
        self._partners = repository.partner_tokens
        self._rate = repository.settings.client_requests
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._shared = _shared_limiter(repository.settings)

    def __call__(self) -> None:
        """Count the request, if its kind is limited. A program on this machine has no limit."""
        times = _times(request.path)
        if not self._rate or request.method == "OPTIONS" or not times:
            return
        address = request_address(request)
        if not address:
            return
        client, rate = self._client(address)
        limit, counted = RateLimitItemPerMinute(rate * times), (_COUNTED[times], client)
        try:
            seconds = _hit(self._shared or self._own, limit, counted)
        except StorageError:  # Redis is away: this process counts its own
            seconds = _hit(self._own, limit, counted)
        if seconds:
            raise RequestsLimited(seconds=seconds)

    def _client(self, address: str) -> tuple[str, int]:
        """Return who is counted, and the requests a minute."""
        token = credentials_of(None, request.headers.get("Authorization")).partner_token
        partner = self._partners.find(token) if token else None
        if partner and Scope.HARVEST in partner.scopes:
            return f"partner:{partner.name}", self._rate * _PARTNER_TIMES
        return f"address:{address}", self._rate


def _times(path: str) -> int:
    """Return how many times the setting's rate the requests for a path may have; 0 for no limit."""
    if path.startswith(COSTLY_ROOTS) or path == WORKS:
        return 1
    return _TIMES_OF_A_WORK if is_made_of_a_work(path) else 0


def _hit(limiter: MovingWindowRateLimiter, limit: RateLimitItemPerMinute, counted: tuple[str, str]) -> int:
    """Count a request of a kind and client. Return 0, or the seconds to wait if it is one too many."""
    if limiter.hit(limit, *counted):
        return 0
    reset = limiter.get_window_stats(limit, *counted).reset_time
    return max(1, ceil(reset - time.time()))


def _shared_limiter(settings: Settings) -> MovingWindowRateLimiter | None:
    """Return the limiter that all processes share; None without Redis."""
    if not settings.broker.startswith(("redis://", "rediss://")):
        return None
    return MovingWindowRateLimiter(storage_from_string(settings.broker, wrap_exceptions=True, **_TIMEOUTS))
