"""Works, images, events and jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "jobs",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("updated", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_jobs_state"), ["state"], unique=False)

    op.create_table(
        "works",
        sa.Column("identifier", sa.String(length=32), nullable=False),
        sa.Column("accessioned", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("access", sa.String(length=16), nullable=False),
        sa.Column("max_size", sa.Integer(), nullable=True),
        sa.Column("rights_uri", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("creator", sa.JSON(), nullable=False),
        sa.Column("date", sa.Text(), nullable=True),
        sa.Column("cover", sa.String(length=32), nullable=True),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("master_bytes", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_works")),
    )
    with op.batch_alter_table("works", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_works_state_accessioned_identifier"), ["state", "accessioned", "identifier"], unique=False
        )

    op.create_table(
        "events",
        sa.Column("identifier", sa.String(length=64), nullable=False),
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("image", sa.String(length=32), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["work"], ["works.identifier"], name=op.f("fk_events_work"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_events")),
        sa.UniqueConstraint("log_index", name=op.f("uq_events_log_index")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_image"), ["image"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_work"), ["work"], unique=False)

    op.create_table(
        "images",
        sa.Column("identifier", sa.String(length=32), nullable=False),
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("master_path", sa.Text(), nullable=False),
        sa.Column("master_sha256", sa.String(length=64), nullable=False),
        sa.Column("master_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("pyramid_key", sa.Text(), nullable=False),
        sa.Column("pyramid_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("pyramid_bytes", sa.BigInteger(), nullable=False),
        sa.Column("tile_size", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["work"], ["works.identifier"], name=op.f("fk_images_work"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_images")),
    )
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_images_master_bytes"), ["master_bytes"], unique=False)
        batch_op.create_index(batch_op.f("ix_images_master_sha256"), ["master_sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_images_work"), ["work"], unique=False)


def downgrade() -> None:
    """Revert the migration."""
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_images_work"))
        batch_op.drop_index(batch_op.f("ix_images_master_sha256"))
        batch_op.drop_index(batch_op.f("ix_images_master_bytes"))

    op.drop_table("images")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_work"))
        batch_op.drop_index(batch_op.f("ix_events_image"))

    op.drop_table("events")
    with op.batch_alter_table("works", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_works_state_accessioned_identifier"))

    op.drop_table("works")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_state"))

    op.drop_table("jobs")
