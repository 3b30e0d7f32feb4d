"""Identities of stores, and entries of the log whose events the catalogue does not hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "stores",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("identity", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stores")),
    )
    op.create_table(
        "unheld_events",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("identifier", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_unheld_events")),
    )
    op.create_index(op.f("ix_unheld_events_identifier"), "unheld_events", ["identifier"], unique=False)


def downgrade() -> None:
    """Revert the migration."""
    op.drop_table("unheld_events")
    op.drop_table("stores")
