"""The table of tokens of partners."""

from __future__ import annotations

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from repository.database.tables import Table


class PartnerTokenRow(Table):
    """A token of a partner, by the SHA-256 of it. `revoked` is null for a token in use."""

    __tablename__ = "partner_tokens"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created: Mapped[str] = mapped_column(String(32))
    revoked: Mapped[str | None] = mapped_column(String(32))
