"""A work's OCFL object, with all its versions, from one store to another.

1. the source's inventories are read and held to their sidecars and to one another;
2. the target is looked at: one that has gone on from another history, or holds what the source does not know of, is
   refused, because the source may be an old backup and the target the only good copy;
3. content files: what the target holds is read and kept if it is right, all else is put and read back;
4. each version's inventory and sidecar, the oldest version first;
5. the declaration;
6. the root inventory: THE COMMIT POINT, and its sidecar.

Before 6 the target stands as it stood, after it every byte of it has been read and was right. Nothing is ever deleted
at the target, and nothing there is overwritten but by bytes that were held to their digests on the way. Killed
anywhere, run again, it goes on. Two replications of one work to one store at a time are not wrong, only wasteful.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from preservation.digests import sha256
from preservation.ocfl import objects
from preservation.ocfl.inventory import (
    INVENTORY_NAME,
    SIDECAR_NAME,
    Inventory,
    parse_inventory,
    parse_sidecar,
    sidecar_bytes,
)
from preservation.replication.transfer import (
    NamedStore,
    OnProgress,
    Transferred,
    ignore_progress,
    transfer_held,
    transfer_small,
)
from repository import paths
from repository.errors import DigestMismatch, KeyNotFound, ObjectInvalid
from repository.localized import LocalizedText

_FILES_AT_ONCE: Final = 3
_VERSION: Final = re.compile(r"v([0-9]+)/")


@dataclass(frozen=True, slots=True)
class Replicated:
    """A work as it now is at the target: its newest `version`, verified there, and what that took."""

    version: int
    done: Transferred


@dataclass(frozen=True, slots=True)
class _Source:
    """A work at the source: its newest inventory, and each version's as it lies there, held to its sidecar."""

    root: str
    inventory: Inventory
    documents: tuple[bytes, ...]

    def content(self) -> dict[str, str]:
        """Every content file, by its path in the object, with its sha256."""
        return {path: digest for digest, held in self.inventory.manifest.items() for path in held}

    def small(self) -> dict[str, bytes]:
        """All else in the object, in the order in which it must be put."""
        files: dict[str, bytes] = {}
        for number, document in enumerate(self.documents, start=1):
            files |= _with_sidecar(f"v{number}/", document)
        files[objects.OBJECT_DECLARATION] = f"{objects.OBJECT_DECLARATION[2:]}\n".encode()
        return files | _with_sidecar("", self.documents[-1])


def replicate_work(
    source: NamedStore,
    target: NamedStore,
    work: str,
    *,
    executor: Executor | None = None,
    told: OnProgress = ignore_progress,
) -> Replicated:
    """Have the work at the target as it is at the source, and verify it there.

    Files go several at a time, in threads of `executor` or else our own; `told` hears of bytes as they are done.
    Raises `KeyNotFound` when the source has no such work, `DigestMismatch` with the store and key that are at fault,
    `ObjectInvalid` when the target must not be overwritten, `StoreFault`.
    """
    held = _read_source(source, work)
    there = {found.key.removeprefix(f"{held.root}/") for found in target.store.list(held.root)}
    _refuse_strangers(held, target, there)
    _refuse_other_history(held, target, there)
    own = ThreadPoolExecutor(_FILES_AT_ONCE) if executor is None else nullcontext(executor)
    with own as threads:
        done = _all_of(
            [
                threads.submit(
                    transfer_held, source, target, f"{held.root}/{path}", digest, there=path in there, told=told
                )
                for path, digest in sorted(held.content().items())
            ]
        )
    for path, document in held.small().items():
        done += transfer_small(target, f"{held.root}/{path}", document, there=path in there)
        told(len(document))
    return Replicated(len(held.documents), done)


def _read_source(source: NamedStore, work: str) -> _Source:
    root = paths.ocfl_object(work)
    try:
        inventory = objects.read_inventory(source.store, work)
        if inventory is None:
            raise KeyNotFound(key=f"{root}/{INVENTORY_NAME}")
        documents = tuple(_read_version(source, root, inventory, n + 1) for n in range(len(inventory.versions)))
        if source.store.read(f"{root}/{INVENTORY_NAME}") != documents[-1]:
            raise DigestMismatch(key=f"{root}/{inventory.head}/{INVENTORY_NAME}")
    except (DigestMismatch, KeyNotFound) as fault:
        raise type(fault)(key=source.key(str(fault.details["key"]))) from fault
    return _Source(root, inventory, documents)


