"""The catalogue's tables. Rows never leave this package: `catalog.py` and `jobs.py` give frozen values.

All of it but `jobs` can be made again from the store (`workers/rebuild.py`).
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    """The base of every table; constraints have fixed names so that migrations can speak of them."""

    metadata = MetaData(naming_convention=_NAMES)


class WorkRow(Table):
    """A work: `document` is its canonical JSON, the other columns are what lists and lookups need of it."""

    __tablename__ = "works"

    identifier: Mapped[str] = mapped_column(String(32), primary_key=True)
    accessioned: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    access: Mapped[str] = mapped_column(String(16))
    max_size: Mapped[int | None] = mapped_column(Integer)
    rights_uri: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    creator: Mapped[list[str]] = mapped_column(JSON)
    date: Mapped[str | None] = mapped_column(Text)
    cover: Mapped[str | None] = mapped_column(String(32))
    images: Mapped[int] = mapped_column(Integer)
    master_bytes: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index(None, "state", "accessioned", "identifier"),)


class ImageRow(Table):
    """An image with its master's digest and its pyramid."""

    __tablename__ = "images"

    identifier: Mapped[str] = mapped_column(String(32), primary_key=True)
    work: Mapped[str] = mapped_column(ForeignKey("works.identifier", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    master_path: Mapped[str] = mapped_column(Text)
    master_sha256: Mapped[str] = mapped_column(String(64), index=True)
    master_bytes: Mapped[int] = mapped_column(BigInteger, index=True)
    media_type: Mapped[str] = mapped_column(String(64))
    pyramid_key: Mapped[str] = mapped_column(Text)
    pyramid_fingerprint: Mapped[str] = mapped_column(String(64))
    pyramid_bytes: Mapped[int] = mapped_column(BigInteger)
    tile_size: Mapped[int] = mapped_column(Integer)


class EventRow(Table):
    """A PREMIS event; `log_index` is its leaf in the provenance log, empty until it is logged."""

    __tablename__ = "events"

    identifier: Mapped[str] = mapped_column(String(64), primary_key=True)
    work: Mapped[str] = mapped_column(ForeignKey("works.identifier", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(String(64))
    time: Mapped[str] = mapped_column(String(32))
    image: Mapped[str | None] = mapped_column(String(32), index=True)
    sha256: Mapped[str | None] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    detail: Mapped[dict[str, str]] = mapped_column(JSON)
    log_index: Mapped[int | None] = mapped_column(BigInteger, unique=True)


class JobRow(Table):
    """The outbox: work to be done, written in the transaction of the change that needs it."""

    __tablename__ = "jobs"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    arguments: Mapped[dict[str, str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16), index=True)
    attempts: Mapped[int] = mapped_column(Integer)
    result: Mapped[dict[str, object] | None] = mapped_column(JSON)
    updated: Mapped[str] = mapped_column(String(32))
