"""Works that the search index does not have yet, and indexes of limited works and of images with redactions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration. Every work is to be indexed."""
    op.create_table(
        "unindexed_works",
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("mark", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("work", name=op.f("pk_unindexed_works")),
    )
    limited = sa.text("access <> 'open'")
    op.create_index("ix_works_limited", "works", ["identifier"], sqlite_where=limited, postgresql_where=limited)
    redacted = sa.text("redactions IS NOT NULL")
    op.create_index("ix_images_redacted", "images", ["work"], sqlite_where=redacted, postgresql_where=redacted)
    op.execute("INSERT INTO unindexed_works (work, mark) SELECT identifier, 'migration' FROM works")


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_images_redacted", "images")
    op.drop_index("ix_works_limited", "works")
    op.drop_table("unindexed_works")
