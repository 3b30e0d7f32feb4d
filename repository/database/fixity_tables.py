"""The tables of fixity checks. Everything but the history of findings and sweeps can be determined again by a sweep.

Files are checked in units, such as the OCFL object of a work in one store: a unit is read as a whole, and its rules can
be checked only so. `fixity_tallies` has the totals that pages show, because a store may have tens of millions of files.
Times are seconds and days since 1970-01-01 in UTC, so that the rows of files are small. Stores have the name of
`store_registry`: '' for the primary store.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, SmallInteger, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from repository.database.tables import Table

_ID = BigInteger().with_variant(Integer, "sqlite")


class FixityUnitRow(Table):
    """What is checked together in one store: the object of a work, its pyramids, the log.

    `name` is the work, '' for a unit that belongs to none. `version` is the version of the work whose files are
    recorded. `checked` is the time of the last check, 0 for never; `due` the day of the next one. `sweep` is the last
    sweep that checked it, `root` the Merkle root over the results of its files. While a check runs, it is held by
    `holder` until `held_until`.
    """

    __tablename__ = "fixity_units"

    id: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=True)
    store: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    files: Mapped[int] = mapped_column(Integer)
    bytes: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(Integer)
    not_checked: Mapped[int] = mapped_column(Integer)
    checked: Mapped[int] = mapped_column(BigInteger)
    due: Mapped[int] = mapped_column(Integer)
    sweep: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[str | None] = mapped_column(String(64))
    holder: Mapped[str | None] = mapped_column(String(255))
    held_until: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("name", "kind", "store"),
        Index(None, "store", "due", "id"),
        Index(None, "store", "sweep", "id"),
    )


class FixityFileRow(Table):
    """A file of a unit: its path in the unit, and its last check.

    `category` is the number of a class of files, and `result` of a result, by `database/fixity_values.py`. `checked` is
    0 for a file that was never checked. `reason` says why the last sweep did not check it.
    """

    __tablename__ = "fixity_files"

    unit: Mapped[int] = mapped_column(ForeignKey("fixity_units.id", ondelete="CASCADE"), primary_key=True)
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    category: Mapped[int] = mapped_column(SmallInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    checked: Mapped[int] = mapped_column(BigInteger)
    result: Mapped[int] = mapped_column(SmallInteger)
    reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = ({"sqlite_with_rowid": False},)


class FixityTallyRow(Table):
    """The number and bytes of files of a store and class, by the day of their last check or of their next one.

    `measure` is ``checked`` (day 0 for never), ``due``, ``failed`` or ``not-checked`` (both on day 0).
    """

    __tablename__ = "fixity_tallies"

    store: Mapped[str] = mapped_column(String(255), primary_key=True)
    category: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    measure: Mapped[str] = mapped_column(String(16), primary_key=True)
    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    files: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)


class FixityFindingRow(Table):
    """A finding, by its store, key and kind: a later sweep that finds the same updates the row.

    `state` is ``open`` until a check finds the fault no more (``closed``), or a repair has ended it. `done` says what
    was done. Times are RFC 3339.
    """

    __tablename__ = "fixity_findings"

    id: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=True)
    store: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(24))
    unit: Mapped[int] = mapped_column(BigInteger, index=True)
    work: Mapped[str | None] = mapped_column(String(32), index=True)
    expected: Mapped[str | None] = mapped_column(String(64))
    found: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)
    first_seen: Mapped[str] = mapped_column(String(32))
    last_seen: Mapped[str] = mapped_column(String(32))
    sweep: Mapped[int] = mapped_column(BigInteger, index=True)
    state: Mapped[str] = mapped_column(String(16))
    ended: Mapped[str | None] = mapped_column(String(32))
    done: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("key", "store", "kind"),
        Index(None, "state", "store", "id"),
    )


class FixitySweepRow(Table):
    """A sweep: the checks of one store that began together. Times are RFC 3339.

    `scope` is ``all``, ``due``, ``scheduled`` or a work. `root` is the Merkle root over the results of its units.
    """

    __tablename__ = "fixity_sweeps"

    id: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=True)
    store: Mapped[str] = mapped_column(String(255))
    scope: Mapped[str] = mapped_column(String(32))
    started: Mapped[str] = mapped_column(String(32))
    ended: Mapped[str | None] = mapped_column(String(32))
    expected: Mapped[int] = mapped_column(BigInteger)
    passed: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    not_checked: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    canaries: Mapped[int] = mapped_column(Integer)
    canaries_missed: Mapped[int] = mapped_column(Integer)
    root: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index(None, "store", "started"),
        # One sweep of a store at a time.
        Index(
            "uq_fixity_sweeps_running",
            "store",
            unique=True,
            sqlite_where=text("ended IS NULL"),
            postgresql_where=text("ended IS NULL"),
        ),
    )
