"""What reports need: holdings by group, conditions of originals, issued reports, alarms."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BATCH = 500


def upgrade() -> None:
    """Apply the migration."""
    holdings = op.create_table(
        "holdings",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("works", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_holdings")),
    )
    op.create_table(
        "conditions",
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("volume", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("grade", sa.String(length=16), nullable=True),
        sa.Column("damage", sa.String(length=16), nullable=True),
        sa.Column("causes", sa.JSON(), nullable=False),
        sa.Column("assessed", sa.String(length=16), nullable=True),
        sa.Column("repairs", sa.Integer(), nullable=False),
        sa.Column("repaired", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["work"], ["works.identifier"], name=op.f("fk_conditions_work"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("work", "volume", name=op.f("pk_conditions")),
    )
    for column in ("damage", "grade"):
        op.create_index(op.f(f"ix_conditions_{column}_work_volume"), "conditions", [column, "work", "volume"])
    op.create_table(
        "preservation_reports",
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("time", name=op.f("pk_preservation_reports")),
    )
    op.create_table(
        "alarms",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("since", sa.String(length=32), nullable=False),
        sa.Column("sent", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alarms")),
    )
    if rows := _held():
        op.bulk_insert(holdings, rows)


def _held() -> list[dict[str, object]]:
    """Return the holdings of the catalogue as it is now. No earlier release recorded conditions."""
    totals: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for document, accessioned, images, size in _works():
        classification = json.loads(document).get("record", {}).get("classification")
        for key in (("class", _class_of(classification)), ("month", accessioned[:7])):
            totals[key] = [total + part for total, part in zip(totals[key], (1, images, size), strict=True)]
    query = sa.text("SELECT media_type, count(DISTINCT work), count(*), sum(master_bytes) FROM images GROUP BY 1")
    for media_type, *amount in op.get_bind().execute(query):
        totals["format", media_type] = [int(part) for part in amount]
    return [
        {"kind": kind, "name": name, "works": works, "images": images, "bytes": size}
        for (kind, name), (works, images, size) in sorted(totals.items())
    ]


def _works() -> Iterator[tuple[bytes, str, int, int]]:
    query = sa.text(
        "SELECT identifier, document, accessioned, images, master_bytes FROM works"
        " WHERE identifier > :last ORDER BY identifier LIMIT :batch"
    )
    last = ""
    while rows := op.get_bind().execute(query, {"last": last, "batch": _BATCH}).all():
        yield from (tuple(row[1:]) for row in rows)
        last = rows[-1][0]


def _class_of(classification: str | None) -> str:
    """Return what `database.holdings.class_of` returned when this migration was written."""
    text = (classification or "").strip()
    first = next((text[:place] for place, character in enumerate(text) if character in "·・/—－-　 ／：:"), text)
    return first.translate(str.maketrans("經叢類", "经丛类"))[:255]


def downgrade() -> None:
    """Revert the migration."""
    for table in ("alarms", "preservation_reports", "conditions", "holdings"):
        op.drop_table(table)
