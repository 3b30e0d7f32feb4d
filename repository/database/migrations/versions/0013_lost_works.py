"""Works that the log names and no store has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "lost_works",
        sa.Column("work", sa.String(32), primary_key=True),
        sa.Column("logged", sa.Integer(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.String(32), nullable=False),
        sa.Column("decided", sa.String(32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
    )


def downgrade() -> None:
    """Revert the migration. The next rebuild lists the works again, as far as the log does not say otherwise."""
    op.drop_table("lost_works")
