"""Read and verify the committed state of an OCFL object, and name what makes an object unusable.

Nothing here writes. An object that has files and no usable root inventory, or a newer version than its root inventory,
is refused as invalid unless a record explains it (`ocfl/unfinished.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from preservation.digests import sha256
from preservation.ocfl.inventory import INVENTORY_NAME, SIDECAR_NAME, Inventory, parse_inventory, parse_sidecar
from preservation.ocfl.unfinished import UnfinishedVersion, read_record
from repository import paths
from repository.errors import DigestMismatch, IntegrityError, ObjectInvalid
from repository.localized import LocalizedText
from repository.storage.store import ObjectStore, read_if_present


@dataclass(frozen=True, slots=True)
class Head:
    """The committed state of an object: its root inventory and the SHA-256 of it; None and '' without an object."""

    inventory: Inventory | None
    digest: str

    @property
    def next_version(self) -> int:
        """The number of the version that may be added."""
        return 1 + (len(self.inventory.versions) if self.inventory else 0)

    def unfinished(self) -> UnfinishedVersion:
        """Return the record of a version that follows this state."""
        return UnfinishedVersion(self.next_version, self.digest)


def read_head(store: ObjectStore, work: str) -> Head:
    """Read the committed state. Raises as `read_inventory`."""
    key = f"{paths.ocfl_object(work)}/{INVENTORY_NAME}"
    document = read_if_present(store, key)
    while True:
        try:
            return _checked_head(store, work, document)
        except IntegrityError:
            # A writer may have committed a version between the reads.
            latest = read_if_present(store, key)
            if latest == document:
                raise
            document = latest


def _checked_head(store: ObjectStore, work: str, document: bytes | None) -> Head:
    root = paths.ocfl_object(work)
    if document is None:
        if next(iter(store.list(root)), None) is not None and not is_begun(store, work):
            raise inventory_lost(root)
        return Head(None, "")
    key, digest = f"{root}/{INVENTORY_NAME}", sha256([document])
    inventory = parse_inventory(document, key)
    if sidecar_digest(store, root) != digest and sidecar_digest(store, f"{root}/{inventory.head}") != digest:
        raise DigestMismatch(key=key)
    if inventory.identifier != paths.ocfl_id(work):
        raise ObjectInvalid(
            key=key,
            reason=LocalizedText(
                f"OCFL 清单属于另一对象 {inventory.identifier}；请从副本恢复此对象",
                f"its inventory belongs to another object, {inventory.identifier}; restore this object from a replica",
            ),
        )
    head = Head(inventory, digest)
    newer = head.unfinished()
    if store.exists(f"{root}/{newer.folder}/{INVENTORY_NAME}") and read_record(store, work) != newer:
        raise inventory_outdated(root, inventory.head, newer.folder)
    return head


def is_begun(store: ObjectStore, work: str) -> bool:
    """Return whether the first version of an object is recorded as unfinished."""
    return read_record(store, work) == Head(None, "").unfinished()


def is_recorded(store: ObjectStore, work: str, version: int) -> bool:
    """Return whether this version is recorded as unfinished and follows the object's root inventory and sidecar."""
    record, root = read_record(store, work), paths.ocfl_object(work)
    if record is None or record.version != version:
        return False
    document = read_if_present(store, f"{root}/{INVENTORY_NAME}")
    if document is None:
        return record.base == ""
    return record.base == sha256([document]) == sidecar_digest(store, root)


def is_outdated(store: ObjectStore, work: str, head: Head) -> bool:
    """Return whether the root sidecar vouches for another inventory than the root one and that of the version before.

    A writer that was killed after the commit leaves the sidecar of the version before. Any other is newer.
    """
    root = paths.ocfl_object(work)
    stated = sidecar_digest(store, root)
    if head.inventory is None or stated is None or stated == head.digest:
        return False
    return stated != sidecar_digest(store, f"{root}/v{len(head.inventory.versions) - 1}")


def sidecar_digest(store: ObjectStore, folder: str) -> str | None:
    """Return the digest that a sidecar states; None for a missing or malformed one, which vouches for nothing."""
    document = read_if_present(store, f"{folder}/{SIDECAR_NAME}")
    try:
        return None if document is None else parse_sidecar(document, folder)
    except ObjectInvalid:
        return None


def inventory_lost(folder: str) -> ObjectInvalid:
    """Return the error for an object, or a version, whose inventory is missing or unusable."""
    return ObjectInvalid(
        key=folder,
        reason=LocalizedText(
            "有文件而缺少可用的 OCFL 清单；未作改动，请从副本或最新版本的文件夹恢复清单及其摘要文件",
            "it has files and no usable inventory; nothing was changed: restore the inventory and its sidecar from a"
            " replica, or from the folder of the newest version",
        ),
    )


def inventory_outdated(root: str, head: str, newer: str) -> ObjectInvalid:
    """Return the error for an object that has a newer version than its root inventory."""
    return ObjectInvalid(
        key=root,
        reason=LocalizedText(
            f"OCFL 清单只到 {head}，而对象已有 {newer}；未作改动，请从副本或 {newer} 文件夹恢复清单及其摘要文件",
            f"its inventory ends at {head}, and the object has {newer}; nothing was changed: restore the inventory and"
            f" its sidecar from a replica, or from the folder {newer}",
        ),
    )


def inventories_differ(root: str, head: str) -> ObjectInvalid:
    """Return the error for a root inventory that differs from the one in the folder of its version, both valid."""
    return ObjectInvalid(
        key=root,
        reason=LocalizedText(
            f"根目录的 OCFL 清单与 {head} 文件夹中的不同；未作改动，请与副本核对，查明何者为真",
            f"its root inventory differs from the one in the folder {head}; nothing was changed: compare both with a"
            " replica, and find out which of them is genuine",
        ),
    )


def file_unknown(root: str, path: str) -> ObjectInvalid:
    """Return the error for a file that no version and no record explains."""
    return ObjectInvalid(
        key=root,
        reason=LocalizedText(
            f"{path} 不属于任何版本，也不是未完成的收入所写；未作改动，请查明来历后移走，或从副本恢复对象",
            f"{path} belongs to no version and to no unfinished ingest; nothing was changed: find out where it comes"
            " from and move it away, or restore the object from a replica",
        ),
    )


def file_missing(root: str, path: str) -> ObjectInvalid:
    """Return the error for a complete version, not committed yet, that lacks a content file."""
    return ObjectInvalid(
        key=root,
        reason=LocalizedText(
            f"版本已写完而缺少 {path}；未作改动，请从副本恢复此文件",
            f"a version was completed and {path} is missing; nothing was changed: restore this file from a replica",
        ),
    )
