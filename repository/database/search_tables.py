"""The table of changes that searches have to follow."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from repository.database.tables import Table

SEARCH_HEAD: Final = "search"
"""The name of the row of `FeedHeadRow` that counts the changes; it exists from the start."""


class SearchChangeRow(Table):
    """The newest change of what search has of a work or of a partner's record (see `search_changes.py`).

    `identifier` is that of the work, or the source's name and the record's key with a slash between them. Numbers rise
    with every change. The index does not have the change while it is `pending`.
    """

    __tablename__ = "search_changes"

    identifier: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    pending: Mapped[bool] = mapped_column(Boolean)

    __table_args__ = (
        Index(
            "ix_search_changes_pending",
            "identifier",
            sqlite_where=text("pending"),
            postgresql_where=text("pending"),
        ),
    )
