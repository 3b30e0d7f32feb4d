"""Deletes the OCFL object of a work from one store and leaves a tombstone there. Only this deletes preserved masters.

1. **Put the tombstone**, outside the object. From here on the object counts as deleted: a rebuild, a repair and a copy
   leave it alone, and whatever remains of it is to be deleted. A crash before this step leaves the object as it was.
2. **Erase the object**, with all versions that a bucket keeps, and the record of an unfinished version. After a crash
   the next run erases what is left.

The tombstone stays for good. It names the event of the deletion in the provenance log, which says how many masters were
deleted and seals who decided; it names no person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

import rfc8785

from preservation.ocfl.unfinished import delete_record
from repository import paths
from repository.clock import timestamp
from repository.errors import CallError, ObjectInvalid
from repository.json_values import decode_json
from repository.localized import LocalizedText
from repository.storage.content import ObjectLock
from repository.storage.store import ObjectStore, read_if_present

FORMAT: Final = "shanben tombstone 1"


class DeletionLocked(CallError):
    """An object of the work is locked in a store: nothing was deleted."""

    code = "deletion.locked"
    text = LocalizedText(
        "存储 {store} 锁定了 {key}（{until}），未作删除；锁定结束或解除后再试",
        "The store {store} has locked {key} ({until}), and nothing was deleted; try again when the lock has ended",
    )


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What remains of a work in a store: the event of its deletion, its time (RFC 3339), and the versions it had."""

    work: str
    event: str
    deleted: str
    versions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _TombstoneDocument(Tombstone):
    """A tombstone with the name of the format."""

    format: Literal["shanben tombstone 1"]


def read_tombstone(store: ObjectStore, work: str) -> Tombstone | None:
    """Return the tombstone of a work; None for a work that was not deleted. Raises `ObjectInvalid`, `StoreFault`."""
    document = read_if_present(store, paths.tombstone(work))
    return None if document is None else _parse(document, paths.tombstone(work))


def tombstones(store: ObjectStore) -> Iterator[Tombstone]:
    """Yield the tombstones of a store, in the order of their keys. Raises `ObjectInvalid`, `StoreFault`."""
    for stored in store.list(paths.DELETED):
        yield _parse(store.read(stored.key), stored.key)


def put_tombstone(store: ObjectStore, tombstone: Tombstone) -> None:
    """Put a tombstone: step 1. Raises `StoreFault`."""
    document = rfc8785.dumps({"format": FORMAT, **asdict(tombstone)})
    store.put(paths.tombstone(tombstone.work), document)


def erase_object(store: ObjectStore, work: str) -> int:
    """Erase what is left of a work whose tombstone is in the store: step 2; return how many files were deleted.

    Raises `ObjectInvalid` without a tombstone, `StoreFault`.
    """
    if read_tombstone(store, work) is None:
        key = paths.ocfl_object(work)
        raise ObjectInvalid(key=key, reason=LocalizedText("没有删除的决定", "its deletion was not decided"))
    erased = store.erase(paths.ocfl_object(work))
    delete_record(store, work)
    return erased


def check_locks(store: ObjectStore, name: str, work: str, now: datetime) -> None:
    """Raise `DeletionLocked` if the store `name` has locked a file of a work's object, and `StoreFault`."""
    lock = store.lock_below(paths.ocfl_object(work))
    if lock is not None and (lock.until is None or lock.until > timestamp(now)):
        raise DeletionLocked(store=name, key=lock.key, until=_end(lock))


def _end(lock: ObjectLock) -> LocalizedText:
    if lock.until is None:
        return LocalizedText("依法保全，无期限", "a legal hold, without an end")
    return LocalizedText(f"至 {lock.until}", f"until {lock.until}")


def _parse(document: bytes, key: str) -> Tombstone:
    try:
        found = decode_json(document, _TombstoneDocument)
    except ValueError as fault:
        raise ObjectInvalid(key=key, reason=str(fault)) from fault
    if paths.tombstone(found.work) != key:
        raise ObjectInvalid(key=key, reason=LocalizedText("属于另一著作", "it is that of another work"))
    return Tombstone(found.work, found.event, found.deleted, found.versions)
