"""Audit the provenance log: recompute everything from the entries and report every difference.

The audit reads the entry bundles once, in memory that does not grow with the log. From the entries it computes the leaf
hashes, every tile of every level, and the root at each signed size. If a bundle cannot be read, it is reported and its
level 0 tile replaces it, so that the rest of the log is still checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from preservation.log.merkle import EMPTY_ROOT, TreeHead, leaf_hash
from preservation.log.notes import encode_base64
from preservation.log.tiles import Edge, StoredTree, Tile
from repository.errors import LogInvalid
from repository.localized import LocalizedText
from repository.paths import TILE_WIDTH
from repository.storage.store import ObjectStore

MOST_PROBLEMS: Final = 100
"""The audit stops after this many problems: more of them would add no information."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The result of an audit. `root` is in base64 as in checkpoints; a log without a checkpoint has size 0."""

    size: int
    root: str
    problems: tuple[LocalizedText, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything that was signed exists unchanged."""
        return not self.problems


def audit(store: ObjectStore, heads: Sequence[TreeHead], problems: Sequence[LocalizedText] = ()) -> AuditResult:
    """Audit the log in `store` at every signed size; the result lists the given `problems` first."""
    newest = max(heads, key=lambda head: head.size, default=TreeHead(0, EMPTY_ROOT))
    differences = _Audit(store, newest.size, heads).run()
    return AuditResult(newest.size, encode_base64(newest.root), (*problems, *differences))


class _Audit:
    def __init__(self, store: ObjectStore, size: int, heads: Sequence[TreeHead]) -> None:
        self._tree = StoredTree(store, size)
        self._heads = set(heads)
        self._edge = Edge()
        self._problems: list[LocalizedText] = []

    def run(self) -> list[LocalizedText]:
        """Return every problem, about `MOST_PROBLEMS` at most."""
        self._compare_roots()
        for index in range((self._tree.size + TILE_WIDTH - 1) // TILE_WIDTH):
            leaves = self._read_leaves(index)
            if leaves is None or len(self._problems) >= MOST_PROBLEMS:
                self._report("其后的日志未检查", "the log after this was not checked")
                return self._problems
            self._append(leaves)
        for tile in self._edge.partial_tiles():
            self._compare_tile(tile)
        return self._problems

    def _append(self, leaves: list[bytes]) -> None:
        for leaf in leaves:
            for tile in self._edge.append(leaf):
                self._compare_tile(tile)
            self._compare_roots()

    def _compare_roots(self) -> None:
        size = self._edge.size
        for head in self._heads:
            if head.size == size and head.root != self._edge.root():
                self._report(
                    f"前 {size} 条算得的树根与签发的不符", f"the first {size} entries do not give the signed root"
                )

    def _read_leaves(self, index: int) -> list[bytes] | None:
        """Return the leaf hashes of a bundle, from its entries or else its tile; None when neither can be read."""
        try:
            leaves = [leaf_hash(entry) for entry in self._tree.bundle(index)]
        except LogInvalid as fault:
            self._problems.append(fault.message)
            return self._read_tile(0, index)
        return leaves

    def _compare_tile(self, tile: Tile) -> None:
        stored = self._read_tile(tile.level, tile.index)
        if stored is None or stored == list(tile.hashes):
            return
        place = next(place for place, pair in enumerate(zip(stored, tile.hashes, strict=True)) if pair[0] != pair[1])
        if tile.level == 0:
            entry = tile.index * TILE_WIDTH + place
            self._report(
                f"条目 {entry} 与其哈希不符（{tile.key}）", f"entry {entry} does not match its hash in {tile.key}"
            )
        else:
            self._report(
                f"{tile.key} 第 {place} 个哈希与条目不符", f"hash {place} of {tile.key} does not match the entries"
            )

    def _read_tile(self, level: int, index: int) -> list[bytes] | None:
        try:
            return self._tree.tile(level, index)
        except LogInvalid as fault:
            self._problems.append(fault.message)
            return None

    def _report(self, zh: str, en: str) -> None:
        self._problems.append(LocalizedText(zh, en))
