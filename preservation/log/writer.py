"""Append batches to the provenance log: the only writer of tiles, entry bundles and checkpoints.

One batch passes these steps. Each names what a crash after it leaves:

1. *Hold* the writer lock. There is one writer at a time.
2. *Settle*: verify that the published and the remembered checkpoints are signed by this log's key and belong to one
   history.
3. *Stage* the batch: compute bundles, tiles and the new root from the stored right edge. Nothing is written yet.
4. *Write* bundles, then tiles. A crash leaves objects beyond the published size; the next batch overwrites them.
5. *Recompute*: read the tiles back and compare them; read the entries back and compute the old root and the new root
   from them by a second method (`StoredTree.recount`). They must equal the root signed before and the staged root.
6. *Sign* the checkpoint and *remember* it outside the store. A crash leaves a signed checkpoint that is not published:
   it is now the log's head for every process that shares the writer lock, and the next batch publishes it in step 2.
7. *Publish* the checkpoint: the commit point for all other readers.
8. *Sweep* the partial tiles that full tiles replace. A crash leaves some of them, which are correct and redundant.

A batch is therefore in the log completely or not at all. A published checkpoint older than the remembered one means
that the store was rolled back. If the signed entries still exist, the newer checkpoint is published again; otherwise
nothing more is signed. Where no checkpoint is remembered, entries after the published one may have been signed: nothing
is appended until somebody has found that out. The first write of a new log is a signed checkpoint of size 0, so tiles
without a checkpoint always mean data loss, and a new log never overwrites them (docs/decisions/0002-empty-trees.md).

A writer that lost its lock (`log/writer_lock.py`) may continue beside its successor for a while, in any step. It does
no harm, because the index of each entry was assigned before (`log/sequencer.py`) and `append` names it (`at`):

- The key of a bundle or tile states its level, index and width and so determines its bytes: both writers write the
  same bytes (step 4).
- Partial tiles are deleted only after the full tile is published, when no reader needs them any more (step 8).
- It signs the same tree; a head smaller than the remembered one is refused (step 6).
- It may overwrite a newer checkpoint with an older one (step 7), because a request in flight cannot be cancelled. The
  next writer publishes the newer one again; until then, readers that share the writer lock get the newest signed head.
- Faults that it reports after that concern its lost lock and not the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, Protocol

from preservation.log.heads import SignedHead, SignedHeads, checkpoint_lost, checkpoint_outdated, log_fault, newest_of
from preservation.log.merkle import EMPTY_ROOT, TreeHead, leaf_hash
from preservation.log.notes import Checkpoint
from preservation.log.signing_key import Signer
from preservation.log.tiles import StoredTree, Tile, has_tiles, pack_entries, pack_hashes, stored_size
from preservation.log.writer_lock import WriterLock
from repository.errors import KeyNotFound, LogBusy, LogInvalid, StoreFault
from repository.paths import LOG_CHECKPOINT, TILE_WIDTH, log_entries, log_tile
from repository.storage.lock_files import HeldLock
from repository.storage.store import ObjectStore

_PUBLISH_TRIES: Final = 5


class Append(Protocol):
    """Appends one batch to a log whose writer lock is held."""

    def __call__(self, entries: Sequence[bytes], at: int | None = None) -> int:
        """As `ProvenanceLog.append`."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """The objects that a batch writes, and the head of the tree it makes."""

    bundles: dict[str, bytes]
    tiles: dict[str, bytes]
    full: list[Tile]
    head: TreeHead


class LogWriter:
    """Appends to the log in `store`, signs with `signer`; all writers of the log share `lock`."""

    def __init__(self, store: ObjectStore, signer: Signer, heads: SignedHeads, lock: WriterLock) -> None:
        self._store = store
        self._signer = signer
        self._heads = heads
        self._lock = lock

    @contextmanager
    def writing(self) -> Iterator[Append]:
        """As `ProvenanceLog.writing`."""
        with self._lock.hold() as hold:  # 1. Hold.
            try:
                yield partial(self._append, hold)
            except (LogInvalid, KeyNotFound):
                hold.check()
                raise

    def _append(self, hold: HeldLock, entries: Sequence[bytes], at: int | None = None) -> int:
        head = self._settle(hold)  # 2. Settle.
        if at is not None and head.size != at:
            raise LogBusy
        if entries:
            self._extend(hold, head, entries)
        return head.size

    def _settle(self, hold: HeldLock) -> TreeHead:
        """Return the head to extend; publish the newest signed checkpoint if another one is published."""
        published, remembered = self._heads.published(), self._heads.remembered()
        if published is None:
            return self._begin(hold, remembered)
        if not remembered:
            self._refuse_entries_after(published.checkpoint.head)
        newest = newest_of([published, *remembered])
        older = [head for head in remembered if head.checkpoint != newest.checkpoint]
        for head in older:
            self._check_extension(head.checkpoint.head, newest.checkpoint.head)
        if published.checkpoint != newest.checkpoint:
            self._check_history(published.checkpoint.head, newest.checkpoint.head)
        if older or not remembered:
            self._remember(hold, newest)
        if published.checkpoint != newest.checkpoint:
            self._publish(hold, newest.note)
        return newest.checkpoint.head

    def _begin(self, hold: HeldLock, remembered: Sequence[SignedHead]) -> TreeHead:
        """Publish the checkpoint of size 0. A log that ever held an entry is refused: its checkpoint is lost."""
        if any(head.checkpoint.size for head in remembered) or has_tiles(self._store):
            raise checkpoint_lost()
        head = TreeHead(0, EMPTY_ROOT)
        first = newest_of(remembered) if remembered else self._sign(head)
        self._remember(hold, first)
        self._publish(hold, first.note)
        return head

    def _refuse_entries_after(self, head: TreeHead) -> None:
        """Raise `LogInvalid` if the store has entries after a head and nothing remembers what was signed.

        The checkpoint may be outdated, and these entries signed: a batch would overwrite them with others.
        """
        if stored_size(self._store) > head.size:
            raise checkpoint_outdated(head.size)

    def _check_extension(self, old: TreeHead, new: TreeHead) -> None:
        """Verify by the stored hashes that one signed head extends another."""
        tree = StoredTree(self._store, new.size)
        try:
            consistent = (tree.hash_of(0, old.size), tree.hash_of(0, new.size)) == (old.root, new.root)
        except LogInvalid as fault:
            raise _rolled_back(new.size) from fault
        if not consistent:
            raise _rolled_back(new.size)

    def _check_history(self, old: TreeHead, new: TreeHead) -> None:
        """Verify by the stored entries that one signed head extends another."""
        try:
            recount = StoredTree(self._store, new.size).recount(old.size // TILE_WIDTH)
            consistent = (recount.root(old.size), recount.root(new.size)) == (old.root, new.root)
        except LogInvalid as fault:
            raise _rolled_back(new.size) from fault
        if not consistent:
            raise _rolled_back(new.size)

    def _extend(self, hold: HeldLock, head: TreeHead, entries: Sequence[bytes]) -> None:
        batch = self._stage(head, entries)  # 3. Stage.
        for key, content in (batch.bundles | batch.tiles).items():  # 4. Write.
            self._store.put(key, content)
        self._recompute(head, batch)  # 5. Recompute.
        hold.check()
        signed = self._sign(batch.head)  # 6. Sign and remember.
        self._remember(hold, signed)
        self._publish(hold, signed.note)  # 7. Publish.
        self._sweep(batch.full)  # 8. Sweep.

    def _stage(self, head: TreeHead, entries: Sequence[bytes]) -> _Batch:
        tree = StoredTree(self._store, head.size)
        edge = tree.edge()
        if edge.root() != head.root:
            raise log_fault(
                "已存的哈希与检查点不符；请运行 shanben log verify 查明，并从副本恢复",
                "the stored hashes do not give the signed root; run shanben log verify and restore from a replica",
            )
        stored = {tile.key for tile in edge.partial_tiles()}
        full = [tile for entry in entries for tile in edge.append(leaf_hash(entry))]
        tiles = {
            tile.key: pack_hashes(tile.hashes) for tile in (*full, *edge.partial_tiles()) if tile.key not in stored
        }
        return _Batch(_bundles(tree, entries), tiles, full, TreeHead(edge.size, edge.root()))

    def _recompute(self, head: TreeHead, batch: _Batch) -> None:
        for key, content in batch.tiles.items():
            if self._store.read(key) != content:
                raise log_fault(
                    f"{key} 写入后读回不符；请检查存储",
                    f"the store returned other bytes for {key} than were written; check the store",
                )
        recount = StoredTree(self._store, batch.head.size).recount(head.size // TILE_WIDTH)
        if recount.root(head.size) != head.root:
            raise log_fault(
                "已存条目与上一检查点不符；请运行 shanben log verify 查明，并从副本恢复",
                "the stored entries do not give the signed root; run shanben log verify and restore from a replica",
            )
        if recount.root(batch.head.size) != batch.head.root:
            raise log_fault(
                "两种方法算得的树根不同；请检查存储与内存",
                "two methods computed different roots; check the store and this machine's memory",
            )

    def _sign(self, head: TreeHead) -> SignedHead:
        note = self._signer.sign_note(Checkpoint(self._signer.origin, head.size, head.root).text())
        signed = self._heads.verify(note)
        if signed.checkpoint.head != head:
            raise log_fault(
                "签名后读回不符；请检查本机内存",
                "the signed checkpoint states another head; check this machine's memory",
            )
        return signed

    def _remember(self, hold: HeldLock, signed: SignedHead) -> None:
        hold.check()
        self._lock.remember(signed.note, signed.checkpoint.size)

    def _publish(self, hold: HeldLock, note: bytes) -> None:
        """Put the checkpoint; put it again when a writer that lost its lock replaces it with an older one."""
        for _ in range(_PUBLISH_TRIES):
            hold.check()
            self._store.put(LOG_CHECKPOINT, note)
            stored = self._store.read(LOG_CHECKPOINT)
            if stored == note:
                return
            if not self._is_older(stored, note):
                break
        raise log_fault(
            "检查点写入后读回不符；请检查存储",
            "the store returned another checkpoint than was written; check the store",
        )

    def _is_older(self, stored: bytes, note: bytes) -> bool:
        with suppress(LogInvalid):
            return self._heads.verify(stored).checkpoint.size < self._heads.verify(note).checkpoint.size
        return False

    def _sweep(self, full: Sequence[Tile]) -> None:
        # The batch is committed: a store that fails here must not make it appear to have failed.
        with suppress(StoreFault):
            for tile in full:
                keys = [log_tile(tile.level, tile.index)] + ([log_entries(tile.index)] if tile.level == 0 else [])
                for key in [stored.key for full_key in keys for stored in self._store.list(f"{full_key}.p")]:
                    self._store.delete(key)


def _bundles(tree: StoredTree, entries: Sequence[bytes]) -> dict[str, bytes]:
    """Return the bundles of these entries by key; the first includes the entries of the partial bundle it continues."""
    index, width = divmod(tree.size, TILE_WIDTH)
    remaining = iter([*(tree.bundle(index) if width else []), *entries])
    bundles = {}
    while bundle := list(islice(remaining, TILE_WIDTH)):
        bundles[log_entries(index, len(bundle))] = pack_entries(bundle)
        index += 1
    return bundles


def _rolled_back(size: int) -> LogInvalid:
    return log_fault(
        f"存储被回退：曾签发 {size} 条的检查点，现已不全；请运行 shanben repair，从副本和数据库取回；"
        "取不回的，请恢复最新备份，没有备份的，见运行维护手册“日志的最新条目全部丢失”",
        f"the store was rolled back: a checkpoint of {size} entries was signed, and not all of them exist there; run"
        " shanben repair, which takes them from replicas and the database. If it cannot, restore the newest backup, or"
        " see the operators' guide, 'A log whose newest entries are lost'",
    )
