"""Tokens of partners: programs of other institutions that may do more than the public.

A token is known by its SHA-256, so that a copy of the database is of no use. It is random, so that no salt is needed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from repository.clock import Clock, timestamp
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.partner_tables import PartnerTokenRow
from repository.errors import CallError, NotFound
from repository.localized import LocalizedText
from repository.model.partners import Partner, Scope

_TOKEN_BYTES: Final = 32


class PartnerTokenExists(CallError):
    """A token of this name is in use."""

    code = "token.exists"
    text = LocalizedText(
        "名为 {name} 的令牌正在使用；请先用 shanben token revoke 撤销",
        "A token named {name} is in use; revoke it first with shanben token revoke",
    )


class PartnerTokens:
    """The tokens of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def create(self, name: str, scopes: Iterable[Scope], prefix: str) -> tuple[Partner, str]:
        """Store a new token, and return it: nothing shows it again. It replaces a revoked one of the same name.

        Raises `PartnerTokenExists`.
        """
        token = prefix + secrets.token_urlsafe(_TOKEN_BYTES)
        names = sorted(scope.value for scope in set(scopes))

        def action(session: Session) -> Partner:
            row = session.get(PartnerTokenRow, name, with_for_update=True)
            if row is None:
                row = PartnerTokenRow(name=name)
                session.add(row)
            elif row.revoked is None:
                raise PartnerTokenExists(name=name)
            row.token_sha256, row.scopes = _digest(token), names
            row.created, row.revoked = timestamp(self._clock()), None
            return _partner(row)

        return run_transaction(self._sessions, action), token

    def all(self) -> list[Partner]:
        """Return every token by name, revoked ones included."""
        with read_session(self._sessions) as session:
            return [_partner(row) for row in session.scalars(select(PartnerTokenRow).order_by(PartnerTokenRow.name))]

    def revoke(self, name: str) -> Partner:
        """End a token; harmless if it has ended. Raises `NotFound`."""

        def action(session: Session) -> Partner:
            row = session.get(PartnerTokenRow, name, with_for_update=True)
            if row is None:
                raise NotFound(what=LocalizedText(f"令牌 {name}", f"token {name}"))
            row.revoked = row.revoked or timestamp(self._clock())
            return _partner(row)

        return run_transaction(self._sessions, action)

    def find(self, token: str) -> Partner | None:
        """Return the partner whose token this is; None for an unknown or revoked one."""
        query = select(PartnerTokenRow).where(
            PartnerTokenRow.token_sha256 == _digest(token), PartnerTokenRow.revoked.is_(None)
        )
        with read_session(self._sessions) as session:
            row = session.scalars(query).one_or_none()
            return _partner(row) if row else None


def _partner(row: PartnerTokenRow) -> Partner:
    known = frozenset(Scope(name) for name in row.scopes if name in set(Scope))
    return Partner(row.name, known, row.created, row.revoked)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
