"""The feed of changes for partners, and the records to harvest: one creation of each published work."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_BATCH = 500
_CLASSES = {
    "经": "jing",
    "經": "jing",
    "史": "shi",
    "子": "zi",
    "集": "ji",
    "丛": "cong",
    "叢": "cong",
    "类": "cong",
    "類": "cong",
}


def upgrade() -> None:
    """Apply the migration."""
    changes = op.create_table(
        "changes",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("work", sa.String(length=32), nullable=True),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_changes")),
    )
    records = op.create_table(
        "feed_records",
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("class_set", sa.String(length=32), nullable=True),
        sa.Column("holder_set", sa.String(length=32), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("work", name=op.f("pk_feed_records")),
        sa.UniqueConstraint("number", name=op.f("uq_feed_records_number")),
    )
    for columns in (["time", "number"], ["class_set", "number"], ["holder_set", "number"]):
        op.create_index(op.f(f"ix_feed_records_{'_'.join(columns)}"), "feed_records", columns)
    heads = op.create_table(
        "feed_heads",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feed_heads")),
    )
    size, time = _fill(changes, records)
    op.bulk_insert(heads, [{"name": "changes", "size": size, "time": time}])


def _fill(changes: sa.Table, records: sa.Table) -> tuple[int, str]:
    """Tell of each work in public view: its creation at the time of its accession."""
    works = sa.table(
        "works", *(sa.column(name) for name in ("identifier", "accessioned", "state")), sa.column("document")
    )
    query = sa.select(works).where(works.c.state == "published").order_by(works.c.accessioned, works.c.identifier)
    connection = op.get_bind()
    identifiers = list(connection.scalars(query.with_only_columns(works.c.identifier)))
    time = ""
    for start in range(0, len(identifiers), _BATCH):
        some = identifiers[start : start + _BATCH]
        rows = connection.execute(sa.select(works).where(works.c.identifier.in_(some)))
        found = sorted(rows, key=lambda row: (row.accessioned, row.identifier))
        time = found[-1].accessioned
        op.bulk_insert(changes, [_change(number, row) for number, row in enumerate(found, start)])
        op.bulk_insert(records, [_record(number, row) for number, row in enumerate(found, start)])
    return len(identifiers), time


def _change(number: int, row: Any) -> dict[str, Any]:
    return {"number": number, "kind": "Create", "work": row.identifier, "time": row.accessioned, "origin": None}


def _record(number: int, row: Any) -> dict[str, Any]:
    record = json.loads(row.document)["record"]
    holder = record.get("holder")
    return {
        "work": row.identifier,
        "number": number,
        "time": row.accessioned,
        "deleted": False,
        "class_set": _class_set(record.get("classification") or ""),
        "holder_set": f"holder:{hashlib.sha256(holder.encode()).hexdigest()[:16]}" if holder else None,
        "holder": holder,
    }


def _class_set(classification: str) -> str:
    """Return the set of a classification: its first word, which is a class alone or one with the suffix 部."""
    word = re.split("[·・/—－\\-　 ／：:]", classification.strip())[0]
    known = word[:1] if len(word) <= 1 or word.endswith("部") else ""
    return f"class:{_CLASSES.get(known, 'other')}"


def downgrade() -> None:
    """Revert the migration."""
    for name in ("feed_heads", "feed_records", "changes"):
        op.drop_table(name)
