"""Accounts, their sessions, and the secret that web processes share.

A session has a token, which opens pages, and a reference, which is the SHA-256 of the token and opens restricted images
(in a signed cookie). The database keeps the SHA-256 of the reference. A copy of the database therefore opens neither,
although the secret that signs cookies is in it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from repository.clock import Clock, timestamp
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.new_database import COOKIES
from repository.database.tables import AccountRow, AccountSessionRow, SecretRow
from repository.errors import CallError, NotFound
from repository.localized import LocalizedText
from repository.model.accounts import Account, Role

SESSION_LIFETIME: Final = timedelta(hours=12)
SESSION_IDLE: Final = timedelta(hours=1)
"""How long a session may go unused."""

_USE_RECORDED: Final = timedelta(minutes=1)
"""How often the use of a session is recorded."""

_TOKEN_BYTES: Final = 32


class AccountExists(CallError):
    """An account of this name exists already."""

    code = "account.exists"
    text = LocalizedText(
        "账号 {name} 已存在；改密码请用 shanben account password",
        "The account {name} exists already; to change its password use shanben account password",
    )


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account and the encoded hash of its password."""

    account: Account
    encoded: str


class Accounts:
    """The accounts of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def add(self, name: str, role: Role, encoded: str) -> Account:
        """Add an account with a normalized name and an encoded hash. Raises `AccountExists`."""

        def action(session: Session) -> Account:
            if session.get(AccountRow, name) is not None:
                raise AccountExists(name=name)
            row = AccountRow(name=name, role=role.value, password=encoded, created=timestamp(self._clock()))
            session.add(row)
            return _account(row)

        return run_transaction(self._sessions, action)

    def all(self) -> list[Account]:
        """Return every account by name, disabled ones included."""
        with read_session(self._sessions) as session:
            return [_account(row) for row in session.scalars(select(AccountRow).order_by(AccountRow.name))]

    def credentials(self, name: str) -> Credentials | None:
        """Return an account with its hash; None for an unknown name."""
        with read_session(self._sessions) as session:
            row = session.get(AccountRow, name)
            return Credentials(_account(row), row.password) if row else None

    def disable(self, name: str) -> Account:
        """Disable an account and end its sessions; harmless if it is disabled already. Raises `NotFound`."""

        def action(session: Session) -> Account:
            row = _row(session, name)
            row.disabled = row.disabled or timestamp(self._clock())
            _end_sessions(session, name)
            return _account(row)

        return run_transaction(self._sessions, action)

    def enable(self, name: str) -> Account:
        """Enable a disabled account. Raises `NotFound`."""

        def action(session: Session) -> Account:
            row = _row(session, name)
            row.disabled = None
            return _account(row)

        return run_transaction(self._sessions, action)

    def change_password(self, name: str, encoded: str) -> Account:
        """Replace the hash of an account and end its sessions. Raises `NotFound`."""

        def action(session: Session) -> Account:
            row = _row(session, name)
            row.password = encoded
            _end_sessions(session, name)
            return _account(row)

        return run_transaction(self._sessions, action)

    def replace_hash(self, name: str, old: str, new: str) -> None:
        """Replace the hash of the same password by one with other parameters, unless the password changed meanwhile."""
        change = update(AccountRow).where(AccountRow.name == name, AccountRow.password == old).values(password=new)
        run_transaction(self._sessions, lambda session: session.execute(change))

    def cookie_secret(self) -> bytes:
        """Return the secret that signs the cookies of all web processes: 32 random bytes, made with the tables."""
        with read_session(self._sessions) as session:
            return session.scalars(select(SecretRow.value).where(SecretRow.name == COOKIES)).one()


class AccountSessions:
    """The sessions of accounts. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def start(self, name: str) -> str | None:
        """Begin a session and return its token; None if the account is disabled or unknown. Delete ended sessions."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)

        def action(session: Session) -> str | None:
            now = self._clock()
            idle = timestamp(now - SESSION_IDLE)
            ended = (AccountSessionRow.ends <= timestamp(now)) | (AccountSessionRow.used <= idle)
            session.execute(delete(AccountSessionRow).where(ended))
            account = session.get(AccountRow, name, with_for_update=True)  # it may be disabled at this moment
            if account is None or account.disabled is not None:
                return None
            started, ends = timestamp(now), timestamp(now + SESSION_LIFETIME)
            key = _key_of(session_reference(token))
            row = AccountSessionRow(token_sha256=key, account=name, started=started, used=started, ends=ends)
            session.add(row)
            return token

        return run_transaction(self._sessions, action)

    def account(self, token: str) -> Account | None:
        """Return the account of a session, and record its use at most once a minute; None if it has ended."""
        return self.account_of(session_reference(token))

    def account_of(self, reference: str) -> Account | None:
        """Return the account of a session by its reference, as `account` does by its token."""
        now = self._clock()
        joined = select(AccountRow, AccountSessionRow.used).join(
            AccountSessionRow, AccountSessionRow.account == AccountRow.name
        )
        query = joined.where(
            AccountSessionRow.token_sha256 == _key_of(reference),
            AccountSessionRow.ends > timestamp(now),
            AccountSessionRow.used > timestamp(now - SESSION_IDLE),
            AccountRow.disabled.is_(None),
        )
        with read_session(self._sessions) as session:
            found = session.execute(query).one_or_none()
        if found is None:
            return None
        row, used = found
        if used <= timestamp(now - _USE_RECORDED):
            self._record_use(reference, timestamp(now))
        return _account(row)

    def end(self, token: str) -> None:
        """End a session; harmless if it has ended."""
        self.end_of(session_reference(token))

    def end_of(self, reference: str) -> None:
        """End a session by its reference; harmless if it has ended."""
        ending = delete(AccountSessionRow).where(AccountSessionRow.token_sha256 == _key_of(reference))
        run_transaction(self._sessions, lambda session: session.execute(ending))

    def count(self, name: str) -> int:
        """Return how many sessions of an account are stored."""
        query = select(func.count()).select_from(AccountSessionRow).where(AccountSessionRow.account == name)
        with read_session(self._sessions) as session:
            return session.scalar(query) or 0

    def _record_use(self, reference: str, time: str) -> None:
        row = update(AccountSessionRow).where(AccountSessionRow.token_sha256 == _key_of(reference))
        run_transaction(self._sessions, lambda session: session.execute(row.values(used=time)))


def _row(session: Session, name: str) -> AccountRow:
    row = session.get(AccountRow, name, with_for_update=True)
    if row is None:
        raise NotFound(what=LocalizedText(f"账号 {name}", f"account {name}"))
    return row


def _account(row: AccountRow) -> Account:
    return Account(row.name, Role(row.role), row.created, row.disabled)


def _end_sessions(session: Session, name: str) -> None:
    session.execute(delete(AccountSessionRow).where(AccountSessionRow.account == name))


def session_reference(token: str) -> str:
    """Return the reference of a session, the SHA-256 of its token: it finds the session, and opens no page."""
    return hashlib.sha256(token.encode()).hexdigest()


def _key_of(reference: str) -> str:
    return hashlib.sha256(reference.encode()).hexdigest()
