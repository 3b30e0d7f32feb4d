"""The audit of the provenance log: everything again from the entries, and every difference told.

One pass over the entry bundles, in memory that does not grow with the log. The entries are the truth: from them come
the leaf hashes, every tile at every level, and the root at each signed size. Where a bundle cannot be read its level 0
tile stands in, so that the rest is checked all the same; the bundle is reported.
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
"""Problems told one by one; further ones of a wrecked log add nothing."""


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """What an audit found. `root` is in base64, as checkpoints show it; a log never written to has size 0."""

    size: int
    root: str
    problems: tuple[LocalizedText, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything the signatures speak for is there and as signed."""
        return not self.problems


def audit(store: ObjectStore, heads: Sequence[TreeHead], problems: Sequence[LocalizedText] = ()) -> LogVerdict:
    """Audit the log in `store` at every size signed; `problems` are what was found before, and stand first."""
    newest = max(heads, key=lambda head: head.size, default=TreeHead(0, EMPTY_ROOT))
    found = _Audit(store, newest.size, heads).run()
    return LogVerdict(newest.size, encode_base64(newest.root), (*problems, *found))


class _Audit:
    def __init__(self, store: ObjectStore, size: int, heads: Sequence[TreeHead]) -> None:
        self._tree = StoredTree(store, size)
        self._heads = set(heads)
        self._edge = Edge()
        self._problems: list[LocalizedText] = []

    def run(self) -> list[LocalizedText]:
        """Every problem, at most `MOST_PROBLEMS`."""
        self._compare_roots()
        for index in range((self._tree.size + TILE_WIDTH - 1) // TILE_WIDTH):
            leaves = self._leaves(index)
            if leaves is None or len(self._problems) >= MOST_PROBLEMS:
                self._tell("其后未能检查", "what follows could not be checked")
                return self._problems
            self._grow(leaves)
        for tile in self._edge.partial_tiles():
            self._compare_tile(tile)
        return self._problems

    def _grow(self, leaves: list[bytes]) -> None:
        for leaf in leaves:
            for tile in self._edge.append(leaf):
                self._compare_tile(tile)
            self._compare_roots()

    def _compare_roots(self) -> None:
        size = self._edge.size
        for head in self._heads:
            if head.size == size and head.root != self._edge.root():
                self._tell(
                    f"前 {size} 条算得的树根与签发的不符", f"the first {size} entries do not give the signed root"
                )

    def _leaves(self, index: int) -> list[bytes] | None:
        """The leaf hashes of a bundle, from its entries or else its tile; None when both are lost."""
        try:
            leaves = [leaf_hash(entry) for entry in self._tree.bundle(index)]
        except LogInvalid as fault:
            self._note(fault)
            return self._stored_tile(0, index)
        return leaves

    def _compare_tile(self, tile: Tile) -> None:
        stored = self._stored_tile(tile.level, tile.index)
        if stored is None or stored == list(tile.hashes):
            return
        place = next(place for place, pair in enumerate(zip(stored, tile.hashes, strict=True)) if pair[0] != pair[1])
        if tile.level == 0:
            entry = tile.index * TILE_WIDTH + place
            self._tell(f"条目 {entry} 与其哈希不符（{tile.key}）", f"entry {entry} and its hash in {tile.key} differ")
        else:
            self._tell(
                f"{tile.key} 第 {place} 个哈希与条目不符", f"hash {place} of {tile.key} is not what the entries give"
            )

    def _stored_tile(self, level: int, index: int) -> list[bytes] | None:
        try:
            return self._tree.tile(level, index)
        except LogInvalid as fault:
            self._note(fault)
            return None

    def _note(self, fault: LogInvalid) -> None:
        self._problems.append(fault.message)

    def _tell(self, zh: str, en: str) -> None:
        self._problems.append(LocalizedText(zh, en))
