"""The tables of the catalogue, jobs, the log and accounts. Rows do not leave this package.

`shanben rebuild` (`workers/maintenance/rebuild.py`) makes the tables here again from the stores, except for `jobs`,
`log_heads`, those of accounts, and events that the log alone keeps and does not have yet. The other tables are in the
modules that `new_database.DECLARED_IN` lists.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    """The base of every table. Constraints have fixed names, so that migrations can refer to them."""

    metadata = MetaData(naming_convention=_NAMES)


class WorkRow(Table):
    """A work: `document` is its canonical JSON as deposited, the other columns serve lists and lookups.

    `state`, `access`, `max_size` and the columns `access_…` are the access in force (`model.WorkAccess`).
    `access_pending` is true until the work's OCFL object holds it.
    """

    __tablename__ = "works"

    identifier: Mapped[str] = mapped_column(String(32), primary_key=True)
    accessioned: Mapped[str] = mapped_column(String(32))
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    access: Mapped[str] = mapped_column(String(16))
    max_size: Mapped[int | None] = mapped_column(Integer)
    access_until: Mapped[str | None] = mapped_column(String(10))
    access_changed: Mapped[str | None] = mapped_column(String(32))
    access_agent: Mapped[str | None] = mapped_column(String(16))
    access_reason: Mapped[str | None] = mapped_column(Text)
    access_pending: Mapped[bool] = mapped_column(Boolean)
    rights_uri: Mapped[str | None] = mapped_column(Text)
    watermark: Mapped[bool] = mapped_column(Boolean)
    title: Mapped[str] = mapped_column(Text)
    creator: Mapped[list[str]] = mapped_column(JSON)
    date: Mapped[str | None] = mapped_column(Text)
    cover: Mapped[str | None] = mapped_column(String(32))
    images: Mapped[int] = mapped_column(Integer)
    master_bytes: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        Index(None, "state", "accessioned", "identifier"),
        Index(
            "ix_works_access_until",
            "access_until",
            sqlite_where=text("access_until IS NOT NULL"),
            postgresql_where=text("access_until IS NOT NULL"),
        ),
        Index(
            "ix_works_limited",
            "identifier",
            sqlite_where=text("access <> 'open'"),
            postgresql_where=text("access <> 'open'"),
        ),
    )


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
    ignored: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    puid: Mapped[str | None] = mapped_column(String(32))
    pyramid_key: Mapped[str] = mapped_column(Text)
    pyramid_fingerprint: Mapped[str] = mapped_column(String(64))
    pyramid_bytes: Mapped[int] = mapped_column(BigInteger)
    tile_size: Mapped[int] = mapped_column(Integer)
    redactions: Mapped[list[list[int]] | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = (
        Index(
            "ix_images_redacted",
            "work",
            sqlite_where=text("redactions IS NOT NULL"),
            postgresql_where=text("redactions IS NOT NULL"),
        ),
    )


class EventRow(Table):
    """A PREMIS event. `work` may name a work that the catalogue no longer has.

    `sequence` is its position in the provenance log, assigned once; `log_index` is the same number, recorded when the
    log has been signed with the event in it. `named_digest` is another digest that the event states: the SM3 digest of
    a master, or the SHA-256 of an issued document. `kept_in_log` is true for an event that no OCFL object in the
    store carries (`kept_events`): none ever did, or the work was deleted.
    """

    __tablename__ = "events"

    identifier: Mapped[str] = mapped_column(String(64), primary_key=True)
    work: Mapped[str | None] = mapped_column(String(32), index=True)
    position: Mapped[int] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(String(64))
    time: Mapped[str] = mapped_column(String(32))
    image: Mapped[str | None] = mapped_column(String(32), index=True)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    named_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    outcome: Mapped[str] = mapped_column(String(16))
    detail: Mapped[dict[str, str]] = mapped_column(JSON)
    sequence: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    log_index: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    kept_in_log: Mapped[bool] = mapped_column(Boolean)

    __table_args__ = (
        # Events that are not numbered or logged yet are few, and queried often.
        Index(
            "ix_events_unnumbered",
            "work",
            sqlite_where=text("sequence IS NULL"),
            postgresql_where=text("sequence IS NULL"),
        ),
        Index(
            "ix_events_unlogged",
            "work",
            sqlite_where=text("log_index IS NULL"),
            postgresql_where=text("log_index IS NULL"),
        ),
    )


class JobRow(Table):
    """A job of the outbox, written in the transaction of the change that needs it.

    A job that fanned out waits for its children: `remaining` counts the unfinished ones, `plan` is what it continues
    with, `claim` the work that no other job may ingest meanwhile. A running job is leased to `holder` until
    `held_until`. A queued job is due from `not_before` on; `sent` is when its last message went to the broker; `since`
    is when it was enqueued; `rerun_requested` is true when it was enqueued again while it ran.
    """

    __tablename__ = "jobs"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    arguments: Mapped[dict[str, str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    rerun_requested: Mapped[bool] = mapped_column("again", Boolean)
    result: Mapped[dict[str, object] | None] = mapped_column(JSON)
    updated: Mapped[str] = mapped_column(String(32))
    since: Mapped[str] = mapped_column(String(32))
    parent: Mapped[str | None] = mapped_column(String(255), index=True)
    remaining: Mapped[int] = mapped_column(Integer)
    plan: Mapped[dict[str, object] | None] = mapped_column(JSON)
    claim: Mapped[str | None] = mapped_column(String(32), unique=True)
    holder: Mapped[str | None] = mapped_column(String(32))
    held_until: Mapped[str | None] = mapped_column(String(32))
    not_before: Mapped[str] = mapped_column(String(32))
    sent: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (Index(None, "state", "not_before"),)


class ReplicaCopyRow(Table):
    """A replica of a work's OCFL object: the newest version verified in a store, and the time of that."""

    __tablename__ = "copies"

    work: Mapped[str] = mapped_column(String(32), primary_key=True)
    store: Mapped[str] = mapped_column(String(255), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    verified: Mapped[str] = mapped_column(String(32))


class StoreRow(Table):
    """The identity that a store was last known to have; `name` is '' for the primary store, else the replica's name."""

    __tablename__ = "stores"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    identity: Mapped[str] = mapped_column(String(32))


class LostAccessRow(Table):
    """The access to a work that the last rebuild did not find; `document` is an access record (`access_json`)."""

    __tablename__ = "lost_access"

    work: Mapped[str] = mapped_column(String(32), primary_key=True)
    document: Mapped[bytes] = mapped_column(LargeBinary)


class LostWorkRow(Table):
    """A work of which the log names version `logged`, and the store has the versions up to `stored`, 0 for none.

    `reason` says why the loss was accepted, at the time `decided` (RFC 3339); both are None until then.
    """

    __tablename__ = "lost_works"

    work: Mapped[str] = mapped_column(String(32), primary_key=True)
    logged: Mapped[int]
    stored: Mapped[int]
    first_seen: Mapped[str] = mapped_column(String(32))
    decided: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(Text)


class UnheldEventRow(Table):
    """An entry of the signed log whose event the catalogue does not hold at this index.

    A database restored from a backup does not hold the newest events. When such an event is staged again, it takes its
    index from here and is not logged twice.
    """

    __tablename__ = "unheld_events"

    log_index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    identifier: Mapped[str] = mapped_column(String(64), index=True)


class CounterRow(Table):
    """A total of the catalogue, kept up to date by every change (`repository.database.counters`)."""

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class LogHeadRow(Table):
    """The newest signed checkpoint of a log, kept outside the store, and the list of the log's public keys."""

    __tablename__ = "log_heads"

    origin: Mapped[str] = mapped_column(String(255), primary_key=True)
    verifier_key: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    checkpoint: Mapped[bytes | None] = mapped_column(LargeBinary)


class AccountRow(Table):
    """An account of staff; `password` is the encoded hash. `disabled` is null for an account in use."""

    __tablename__ = "accounts"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(32))
    password: Mapped[str] = mapped_column(Text)
    created: Mapped[str] = mapped_column(String(32))
    disabled: Mapped[str | None] = mapped_column(String(32))


class AccountSessionRow(Table):
    """A session of an account: its key, and when it began, was last used and ends at the latest."""

    __tablename__ = "account_sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The token after SHA-256 twice: after once it is the reference that the access cookie has."""
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), index=True)
    started: Mapped[str] = mapped_column(String(32))
    used: Mapped[str] = mapped_column(String(32))
    ends: Mapped[str] = mapped_column(String(32), index=True)


class LoginFailureRow(Table):
    """Failed logins of one account or address, by a digest of it, which are forgotten at the time `until`."""

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    until: Mapped[str] = mapped_column(String(32), index=True)


class SecretRow(Table):
    """A random secret that all machines share."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