def _read_version(source: NamedStore, root: str, inventory: Inventory, number: int) -> bytes:
    """The inventory of one version, which must tell the beginning of what the newest tells."""
    key = f"{root}/v{number}/{INVENTORY_NAME}"
    document = source.store.read(key)
    sidecar = f"{root}/v{number}/{SIDECAR_NAME}"
    if parse_sidecar(source.store.read(sidecar), sidecar) != sha256([document]):
        raise DigestMismatch(key=key)
    if parse_inventory(document, key).versions != inventory.versions[:number]:
        raise ObjectInvalid(
            key=source.key(key),
            reason=LocalizedText("与最新清单所载的历史不符", "it tells another history than the newest inventory"),
        )
    return document


def _refuse_strangers(held: _Source, target: NamedStore, there: Collection[str]) -> None:
    """Files that the source knows nothing of may be the only ones of a version that the source has lost."""
    strangers = sorted(set(there) - held.content().keys() - held.small().keys())
    if not strangers:
        return
    version = max((int(match[1]) for path in strangers if (match := _VERSION.match(path))), default=0)
    if version > len(held.documents):
        raise _newer(held, target, version)
    raise ObjectInvalid(
        key=target.key(held.root),
        reason=LocalizedText(
            f"副本中有源存储不知道的文件 {strangers[0]}；未作改动，请查明后移开",
            f"the copy holds {strangers[0]}, which the source does not know; nothing was changed: look into it first",
        ),
    )


def _refuse_other_history(held: _Source, target: NamedStore, there: Collection[str]) -> None:
    """What the target has committed must be the beginning of what the source has; what is damaged says nothing."""
    folders = ("", *(f"v{number}/" for number in range(1, len(held.documents) + 1)))
    for folder in folders:
        if {folder + INVENTORY_NAME, folder + SIDECAR_NAME} <= set(there):
            inventory = _sound_inventory(target, f"{held.root}/{folder}")
            if inventory is None:
                continue
            if len(inventory.versions) > len(held.documents):
                raise _newer(held, target, len(inventory.versions))
            if inventory.versions != held.inventory.versions[: len(inventory.versions)]:
                raise ObjectInvalid(
                    key=target.key(held.root),
                    reason=LocalizedText(
                        f"副本的 {inventory.head} 与源存储的不同；未作改动，请查明哪一份为真",
                        f"{inventory.head} of the copy is not that of the source; nothing was changed: find out which"
                        " of them is true",
                    ),
                )


def _sound_inventory(target: NamedStore, folder: str) -> Inventory | None:
    """The inventory in a folder of the target; None when it is damaged, and so is to be put again."""
    document = target.store.read(folder + INVENTORY_NAME)
    try:
        if parse_sidecar(target.store.read(folder + SIDECAR_NAME), folder) != sha256([document]):
            return None
        return parse_inventory(document, folder)
    except ObjectInvalid:
        return None


def _newer(held: _Source, target: NamedStore, version: int) -> ObjectInvalid:
    return ObjectInvalid(
        key=target.key(held.root),
        reason=LocalizedText(
            f"副本已有 v{version}，源存储只到 {held.inventory.head}：源存储是否由旧备份恢复？未作改动",
            f"the copy has v{version}, the source only {held.inventory.head}: was the source restored from an old"
            " backup? Nothing was changed",
        ),
    )


def _all_of(transfers: list[Future[Transferred]]) -> Transferred:
    """Their sum; the first fault ends those that have not begun, and waits for those that have."""
    done = Transferred()
    try:
        for transfer in transfers:
            done += transfer.result()
    finally:
        for transfer in transfers:
            transfer.cancel()
    return done


def _with_sidecar(folder: str, document: bytes) -> dict[str, bytes]:
    sidecar = sidecar_bytes(sha256([document]))
    return {folder + INVENTORY_NAME: document, folder + SIDECAR_NAME: sidecar}
