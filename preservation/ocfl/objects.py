"""Write, version and read OCFL 1.1 objects in the store, one object for each work.

A version is written in this order, so that the next run completes whatever a crash interrupts:

1. put the new content files, read each back from the store and hash it;
2. delete files that an interrupted run left in the version's folder;
3. put the version's inventory and its sidecar;
4. put the object's declaration (first version only);
5. put the root inventory: THE COMMIT POINT;
6. put the root sidecar.

A crash before step 5 leaves the object at its previous version; the next run keeps the content files that are correct
and continues. A crash between steps 5 and 6 leaves a committed version with an outdated root sidecar: `read_inventory`
compares the root inventory with the sidecar from step 3 and rewrites the root sidecar. Callers must not write the same
work concurrently.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from preservation.digests import Digester, sha256
from preservation.ocfl.inventory import (
    INVENTORY_NAME,
    SIDECAR_NAME,
    Inventory,
    inventory_bytes,
    new_content,
    next_inventory,
    parse_inventory,
    parse_sidecar,
    sidecar_bytes,
)
from preservation.ocfl.layout import STORAGE_ROOT_FILES
from repository import paths
from repository.errors import DigestMismatch, KeyNotFound, ObjectInvalid
from repository.localized import LocalizedText
from repository.storage.content import chunks_of
from repository.storage.store import ObjectStore

OBJECT_DECLARATION: Final = "0=ocfl_object_1.1"
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
    head = read_inventory(store, work)
    state, stored = _store_state(store, work, head, content, digests or {})
    stored |= _find_staged(store, work, 1 + (len(head.versions) if head else 0), staged)
    if head and state == dict(head.state):
        _delete_leftovers(store, work, len(head.versions) + 1, ())
        return head
    inventory = next_inventory(head, paths.ocfl_id(work), state, message=message, created=created)
    sources = {state[path]: source for path, source in content.items()}
    added = new_content(inventory)
    for path, digest in sorted(added.items()):
        if path not in stored:
            _put_verified(store, f"{paths.ocfl_object(work)}/{path}", sources[digest], digest)
    _delete_leftovers(store, work, len(inventory.versions), added)
    _commit(store, work, inventory)
    return inventory


def put_content(store: ObjectStore, work: str, version: int, path: str, *, source: Path, digest: str) -> None:
    """Put a content file before its version is committed, and read it back; skip a file that is already correct.

    Several processes may put different files of one version; `write_version` then commits it. Raises
    `DigestMismatch`, also when the file has changed since `digest` was computed, and `StoreFault`.
    """
    _put_verified(store, _content_key(work, version, path), source, digest)


def discard_content(store: ObjectStore, work: str) -> None:
    """Delete the content files that `put_content` put for a version that will not be committed."""
    head = read_inventory(store, work)
    _delete_leftovers(store, work, 1 + (len(head.versions) if head else 0), ())


def read_inventory(store: ObjectStore, work: str) -> Inventory | None:
    """Return the committed inventory of a work; None when there is none. Raises `DigestMismatch`, `ObjectInvalid`.

    The inventory is verified against its sidecar. A sidecar that a killed writer left outdated is rewritten.
    """
    root = paths.ocfl_object(work)
    key = f"{root}/{INVENTORY_NAME}"
    try:
        document = store.read(key)
    except KeyNotFound:
        return None
    digest = sha256([document])
    if _sidecar(store, root) != digest:
        inventory = parse_inventory(document, key)
        if _sidecar(store, f"{root}/{inventory.head}") != digest:
            raise DigestMismatch(key=key)
        store.put(f"{root}/{SIDECAR_NAME}", sidecar_bytes(digest))
    else:
        inventory = parse_inventory(document, key)
    if inventory.identifier != paths.ocfl_id(work):
        raise ObjectInvalid(
            key=key,
            reason=LocalizedText(
                f"OCFL 清单属于另一对象 {inventory.identifier}；请从副本恢复此对象",
                f"its inventory belongs to another object, {inventory.identifier}; restore this object from a replica",
            ),
        )
    return inventory


def read_file(store: ObjectStore, work: str, logical_path: str) -> bytes:
    """Return a small file of a work's newest version, digest verified. Raises `KeyNotFound`, `DigestMismatch`."""
    inventory = read_inventory(store, work)
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
    """Yield every work with a committed object, in the order of the objects' keys. Lists the whole storage root."""
    depth = paths.ocfl_object("").count("/") + 1
    for stored in store.list(paths.OCFL_ROOT):
        folder, _, name = stored.key.rpartition("/")
        if name == INVENTORY_NAME and stored.key.count("/") == depth:
            work = paths.work_of_ocfl_id(folder.rpartition("/")[2].replace("%3a", ":", 1))
            if work and paths.ocfl_object(work) == folder:
                yield work


