"""Events by the other digest that they name: the SM3 digest of a master, or that of an issued document."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("events", sa.Column("named_digest", sa.String(64), nullable=True))
    events = sa.table("events", sa.column("detail", sa.JSON), sa.column("named_digest", sa.String))
    named = sa.func.coalesce(*(events.c.detail[name].as_string() for name in ("sm3", "certificate", "report")))
    op.execute(sa.update(events).values(named_digest=named))
    op.create_index("ix_events_named_digest", "events", ["named_digest"])


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_events_named_digest", "events")
    op.drop_column("events", "named_digest")
