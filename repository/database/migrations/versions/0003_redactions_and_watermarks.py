"""Redactions of images, and watermarks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("works", sa.Column("watermark", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("images", sa.Column("redactions", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Revert the migration."""
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_column("redactions")
    with op.batch_alter_table("works", schema=None) as batch_op:
        batch_op.drop_column("watermark")
