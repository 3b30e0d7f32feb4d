"""The provenance log: an append-only Merkle log in the store, signed at every size it is published with.

C2SP tlog-tiles below ``log/``: ``checkpoint``, ``tile/<level>/...`` and ``tile/entries/...``. The published checkpoint
is the log; whatever lies in the store beyond its size was never signed and means nothing.

One batch, and what a crash after each step leaves:

1. *Hold* the guard. One writer at a time.
2. *Settle*: the published checkpoint, and the newest one signed here, must be ours and of one history.
3. *Stage* the batch: bundles, tiles and the new root, from the stored right edge. Nothing is written yet.
4. *Write* bundles, then tiles. A crash leaves objects beyond the published size; the next batch overwrites them.
5. *Recompute*: tiles are read back and compared; the entries are read back, and from them the old root and the new
   are computed by another way (`StoredTree.recount`). They must be the one signed before and the one staged.
6. *Sign*, and *remember* the checkpoint outside the store. A crash leaves a signed checkpoint that nobody has seen:
   from here on it is the log's head for this machine, and the next batch publishes it first (step 2).
7. *Publish* the checkpoint: the commit point for everyone else.
8. *Sweep* the partial tiles that full ones replace. A crash leaves some: they are right, and merely superfluous.

So a batch is in the log whole or not at all. A published checkpoint older than the one remembered means that the store
was rolled back. When what was signed is still there, it is published again; when it is not, nothing more is signed.
The very first step of a log is a signed checkpoint of size 0, so tiles without a checkpoint are always a loss, and are
never overwritten by a new log (docs/decisions/0002-empty-trees.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from preservation import notes, proofs
from preservation.keys import Signer
from preservation.log_audit import LogVerdict, audit
from preservation.log_guard import FileGuard, LogGuard, MemoryGuard
from preservation.log_tiles import StoredTree, Tile, pack_entries, pack_hashes
from preservation.merkle import EMPTY_ROOT, TreeHead, consistency_proof, inclusion_proof, leaf_hash
from preservation.notes import Checkpoint
from repository.errors import KeyAbsent, LogInvalid, NotHeld, StoreFault
from repository.paths import LOG, LOG_CHECKPOINT, TILE_WIDTH, log_entries, log_tile
from repository.storage import ObjectStore
from repository.text import Text

WAIT_SECONDS: Final = 30.0
"""How long an append waits for another to finish."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint that verified, and the note it came in."""

    note: bytes
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is to be written, and the tree it makes."""

    bundles: dict[str, bytes]
    tiles: dict[str, bytes]
    full: list[Tile]
    head: TreeHead


class ProvenanceLog:
    """The log in `store`, signed by `signer`.

    `lock_path` is a file on this machine that all its writers share; the newest checkpoint signed is kept beside it.
    None is for a store in memory. An append waits at most `seconds` for another.
    """

    def __init__(
        self, store: ObjectStore, signer: Signer, lock_path: Path | None, seconds: float = WAIT_SECONDS
    ) -> None:
        self._store = store
        self._signer = signer
        self._guard: LogGuard = FileGuard(lock_path, seconds) if lock_path else MemoryGuard(seconds)

    @property
    def size(self) -> int:
        """How many entries are signed for: the newest checkpoint published, or signed here and yet to be published."""
        return self._head().checkpoint.size

    @property
    def root(self) -> str:
        """The root at that size, in base64 as checkpoints show it."""
        return self._head().checkpoint.root_text

    def checkpoint(self) -> Checkpoint:
        """The checkpoint at that size. A log never written to has size 0. Raises `LogInvalid`."""
        return self._head().checkpoint

    def append(self, entries: Sequence[bytes]) -> int:
        """Add entries, each at most 65,535 bytes, as one batch; returns the index of the first.

        The batch is durable, signed and published when this returns. Raises `LogBusy`, `LogInvalid`, `StoreFault`,
        and `RequestInvalid` for an entry that is too long.
        """
        with self._guard.hold():  # 1. Hold.
            head = self._settle()  # 2. Settle.
            if entries:
                self._extend(head, entries)
            return head.size

    def entry(self, index: int) -> bytes:
        """The entry at `index`. Raises `NotHeld`, `LogInvalid`."""
        self._require(index, self.size)
        return next(self.entries(index, index + 1))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries ``[start, end)``, clipped to the log, in bounded memory; each is compared with its leaf hash."""
        size = self.size
        return StoredTree(self._store, size).entries(start, min(end, size)) if start < size else iter(())

    def evidence(self, index: int) -> bytes:
        """The evidence file of an entry, checked before it is handed out. Raises `NotHeld`, `LogInvalid`."""
        head = self._head()
        size = head.checkpoint.size
        self._require(index, size)
        tree = StoredTree(self._store, size)
        entry = next(tree.entries(index, index + 1))
        proof = tuple(inclusion_proof(index, size, tree.hash_of))
        content = proofs.Evidence(entry, index, proof, head.note).content()
        proofs.check(content, self._signer.verifier_key)
        return content

    def consistency(self, old_size: int) -> list[bytes]:
        """The proof that the log extends what it was at `old_size`, from 1. Raises `NotHeld`, `LogInvalid`."""
        size = self.size
        self._require(old_size - 1, size)
        return consistency_proof(old_size, size, StoredTree(self._store, size).hash_of)

    def verify(self) -> LogVerdict:
        """Compute everything again from the entries, in bounded memory, and report every difference."""
        heads: list[TreeHead] = []
        problems: list[Text] = []
        for read in (self._published, self._signed):
            try:
                head = read()
            except LogInvalid as fault:
                problems.append(fault.message)
            else:
                heads += [head.checkpoint.head] if head else []
        if not self._store.exists(LOG_CHECKPOINT) and (any(head.size for head in heads) or self._has_tiles()):
            problems.append(_lost().message)
        return audit(self._store, heads, problems)

    def _head(self) -> SignedHead:
        published, signed = self._published(), self._signed()
        if published is None:
            return signed or SignedHead(b"", Checkpoint(self._signer.origin, 0, EMPTY_ROOT))
        return signed if signed and signed.checkpoint.size > published.checkpoint.size else published

    def _published(self) -> SignedHead | None:
        try:
            return self._read(self._store.read(LOG_CHECKPOINT))
        except KeyAbsent:
            return None

    def _signed(self) -> SignedHead | None:
        note = self._guard.signed()
        return None if note is None else self._read(note)

    def _read(self, note: bytes) -> SignedHead:
        checkpoint = notes.read_checkpoint(note, [self._signer.key])
        if checkpoint.origin != self._signer.origin:
            raise _fault("检查点属于另一日志", "the checkpoint is of another log")
        return SignedHead(note, checkpoint)

    def _has_tiles(self) -> bool:
        return next(iter(self._store.list(f"{LOG}/tile")), None) is not None

    def _require(self, index: int, size: int) -> None:
        if not 0 <= index < size:
            raise NotHeld(what=Text(f"日志条目 {index}", f"log entry {index}"))

    def _settle(self) -> TreeHead:
        """The head to extend. Publishes what was signed here and not published."""
        published, signed = self._published(), self._signed()
        if published is None:
            return self._begin(signed)
        if signed is None or signed.checkpoint == published.checkpoint:
            return published.checkpoint.head
        old, new = sorted((published, signed), key=lambda head: head.checkpoint.size)
        self._check_history(old.checkpoint.head, new.checkpoint.head)
        if new is signed:
            self._publish(signed.note)
        return new.checkpoint.head

    def _begin(self, signed: SignedHead | None) -> TreeHead:
        """A log without a published checkpoint: only one that never held anything may be begun."""
        if (signed and signed.checkpoint.size) or self._has_tiles():
            raise _lost()
        head = TreeHead(0, EMPTY_ROOT)
        note = signed.note if signed else self._sign(head)
        self._guard.remember(note)
        self._publish(note)
        return head

    def _check_history(self, old: TreeHead, new: TreeHead) -> None:
        """The store must hold, entry by entry, what was added between two signed heads."""
        try:
            recount = StoredTree(self._store, new.size).recount(old.size // TILE_WIDTH)
            held = (recount.root(old.size), recount.root(new.size)) == (old.root, new.root)
        except LogInvalid as fault:
            raise _rolled_back(new.size) from fault
        if not held:
            raise _rolled_back(new.size)

    def _extend(self, head: TreeHead, entries: Sequence[bytes]) -> None:
        batch = self._stage(head, entries)  # 3. Stage.
        for key, content in (batch.bundles | batch.tiles).items():  # 4. Write.
            self._store.put(key, content)
        self._recompute(head, batch)  # 5. Recompute.
        note = self._sign(batch.head)  # 6. Sign and remember.
        self._guard.remember(note)
        self._publish(note)  # 7. Publish.
        self._sweep(batch.full)  # 8. Sweep.

    def _stage(self, head: TreeHead, entries: Sequence[bytes]) -> _Batch:
        tree = StoredTree(self._store, head.size)
        edge = tree.edge()
        if edge.root() != head.root:
            raise _fault("已存的哈希与检查点不符", "the stored hashes do not give the signed root")
        stored = {tile.key for tile in edge.partial_tiles()}
        full = [tile for entry in entries for tile in edge.append(leaf_hash(entry))]
        tiles = {
            tile.key: pack_hashes(tile.hashes) for tile in (*full, *edge.partial_tiles()) if tile.key not in stored
        }
        return _Batch(_bundles(tree, entries), tiles, full, TreeHead(edge.size, edge.root()))

    def _recompute(self, head: TreeHead, batch: _Batch) -> None:
        for key, content in batch.tiles.items():
            if self._store.read(key) != content:
                raise _fault(f"{key} 写入后读回不符", f"{key} does not read back as written")
        recount = StoredTree(self._store, batch.head.size).recount(head.size // TILE_WIDTH)
        if recount.root(head.size) != head.root:
            raise _fault("已存条目与上一检查点不符", "the stored entries do not give the root signed before")
        if recount.root(batch.head.size) != batch.head.root:
            raise _fault("两种方法算得的树根不同", "two ways of computing the new root disagree")

    def _sign(self, head: TreeHead) -> bytes:
        note = self._signer.sign_note(Checkpoint(self._signer.origin, head.size, head.root).text())
        if self._read(note).checkpoint.head != head:
            raise _fault("签名后读回不符", "the checkpoint does not read back as signed")
        return note

    def _publish(self, note: bytes) -> None:
        self._store.put(LOG_CHECKPOINT, note)
        if self._store.read(LOG_CHECKPOINT) != note:
            raise _fault("检查点写入后读回不符", "the checkpoint does not read back as published")

    def _sweep(self, full: Sequence[Tile]) -> None:
        # The batch is in the log already: a store that fails now must not make it look as if it were not.
        with suppress(StoreFault):
            for tile in full:
                keys = [log_tile(tile.level, tile.index)] + ([log_entries(tile.index)] if tile.level == 0 else [])
                for partial in [stored.key for key in keys for stored in self._store.list(f"{key}.p")]:
                    self._store.delete(partial)


def _bundles(tree: StoredTree, entries: Sequence[bytes]) -> dict[str, bytes]:
    """The bundles that these entries make, with those of the partial bundle they continue."""
    first, width = divmod(tree.size, TILE_WIDTH)
    following = iter([*(tree.bundle(first) if width else []), *entries])
    bundles = {}
    while bundle := list(islice(following, TILE_WIDTH)):
        bundles[log_entries(first, len(bundle))] = pack_entries(bundle)
        first += 1
    return bundles


def _fault(zh: str, en: str) -> LogInvalid:
    return LogInvalid(reason=Text(zh, en))


def _lost() -> LogInvalid:
    return _fault("检查点丢失，请从备份恢复", "its checkpoint is lost; put it back from a backup")


def _rolled_back(size: int) -> LogInvalid:
    return _fault(
        f"存储被回退：曾签发 {size} 条的检查点，现已不全；请恢复最新备份",
        f"the store was rolled back: {size} entries were signed for and are not all there; restore the newest backup",
    )
