"""Parts of masters that their images do not show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("images", sa.Column("ignored", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Revert the migration."""
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_column("ignored")
