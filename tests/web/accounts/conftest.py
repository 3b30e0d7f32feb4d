"""A library with one account of each role, and browsers that keep cookies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from staff_browser import PASSWORD, Browser

from repository.model.accounts import Role
from repository.repository import Repository
from web.accounts.passwords import Passwords
from web.app import create_app


@pytest.fixture
def passwords() -> Passwords:
    """Hashes that cost little."""
    return Passwords(memory_kib=64, passes=1)


@pytest.fixture
def staffed(repository: Repository, passwords: Passwords) -> Repository:
    for role in Role:
        repository.accounts.add(role.value, role, passwords.hash(PASSWORD))
    return repository


@pytest.fixture
def app(staffed: Repository, passwords: Passwords) -> Flask:
    return create_app(staffed, passwords=passwords)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def public_browser(staffed: Repository, passwords: Passwords) -> Browser:
    """A browser of a site whose public address is set and uses HTTPS, behind a server that ends TLS."""
    settings = replace(staffed.settings, base_url="https://books.example")
    return Browser(create_app(replace(staffed, settings=settings), passwords=passwords).test_client())
