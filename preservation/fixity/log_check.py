"""Check every file of the provenance log in one store: entry bundles, tiles and checkpoints.

The log is its own witness: the entries determine every tile and the root, and the checkpoint signs the root. The
entries are read once, in memory that does not grow with the log. Where a bundle and its tile disagree, the next level
of the tree, or the signed root at the edge, tells which of them has changed. Of partial tiles only the newest counts.
Checkpoints that witnesses cosigned or an authority timestamped are verified by their signatures.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from preservation.digests import sha256
from preservation.fixity.attested_check import Attestations, check_attested
from preservation.fixity.files import ExpectedFile, require_reachable
from preservation.fixity.findings import FileCheck, FindingKind, FixityFinding
from preservation.log.log_keys import CheckpointKey
from preservation.log.merkle import TreeHead, leaf_hash, tree_hash
from preservation.log.tiles import (
    Edge,
    StoredTree,
    Tile,
    has_tiles,
    pack_entries,
    pack_hashes,
    row_widths,
    unpack_entries,
    unpack_hashes,
)
from preservation.progress import OnProgress, ignore_progress
from repository.errors import KeyNotFound, LogInvalid, StoreFault
from repository.localized import LocalizedText
from repository.paths import (
    LOG,
    LOG_CHECKPOINT,
    TILE_WIDTH,
    is_attested_checkpoint,
    log_entries,
    log_tile,
    parse_log_path,
)
from repository.storage.store import ObjectStore

_LOST_ENTRIES: Final = LocalizedText("其前的日志条目已失", "entries before it are lost")


@dataclass(frozen=True, slots=True)
class _StoredFile:
    """A file of the log as stored: its key and its bytes; None without, and then `kind` and `detail` say why.

    `is_replacement` is true for a full tile that has replaced a partial one, and begins with its hashes or entries.
    """

    key: str
    content: bytes | None
    kind: FindingKind = FindingKind.CHANGED
    detail: str = ""
    is_replacement: bool = False

    def compared(self, expected: bytes) -> FileCheck:
        """Return the check against the expected bytes; a full tile must begin with those of a partial one."""
        file = ExpectedFile(self.key, sha256([expected]))
        if self.content is None:
            return file.failed(self.kind, detail=self.detail)
        stored = self.content[: len(expected)] if self.is_replacement else self.content
        if stored != expected:
            return file.failed(FindingKind.CHANGED, found=sha256([self.content]), size=len(self.content))
        return file.passed(len(self.content))

    def unknown(self) -> FileCheck:
        """Return the check of a file of which nothing says what it must be."""
        if self.content is None:
            return FileCheck(self.key, finding=FixityFinding(self.key, self.kind, detail=self.detail))
        finding = FixityFinding(self.key, FindingKind.CHANGED, found=sha256([self.content]))
        return FileCheck(self.key, len(self.content), finding)


class LogCheck:
    """The check of the log in one store.

    Checkpoints must be signed by `key`. `remembered` are the newest heads that are known outside the store: the log is
    checked by them if its checkpoint is unusable and, in a store that `holds_newest`, if its checkpoint is older.
    Entries and tiles are there before a head is remembered; a store that lacks them was rolled back. `expected` is the
    number of files to check.
    """

    def __init__(
        self,
        store: ObjectStore,
        key: CheckpointKey,
        remembered: Sequence[TreeHead],
        attestations: Attestations | None = None,
        *,
        holds_newest: bool = False,
    ) -> None:
        self._store = store
        self._holds_newest = holds_newest
        self._attestations = attestations or Attestations(key)
        self._remembered = remembered
        self._checkpoint, self._head = self._read_checkpoint(key)
        self._tree = StoredTree(store, self._head.size if self._head else 0)
        self._edge = Edge()
        self._strays, self._attested = self._others() if self._checkpoint else ([], [])
        self.expected = bool(self._checkpoint) + len(self._strays) + len(self._attested) + self._files()

    def run(self, on_progress: OnProgress = ignore_progress) -> Iterator[FileCheck]:
        """Yield one check for each expected file. Raises `StoreFault` when the store is unreachable."""
        for check in self._run():
            on_progress(check.bytes)
            yield check

    def unexpected(self) -> list[FileCheck]:
        """Return a check with a finding for each file below ``log/`` that is nothing of the log; reads none of them."""
        return [FileCheck(key, finding=FixityFinding(key, FindingKind.UNEXPECTED)) for key in self._strays]

    def _run(self) -> Iterator[FileCheck]:
        yield from self.unexpected()
        yield from (check_attested(self._store, key, self._attestations) for key in self._attested)
        for index in range(-(-self._tree.size // TILE_WIDTH)):
            leaves = yield from self._check_leaves(index)
            if leaves is None:
                yield from self._not_checked(index + 1)
                break
            for leaf in leaves:
                for tile in self._edge.append(leaf):
                    yield from self._check_tile(tile)
        else:
            for tile in self._edge.partial_tiles():
                yield from self._check_tile(tile)
        if self._checkpoint:
            yield self._check_root(self._checkpoint)

    def _read_checkpoint(self, key: CheckpointKey) -> tuple[FileCheck | None, TreeHead | None]:
        """Return the check of the checkpoint, None for a store without a log, and the head to check the log by."""
        newest = max(self._remembered, key=lambda head: head.size, default=None)
        stored = self._read(LOG_CHECKPOINT, LOG_CHECKPOINT)
        if stored.content is None:
            expected = stored.kind is not FindingKind.MISSING or newest is not None or has_tiles(self._store)
            return (stored.unknown() if expected else None), newest
        try:
            checkpoint = key.read(stored.content)
        except LogInvalid:
            return stored.unknown(), newest
        head = checkpoint.head
        if checkpoint.origin != key.name:
            return stored.unknown(), newest
        if any(other.size == head.size and other.root != head.root for other in self._remembered):
            finding = FixityFinding(LOG_CHECKPOINT, FindingKind.WITNESSES_DISAGREE)
            return FileCheck(LOG_CHECKPOINT, len(stored.content), finding), head
        if self._holds_newest and newest is not None and newest.size > head.size:
            head = newest
        return FileCheck(LOG_CHECKPOINT, len(stored.content)), head

    def _files(self) -> int:
        """Return the number of bundles and tiles of the tree."""
        widths = row_widths(self._tree.size)
        return sum(-(-width // TILE_WIDTH) for width in [*widths[:1], *widths])

    def _others(self) -> tuple[list[str], list[str]]:
        """Return the files below ``log/`` that are nothing of the log, and the attested checkpoints.

        Tiles beyond the signed size are ignored.
        """
        strays, attested = [], []
        for stored in self._store.list(LOG):
            if is_attested_checkpoint(stored.key):
                attested.append(stored.key)
            elif stored.key != LOG_CHECKPOINT and parse_log_path(stored.key.removeprefix(f"{LOG}/")) is None:
                strays.append(stored.key)
        return strays, attested

    def _read(self, key: str, full: str) -> _StoredFile:
        try:
            return _StoredFile(key, self._store.read(key))
        except KeyNotFound:
            if key == full:
                return _StoredFile(key, None, FindingKind.MISSING)
        except StoreFault as fault:
            require_reachable(self._store)
            return _StoredFile(key, None, FindingKind.UNREADABLE, str(fault.details.get("reason", "")))
        replaced = self._read(full, full)
        if replaced.content is None:
            return _StoredFile(key, None, replaced.kind, replaced.detail)
        return _StoredFile(full, replaced.content, is_replacement=True)

    def _check_leaves(self, index: int) -> Generator[FileCheck, None, list[bytes] | None]:
        """Check a bundle and its tile; return the leaf hashes, None when neither tells them."""
        width = min(self._tree.size - index * TILE_WIDTH, TILE_WIDTH)
        bundle = self._read(log_entries(index, width), log_entries(index))
        tile = self._read(log_tile(0, index, width), log_tile(0, index))
        entries = unpack_entries(bundle.content) if bundle.content is not None else None
        hashes = unpack_hashes(tile.content) if tile.content is not None else None
        by_entries = [leaf_hash(entry) for entry in entries[:width]] if entries and len(entries) >= width else None
        by_tile = hashes[:width] if hashes and len(hashes) >= width else None
        leaves = self._choose(index, by_entries, by_tile)
        if leaves is None:
            yield bundle.unknown()
            yield tile.unknown()
            return None
        yield tile.compared(pack_hashes(leaves))
        confirmed = entries is not None and leaves == by_entries
        yield bundle.compared(pack_entries((entries or [])[:width])) if confirmed else bundle.unknown()
        return leaves

    def _choose(self, index: int, by_entries: list[bytes] | None, by_tile: list[bytes] | None) -> list[bytes] | None:
        """Return the leaf hashes that the rest of the tree confirms, if entries and tile give different ones."""
        candidates = [leaves for leaves in (by_entries, by_tile) if leaves is not None]
        if len(candidates) == 2 and by_entries != by_tile:
            return next((leaves for leaves in candidates if self._is_confirmed(index, leaves)), by_tile)
        return candidates[0] if candidates else None

    def _is_confirmed(self, index: int, leaves: list[bytes]) -> bool:
        if len(leaves) == TILE_WIDTH:
            try:
                return self._tree.tile(1, index // TILE_WIDTH)[index % TILE_WIDTH] == tree_hash(leaves)
            except LogInvalid:
                return False
        edge = copy.deepcopy(self._edge)
        for leaf in leaves:
            edge.append(leaf)
        return self._head is not None and edge.root() == self._head.root

    def _check_tile(self, tile: Tile) -> Iterator[FileCheck]:
        """Check a tile of hashes of tiles; those of leaves have been checked with their bundles."""
        if tile.level:
            stored = self._read(tile.key, log_tile(tile.level, tile.index))
            yield stored.compared(pack_hashes(tile.hashes))

    def _not_checked(self, start: int) -> Iterator[FileCheck]:
        """Yield the files that follow the bundle `start` - 1, which is lost."""
        for level, width in enumerate(row_widths(self._tree.size)):
            done = start if level == 0 else self._completed(level)
            for index in range(done, -(-width // TILE_WIDTH)):
                held = min(width - index * TILE_WIDTH, TILE_WIDTH)
                yield FileCheck(log_tile(level, index, held), reason=_LOST_ENTRIES)
                if level == 0:
                    yield FileCheck(log_entries(index, held), reason=_LOST_ENTRIES)

    def _completed(self, level: int) -> int:
        """Return the number of full tiles of a level that the leaves so far have completed."""
        return self._edge.size >> 8 * (level + 1)

    def _check_root(self, checkpoint: FileCheck) -> FileCheck:
        is_whole = self._edge.size == self._tree.size
        if checkpoint.finding or self._head is None or not is_whole or self._edge.root() == self._head.root:
            return checkpoint
        finding = FixityFinding(LOG_CHECKPOINT, FindingKind.WITNESSES_DISAGREE)
        return FileCheck(LOG_CHECKPOINT, checkpoint.bytes, finding)
