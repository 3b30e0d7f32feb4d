"""The tables of partners' records. `shanben rebuild` makes them again from the store, except for the state of runs."""

from __future__ import annotations

from sqlalchemy import JSON, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repository.database.tables import Table


class HarvestSourceRow(Table):
    """A source that is harvested: `settings` are those of the operator, `state` that of its runs, both as JSON."""

    __tablename__ = "harvest_sources"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    settings: Mapped[dict[str, object]] = mapped_column(JSON)
    state: Mapped[dict[str, object]] = mapped_column(JSON)


class HarvestedRecordRow(Table):
    """A record of a partner: `document` is the cleaned record with the changes, the other columns serve lists.

    `key` is derived from the identifier. `work_key` is equal for records that may be of the same work, `ours` such a
    work of this library. `seen` is the number of the last complete run that met the record. `size` is that of the
    record in the store, in bytes.
    """

    __tablename__ = "harvested_records"

    source: Mapped[str] = mapped_column(ForeignKey("harvest_sources.name", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    identifier: Mapped[str] = mapped_column(Text)
    datestamp: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(255))
    creator: Mapped[str] = mapped_column(Text)
    date: Mapped[str] = mapped_column(Text)
    earliest: Mapped[int | None] = mapped_column(Integer)
    latest: Mapped[int | None] = mapped_column(Integer)
    manifest: Mapped[str] = mapped_column(Text)
    thumbnail: Mapped[str] = mapped_column(Text)
    work_key: Mapped[str] = mapped_column(String(255), index=True)
    ours: Mapped[str | None] = mapped_column(String(32), index=True)
    document: Mapped[bytes] = mapped_column(LargeBinary)
    etag: Mapped[str] = mapped_column(Text)
    modified: Mapped[str] = mapped_column(Text)
    seen: Mapped[int] = mapped_column(Integer)
    first_seen: Mapped[str] = mapped_column(String(32))
    updated: Mapped[str] = mapped_column(String(32))
    size: Mapped[int] = mapped_column(Integer)

    __table_args__ = (Index(None, "source", "state", "title", "key"), Index(None, "source", "state", "seen"))


class HarvestedCollectionRow(Table):
    """A IIIF collection of a partner as it was last read: its validators and members, for conditional requests.

    `size` is that of the members as JSON, in bytes.
    """

    __tablename__ = "harvested_collections"

    source: Mapped[str] = mapped_column(ForeignKey("harvest_sources.name", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    etag: Mapped[str] = mapped_column(Text)
    modified: Mapped[str] = mapped_column(Text)
    members: Mapped[dict[str, object]] = mapped_column(JSON)
    size: Mapped[int] = mapped_column(Integer)
