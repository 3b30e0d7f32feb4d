"""The access to works: when it ends, the last change, and whether the work's object holds it already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEX = "ix_works_access_until"


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("works", sa.Column("access_until", sa.String(10), nullable=True))
    op.add_column("works", sa.Column("access_changed", sa.String(32), nullable=True))
    op.add_column("works", sa.Column("access_agent", sa.String(16), nullable=True))
    op.add_column("works", sa.Column("access_reason", sa.Text(), nullable=True))
    op.add_column("works", sa.Column("access_pending", sa.Boolean(), nullable=False, server_default=sa.false()))
    some = sa.text("access_until IS NOT NULL")
    op.create_index(_INDEX, "works", ["access_until"], sqlite_where=some, postgresql_where=some)
    # The cover of a restricted work was left out; now it is kept and shown when the restriction ends.
    op.execute(
        "UPDATE works SET cover = (SELECT images.identifier FROM images WHERE images.work = works.identifier"
        " ORDER BY images.position LIMIT 1) WHERE cover IS NULL"
    )


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index(_INDEX, "works")
    with op.batch_alter_table("works", schema=None) as batch_op:
        for column in ("access_pending", "access_reason", "access_agent", "access_changed", "access_until"):
            batch_op.drop_column(column)
