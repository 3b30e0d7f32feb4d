"""Passwords: rules, hashes, concurrency."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from staff_browser import record_hashes

from web.accounts.passwords import MAX_CHARACTERS, Passwords, PasswordsBusy, PasswordUnfit, check_password

GOOD = "七月流火，九月授衣，一之日觱发"


def quick(**changes: float) -> Passwords:
    return Passwords(memory_kib=64, passes=1, **changes)  # type: ignore[arg-type]


def test_hashes_are_salted_argon2id_at_the_strength_of_the_rfc() -> None:
    encoded = Passwords().hash(GOOD)
    assert encoded.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert Passwords().verify(encoded, GOOD)
    assert quick().hash(GOOD) != quick().hash(GOOD)


def test_wrong_password_and_damaged_hash_are_not_verified() -> None:
    passwords = quick()
    encoded = passwords.hash(GOOD)
    assert not passwords.verify(encoded, GOOD + "x")
    assert not passwords.verify(encoded[:-4], GOOD)
    assert not passwords.verify("", GOOD)


def test_composed_and_decomposed_characters_are_the_same_password() -> None:
    passwords = quick()
    assert passwords.verify(passwords.hash("caf\u00e9 caf\u00e9 caf\u00e9"), "cafe\u0301 cafe\u0301 cafe\u0301")


@pytest.mark.slow
def test_missing_account_costs_a_hash_with_the_same_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords()
    hashed = record_hashes(monkeypatch)
    known = passwords.hash(GOOD)
    passwords.verify(known, GOOD)
    passwords.verify(None, GOOD)
    assert extract_parameters(hashed[0]) == extract_parameters(hashed[1])
    assert not Passwords().verify(None, "")


def test_hash_of_other_parameters_is_made_again() -> None:
    weak = quick().hash(GOOD)
    assert Passwords().needs_rehash(weak)
    assert not quick().needs_rehash(weak)


@pytest.mark.parametrize(
    "password",
    ["", "short", "a" * 11, "a" * 40, "abab" * 10, "x" * (MAX_CHARACTERS + 1), "li.mei and more", "LI.MEI and more"],
)
def test_short_long_simple_and_telling_passwords_are_refused(password: str) -> None:
    with pytest.raises(PasswordUnfit):
        check_password("li.mei", password)


@pytest.mark.parametrize("password", [GOOD, "correct horse battery", "0123456789ab"])
def test_long_passwords_of_any_script_are_accepted(password: str) -> None:
    check_password("li.mei", password)


def test_only_two_hashes_are_computed_at_a_time() -> None:
    passwords = quick(wait_seconds=0.01)
    encoded = passwords.hash(GOOD)
    with passwords._slots, passwords._slots, pytest.raises(PasswordsBusy):
        passwords.verify(encoded, GOOD)
    assert passwords.verify(encoded, GOOD), "the places are free again"
