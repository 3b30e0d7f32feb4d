"""What the folder of an OCFL object must hold, by its inventories: every file with its SHA-256.

An object has its inventory several times: in its root, in the folder of its newest version, and as the history that
the folders of earlier versions hold. Damage of one of them is recognised by the others. Where two intact inventories
differ, the one with more versions is taken, then the one that contradicts the log less.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from preservation.digests import sha256
from preservation.fixity.files import require_reachable
from preservation.fixity.logged_content import LoggedContent
from preservation.ocfl.inventory import (
    INVENTORY_NAME,
    SIDECAR_NAME,
    Inventory,
    inventory_as_of,
    inventory_bytes,
    parse_inventory,
    parse_sidecar,
    sidecar_bytes,
)
from preservation.ocfl.layout import OBJECT_DECLARATION, OBJECT_DECLARATION_CONTENT
from preservation.ocfl.unfinished import UnfinishedVersion, read_record
from repository import paths
from repository.errors import KeyNotFound, ObjectInvalid, StoreFault
from repository.storage.store import ObjectStore

_VERSION_FOLDER: Final = re.compile(r"v([1-9][0-9]{0,8})/")


@dataclass(frozen=True, slots=True)
class StoredInventory:
    """An inventory in a folder of an object ('' for its root), with the digest that its sidecar states.

    `document`, `inventory` and `stated` are None for what is missing, unreadable or malformed.
    """

    folder: str
    document: bytes | None
    inventory: Inventory | None
    stated: str | None
    sidecar: bytes | None

    @property
    def digest(self) -> str | None:
        """The SHA-256 of the document."""
        return None if self.document is None else sha256([self.document])


@dataclass(frozen=True, slots=True)
class ObjectFiles:
    """The files of an object: `digests` by path, `inventory` from which they follow; both empty when none is usable.

    `unfinished` are the folders of versions that are being written or copied. `is_changing` is true while a writer is
    recorded: the root inventory and its sidecar are replaced one after the other.
    """

    inventory: Inventory | None
    digests: Mapping[str, str]
    unfinished: tuple[str, ...] = ()
    is_changing: bool = False


def read_object_files(
    store: ObjectStore, work: str, listed: Collection[str], logged: LoggedContent, *, copied: int | None = None
) -> ObjectFiles:
    """Return what the object of a work must hold; `listed` are the paths that it holds.

    `copied` is the newest version that was copied completely into a replica to which newer ones are being copied; None
    for any other object. Raises `StoreFault`.
    """
    stored = read_inventories(store, work, listed)
    record = _record(store, work)
    folders = [each.folder for each in stored[1:]]
    unfinished = tuple(folder for folder in folders if _is_unfinished(_number(folder), stored[0], record, copied))
    usable = _usable([each for each in stored if each.folder not in unfinished], work, logged)
    digests = {} if usable is None else _digests(usable, stored)
    return ObjectFiles(usable, digests, unfinished, record is not None or copied is not None)


def read_inventories(store: ObjectStore, work: str, listed: Collection[str]) -> list[StoredInventory]:
    """Return the inventory in the root of an object, and that of each version folder, the oldest first.

    `listed` are the paths that the object holds. Raises `StoreFault`.
    """
    root = paths.ocfl_object(work)
    folders = sorted({match[0] for path in listed if (match := _VERSION_FOLDER.match(path))}, key=_number)
    return [_read(store, root, folder, listed) for folder in ("", *folders)]


def expected_of(inventory: Inventory) -> dict[str, str]:
    """Return what an object with this inventory must hold, as this program writes it: SHA-256 by path."""
    return _digests(inventory, [])


def _read(store: ObjectStore, root: str, folder: str, listed: Collection[str]) -> StoredInventory:
    document = (
        _read_if_possible(store, f"{root}/{folder}{INVENTORY_NAME}") if folder + INVENTORY_NAME in listed else None
    )
    sidecar = _read_if_possible(store, f"{root}/{folder}{SIDECAR_NAME}") if folder + SIDECAR_NAME in listed else None
    try:
        inventory = None if document is None else parse_inventory(document, folder)
    except ObjectInvalid:
        inventory = None
    try:
        stated = None if sidecar is None else parse_sidecar(sidecar, folder)
    except ObjectInvalid:
        stated = None
    return StoredInventory(folder, document, inventory, stated, sidecar)


def _read_if_possible(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.read(key)
    except KeyNotFound:
        return None
    except StoreFault:
        require_reachable(store)
        return None


def _record(store: ObjectStore, work: str) -> UnfinishedVersion | None:
    """Return the record of a version that is being written; None without one, or without one that can be read."""
    try:
        return read_record(store, work)
    except ObjectInvalid:
        return None


def _is_unfinished(number: int, root: StoredInventory, record: UnfinishedVersion | None, copied: int | None) -> bool:
    """Return whether a version follows the root inventory because it is being written, or copied."""
    if record is not None and (record.version, record.base) == (number, root.digest or ""):
        return True
    committed = len(root.inventory.versions) if root.inventory else 0
    return copied is not None and number > max(copied, committed)


def _usable(stored: Collection[StoredInventory], work: str, logged: LoggedContent) -> Inventory | None:
    """Return the inventory to trust among those that a sidecar vouches for."""
    stated = {each.stated for each in stored if each.stated}
    intact = [
        each.inventory
        for each in stored
        if each.inventory and each.digest in stated and each.inventory.identifier == paths.ocfl_id(work)
    ]
    # `max` returns the first of equals: the root inventory.
    return max(
        intact,
        key=lambda inventory: (len(inventory.versions), -logged.contradictions(inventory).count),
        default=None,
    )


def _digests(inventory: Inventory, stored: Collection[StoredInventory]) -> dict[str, str]:
    by_folder = {each.folder: each for each in stored}
    digests = {OBJECT_DECLARATION: sha256([OBJECT_DECLARATION_CONTENT])}
    digests |= {path: digest for digest, listed in inventory.manifest.items() for path in listed}
    last = len(inventory.versions)
    for number in range(1, last + 1):
        folders = [f"v{number}/", ""] if number == last else [f"v{number}/"]
        present = [by_folder[folder] for folder in folders if folder in by_folder]
        computed = sha256([inventory_bytes(inventory_as_of(inventory, number))])
        for folder in folders:
            own = [by_folder[folder]] if folder in by_folder else []
            digest = own[0].digest if _both_intact(present) and own and own[0].digest else _likeliest(present, computed)
            digests[folder + INVENTORY_NAME] = digest
            digests[folder + SIDECAR_NAME] = _sidecar_digest(own, digest)
    return digests


def _both_intact(present: Collection[StoredInventory]) -> bool:
    """Return whether every inventory agrees with its own sidecar: then a difference between them is no damage."""
    return all(each.digest is not None and each.digest == each.stated for each in present)


def _likeliest(present: Collection[StoredInventory], computed: str) -> str:
    """Return the digest that most of the sidecars, inventories and the computed inventory have.

    A sidecar decides between equals: the inventory may have been written by another program.
    """
    stated = [each.stated for each in present]
    found = [each.digest for each in present]
    votes = Counter(digest for digest in (*stated, computed, *found) if digest is not None)
    return votes.most_common(1)[0][0]


def _sidecar_digest(own: Collection[StoredInventory], digest: str) -> str:
    """Return the SHA-256 of a sidecar that states `digest`; other programs part its fields differently."""
    for each in own:
        if each.sidecar is not None and each.stated == digest:
            return sha256([each.sidecar])
    return sha256([sidecar_bytes(digest)])


def _number(path: str) -> int:
    match = _VERSION_FOLDER.match(path)
    return int(match[1]) if match else 0


def unexpected_paths(files: ObjectFiles, listed: Collection[str]) -> Iterator[str]:
    """Yield the paths that neither an inventory nor a version that is being written explains."""
    for path in sorted(set(listed) - files.digests.keys()):
        if not path.startswith(files.unfinished):
            yield path
