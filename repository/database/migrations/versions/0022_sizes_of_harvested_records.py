"""Sizes of partners' records and collections. The next run of each source makes them from the stored originals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_SOURCES = sa.table("harvest_sources", sa.column("name", sa.String), sa.column("state", sa.JSON))


def upgrade() -> None:
    """Apply the migration."""
    for table in ("harvested_records", "harvested_collections"):
        op.add_column(table, sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column("size", server_default=None)
    op.execute("DELETE FROM harvested_collections")  # each is read again by the next run
    connection = op.get_bind()
    for name, state in connection.execute(sa.select(_SOURCES.c.name, _SOURCES.c.state)).all():
        # No version of the rules: the next run makes the rows of all records again, with their sizes.
        change = sa.update(_SOURCES).where(_SOURCES.c.name == name)
        connection.execute(change.values(state={**state, "rules": 0}))


def downgrade() -> None:
    """Revert the migration."""
    for table in ("harvested_records", "harvested_collections"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("size")
