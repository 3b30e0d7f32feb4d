"""Events that the provenance log alone keeps: those of stores, of the repository and of deleted works among them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FOREIGN_KEY = "fk_events_work"


def upgrade() -> None:
    """Apply the migration."""
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_constraint(_FOREIGN_KEY, type_="foreignkey")
        batch_op.alter_column("work", existing_type=sa.String(32), nullable=True)
        batch_op.add_column(sa.Column("kept_in_log", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Revert the migration. The events that the log alone keeps are forgotten; those already logged stay there."""
    op.execute("DELETE FROM events WHERE kept_in_log")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_column("kept_in_log")
        batch_op.alter_column("work", existing_type=sa.String(32), nullable=False)
        batch_op.create_foreign_key(_FOREIGN_KEY, "works", ["work"], ["identifier"], ondelete="CASCADE")
