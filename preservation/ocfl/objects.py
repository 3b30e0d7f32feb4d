"""Write, version and read OCFL 1.1 objects in the store, one object for each work.

A version is written in this order, so that the next run completes whatever a crash interrupts:

1. put the inventory of the version before into its folder again if it is lost or damaged there, because the root
   inventory is then its last copy; record the unfinished version, whose folder must be empty (`ocfl/unfinished.py`);
2. put the new content files, read each back from the store and hash it;
3. delete files that an interrupted run left in the folder of the recorded version;
4. put the version's inventory and its sidecar: the version is complete, and nothing of it is deleted from here on;
5. put the object's declaration (first version only);
6. put the root inventory: THE COMMIT POINT;
7. put the root sidecar, and delete the record.

A crash before step 4 leaves the object at its previous version; the next run keeps the content files that are correct
and continues. After a crash between steps 4 and 6 the next run commits the complete version. A crash between steps 6
and 7 leaves an outdated root sidecar, which the next run writes again: until then the sidecar of step 4 vouches for the
root inventory.

An object is never taken for what it is not. If it has no root inventory, one that is older than its versions, or files
that no record explains, every operation raises `ObjectInvalid`, and nothing in it changes. Callers must not write the
same work concurrently.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from preservation.digests import sha256
from preservation.ocfl.committed import (
    Head,
    file_missing,
    file_unknown,
    inventories_differ,
    inventory_lost,
    inventory_outdated,
    is_begun,
    is_outdated,
    is_recorded,
    read_head,
    sidecar_digest,
)
from preservation.ocfl.inventory import (
    INVENTORY_NAME,
    SIDECAR_NAME,
    Inventory,
    inventory_bytes,
    new_content,
    next_inventory,
    parse_inventory,
    sidecar_bytes,
)
from preservation.ocfl.layout import OBJECT_DECLARATION, OBJECT_DECLARATION_CONTENT, STORAGE_ROOT_FILES
from preservation.ocfl.unfinished import delete_files, delete_record, put_record, read_record
from repository import paths
from repository.errors import DigestMismatch, KeyNotFound
from repository.storage.content import chunks_of
from repository.storage.store import ObjectStore, read_if_present

_VERSION: Final = re.compile(r"v([0-9]+)/")


def prepare_storage_root(store: ObjectStore) -> None:
    """Write the declaration and layout files of the OCFL 1.1 storage root ``ocfl/``; safe to repeat."""
    for key, content in STORAGE_ROOT_FILES.items():
        if not store.exists(key):
            store.put(key, content)


def write_version(
    store: ObjectStore,
    work: str,
    content: Mapping[str, Path | bytes],
    *,
    message: str,
    created: str,
    digests: Mapping[str, str] | None = None,
    staged: Collection[str] = (),
) -> Inventory:
    """Preserve `content`, the complete logical state of a work, as its next version; return the new head inventory.

    `content` maps logical paths to bytes or files. `digests` maps some or all of these paths to known SHA-256 digests;
    each saves one pass over its file and is verified. `staged` names the logical paths that `put_content` has already
    put and verified. `created` is an RFC 3339 time. A state equal to the head's creates no version. Raises
    `DigestMismatch` when the store returns other bytes than were put or a file differs from `digests`,
    `ObjectInvalid`, `StoreFault`.
    """
    head = _open(store, work)
    known = digests or {}
    state = {path: known.get(path) or sha256(chunks_of(source)) for path, source in content.items()}
    if head.inventory and state == dict(head.inventory.state):
        _remove_unfinished(store, work, head)
        return head.inventory
    inventory = next_inventory(head.inventory, paths.ocfl_id(work), state, message=message, created=created)
    _begin(store, work, head)
    sources = {state[path]: source for path, source in content.items()}
    staged_paths = _find_staged(store, work, head.next_version, staged)
    _write(store, work, head, inventory, sources, stored=staged_paths)
    return inventory


def write_documents(
    store: ObjectStore, work: str, documents: Mapping[str, bytes], *, message: str, created: str
) -> Inventory:
    """Commit a version of a preserved work that differs from its head in these small files alone; return its inventory.

    All other files stay as they are. Documents equal to the head's create no version. Raises `KeyNotFound` for a work
    without an object, `ObjectInvalid`, `DigestMismatch`, `StoreFault`.
    """
    head = _open(store, work)
    if head.inventory is None:
        raise KeyNotFound(key=f"{paths.ocfl_object(work)}/{INVENTORY_NAME}")
    state = {**head.inventory.state, **{path: sha256([document]) for path, document in documents.items()}}
    if state == dict(head.inventory.state):
        return head.inventory
    inventory = next_inventory(head.inventory, paths.ocfl_id(work), state, message=message, created=created)
    _begin(store, work, head)
    _write(store, work, head, inventory, {state[path]: document for path, document in documents.items()})
    return inventory


def put_content(store: ObjectStore, work: str, version: int, path: str, *, source: Path, digest: str) -> None:
    """Put a content file before its version is committed, and read it back; skip a file that is already correct.

    Several processes may put different files of one version; `write_version` then commits it, and puts what is missing.
    Nothing is put into a version that is complete already. Raises `DigestMismatch`, also when the file has changed
    since `digest` was computed, `ObjectInvalid`, `StoreFault`.
    """
    if not is_recorded(store, work, version):
        head = _open(store, work)
        if head.next_version != version:
            return
        _record(store, work, head)
    if not store.exists(f"{paths.ocfl_object(work)}/v{version}/{SIDECAR_NAME}"):
        _put_verified(store, _content_key(work, version, path), source, digest)


def discard_content(store: ObjectStore, work: str) -> None:
    """Delete the content files that `put_content` put for a version that will not be committed.

    A version that is complete already is committed instead. Raises `ObjectInvalid`, `StoreFault`.
    """
    if read_record(store, work):
        _remove_unfinished(store, work, _open(store, work))


def complete_version(store: ObjectStore, work: str) -> Inventory | None:
    """Commit a version that a killed writer left complete, if there is one; return the committed inventory.

    Raises as `read_inventory`, and `ObjectInvalid` for files that belong to no version and no unfinished ingest.
    """
    return _open(store, work).inventory


def read_inventory(store: ObjectStore, work: str) -> Inventory | None:
    """Return the committed inventory of a work; None when there is no object. Writes nothing.

    The inventory is verified against its sidecar, or against that of its version when a killed writer left the root
    sidecar outdated. Raises `DigestMismatch`, and `ObjectInvalid` for an object that has files and no inventory, or a
    newer version than its inventory.
    """
    return read_head(store, work).inventory


def read_file(store: ObjectStore, work: str, logical_path: str, inventory: Inventory | None = None) -> bytes:
    """Return a small file of a work's newest version, digest verified. Raises `KeyNotFound`, `DigestMismatch`.

    `inventory` is that of the work, for a caller that has read it.
    """
    inventory = inventory or read_inventory(store, work)
    if inventory is None:
        raise KeyNotFound(key=f"{paths.ocfl_object(work)}/{INVENTORY_NAME}")
    key = file_key(inventory, work, logical_path)
    document = store.read(key)
    if sha256([document]) != inventory.state[logical_path]:
        raise DigestMismatch(key=key)
    return document


def file_key(inventory: Inventory, work: str, logical_path: str) -> str:
    """Return the store key of a file of the newest version. Raises `KeyNotFound` when it has no such file."""
    root = paths.ocfl_object(work)
    if logical_path not in inventory.state:
        raise KeyNotFound(key=f"{root} {logical_path}")
    return f"{root}/{inventory.content_path(inventory.state[logical_path])}"


def works(store: ObjectStore) -> Iterator[str]:
    """Yield every work that has an object, in the order of the objects' keys. Lists the whole storage root.

    Objects that have lost their inventory are included: `read_inventory` says what is wrong with them. A work whose
    first version is being written is not, nor is one that was deleted and left a tombstone.
    """
    has_tombstones = next(iter(store.list(paths.DELETED)), None) is not None
    depth = paths.ocfl_object("").count("/") + 1
    for folder, listed in groupby(store.list(paths.OCFL_ROOT), lambda stored: _parent(stored.key, depth)):
        work = paths.work_of_ocfl_id(folder.rpartition("/")[2].replace("%3a", ":", 1))
        if not work or paths.ocfl_object(work) != folder:
            continue
        if has_tombstones and store.exists(paths.tombstone(work)):
            continue
        is_committed = any(stored.key == f"{folder}/{INVENTORY_NAME}" for stored in listed)
        if is_committed or not is_begun(store, work):
            yield work


def _parent(key: str, depth: int) -> str:
    """Return the first `depth` elements of a key that has more; '' for any other key."""
    elements = key.split("/")
    return "/".join(elements[:depth]) if len(elements) > depth else ""


def _open(store: ObjectStore, work: str) -> Head:
    """Return the committed state, to which a version may be added; complete what a killed writer left complete.

    Raises `ObjectInvalid` for files beyond this state that no record explains.
    """
    root = paths.ocfl_object(work)
    head = read_head(store, work)
    beyond = _files_beyond(store, root, head)
    # Read after the listing: another process of the same run may have put the record and a file meanwhile.
    record = read_record(store, work)
    allowed = f"{head.unfinished().folder}/" if record == head.unfinished() else None
    declared = {OBJECT_DECLARATION} if allowed and head.inventory is None else set()
    unknown = sorted(path for path in beyond - declared if not (allowed and path.startswith(allowed)))
    if unknown:
        raise file_unknown(root, unknown[0])
    complete = _complete_version(store, work, head, beyond)
    if complete is None:
        if head.inventory and beyond and is_outdated(store, work, head):
            raise inventory_outdated(root, head.inventory.head, head.unfinished().folder)
        if head.inventory and sidecar_digest(store, root) != head.digest:
            store.put(f"{root}/{SIDECAR_NAME}", sidecar_bytes(head.digest))
        return head
    _keep_inventory(store, root, head)
    _commit(store, work, complete)
    delete_record(store, work)
    return read_head(store, work)


def _files_beyond(store: ObjectStore, root: str, head: Head) -> set[str]:
    """Return the paths of files in the folders of later versions; those of all files without an inventory."""
    listed = {stored.key.removeprefix(f"{root}/") for stored in store.list(root)}
    if head.inventory is None:
        return listed
    numbers = {path: int(match[1]) for path in listed if (match := _VERSION.match(path))}
    return {path for path, number in numbers.items() if number >= head.next_version}


def _complete_version(store: ObjectStore, work: str, head: Head, files: Collection[str]) -> Inventory | None:
    """Return the inventory of the recorded version if a killed writer completed it (step 4); None if not.

    Raises `ObjectInvalid` for a version that no killed writer leaves.
    """
    root, folder = paths.ocfl_object(work), head.unfinished().folder
    if f"{folder}/{SIDECAR_NAME}" not in files:
        if OBJECT_DECLARATION in files:
            raise inventory_lost(root)
        return None
    key = f"{root}/{folder}/{INVENTORY_NAME}"
    document = read_if_present(store, key)
    if document is None or sha256([document]) != sidecar_digest(store, f"{root}/{folder}"):
        raise inventory_lost(f"{root}/{folder}")
    inventory = parse_inventory(document, key)
    earlier = head.inventory.versions if head.inventory else ()
    if inventory.identifier != paths.ocfl_id(work) or inventory.versions[:-1] != earlier:
        raise inventory_outdated(root, f"v{len(earlier)}", folder)
    if missing := sorted(new_content(inventory).keys() - files):
        raise file_missing(root, missing[0])
    return inventory


def _begin(store: ObjectStore, work: str, head: Head) -> None:
    """Prepare the version after `head`: step 1. Raises `ObjectInvalid` before anything is written."""
    _keep_inventory(store, paths.ocfl_object(work), head)
    _record(store, work, head)


def _record(store: ObjectStore, work: str, head: Head) -> None:
    if read_record(store, work) != head.unfinished():
        put_record(store, work, head.unfinished())


def _write(
    store: ObjectStore,
    work: str,
    head: Head,
    inventory: Inventory,
    sources: Mapping[str, Path | bytes],
    *,
    stored: Collection[str] = (),
) -> None:
    """Write the version after `head` and commit it: steps 2 to 7. `sources` are by digest, `stored` content paths."""
    added = new_content(inventory)
    for path, digest in sorted(added.items()):
        if path not in stored:
            _put_verified(store, f"{paths.ocfl_object(work)}/{path}", sources[digest], digest)
    delete_files(store, work, head.unfinished(), keep=added)
    _commit(store, work, inventory)
    delete_record(store, work)


def _remove_unfinished(store: ObjectStore, work: str, head: Head) -> None:
    """Delete the files of an unfinished version that follows `head`, which `_open` returned, and its record."""
    record = read_record(store, work)
    if record == head.unfinished():
        delete_files(store, work, record)
    if record:
        delete_record(store, work)


def _content_key(work: str, version: int, path: str) -> str:
    return f"{paths.ocfl_object(work)}/v{version}/content/{path}"


def _find_staged(store: ObjectStore, work: str, version: int, staged: Collection[str]) -> set[str]:
    """Return the content paths of the staged files that exist in this version's folder."""
    wanted = {_content_key(work, version, path) for path in staged}
    root = paths.ocfl_object(work)
    stored = store.list(f"{root}/v{version}/content") if wanted else ()
    return {item.key.removeprefix(f"{root}/") for item in stored if item.key in wanted}


