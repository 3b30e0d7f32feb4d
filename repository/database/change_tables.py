"""The tables of what partners learn: the feed of changes, and the records to harvest."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repository.database.tables import Table

FEED: Final = "changes"
"""The name of the row of `FeedHeadRow` that is the feed's; it exists from the start."""


class ChangeRow(Table):
    """An activity of the feed (`model.changes.Change`). Rows are never changed or deleted but by a lost database."""

    __tablename__ = "changes"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8))
    work: Mapped[str | None] = mapped_column(String(32))
    time: Mapped[str] = mapped_column(String(32))
    origin: Mapped[str | None] = mapped_column(Text)


class FeedRecordRow(Table):
    """The newest activity of a work that was ever published, and the sets that it belongs to.

    `holder_set` is None for a work without a holder. Both sets are None if the database was lost after the work had
    been deleted.
    """

    __tablename__ = "feed_records"

    work: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    time: Mapped[str] = mapped_column(String(32))
    deleted: Mapped[bool] = mapped_column(Boolean)
    class_set: Mapped[str | None] = mapped_column(String(32))
    holder_set: Mapped[str | None] = mapped_column(String(32))
    holder: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index(None, "time", "number"),
        Index(None, "class_set", "number"),
        Index(None, "holder_set", "number"),
    )


class FeedHeadRow(Table):
    """How many activities the feed has, and the time of the newest; or how many changes search has followed.

    The transaction that locks a row may append.
    """

    __tablename__ = "feed_heads"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    time: Mapped[str] = mapped_column(String(32))
