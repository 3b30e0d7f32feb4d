"""What is held by class, format and month of accession, and the recorded condition of originals.

Totals are kept up to date by every publication, because a report must not read millions of rows. They are changed just
before the counters (`counters.py`), in the order of their keys, so that transactions do not deadlock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, read_session
from repository.database.report_tables import ConditionRow, HoldingRow
from repository.database.tables import WorkRow
from repository.model.condition import Condition
from repository.model.work import Work
from repository.model.work_json import work_of_json

_LONGEST: Final = 255
_SIMPLIFIED: Final = str.maketrans("經叢類", "经丛类")
_DIVIDERS: Final = "·・/—－-　 ／：:"


class Grouping(StrEnum):
    """What holdings are grouped by: class (部), format of masters, month of accession (ISO 8601).

    Formats are media types; versions are PUIDs of PRONOM, and media types where the version is not known.
    """

    CLASS = "class"
    FORMAT = "format"
    VERSION = "version"
    MONTH = "month"


class Amount(NamedTuple):
    """Numbers of works, of images, and of bytes of their masters."""

    works: int = 0
    images: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """What is held of one class, format or month; `name` is '' for works without one."""

    name: str
    works: int
    images: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RecordedCondition:
    """The recorded condition of a work, or of its volume with this number from 1, 0 for the whole work."""

    work: str
    title: str
    volume: int
    label: str
    grade: str | None
    damage: str | None
    causes: tuple[str, ...]
    assessed: str | None
    repairs: int
    repaired: str | None


Groups = dict[tuple[str, str], Amount]
"""Amounts by grouping and name."""


class Holdings:
    """Queries of holdings and conditions. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def by(self, grouping: Grouping) -> list[HeldGroup]:
        """Return what is held of each class, format or month, ordered by name."""
        query = select(HoldingRow).where(HoldingRow.kind == grouping.value).order_by(HoldingRow.name)
        with read_session(self._sessions) as session:
            rows = session.scalars(query).all()
        return [HeldGroup(row.name, row.works, row.images, row.bytes) for row in rows if row.works or row.images]

    def titles(self, works: Collection[str]) -> dict[str, str]:
        """Return the titles of some hundred works at most; works that are not held have none."""
        query = select(WorkRow.identifier, WorkRow.title).where(WorkRow.identifier.in_(sorted(works)))
        with read_session(self._sessions) as session:
            return {row.identifier: row.title for row in session.execute(query)}

    def damage_counts(self) -> dict[str, int]:
        """Return how many works and volumes have each grade of damage."""
        return self._counts(ConditionRow.damage)

    def grade_counts(self) -> dict[str, int]:
        """Return how many works and volumes have each grade."""
        return self._counts(ConditionRow.grade)

    def repairs(self) -> int:
        """Return the number of recorded repairs."""
        with read_session(self._sessions) as session:
            return session.scalar(select(func.coalesce(func.sum(ConditionRow.repairs), 0))) or 0

    def with_damage(self, damage: str, after: tuple[str, int], limit: int) -> list[RecordedCondition]:
        """Return at most `limit` works and volumes with a grade of damage that follow a work and volume, in order."""
        return self._conditions(ConditionRow.damage == damage, after, limit)

    def with_grade(self, grade: str, after: tuple[str, int], limit: int) -> list[RecordedCondition]:
        """Return at most `limit` works and volumes with a grade that follow a work and volume, in order."""
        return self._conditions(ConditionRow.grade == grade, after, limit)

    def _conditions(
        self, condition: ColumnElement[bool], after: tuple[str, int], limit: int
    ) -> list[RecordedCondition]:
        work, volume = after
        follows = (ConditionRow.work > work) | ((ConditionRow.work == work) & (ConditionRow.volume > volume))
        query = select(ConditionRow, WorkRow.title).join(WorkRow, WorkRow.identifier == ConditionRow.work)
        order = ConditionRow.work, ConditionRow.volume
        with read_session(self._sessions) as session:
            rows = session.execute(query.where(condition, follows).order_by(*order).limit(limit)).all()
        return [_recorded(row, title) for row, title in rows]

    def _counts(self, column: Any) -> dict[str, int]:
        query = select(column, func.count()).where(column.is_not(None)).group_by(column)
        with read_session(self._sessions) as session:
            return {row[0]: row[1] for row in session.execute(query)}


