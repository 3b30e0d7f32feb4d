"""Who may see more than the public: the privileges of a request, by its credentials.

A session or a token is looked up once in `TRUSTED_SECONDS`, however many tiles are requested with it; the end of a
session takes effect within this time. While the database is unavailable the last result holds for `GRACE_SECONDS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Final

from iiif_server.auth.credentials import AccessKeys, RequestCredentials
from iiif_server.image.resolved import GRACE_SECONDS, TRUSTED_SECONDS
from iiif_server.tiles.single_flight import SingleFlight
from repository.clock_cache import ClockCache
from repository.errors import DatabaseFault
from repository.model.access import NO_PRIVILEGES, Privileges
from repository.model.accounts import PRIVILEGES
from repository.repository import Repository

_REMEMBERED: Final = 4096

Query = Callable[[], Privileges]
InThread = Callable[[Query], Awaitable[Privileges]]


class Viewers:
    """The privileges of requests. Used from one event loop; `in_thread` runs a query in a thread."""

    def __init__(self, repository: Repository, clock: Callable[[], float], in_thread: InThread) -> None:
        self._sessions = repository.account_sessions
        self._partners = repository.partner_tokens
        self._keys = AccessKeys(repository.accounts.cookie_secret())
        self._clock = clock
        self._now: Callable[[], datetime] = repository.clock
        self._in_thread = in_thread
        self._known: ClockCache[str, tuple[Privileges, float]] = ClockCache(_REMEMBERED)
        self._look_ups: SingleFlight[Privileges] = SingleFlight()

    async def privileges(self, credentials: RequestCredentials) -> Privileges:
        """Return what a request for pixels may see beyond the public: by its cookie, or the token of a partner.

        Raises `DatabaseFault`.
        """
        if token := credentials.partner_token:
            return await self._privileges(f"p{_digest(token)}", partial(self._of_partner, token))
        cookie = self._keys.read_cookie(credentials.cookie) if credentials.cookie else None
        return await self._of_session(cookie.session) if cookie else NO_PRIVILEGES

    async def described(self, credentials: RequestCredentials, work: str) -> Privileges:
        """Return what a request for the description of an image of `work` may see beyond the public.

        An access token counts too: the description shows no pixel. Raises `DatabaseFault`.
        """
        token = "" if credentials.partner_token else credentials.bearer
        found = self._keys.read_token(token, self._now().timestamp()) if token else None
        if found and found.work == work:
            return await self._of_session(found.session)
        return await self.privileges(credentials)

    async def _of_session(self, session: str) -> Privileges:
        return await self._privileges(f"s{session}", partial(self._of_account, session))

    async def _privileges(self, key: str, query: Query) -> Privileges:
        known = self._known.get(key)
        if known and known[1] + TRUSTED_SECONDS >= self._clock():
            return known[0]
        try:
            return await self._look_ups.run(key, partial(self._look_up, key, query))
        except DatabaseFault:
            if known and known[1] + GRACE_SECONDS >= self._clock():
                return known[0]
            raise

    async def _look_up(self, key: str, query: Query) -> Privileges:
        now = self._clock()
        found = await self._in_thread(query)
        self._known.put(key, (found, now))
        return found

    def _of_account(self, session: str) -> Privileges:
        account = self._sessions.account_of(session)
        return PRIVILEGES[account.role] if account else NO_PRIVILEGES

    def _of_partner(self, token: str) -> Privileges:
        partner = self._partners.find(token)
        return partner.privileges if partner else NO_PRIVILEGES


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
