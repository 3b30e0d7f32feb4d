"""Tiles of hashes and bundles of entries in the store (C2SP tlog-tiles).

Two independent methods compute a root, and `log/writer.py` signs only a root that both give:

- `Edge` appends leaf hashes in order and returns every tile that they complete;
- `StoredTree` reads tiles and bundles from the store and hashes them by the recursive definition.
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
from repository.paths import LOG, TILE_WIDTH, log_entries, log_tile, parse_log_path
from repository.storage.store import ObjectStore

LONGEST_ENTRY: Final = 65_535
_TILE_BITS: Final = 8
_LENGTH: Final = 2


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Return a bundle: every entry after its length, a big-endian uint16. Raises `RequestInvalid` for a long entry."""
    for entry in entries:
        if len(entry) > LONGEST_ENTRY:
            reason = LocalizedText(f"超过 {LONGEST_ENTRY} 字节", f"it is longer than {LONGEST_ENTRY} bytes")
            raise RequestInvalid(part=LocalizedText("日志条目", "log entry"), reason=reason)
    return b"".join(len(entry).to_bytes(_LENGTH, "big") + entry for entry in entries)


def unpack_entries(content: bytes) -> list[bytes] | None:
    """Return the entries of a bundle; None when it is truncated."""
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
    """Return a tile: its hashes concatenated."""
    return b"".join(hashes)


def unpack_hashes(content: bytes) -> list[bytes] | None:
    """Return the hashes of a tile; None when it is truncated within a hash."""
    if len(content) % HASH_SIZE:
        return None
    return [content[start : start + HASH_SIZE] for start in range(0, len(content), HASH_SIZE)]


def row_widths(size: int) -> list[int]:
    """Return the number of hashes at each tile level, from level 0, of a tree of `size` leaves: size // 256**level."""
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
        """The tile's key in the store."""
        return log_tile(self.level, self.index, len(self.hashes))


@dataclass(slots=True)
class Edge:
    """The right edge of a growing tree: at each tile level the hashes not yet in a full tile, fewer than 256."""

    size: int = 0
    rows: list[list[bytes]] = field(default_factory=lambda: [[]])

    def append(self, leaf: bytes) -> list[Tile]:
        """Append a leaf hash; return the tiles that it completes, lowest level first."""
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
        """Return the partial tiles of the current tree, lowest level first."""
        return [
            Tile(level, self.size >> _TILE_BITS * (level + 1), tuple(row)) for level, row in enumerate(self.rows) if row
        ]

    def root(self) -> bytes:
        """Return the root of the current tree."""
        return fold_peaks([peak for row in reversed(self.rows) for peak in CompactRange.over(row).peaks])


class StoredTree:
    """A read-only tree of `size` leaves in a store. Keep it briefly: it caches the tiles that `hash_of` reads.

    A missing tile or one of the wrong length raises `LogInvalid`; an altered hash or entry changes the root.
    """

    def __init__(self, store: ObjectStore, size: int) -> None:
        self.size = size
        self._store = store
        self._rows: dict[tuple[int, int], list[bytes]] = {}

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile, as many as it has in this tree."""
        width = self._width(level, index)
        content = self._read(log_tile(level, index, width), log_tile(level, index))
        return _first(unpack_hashes(content), width, log_tile(level, index, width))

    def bundle(self, index: int) -> list[bytes]:
        """Return the entries of a bundle, as many as it has in this tree."""
        width = self._width(0, index)
        content = self._read(log_entries(index, width), log_entries(index))
        return _first(unpack_entries(content), width, log_entries(index, width))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the entries ``[start, end)``, each verified against its hash in the level 0 tile."""
        for index in range(start >> _TILE_BITS, (end + TILE_WIDTH - 1) >> _TILE_BITS):
            entries = self.bundle(index)
            if [leaf_hash(entry) for entry in entries] != self.tile(0, index):
                raise _damaged(log_entries(index, len(entries)))
            first = index << _TILE_BITS
            yield from entries[max(start - first, 0) : end - first]

    def hash_of(self, start: int, end: int) -> bytes:
        """Return the hash of the leaves ``[start, end)``, a node of this tree, from the highest possible tiles."""
        count = end - start
        if count == 0:
            return EMPTY_ROOT
        if count & (count - 1):
            middle = start + split(count)
            return node_hash(self.hash_of(start, middle), self.hash_of(middle, end))
        level = (count.bit_length() - 1) // _TILE_BITS
        first, width = start >> _TILE_BITS * level, count >> _TILE_BITS * level
        place = first % TILE_WIDTH
        return tree_hash(self._cached_tile(level, first >> _TILE_BITS)[place : place + width])

    def edge(self) -> Edge:
        """Return the right edge, to append to."""
        rows = [
            self.tile(level, width >> _TILE_BITS) if width % TILE_WIDTH else []
            for level, width in enumerate(row_widths(self.size))
        ]
        return Edge(self.size, rows or [[]])

    def recount(self, first: int) -> Recount:
        """Read and hash the entries from bundle `first` on, to compute roots without the tiles of these entries."""
        bundles = range(first, (self.size + TILE_WIDTH - 1) >> _TILE_BITS)
        leaves = [leaf_hash(entry) for index in bundles for entry in self.bundle(index)]
        return Recount(self, first << _TILE_BITS, leaves)

    def _cached_tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._rows:
            self._rows[level, index] = self.tile(level, index)
        return self._rows[level, index]

    def _width(self, level: int, index: int) -> int:
        return min((self.size >> _TILE_BITS * level) - (index << _TILE_BITS), TILE_WIDTH)

    def _read(self, key: str, full: str) -> bytes:
        """Read an object; fall back to the full tile, which may have replaced a partial one (tlog-tiles)."""
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
    """The second method of computing a root: entries read back from index `first` on, stored hashes before it."""

    tree: StoredTree
    first: int
    leaves: list[bytes]

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` leaves, by the recursive definition (RFC 6962 section 2.1)."""
        return self._hash(0, size) if size else EMPTY_ROOT

    def _hash(self, start: int, end: int) -> bytes:
        if start >= self.first:
            return tree_hash(self.leaves[start - self.first : end - self.first])
        if end <= self.first:
            return self.tree.hash_of(start, end)
        middle = start + split(end - start)
        return node_hash(self._hash(start, middle), self._hash(middle, end))


def has_tiles(store: ObjectStore) -> bool:
    """Return whether the store holds any tile or bundle, signed or not."""
    return next(iter(store.list(f"{LOG}/tile")), None) is not None


def stored_size(store: ObjectStore) -> int:
    """Return how many entries the stored bundles reach, signed or not. Lists all bundles."""
    sizes = [0]
    for stored in store.list(f"{LOG}/tile/entries"):
        if found := parse_log_path(stored.key.removeprefix(f"{LOG}/")):
            _, index, width = found
            sizes.append(index * TILE_WIDTH + width)
    return max(sizes)


def _first(parts: list[bytes] | None, width: int, key: str) -> list[bytes]:
    """Return the first `width` parts of a tile or bundle of `width` or 256 parts. Raise `LogInvalid` for others."""
    if parts is None or len(parts) not in {width, TILE_WIDTH}:
        raise _damaged(key)
    return parts[:width]


def _missing(key: str) -> LogInvalid:
    return LogInvalid(reason=LocalizedText(f"缺少 {key}，请从副本恢复", f"{key} is missing; restore it from a replica"))


def _damaged(key: str) -> LogInvalid:
    return LogInvalid(
        reason=LocalizedText(f"{key} 已损坏，请从副本恢复", f"{key} is damaged; restore it from a replica")
    )
