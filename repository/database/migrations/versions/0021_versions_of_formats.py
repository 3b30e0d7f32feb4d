"""Versions of the formats of masters, and holdings by version: those that are held already have none that is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("images", sa.Column("puid", sa.String(length=32), nullable=True))
    op.execute(
        "INSERT INTO holdings (kind, name, works, images, bytes)"
        " SELECT 'version', name, works, images, bytes FROM holdings WHERE kind = 'format'"
    )


def downgrade() -> None:
    """Revert the migration."""
    op.execute("DELETE FROM holdings WHERE kind = 'version'")
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_column("puid")
