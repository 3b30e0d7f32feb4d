"""The table of works that the search index does not have yet."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from repository.database.tables import Table


class UnindexedWorkRow(Table):
    """A work whose change the search index does not have yet; `mark` tells this change from later ones."""

    __tablename__ = "unindexed_works"

    work: Mapped[str] = mapped_column(String(32), primary_key=True)
    mark: Mapped[str] = mapped_column(String(16))
