"""Tokens of partners: only their digests are stored, and a revoked one opens nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from repository.config import Settings
from repository.database.partner_tokens import PartnerTokenExists
from repository.errors import NotFound
from repository.model.partners import Scope
from repository.repository import memory_repository


def test_token_is_found_until_it_is_revoked_and_may_be_replaced_then() -> None:
    tokens = memory_repository(Settings()).partner_tokens
    partner, token = tokens.create("某馆", [Scope.EXPORT, Scope.FULL_SIZE], "shanben_")
    assert token.startswith("shanben_")
    assert tokens.find(token) == partner
    assert tokens.find(f"{token}x") is None
    with pytest.raises(PartnerTokenExists):
        tokens.create("某馆", [Scope.EXPORT], "shanben_")
    assert tokens.revoke("某馆").revoked
    assert tokens.find(token) is None
    replaced, again = tokens.create("某馆", [Scope.HARVEST], "shanben_")
    assert (replaced.scopes, replaced.revoked, again == token) == (frozenset({Scope.HARVEST}), None, False)
    assert [each.name for each in tokens.all()] == ["某馆"]
    with pytest.raises(NotFound):
        tokens.revoke("nobody")


def test_copy_of_the_database_holds_no_token() -> None:
    repository = memory_repository(Settings())
    _, token = repository.partner_tokens.create("a", [Scope.EXPORT], "shanben_")
    with repository.catalogue._sessions() as session:
        stored = str(session.execute(text("SELECT * FROM partner_tokens")).all())
    assert token.removeprefix("shanben_") not in stored
