"""Files, findings and sweeps of fixity checks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    _create_units()
    _create_files()
    _create_tallies()
    _create_findings()
    _create_sweeps()


def downgrade() -> None:
    """Revert the migration."""
    for table in ("fixity_sweeps", "fixity_findings", "fixity_tallies", "fixity_files", "fixity_units"):
        op.drop_table(table)


def _create_units() -> None:
    op.create_table(
        "fixity_units",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("store", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("not_checked", sa.Integer(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("sweep", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=True),
        sa.Column("holder", sa.String(length=255), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixity_units")),
        sa.UniqueConstraint("name", "kind", "store", name=op.f("uq_fixity_units_name_kind_store")),
    )
    op.create_index(op.f("ix_fixity_units_store_due_id"), "fixity_units", ["store", "due", "id"])
    op.create_index(op.f("ix_fixity_units_store_sweep_id"), "fixity_units", ["store", "sweep", "id"])


def _create_files() -> None:
    op.create_table(
        "fixity_files",
        sa.Column("unit", _ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("category", sa.SmallInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["fixity_units.id"], name=op.f("fk_fixity_files_unit"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("unit", "path", name=op.f("pk_fixity_files")),
        sqlite_with_rowid=False,
    )


def _create_tallies() -> None:
    op.create_table(
        "fixity_tallies",
        sa.Column("store", sa.String(length=255), nullable=False),
        sa.Column("category", sa.SmallInteger(), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store", "category", "measure", "day", name=op.f("pk_fixity_tallies")),
    )


def _create_findings() -> None:
    op.create_table(
        "fixity_findings",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("store", sa.String(length=255), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("work", sa.String(length=32), nullable=True),
        sa.Column("expected", sa.String(length=64), nullable=True),
        sa.Column("found", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.String(length=32), nullable=False),
        sa.Column("last_seen", sa.String(length=32), nullable=False),
        sa.Column("sweep", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ended", sa.String(length=32), nullable=True),
        sa.Column("done", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixity_findings")),
        sa.UniqueConstraint("key", "store", "kind", name=op.f("uq_fixity_findings_key_store_kind")),
    )
    op.create_index(op.f("ix_fixity_findings_unit"), "fixity_findings", ["unit"])
    op.create_index(op.f("ix_fixity_findings_work"), "fixity_findings", ["work"])
    op.create_index(op.f("ix_fixity_findings_sweep"), "fixity_findings", ["sweep"])
    op.create_index(op.f("ix_fixity_findings_state_store_id"), "fixity_findings", ["state", "store", "id"])


def _create_sweeps() -> None:
    op.create_table(
        "fixity_sweeps",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("store", sa.String(length=255), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("started", sa.String(length=32), nullable=False),
        sa.Column("ended", sa.String(length=32), nullable=True),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("passed", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("not_checked", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("canaries", sa.Integer(), nullable=False),
        sa.Column("canaries_missed", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixity_sweeps")),
    )
    op.create_index(op.f("ix_fixity_sweeps_store_started"), "fixity_sweeps", ["store", "started"])
    op.create_index(
        op.f("uq_fixity_sweeps_running"),
        "fixity_sweeps",
        ["store"],
        unique=True,
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
