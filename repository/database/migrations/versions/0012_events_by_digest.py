"""Events by the digest that they state, so that anybody may look up a file."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.create_index("ix_events_sha256", "events", ["sha256"])


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_events_sha256", "events")
