"""The tables of preservation reports. All but issued reports and alarms can be determined again from the catalogue."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repository.database.tables import Table


class HoldingRow(Table):
    """How many works, images and bytes of masters have something in common, kept up to date by every publication.

    `kind` says what (`holdings.Grouping`), `name` which value of it. A work counts in every format that it has.
    """

    __tablename__ = "holdings"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    works: Mapped[int] = mapped_column(BigInteger)
    images: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)


class ConditionRow(Table):
    """The recorded condition of an original: `volume` is 0 for the whole work, else the number of the volume from 1.

    `repairs` is the number of recorded repairs, `repaired` the date of the last one.
    """

    __tablename__ = "conditions"

    work: Mapped[str] = mapped_column(ForeignKey("works.identifier", ondelete="CASCADE"), primary_key=True)
    volume: Mapped[int] = mapped_column(Integer, primary_key=True)
    label: Mapped[str] = mapped_column(Text)
    grade: Mapped[str | None] = mapped_column(String(16))
    damage: Mapped[str | None] = mapped_column(String(16))
    causes: Mapped[list[str]] = mapped_column(JSON)
    assessed: Mapped[str | None] = mapped_column(String(16))
    repairs: Mapped[int] = mapped_column(Integer)
    repaired: Mapped[str | None] = mapped_column(String(16))

    __table_args__ = (Index(None, "damage", "work", "volume"), Index(None, "grade", "work", "volume"))


class ReportRow(Table):
    """The data of a preservation report at one time (RFC 3339), from which every form of it is made."""

    __tablename__ = "preservation_reports"

    time: Mapped[str] = mapped_column(String(32), primary_key=True)
    document: Mapped[bytes] = mapped_column(LargeBinary)


class AlarmRow(Table):
    """An alarm whose cause continues: since when, and when a message about it was sent last, None for not yet.

    `message` is in both languages. The row with the key ``-`` is no alarm: its `since` is when alarms were decided.
    """

    __tablename__ = "alarms"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    message: Mapped[dict[str, str]] = mapped_column(JSON)
    since: Mapped[str] = mapped_column(String(32))
    sent: Mapped[str | None] = mapped_column(String(32))
