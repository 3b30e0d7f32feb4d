"""The provenance log: an append-only Merkle log in the store, signed at every size it is published with.

C2SP tlog-tiles below ``log/``: ``checkpoint``, ``tile/<level>/...`` and ``tile/entries/...``. The published checkpoint
is the log; whatever lies in the store beyond its size was never signed and means nothing.

One batch, and what a crash after each step leaves:

1. *Hold* the guard. One writer at a time.
2. *Settle*: the published checkpoint, and the newest one signed, must be ours and of one history.
3. *Stage* the batch: bundles, tiles and the new root, from the stored right edge. Nothing is written yet.
4. *Write* bundles, then tiles. A crash leaves objects beyond the published size; the next batch overwrites them.
5. *Recompute*: tiles are read back and compared; the entries are read back, and from them the old root and the new
   are computed by another way (`StoredTree.recount`). They must be the one signed before and the one staged.
6. *Sign*, and *remember* the checkpoint outside the store. A crash leaves a signed checkpoint that nobody has seen:
   from here on it is the log's head for all who share the guard, and the next batch publishes it first (step 2).
7. *Publish* the checkpoint: the commit point for everyone else.
8. *Sweep* the partial tiles that full ones replace. A crash leaves some: they are right, and merely superfluous.

So a batch is in the log whole or not at all. A published checkpoint older than the one remembered means that the store
was rolled back. When what was signed is still there, it is published again; when it is not, nothing more is signed.
The very first step of a log is a signed checkpoint of size 0, so tiles without a checkpoint are always a loss, and are
never overwritten by a new log (docs/decisions/0002-empty-trees.md).

A writer whose lock was lost (`log/writer_lock.py`) may go on beside its successor for a while, at any of these steps.
It does no harm, because which entry has which index was decided before (`log/sequencer.py`), and an append says which
index it means (`at`):

- A key of a bundle or tile names its level, index and width, and so decides its bytes: both write the same (step 4).
- A partial tile is swept only when the full one was published, and from then on nobody needs it (step 8).
- What it signs is the same tree; a size smaller than the one remembered is not taken any more (step 6).
- It may put its older checkpoint over a newer one (step 7): a request that was under way cannot be called back. The
  next writer puts the newer one again; whoever asks us meanwhile gets the newest signed (`newest`).
- What it then finds wrong says nothing about the log, only that its lock was lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, Protocol

from preservation.log import evidence, notes
from preservation.log.audit import LogVerdict, audit
from preservation.log.merkle import EMPTY_ROOT, TreeHead, consistency_proof, inclusion_proof, leaf_hash
from preservation.log.notes import Checkpoint, VerifierKey
from preservation.log.signing_key import Signer
from preservation.log.tiles import StoredTree, Tile, pack_entries, pack_hashes
from preservation.log.writer_lock import WriterLock
from repository.database.locks import Hold
from repository.errors import DependencyMissing, KeyNotFound, LogBusy, LogInvalid, NotFound, StoreFault
from repository.localized import LocalizedText
from repository.paths import LOG, LOG_CHECKPOINT, TILE_WIDTH, log_entries, log_tile
from repository.storage.store import ObjectStore

_PUBLISHING_TRIES: Final = 5


class Append(Protocol):
    """Adds a batch to a log that is held for writing."""

    def __call__(self, entries: Sequence[bytes], at: int | None = None) -> int:
        """As `ProvenanceLog.append`."""


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
    """The log in `store`, signed by `key`; with its verifier key alone it can be read and not written.

    `guard` is shared by all who write it.
    """

    def __init__(self, store: ObjectStore, key: Signer | VerifierKey, guard: WriterLock) -> None:
        self._store = store
        self._signer = key if isinstance(key, Signer) else None
        self._key = key.key if isinstance(key, Signer) else key
        self._guard = guard

    @property
    def size(self) -> int:
        """How many entries are signed for: the newest checkpoint published, or signed and yet to be published."""
        return self._head().checkpoint.size

    @property
    def root(self) -> str:
        """The root at that size, in base64 as checkpoints show it."""
        return self._head().checkpoint.root_text

    def checkpoint(self) -> Checkpoint:
        """The checkpoint at that size. A log never written to has size 0. Raises `LogInvalid`."""
        return self._head().checkpoint

    def newest(self) -> bytes:
        """The note of the checkpoint at that size. Raises `NotFound` before the first, `LogInvalid`."""
        note = self._head().note
        if not note:
            raise NotFound(what=LOG_CHECKPOINT)
        return note

    def is_behind(self) -> bool:
        """Whether a checkpoint was signed and a smaller one, or none, is published. Raises `LogInvalid`."""
        published = self._published()
        return self.size > published.checkpoint.size if published else bool(self._signed())

    def append(self, entries: Sequence[bytes], at: int | None = None) -> int:
        """Add entries, each at most 65,535 bytes, as one batch; returns the index of the first.

        The batch is durable, signed and published when this returns. Raises `LogBusy` (also when the log's size is not
        `at`), `LogInvalid`, `StoreFault`, `RequestInvalid` for an entry that is too long, `DependencyMissing` without
        the signing key.
        """
        with self.writing() as append:
            return append(entries, at)

    @contextmanager
    def writing(self) -> Iterator[Append]:
        """Hold the log for several batches. Raises as `append` does, and `DatabaseFault` when the lock was lost."""
        if self._signer is None:
            raise signing_key_absent()
        with self._guard.hold() as hold:  # 1. Hold.
            try:
                yield partial(self._append, hold)
            except (LogInvalid, KeyNotFound):
                hold.check()
                raise

    def _append(self, hold: Hold, entries: Sequence[bytes], at: int | None = None) -> int:
        head = self._settle(hold)  # 2. Settle.
        if at is not None and head.size != at:
            raise LogBusy
        if entries:
            self._extend(hold, head, entries)
        return head.size

    def entry(self, index: int) -> bytes:
        """The entry at `index`. Raises `NotFound`, `LogInvalid`."""
        self._require(index, self.size)
        return next(self.entries(index, index + 1))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries ``[start, end)``, clipped to the log, in bounded memory; each is compared with its leaf hash."""
        size = self.size
        return StoredTree(self._store, size).entries(start, min(end, size)) if start < size else iter(())

    def evidence(self, index: int) -> bytes:
        """The evidence file of an entry, checked before it is handed out. Raises `NotFound`, `LogInvalid`."""
        head = self._head()
        size = head.checkpoint.size
        self._require(index, size)
        tree = StoredTree(self._store, size)
        entry = next(tree.entries(index, index + 1))
        proof = tuple(inclusion_proof(index, size, tree.hash_of))
        content = evidence.Evidence(entry, index, proof, head.note).content()
        evidence.check(content, self._key.line())
        return content

    def consistency(self, old_size: int) -> list[bytes]:
        """The proof that the log extends what it was at `old_size`, from 1. Raises `NotFound`, `LogInvalid`."""
        size = self.size
        self._require(old_size - 1, size)
        return consistency_proof(old_size, size, StoredTree(self._store, size).hash_of)

    def verify(self) -> LogVerdict:
        """Compute everything again from the entries, in bounded memory, and report every difference."""
        heads: list[TreeHead] = []
        problems: list[LocalizedText] = []
        for read in (self._published_heads, self._signed):
            try:
                heads += [head.checkpoint.head for head in read()]
            except LogInvalid as fault:
                problems.append(fault.message)
        if not self._store.exists(LOG_CHECKPOINT) and (any(head.size for head in heads) or self._has_tiles()):
            problems.append(_lost().message)
        return audit(self._store, heads, problems)

    def _head(self) -> SignedHead:
        heads = [*self._published_heads(), *self._signed()]
        return _newest(heads) if heads else SignedHead(b"", Checkpoint(self._key.name, 0, EMPTY_ROOT))

    def _published(self) -> SignedHead | None:
        try:
            return self._read(self._store.read(LOG_CHECKPOINT))
        except KeyNotFound:
            return None

    def _published_heads(self) -> list[SignedHead]:
        published = self._published()
        return [published] if published else []

    def _signed(self) -> list[SignedHead]:
        return [self._read(note) for note in self._guard.signed()]

    def _read(self, note: bytes) -> SignedHead:
        checkpoint = notes.read_checkpoint(note, [self._key])
        if checkpoint.origin != self._key.name:
            raise _fault("检查点属于另一日志", "the checkpoint is of another log")
        return SignedHead(note, checkpoint)

    def _has_tiles(self) -> bool:
        return next(iter(self._store.list(f"{LOG}/tile")), None) is not None

    def _require(self, index: int, size: int) -> None:
        if not 0 <= index < size:
            raise NotFound(what=LocalizedText(f"日志条目 {index}", f"log entry {index}"))

    def _settle(self, hold: Hold) -> TreeHead:
        """The head to extend. Publishes what was signed and is not what is published."""
        published, signed = self._published(), self._signed()
        if published is None:
            return self._begin(hold, signed)
        newest = _newest([published, *signed])
        others = [head for head in signed if head.checkpoint != newest.checkpoint]
        for head in others:
            self._check_grown(head.checkpoint.head, newest.checkpoint.head)
        if published.checkpoint != newest.checkpoint:
            self._check_history(published.checkpoint.head, newest.checkpoint.head)
        if others or not signed:
            self._remember(hold, newest)
        if published.checkpoint != newest.checkpoint:
            self._publish(hold, newest.note)
        return newest.checkpoint.head

    def _begin(self, hold: Hold, signed: Sequence[SignedHead]) -> TreeHead:
        """A log without a published checkpoint: only one that never held anything may be begun."""
        if any(head.checkpoint.size for head in signed) or self._has_tiles():
            raise _lost()
        head = TreeHead(0, EMPTY_ROOT)
        begun = _newest(signed) if signed else self._sign(head)
        self._remember(hold, begun)
        self._publish(hold, begun.note)
        return head

    def _check_grown(self, old: TreeHead, new: TreeHead) -> None:
        """The stored hashes must lead from one signed head to the other."""
        tree = StoredTree(self._store, new.size)
        try:
            held = (tree.hash_of(0, old.size), tree.hash_of(0, new.size)) == (old.root, new.root)
        except LogInvalid as fault:
            raise _rolled_back(new.size) from fault
        if not held:
            raise _rolled_back(new.size)

    def _check_history(self, old: TreeHead, new: TreeHead) -> None:
        """The store must hold, entry by entry, what was added between two signed heads."""
        try:
            recount = StoredTree(self._store, new.size).recount(old.size // TILE_WIDTH)
            held = (recount.root(old.size), recount.root(new.size)) == (old.root, new.root)
        except LogInvalid as fault:
            raise _rolled_back(new.size) from fault
        if not held:
            raise _rolled_back(new.size)

    def _extend(self, hold: Hold, head: TreeHead, entries: Sequence[bytes]) -> None:
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

    def _sign(self, head: TreeHead) -> SignedHead:
        if self._signer is None:
            raise signing_key_absent()
        note = self._signer.sign_note(Checkpoint(self._signer.origin, head.size, head.root).text())
        signed = self._read(note)
        if signed.checkpoint.head != head:
            raise _fault("签名后读回不符", "the checkpoint does not read back as signed")
        return signed

    def _remember(self, hold: Hold, signed: SignedHead) -> None:
        hold.check()
        self._guard.remember(signed.note, signed.checkpoint.size)

    def _publish(self, hold: Hold, note: bytes) -> None:
        """Put the checkpoint, and again when a writer that lost its lock puts an older one of ours at the same time."""
        for _ in range(_PUBLISHING_TRIES):
            hold.check()
            self._store.put(LOG_CHECKPOINT, note)
            found = self._store.read(LOG_CHECKPOINT)
            if found == note:
                return
            if not self._is_older(found, note):
                break
        raise _fault("检查点写入后读回不符", "the checkpoint does not read back as published")

    def _is_older(self, found: bytes, note: bytes) -> bool:
        with suppress(LogInvalid):
            return self._read(found).checkpoint.size < self._read(note).checkpoint.size
        return False

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


def signing_key_absent() -> DependencyMissing:
    """What to say where the log is read and cannot be written."""
    remedy = LocalizedText(
        "日志由持有密钥的机器签发；如需在本机签发，请从该机复制 keys 目录（权限 600）",
        "the log is signed on the machine that has it; to sign here too, copy its folder keys (mode 600) to this one",
    )
    return DependencyMissing(what=LocalizedText("日志签名密钥", "the log's signing key"), remedy=remedy)


def _newest(heads: Sequence[SignedHead]) -> SignedHead:
    return max(heads, key=lambda head: head.checkpoint.size)


def _fault(zh: str, en: str) -> LogInvalid:
    return LogInvalid(reason=LocalizedText(zh, en))


def _lost() -> LogInvalid:
    return _fault("检查点丢失，请从备份恢复", "its checkpoint is lost; put it back from a backup")


def _rolled_back(size: int) -> LogInvalid:
    return _fault(
        f"存储被回退：曾签发 {size} 条的检查点，现已不全；请恢复最新备份",
        f"the store was rolled back: {size} entries were signed for and are not all there; restore the newest backup",
    )
