"""The provenance log as it lies in the store: tiles of hashes and bundles of entries (C2SP tlog-tiles).

Two ways lead from here to a root, and `log/log.py` signs only what both give:

- `Edge` grows: it takes leaf hashes in order and gives up every tile it completes;
- `StoredTree` looks back: it reads tiles and bundles from the store and hashes them by the recursive definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from preservation.log.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    CompactRange,
    fold_peaks,
    leaf_hash,
    node_hash,
    split,
    tree_hash,
)
from repository.errors import KeyNotFound, LogInvalid, RequestInvalid
from repository.localized import LocalizedText
from repository.paths import TILE_WIDTH, log_entries, log_tile
from repository.storage.store import ObjectStore

LONGEST_ENTRY: Final = 65_535
_TILE_BITS: Final = 8
_LENGTH: Final = 2


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """A bundle: every entry behind its length, a big-endian uint16. Raises `RequestInvalid` when one is too long."""
    for entry in entries:
        if len(entry) > LONGEST_ENTRY:
            reason = LocalizedText(f"超过 {LONGEST_ENTRY} 字节", f"it is longer than {LONGEST_ENTRY} bytes")
            raise RequestInvalid(part=LocalizedText("日志条目", "log entry"), reason=reason)
    return b"".join(len(entry).to_bytes(_LENGTH, "big") + entry for entry in entries)


def unpack_entries(content: bytes) -> list[bytes] | None:
    """The entries of a bundle; None when it is cut short."""
    entries = []
    position = 0
    while position < len(content):
        start = position + _LENGTH
        position = start + int.from_bytes(content[position:start], "big")
        if len(content) < max(start, position):
            return None
        entries.append(content[start:position])
    return entries


def pack_hashes(hashes: Sequence[bytes]) -> bytes:
    """A tile: its hashes one after the other."""
    return b"".join(hashes)


def unpack_hashes(content: bytes) -> list[bytes] | None:
    """The hashes of a tile; None when it is cut within one."""
    if len(content) % HASH_SIZE:
        return None
    return [content[start : start + HASH_SIZE] for start in range(0, len(content), HASH_SIZE)]


def row_widths(size: int) -> list[int]:
    """How many hashes a tree of `size` leaves has at each tile level, from level 0: ``size // 256**level``."""
    widths = []
    while size:
        widths.append(size)
        size >>= _TILE_BITS
    return widths


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile or partial tile: its level, its index in the level, and its hashes."""

    level: int
    index: int
    hashes: tuple[bytes, ...]

    @property
    def key(self) -> str:
        """Where it lies in the store."""
        return log_tile(self.level, self.index, len(self.hashes))


@dataclass(slots=True)
class Edge:
    """The right edge of a growing tree: at each tile level the hashes not yet in a full tile, below 256 of them."""

    size: int = 0
    rows: list[list[bytes]] = field(default_factory=lambda: [[]])

    def append(self, leaf: bytes) -> list[Tile]:
        """One leaf hash more; returns the tiles that it completes, lowest first."""
        self.size += 1
        self.rows[0].append(leaf)
        return self._carry() if len(self.rows[0]) == TILE_WIDTH else []

    def _carry(self) -> list[Tile]:
        full: list[Tile] = []
        for level, row in enumerate(self.rows):
            if len(row) < TILE_WIDTH:
                break
            full.append(Tile(level, (self.size >> _TILE_BITS * (level + 1)) - 1, tuple(row)))
            if level + 1 == len(self.rows):
                self.rows.append([])
            self.rows[level + 1].append(CompactRange.over(row).root())
            row.clear()
        return full

    def partial_tiles(self) -> list[Tile]:
        """The partial tiles of the tree as it is, lowest first."""
        return [
            Tile(level, self.size >> _TILE_BITS * (level + 1), tuple(row)) for level, row in enumerate(self.rows) if row
        ]

    def root(self) -> bytes:
        """The root of the tree as it is."""
        return fold_peaks([peak for row in reversed(self.rows) for peak in CompactRange.over(row).peaks])


class StoredTree:
    """A tree of `size` leaves in a store, read only. Short-lived: it keeps the tiles that `hash_of` has read.

    What is missing or of the wrong length raises `LogInvalid`; a hash or entry that was altered shows in the root.
    """

    def __init__(self, store: ObjectStore, size: int) -> None:
        self.size = size
        self._store = store
        self._rows: dict[tuple[int, int], list[bytes]] = {}

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile, as many as it has in this tree."""
        width = self._width(level, index)
        content = self._read(log_tile(level, index, width), log_tile(level, index))
        return _cut(unpack_hashes(content), width, log_tile(level, index, width))

    def bundle(self, index: int) -> list[bytes]:
        """The entries of a bundle, as many as it has in this tree."""
        width = self._width(0, index)
        content = self._read(log_entries(index, width), log_entries(index))
        return _cut(unpack_entries(content), width, log_entries(index, width))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries ``[start, end)``, each compared with its hash in the level 0 tile."""
        for index in range(start >> _TILE_BITS, (end + TILE_WIDTH - 1) >> _TILE_BITS):
            entries = self.bundle(index)
            if [leaf_hash(entry) for entry in entries] != self.tile(0, index):
                raise _damaged(log_entries(index, len(entries)))
            first = index << _TILE_BITS
            yield from entries[max(start - first, 0) : end - first]

    def hash_of(self, start: int, end: int) -> bytes:
        """The hash of the leaves ``[start, end)``, a node of this tree, from the highest tiles that have its parts."""
        count = end - start
        if count == 0:
            return EMPTY_ROOT
        if count & (count - 1):
            middle = start + split(count)
            return node_hash(self.hash_of(start, middle), self.hash_of(middle, end))
        level = (count.bit_length() - 1) // _TILE_BITS
        first, width = start >> _TILE_BITS * level, count >> _TILE_BITS * level
        place = first % TILE_WIDTH
        return tree_hash(self._known_tile(level, first >> _TILE_BITS)[place : place + width])

    def edge(self) -> Edge:
        """The right edge, to grow on from."""
        rows = [
            self.tile(level, width >> _TILE_BITS) if width % TILE_WIDTH else []
            for level, width in enumerate(row_widths(self.size))
        ]
        return Edge(self.size, rows or [[]])

    def recount(self, first: int) -> Recount:
        """The entries from bundle `first` on, read and hashed: the root by another way than the tiles'."""
        bundles = range(first, (self.size + TILE_WIDTH - 1) >> _TILE_BITS)
        leaves = [leaf_hash(entry) for index in bundles for entry in self.bundle(index)]
        return Recount(self, first << _TILE_BITS, leaves)

    def _known_tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._rows:
            self._rows[level, index] = self.tile(level, index)
        return self._rows[level, index]

    def _width(self, level: int, index: int) -> int:
        return min((self.size >> _TILE_BITS * level) - (index << _TILE_BITS), TILE_WIDTH)

    def _read(self, key: str, full: str) -> bytes:
        """A partial tile may be gone once the full one is there (tlog-tiles, "Partial Tiles")."""
        try:
            return self._store.read(key)
        except KeyNotFound:
            if key == full:
                raise _missing(key) from None
        try:
            return self._store.read(full)
        except KeyNotFound:
            raise _missing(key) from None


@dataclass(frozen=True, slots=True)
class Recount:
    """The second way to a root: entries read back from index `first` on, and stored hashes for what lies before."""

    tree: StoredTree
    first: int
    leaves: list[bytes]

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves, by the recursive definition (RFC 6962 section 2.1)."""
        return self._hash(0, size) if size else EMPTY_ROOT

    def _hash(self, start: int, end: int) -> bytes:
        if start >= self.first:
            return tree_hash(self.leaves[start - self.first : end - self.first])
        if end <= self.first:
            return self.tree.hash_of(start, end)
        middle = start + split(end - start)
        return node_hash(self._hash(start, middle), self._hash(middle, end))


def _cut(parts: list[bytes] | None, width: int, key: str) -> list[bytes]:
    """The first `width` parts of a tile or bundle, which must have that many: exactly, or as a full one."""
    if parts is None or len(parts) not in {width, TILE_WIDTH}:
        raise _damaged(key)
    return parts[:width]


def _missing(key: str) -> LogInvalid:
    return LogInvalid(reason=LocalizedText(f"缺少 {key}", f"{key} is missing"))


def _damaged(key: str) -> LogInvalid:
    return LogInvalid(reason=LocalizedText(f"{key} 已损坏", f"{key} is damaged"))
