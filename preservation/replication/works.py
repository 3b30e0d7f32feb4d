"""Copy a work's OCFL object, with all its versions, from one store to another.

1. read the source's inventories and verify them against their sidecars and each other;
2. refuse a target that has another history, or that holds files unknown to the source: the source may be an old backup
   and the target the only good copy;
3. copy the content files: read those at the target and keep the correct ones; put and read back all others;
4. copy each version's inventory and sidecar, the oldest version first;
5. copy the object's declaration;
6. copy the root inventory: THE COMMIT POINT, and its sidecar.

Before step 6 the target's object is unchanged; after it, every byte at the target has been read and verified. Nothing
at the target is ever deleted, and a file there is overwritten only with bytes whose digest was verified while they were
sent. An interrupted copy continues on the next run. Concurrent copies of one work to one store are safe but redundant.
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
from preservation.ocfl.layout import OBJECT_DECLARATION, OBJECT_DECLARATION_CONTENT
from preservation.progress import OnProgress, ignore_progress
from preservation.replication.transfer import (
    NamedStore,
    TransferTotals,
    transfer_preserved,
    transfer_small,
)
from repository import paths
from repository.errors import DigestMismatch, KeyNotFound, ObjectInvalid
from repository.localized import LocalizedText

_CONCURRENT_FILES: Final = 3
_VERSION: Final = re.compile(r"v([0-9]+)/")


@dataclass(frozen=True, slots=True)
class WorkCopy:
    """A work at the target after the copy: its newest `version`, verified there, and the objects transferred."""

    version: int
    totals: TransferTotals


@dataclass(frozen=True, slots=True)
class _Source:
    """A work at the source: its newest inventory, and the bytes of each version's inventory, digests verified."""

    root: str
    inventory: Inventory
    documents: tuple[bytes, ...]

    def content(self) -> dict[str, str]:
        """Return every content file's SHA-256 by its path in the object."""
        return {path: digest for digest, listed in self.inventory.manifest.items() for path in listed}

    def small(self) -> dict[str, bytes]:
        """Return all other files of the object, in the order in which they must be put."""
        files: dict[str, bytes] = {}
        for number, document in enumerate(self.documents, start=1):
            files |= _with_sidecar(f"v{number}/", document)
        files[OBJECT_DECLARATION] = OBJECT_DECLARATION_CONTENT
        return files | _with_sidecar("", self.documents[-1])


def replicate_work(
    source: NamedStore,
    target: NamedStore,
    work: str,
    *,
    executor: Executor | None = None,
    on_progress: OnProgress = ignore_progress,
) -> WorkCopy:
    """Copy the work to the target and verify it there.

    Files are copied concurrently, in threads of `executor` or of a pool of its own. Raises `KeyNotFound` when the
    source has no such work, `DigestMismatch` with the store and key at fault, `ObjectInvalid` when the target must not
    be overwritten, `StoreFault`.
    """
    copy = _read_source(source, work)
    existing = {stored.key.removeprefix(f"{copy.root}/") for stored in target.store.list(copy.root)}
    _refuse_unknown_files(copy, target, existing)
    _refuse_other_history(copy, target, existing)
    pool = ThreadPoolExecutor(_CONCURRENT_FILES) if executor is None else nullcontext(executor)
    with pool as threads:
        totals = _sum_of(
            [
                threads.submit(
                    transfer_preserved,
                    source,
                    target,
                    f"{copy.root}/{path}",
                    digest,
                    exists=path in existing,
                    on_progress=on_progress,
                )
                for path, digest in sorted(copy.content().items())
            ]
        )
    for path, document in copy.small().items():
        totals += transfer_small(target, f"{copy.root}/{path}", document, exists=path in existing)
        on_progress(len(document))
    return WorkCopy(len(copy.documents), totals)


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
    """Return the bytes of one version's inventory, whose history must be the beginning of the newest one's."""
    key = f"{root}/v{number}/{INVENTORY_NAME}"
    document = source.store.read(key)
    sidecar = f"{root}/v{number}/{SIDECAR_NAME}"
    if parse_sidecar(source.store.read(sidecar), sidecar) != sha256([document]):
        raise DigestMismatch(key=key)
    if parse_inventory(document, key).versions != inventory.versions[:number]:
        raise ObjectInvalid(
            key=source.key(key),
            reason=LocalizedText(
                "与最新 OCFL 清单所载的历史不符；请从副本恢复此对象",
                "its history differs from that of the newest inventory; restore this object from a replica",
            ),
        )
    return document