def _store_state(
    store: ObjectStore,
    work: str,
    head: Inventory | None,
    content: Mapping[str, Path | bytes],
    known: Mapping[str, str],
) -> tuple[dict[str, str], set[str]]:
    """Return the digest of every logical path, and the content paths stored while computing them.

    In a first version, a file without a known digest is hashed while it is put, because it must be new. In a later
    version it is hashed first, because most files are already stored.
    """
    state: dict[str, str] = {}
    stored: set[str] = set()
    for path in sorted(content, key=str.encode):
        source = content[path]
        if path in known:
            state[path] = known[path]
        elif head or isinstance(source, bytes):
            state[path] = sha256(chunks_of(source))
        else:
            state[path] = _put_hashed(store, _content_key(work, 1, path), source)
            stored.add(f"v1/content/{path}")
    return state, stored


def _content_key(work: str, version: int, path: str) -> str:
    return f"{paths.ocfl_object(work)}/v{version}/content/{path}"


def _find_staged(store: ObjectStore, work: str, version: int, staged: Collection[str]) -> set[str]:
    """Return the content paths of the staged files that exist in this version's folder."""
    wanted = {_content_key(work, version, path) for path in staged}
    root = paths.ocfl_object(work)
    stored = store.list(f"{root}/v{version}/content") if wanted else ()
    return {item.key.removeprefix(f"{root}/") for item in stored if item.key in wanted}


def _put_hashed(store: ObjectStore, key: str, source: Path) -> str:
    """Put a file, hash it while it is sent, read it back and return its SHA-256."""
    digester = Digester("sha256")
    store.put(key, digester.pass_through(chunks_of(source)))
    digest = digester.hexdigest("sha256")
    _read_back(store, key, digest)
    return digest


def _put_verified(store: ObjectStore, key: str, source: Path | bytes, digest: str) -> None:
    """Put the content with this digest and read it back; skip content that an earlier run stored correctly."""
    if store.exists(key) and sha256(store.chunks(key)) == digest:
        return
    store.put(key, source)
    _read_back(store, key, digest)


def _read_back(store: ObjectStore, key: str, digest: str) -> None:
    if sha256(store.chunks(key)) != digest:
        raise DigestMismatch(key=key)


def _delete_leftovers(store: ObjectStore, work: str, uncommitted: int, expected: Collection[str]) -> None:
    """Delete the files of version `uncommitted` and later ones, except for `expected` content paths."""
    root = paths.ocfl_object(work)
    for stored in list(store.list(root)):
        path = stored.key.removeprefix(f"{root}/")
        version = _VERSION.match(path)
        if version and int(version[1]) >= uncommitted and path not in expected:
            store.delete(stored.key)


def _commit(store: ObjectStore, work: str, inventory: Inventory) -> None:
    root = paths.ocfl_object(work)
    document = inventory_bytes(inventory)
    sidecar = sidecar_bytes(sha256([document]))
    store.put(f"{root}/{inventory.head}/{INVENTORY_NAME}", document)
    store.put(f"{root}/{inventory.head}/{SIDECAR_NAME}", sidecar)
    declaration = f"{root}/{OBJECT_DECLARATION}"
    if not store.exists(declaration):
        store.put(declaration, f"{OBJECT_DECLARATION[2:]}\n".encode())
    store.put(f"{root}/{INVENTORY_NAME}", document)
    store.put(f"{root}/{SIDECAR_NAME}", sidecar)


def _sidecar(store: ObjectStore, folder: str) -> str | None:
    key = f"{folder}/{SIDECAR_NAME}"
    try:
        return parse_sidecar(store.read(key), key)
    except KeyNotFound:
        return None
