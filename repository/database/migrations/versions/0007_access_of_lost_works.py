"""The access to works that a rebuild did not find."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "lost_access",
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("work", name=op.f("pk_lost_access")),
    )


def downgrade() -> None:
    """Revert the migration."""
    op.drop_table("lost_access")