def _refuse_unknown_files(copy: _Source, target: NamedStore, existing: Collection[str]) -> None:
    """Raise `ObjectInvalid` for files unknown to the source: a version that the source lost may be only there."""
    unknown = sorted(set(existing) - copy.content().keys() - copy.small().keys())
    if not unknown:
        return
    version = max((int(match[1]) for path in unknown if (match := _VERSION.match(path))), default=0)
    if version > len(copy.documents):
        raise _newer(copy, target, version)
    raise ObjectInvalid(
        key=target.key(copy.root),
        reason=LocalizedText(
            f"副本中的 {unknown[0]} 不见于源存储；未作改动，请查明来历后移出",
            f"the copy contains {unknown[0]}, which the source does not have; nothing was changed: find out why and"
            " move the file away",
        ),
    )


def _refuse_other_history(copy: _Source, target: NamedStore, existing: Collection[str]) -> None:
    """Raise `ObjectInvalid` unless the source's versions extend the target's; damaged inventories are ignored."""
    folders = ("", *(f"v{number}/" for number in range(1, len(copy.documents) + 1)))
    for folder in folders:
        if {folder + INVENTORY_NAME, folder + SIDECAR_NAME} <= set(existing):
            inventory = _valid_inventory(target, f"{copy.root}/{folder}")
            if inventory is None:
                continue
            if len(inventory.versions) > len(copy.documents):
                raise _newer(copy, target, len(inventory.versions))
            if inventory.versions != copy.inventory.versions[: len(inventory.versions)]:
                raise ObjectInvalid(
                    key=target.key(copy.root),
                    reason=LocalizedText(
                        f"副本的 {inventory.head} 与源存储的不同；未作改动，请查明何者为真",
                        f"{inventory.head} of the copy differs from that of the source; nothing was changed: find out"
                        " which of them is genuine",
                    ),
                )


def _valid_inventory(target: NamedStore, folder: str) -> Inventory | None:
    """Return the inventory in a folder of the target; None when it is damaged and must be replaced."""
    document = target.store.read(folder + INVENTORY_NAME)
    try:
        if parse_sidecar(target.store.read(folder + SIDECAR_NAME), folder) != sha256([document]):
            return None
        return parse_inventory(document, folder)
    except ObjectInvalid:
        return None


def _newer(copy: _Source, target: NamedStore, version: int) -> ObjectInvalid:
    return ObjectInvalid(
        key=target.key(copy.root),
        reason=LocalizedText(
            f"副本已有 v{version}，源存储只到 {copy.inventory.head}：源存储是否由旧备份恢复？未作改动",
            f"the copy has v{version}, the source only {copy.inventory.head}: was the source restored from an old"
            " backup? Nothing was changed",
        ),
    )


def _sum_of(transfers: list[Future[TransferTotals]]) -> TransferTotals:
    """Return the sum of transfers. After a fault, cancel those not started and wait for the others."""
    totals = TransferTotals()
    try:
        for transfer in transfers:
            totals += transfer.result()
    finally:
        for transfer in transfers:
            transfer.cancel()
    return totals


def _with_sidecar(folder: str, document: bytes) -> dict[str, bytes]:
    sidecar = sidecar_bytes(sha256([document]))
    return {folder + INVENTORY_NAME: document, folder + SIDECAR_NAME: sidecar}
