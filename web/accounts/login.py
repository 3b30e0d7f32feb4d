"""Logging in and out: the password, the limits of failed logins, the session.

An attempt for an unknown or disabled name computes the same hash, has the same response and counts as much as one with
a wrong password, so that neither the response nor its time discloses which accounts exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from iiif_server.request.cost import RequestLimited
from repository.database.accounts import Accounts, AccountSessions, Credentials
from repository.database.login_failures import LoginFailures
from repository.errors import AccessRefused
from repository.localized import LocalizedText
from repository.model.accounts import Account, normalized_name
from web.accounts.passwords import MAX_CHARACTERS, Passwords, PasswordsBusy

ACCOUNT_FAILURES: Final = 10
"""Failed logins of one account, existing or not, that are allowed within `FAILURES_REMEMBERED`."""

ADDRESS_FAILURES: Final = 30
"""Failed logins from one address, or one IPv6 network, in that time: a reading room may share an address."""


class LoginRefused(AccessRefused):
    """The name or the password is wrong, or the account is disabled."""

    code = "login.refused"
    text = LocalizedText(
        "账号或密码有误，或账号已停用；忘记密码的，请联系管理员",
        "The name or the password is wrong, or the account is disabled; if you forgot it, ask an administrator",
    )


class LoginLimited(RequestLimited):
    """An account or an address has failed to log in too often."""

    code = "login.limit"
    text = LocalizedText(
        "登录失败次数过多；请在 {seconds} 秒后重试", "Too many failed logins; try again in {seconds} seconds"
    )


class Logins:
    """Begins and ends the sessions of accounts."""

    def __init__(
        self, accounts: Accounts, sessions: AccountSessions, failures: LoginFailures, passwords: Passwords
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._failures = failures
        self._passwords = passwords

    def begin(self, name: str, password: str, address: str) -> str:
        """Check a name and a password from `address`. Return the token of a new session.

        Raises `LoginRefused`, `LoginLimited`, `PasswordsBusy` and `DatabaseFault`.
        """
        account = self.verify(name, password, address).name
        token = self._sessions.start(account)
        if token is None:
            raise LoginRefused
        return token

    def verify(self, name: str, password: str, address: str) -> Account:
        """Return the account, in use, that has this name and password. Failures count as those of `begin`.

        Raises `LoginRefused`, `LoginLimited`, `PasswordsBusy` and `DatabaseFault`.
        """
        account = normalized_name(name)
        limits = _limits(account, address)
        seconds = self._failures.count(limits)
        if seconds:
            raise LoginLimited(seconds=seconds)
        try:
            found = self._check(account, password)
        except PasswordsBusy:
            for subject in limits:  # the password was not checked
                self._failures.give_back(subject)
            raise
        if found is None or found.account.disabled is not None:
            raise LoginRefused
        self._failures.forget(account_subject(account))
        self._failures.give_back(_address_subject(address))
        if self._passwords.needs_rehash(found.encoded):
            self._accounts.replace_hash(account, found.encoded, self._passwords.hash(password))
        return found.account

    def end(self, token: str) -> None:
        """End a session."""
        self._sessions.end(token)

    def _check(self, name: str, password: str) -> Credentials | None:
        """Return the account if the password is right. Always computes one hash."""
        found = self._accounts.credentials(name)
        is_right = self._passwords.verify(found.encoded if found else None, password)
        return found if is_right and len(password) <= MAX_CHARACTERS else None


def account_subject(name: str) -> str:
    """Return the subject under which the failed logins of an account are counted."""
    return f"account:{name}"


def _address_subject(address: str) -> str:
    return f"address:{address}"


def _limits(name: str, address: str) -> Mapping[str, int]:
    return MappingProxyType({account_subject(name): ACCOUNT_FAILURES, _address_subject(address): ADDRESS_FAILURES})
