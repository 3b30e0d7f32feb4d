"""Accounts, their sessions, and failed logins, on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from repository.clock import timestamp
from repository.database.accounts import (
    SESSION_IDLE,
    SESSION_LIFETIME,
    AccountExists,
    Accounts,
    AccountSessions,
    session_reference,
)
from repository.database.engine import migrate, open_database, read_session, sessions_of
from repository.database.login_failures import FAILURES_REMEMBERED, LoginFailures
from repository.database.tables import AccountSessionRow, LoginFailureRow
from repository.errors import NotFound
from repository.model.accounts import Role

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class StoppedClock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Tables:
    """What the tests use of one database."""

    def __init__(self, engine: Engine) -> None:
        self.clock = StoppedClock()
        self.factory = sessions_of(engine)
        self.accounts = Accounts(self.factory, self.clock)
        self.sessions = AccountSessions(self.factory, self.clock)
        self.failures = LoginFailures(self.factory, self.clock)


@pytest.fixture
def tables(engine: Engine) -> Tables:
    return Tables(engine)


def test_accounts_are_listed_by_name_with_role_and_times(tables: Tables) -> None:
    for name, role in (("wang", Role.CONSERVATOR), ("li", Role.LIBRARIAN)):
        tables.accounts.add(name, role, "hash")
    tables.clock.now += SECOND
    tables.accounts.disable("wang")
    listed = [(each.name, each.role, each.created, each.disabled) for each in tables.accounts.all()]
    assert listed == [
        ("li", Role.LIBRARIAN, timestamp(START), None),
        ("wang", Role.CONSERVATOR, timestamp(START), timestamp(START + SECOND)),
    ]


def test_adding_a_name_again_is_refused_and_changes_nothing(tables: Tables) -> None:
    tables.accounts.add("li", Role.LIBRARIAN, "first")
    with pytest.raises(AccountExists):
        tables.accounts.add("li", Role.ADMINISTRATOR, "second")
    found = tables.accounts.credentials("li")
    assert found is not None
    assert (found.account.role, found.encoded) == (Role.LIBRARIAN, "first")


def test_changes_of_unknown_accounts_are_refused(tables: Tables) -> None:
    for change in (tables.accounts.disable, tables.accounts.enable):
        with pytest.raises(NotFound):
            change("nobody")
    with pytest.raises(NotFound):
        tables.accounts.change_password("nobody", "hash")
    assert tables.accounts.credentials("nobody") is None


def test_session_belongs_to_its_account_and_nothing_stored_opens_it(tables: Tables) -> None:
    tables.accounts.add("li", Role.LIBRARIAN, "hash")
    token = tables.sessions.start("li")
    assert token is not None
    account = tables.sessions.account(token)
    assert account is not None
    assert account.name == "li"
    assert tables.sessions.account(token + "x") is None
    with read_session(tables.factory) as session:
        (row,) = session.scalars(select(AccountSessionRow))
    assert tables.sessions.account_of(session_reference(token)) == account
    assert not {token, session_reference(token)} & {row.token_sha256, row.account}
    assert tables.sessions.account_of(row.token_sha256) is None


@pytest.mark.parametrize("ending", ["end", "disable", "password"])
def test_ended_session_has_no_account(tables: Tables, ending: str) -> None:
    tables.accounts.add("li", Role.LIBRARIAN, "hash")
    token, other = tables.sessions.start("li"), tables.sessions.start("li")
    assert token is not None
    assert other is not None
    if ending == "end":
        tables.sessions.end(token)
        assert tables.sessions.account(other) is not None
    elif ending == "disable":
        tables.accounts.disable("li")
        tables.accounts.enable("li")
    else:
        tables.accounts.change_password("li", "new")
    assert tables.sessions.account(token) is None
    assert tables.sessions.count("li") == (1 if ending == "end" else 0)


def test_disabled_or_unknown_account_gets_no_session(tables: Tables) -> None:
    tables.accounts.add("li", Role.LIBRARIAN, "hash")
    tables.accounts.disable("li")
    assert tables.sessions.start("li") is None
    assert tables.sessions.start("nobody") is None


def test_unused_session_ends(tables: Tables) -> None:
    tables.accounts.add("li", Role.LIBRARIAN, "hash")
    token = tables.sessions.start("li")
    assert token is not None
    tables.clock.now += SESSION_IDLE - SECOND
    assert tables.sessions.account(token) is not None
    tables.clock.now += SESSION_IDLE - SECOND
    assert tables.sessions.account(token) is not None, "its use was recorded"
    tables.clock.now += SESSION_IDLE
    assert tables.sessions.account(token) is None


def test_session_in_constant_use_ends_after_its_lifetime_and_is_deleted_at_the_next_login(tables: Tables) -> None:
    tables.accounts.add("li", Role.LIBRARIAN, "hash")
    token = tables.sessions.start("li")
    assert token is not None
    while tables.clock.now < START + SESSION_LIFETIME - SECOND:
        assert tables.sessions.account(token) is not None
        tables.clock.now += SESSION_IDLE / 2
    assert tables.sessions.account(token) is None
    tables.sessions.start("li")
    assert tables.sessions.count("li") == 1


def test_rehash_never_undoes_a_change_of_password(tables: Tables) -> None:
    tables.accounts.add("li", Role.LIBRARIAN, "old")
    token = tables.sessions.start("li")
    assert token is not None
    tables.accounts.replace_hash("li", "old", "stronger")
    assert tables.sessions.account(token) is not None
    tables.accounts.change_password("li", "new")
    tables.accounts.replace_hash("li", "stronger", "late")
    found = tables.accounts.credentials("li")
    assert found is not None
    assert found.encoded == "new"


def test_cookie_secret_is_random_and_the_same_for_every_process(tables: Tables) -> None:
    secret = tables.accounts.cookie_secret()
    assert len(secret) == 32
    assert Accounts(tables.factory, tables.clock).cookie_secret() == secret
    other = open_database("sqlite://")
    migrate(other)
    assert Accounts(sessions_of(other), tables.clock).cookie_secret() != secret


def test_attempts_are_counted_until_a_subject_reaches_its_limit(tables: Tables) -> None:
    assert [tables.failures.count({"a": 2, "b": 9}) for _ in range(3)] == [0, 0, FAILURES_REMEMBERED.seconds]
    assert tables.failures.count({"b": 3}) == 0, "the attempt that was refused did not count for b"
    assert tables.failures.count({"b": 3}) > 0
    tables.clock.now += FAILURES_REMEMBERED
    assert tables.failures.count({"a": 2, "b": 3}) == 0


def test_successful_login_gives_its_attempt_back(tables: Tables) -> None:
    tables.failures.count({"a": 1, "b": 1})
    tables.failures.forget("a")
    tables.failures.give_back("b")
    assert tables.failures.count({"a": 1, "b": 1}) == 0
    for _ in range(3):
        tables.failures.give_back("b")
    assert [tables.failures.count({"b": 1}) > 0 for _ in range(2)] == [False, True], "a count is never negative"


def test_failures_do_not_store_what_was_typed(tables: Tables) -> None:
    tables.failures.count({"account:my password": 1})
    with read_session(tables.factory) as session:
        (row,) = session.scalars(select(LoginFailureRow))
    assert "password" not in row.subject


def test_concurrent_attempts_do_not_exceed_a_limit(tables: Tables) -> None:
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: tables.failures.count({"a": 5, "b": 99}), range(24)))
    assert waits.count(0) == 5