def _put_verified(store: ObjectStore, key: str, source: Path | bytes, digest: str) -> None:
    """Put the content with this digest and read it back; skip content that an earlier run stored correctly."""
    if store.exists(key) and sha256(store.chunks(key)) == digest:
        return
    store.put(key, source)
    _read_back(store, key, digest)


def _read_back(store: ObjectStore, key: str, digest: str) -> None:
    if sha256(store.chunks(key)) != digest:
        raise DigestMismatch(key=key)


def _keep_inventory(store: ObjectStore, root: str, head: Head) -> None:
    """Write the inventory of the head version in its folder again if it is lost or damaged there.

    The root inventory, which is verified, is then its last copy, and is about to be replaced. Raises `ObjectInvalid`
    when the folder has another inventory with a valid sidecar.
    """
    if head.inventory is None:
        return
    folder = f"{root}/{head.inventory.head}"
    stored, stated = read_if_present(store, f"{folder}/{INVENTORY_NAME}"), sidecar_digest(store, folder)
    digest = sha256([stored]) if stored is not None else None
    if digest == stated == head.digest:
        return
    if digest is not None and digest == stated:
        raise inventories_differ(root, head.inventory.head)
    store.put(f"{folder}/{INVENTORY_NAME}", store.read(f"{root}/{INVENTORY_NAME}"))
    store.put(f"{folder}/{SIDECAR_NAME}", sidecar_bytes(head.digest))


def _commit(store: ObjectStore, work: str, inventory: Inventory) -> None:
    root = paths.ocfl_object(work)
    document = inventory_bytes(inventory)
    sidecar = sidecar_bytes(sha256([document]))
    store.put(f"{root}/{inventory.head}/{INVENTORY_NAME}", document)
    store.put(f"{root}/{inventory.head}/{SIDECAR_NAME}", sidecar)
    declaration = f"{root}/{OBJECT_DECLARATION}"
    if not store.exists(declaration):
        store.put(declaration, OBJECT_DECLARATION_CONTENT)
    store.put(f"{root}/{INVENTORY_NAME}", document)
    store.put(f"{root}/{SIDECAR_NAME}", sidecar)
