"""Leases and children of jobs, positions in the log, replica status, counters, and the log's newest checkpoint."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNTERS = (
    ("works", "SELECT count(*) FROM works"),
    ("published", "SELECT count(*) FROM works WHERE state = 'published'"),
    ("images", "SELECT coalesce(sum(images), 0) FROM works"),
    ("bytes", "SELECT coalesce(sum(master_bytes), 0) FROM works"),
    ("events", "SELECT count(*) FROM events"),
    ("logged", "SELECT count(log_index) FROM events"),
)
_PARTIAL_INDEXES = (("ix_events_unnumbered", "sequence"), ("ix_events_unlogged", "log_index"))
_JOB_COLUMNS = ("sent", "not_before", "held_until", "holder", "claim", "plan", "remaining", "parent", "again", "since")


def upgrade() -> None:
    """Apply the migration."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_state"))
        batch_op.add_column(sa.Column("since", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("again", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("parent", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("remaining", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("plan", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("claim", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("holder", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("held_until", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("not_before", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("sent", sa.String(length=32), nullable=True))
        batch_op.create_index(batch_op.f("ix_jobs_parent"), ["parent"], unique=False)
        batch_op.create_index(batch_op.f("ix_jobs_state_not_before"), ["state", "not_before"], unique=False)
        batch_op.create_unique_constraint(batch_op.f("uq_jobs_claim"), ["claim"])
    # Jobs that an older release left running are queued again.
    op.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
    op.execute("UPDATE jobs SET since = updated")

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sequence", sa.BigInteger(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_events_sequence"), ["sequence"])
    op.execute("UPDATE events SET sequence = log_index")
    for name, column in _PARTIAL_INDEXES:
        absent = sa.text(f"{column} IS NULL")
        op.create_index(name, "events", ["work"], sqlite_where=absent, postgresql_where=absent)

    op.create_table(
        "copies",
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("store", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verified", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("work", "store", name=op.f("pk_copies")),
    )
    op.create_table(
        "log_heads",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("verifier_key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_log_heads")),
    )
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tallies")),
    )
    for name, query in _COUNTERS:
        op.execute(f"INSERT INTO tallies (name, value) SELECT '{name}', ({query})")


def downgrade() -> None:
    """Revert the migration."""
    for table in ("tallies", "log_heads", "copies"):
        op.drop_table(table)
    for name, _ in _PARTIAL_INDEXES:
        op.drop_index(name, "events")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_events_sequence"), type_="unique")
        batch_op.drop_column("sequence")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_jobs_claim"), type_="unique")
        batch_op.drop_index(batch_op.f("ix_jobs_state_not_before"))
        batch_op.drop_index(batch_op.f("ix_jobs_parent"))
        for name in _JOB_COLUMNS:
            batch_op.drop_column(name)
        batch_op.create_index(batch_op.f("ix_jobs_state"), ["state"], unique=False)
