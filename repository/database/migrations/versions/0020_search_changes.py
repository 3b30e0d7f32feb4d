"""Numbered changes of works and of partners' records for search, instead of a list of works to index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_FILL = """
    INSERT INTO search_changes (identifier, number, pending)
    SELECT identifier, row_number() OVER (ORDER BY identifier) - 1, true FROM (
        SELECT work AS identifier FROM unindexed_works
        UNION ALL SELECT source || '/' || key FROM harvested_records WHERE state = 'live'
    ) AS changed
"""


def upgrade() -> None:
    """Apply the migration. Every record that a partner offers is to be indexed."""
    op.create_table(
        "search_changes",
        sa.Column("identifier", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_search_changes")),
        sa.UniqueConstraint("number", name=op.f("uq_search_changes_number")),
    )
    pending = sa.text("pending")
    op.create_index(
        "ix_search_changes_pending", "search_changes", ["identifier"], sqlite_where=pending, postgresql_where=pending
    )
    op.execute(_FILL)
    op.execute("INSERT INTO feed_heads (name, size, time) SELECT 'search', count(*), '' FROM search_changes")
    op.drop_table("unindexed_works")


def downgrade() -> None:
    """Revert the migration."""
    op.create_table(
        "unindexed_works",
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("mark", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("work", name=op.f("pk_unindexed_works")),
    )
    op.execute(
        "INSERT INTO unindexed_works (work, mark) SELECT identifier, 'migration' FROM search_changes"
        " WHERE pending AND identifier NOT LIKE '%/%'"
    )
    op.execute("DELETE FROM feed_heads WHERE name = 'search'")
    op.drop_index("ix_search_changes_pending", "search_changes")
    op.drop_table("search_changes")