def class_of(classification: str | None) -> str:
    """Return the class (部) of a classification, 经部 for 經部·四書類; '' for none."""
    text = (classification or "").strip()
    first = next((text[:place] for place, character in enumerate(text) if character in _DIVIDERS), text)
    return first.translate(_SIMPLIFIED)[:_LONGEST]


def groups_of(work: Work, accessioned: str) -> Groups:
    """Return what a work adds to the holdings."""
    masters = [image.master for image in work.images()]
    whole = Amount(1, len(masters), sum(master.bytes for master in masters))
    groups = {
        (Grouping.CLASS.value, class_of(work.record.classification)): whole,
        (Grouping.MONTH.value, accessioned[:7]): whole,
    }
    sizes: dict[tuple[str, str], list[int]] = {}
    for master in masters:
        sizes.setdefault((Grouping.FORMAT.value, master.media_type), []).append(master.bytes)
        sizes.setdefault((Grouping.VERSION.value, master.puid or master.media_type), []).append(master.bytes)
    return groups | {key: Amount(1, len(found), sum(found)) for key, found in sizes.items()}


def held_groups(session: Session, work: str) -> Groups:
    """Return what a work that the catalogue holds has added to the holdings; empty for any other."""
    row = session.execute(select(WorkRow.document, WorkRow.accessioned).where(WorkRow.identifier == work)).one_or_none()
    return groups_of(work_of_json(row.document), row.accessioned) if row else {}


def add_to_holdings(session: Session, added: Mapping[tuple[str, str], Amount], removed: Groups | None = None) -> None:
    """Add to the holdings what works add, less what they had added before. Called late in a transaction."""
    totals: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for groups, sign in ((added, 1), (removed or {}, -1)):
        for key, amount in groups.items():
            totals[key] = [total + sign * part for total, part in zip(totals[key], amount, strict=True)]
    rows = [
        {"kind": kind, "name": name, **dict(zip(Amount._fields, totals[kind, name], strict=True))}
        for kind, name in sorted(key for key, total in totals.items() if any(total))
    ]
    if not rows:
        return
    insertion = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    new: Any = insertion(HoldingRow)
    sums = {name: getattr(HoldingRow, name) + new.excluded[name] for name in Amount._fields}
    session.connection().execute(new.on_conflict_do_update(index_elements=["kind", "name"], set_=sums), rows)


def clear_holdings(session: Session) -> None:
    """Forget all holdings, before the works of a rebuilt catalogue are added."""
    session.execute(delete(HoldingRow))


def replace_conditions(session: Session, work: Work) -> None:
    """Record the conditions that a work states, instead of those recorded before."""
    session.execute(delete(ConditionRow).where(ConditionRow.work == work.identifier))
    stated = [("", work.condition), *((volume.label, volume.condition) for volume in work.volumes)]
    rows = [
        {"work": work.identifier, "volume": number, "label": label, **_condition_values(condition)}
        for number, (label, condition) in enumerate(stated)
        if condition is not None
    ]
    if rows:
        session.execute(insert(ConditionRow), rows)


def sum_groups(groups: Iterable[Groups]) -> Groups:
    """Return the sums of what several works add."""
    totals: Groups = {}
    for each in groups:
        for key, amount in each.items():
            totals[key] = Amount(*(a + b for a, b in zip(totals.get(key, Amount()), amount, strict=True)))
    return totals


def _condition_values(condition: Condition) -> dict[str, object]:
    dates: Collection[str] = [repair.date for repair in condition.repairs]
    return {
        "grade": condition.grade,
        "damage": condition.damage,
        "causes": list(condition.causes),
        "assessed": condition.assessed,
        "repairs": len(condition.repairs),
        "repaired": max(dates, default=None),
    }


def _recorded(row: ConditionRow, title: str) -> RecordedCondition:
    return RecordedCondition(
        work=row.work,
        title=title,
        volume=row.volume,
        label=row.label,
        grade=row.grade,
        damage=row.damage,
        causes=tuple(row.causes),
        assessed=row.assessed,
        repairs=row.repairs,
        repaired=row.repaired,
    )
