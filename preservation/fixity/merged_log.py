"""Read one log from several stores, each of which may have lost or changed other parts of it.

For every bundle, the entries are taken from the first store whose bundle and tile agree, else from the one that most of
the stored hashes confirm, and from the catalogue if no store has them. Whether the choice is right is decided by the
signed root alone: `confirmed` recomputes it, and notes where a store differs. Only those bundles are read again when
they are put back; what is then read must be what was confirmed, or `LogInvalid` is raised. Memory, for each 256
entries: 32 bytes, and one for each store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from preservation.log.merkle import TreeHead, leaf_hash, tree_hash
from preservation.log.tiles import Edge, Tile, pack_entries, pack_hashes, unpack_entries, unpack_hashes
from preservation.replication.transfer import NamedStore
from repository.errors import KeyNotFound, LogInvalid, StoreFault
from repository.localized import LocalizedText
from repository.paths import LOG, TILE_WIDTH, log_entries, log_tile, parse_log_path
from repository.storage.store import ObjectStore

CATALOGUE: Final = "catalogue"
"""The name of the source of entries that no store has, and that were encoded again from the events in the catalogue."""

KnownEntries = Callable[[int, int], Sequence[bytes]]
"""Returns the entries ``[start, end)`` as the catalogue has them; fewer, or none, if it does not."""


@dataclass(frozen=True, slots=True)
class MergedBundle:
    """The leaf hashes of a bundle, and its entries with the name of the store that has them; None if they are lost."""

    index: int
    leaves: tuple[bytes, ...]
    entries: tuple[bytes, ...] | None
    source: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """A bundle or tile of the log: its key, its bytes, None if they are lost, and the store that they are from."""

    key: str
    full_key: str
    content: bytes | None
    source: str


class MergedLog:
    """The log of `size` entries in `stores`. With `careful`, every bundle is the one that most hashes confirm."""

    def __init__(self, stores: Sequence[NamedStore], size: int, known: KnownEntries, *, careful: bool = False) -> None:
        self._stores = stores
        self._size = size
        self._known = known
        self._careful = careful
        self._chosen: list[bytes] = []
        self._differs: dict[str, bytearray] = {}

    def confirmed(self, heads: Collection[TreeHead]) -> set[TreeHead]:
        """Return those of the heads, none larger than the log, whose root the entries give.

        Reads the bundles and the tiles of leaves in every store once. Raises `LogInvalid` when neither entries nor
        hashes of a bundle are left, and `StoreFault`.
        """
        edge, found = Edge(), {head for head in heads if head.size == 0}
        by_size: dict[int, list[TreeHead]] = {}
        for head in heads:
            by_size.setdefault(head.size, []).append(head)
        self._chosen, self._differs = [], {named.name: bytearray() for named in self._stores}
        for index in range(-(-self._size // TILE_WIDTH)):
            copies = self._copies(index)
            bundle = self._merge(index, copies)
            self._chosen.append(tree_hash(bundle.leaves))
            for copy in copies:
                self._differs[copy.name].append(not copy.is_as(bundle))
            for leaf in bundle.leaves:
                edge.append(leaf)
                found |= {head for head in by_size.get(edge.size, ()) if edge.root() == head.root}
        return found

    def files_for(self, named: NamedStore) -> Iterator[LogFile]:
        """Yield the files of the log that `confirmed` has read and that a store may lack. Raises as `confirmed`.

        They are the bundles that differ in this store, with their tiles, and every tile above those of leaves.
        """
        for index, differs in enumerate(self._differs[named.name]):
            if differs:
                yield from self._bundle_and_tile(index)
        edge = Edge()
        for chosen in self._chosen[: self._size // TILE_WIDTH]:
            yield from map(_upper_tile, edge.append(chosen))
        yield from map(_upper_tile, edge.partial_tiles())

    def _bundle_and_tile(self, index: int) -> Iterator[LogFile]:
        bundle = self._merge(index, self._copies(index))
        if tree_hash(bundle.leaves) != self._chosen[index]:
            raise _changed(index)
        width = len(bundle.leaves)
        content = None if bundle.entries is None else pack_entries(bundle.entries)
        yield LogFile(log_entries(index, width), log_entries(index), content, bundle.source)
        yield LogFile(log_tile(0, index, width), log_tile(0, index), pack_hashes(bundle.leaves), "")

    def _copies(self, index: int) -> list[_BundleCopy]:
        width = min(self._size - index * TILE_WIDTH, TILE_WIDTH)
        return [_BundleCopy(named, index, width) for named in self._stores]

    def _merge(self, index: int, copies: Sequence[_BundleCopy]) -> MergedBundle:
        """Return the bundle to take, by the first store that agrees with itself, or by the votes of all."""
        if not self._careful:
            for copy in copies:
                if copy.bundle is not None and copy.bundle.leaves == copy.hashes:
                    return copy.bundle
        found: dict[tuple[bytes, ...], MergedBundle] = {}
        votes: dict[tuple[bytes, ...], int] = {}
        for copy in copies:
            if copy.hashes is not None:
                votes[copy.hashes] = votes.get(copy.hashes, 0) + 1 + _is_listed(copy.store, index, copy.hashes)
            if copy.bundle is not None:
                votes[copy.bundle.leaves] = votes.get(copy.bundle.leaves, 0) + 1
                found.setdefault(copy.bundle.leaves, copy.bundle)
        return self._choose(index, found, votes)

    def _choose(
        self, index: int, found: dict[tuple[bytes, ...], MergedBundle], votes: dict[tuple[bytes, ...], int]
    ) -> MergedBundle:
        start = index * TILE_WIDTH
        end = min(self._size, start + TILE_WIDTH)
        known = tuple(self._known(start, end))
        if len(known) == end - start:
            leaves = tuple(map(leaf_hash, known))
            votes[leaves] = votes.get(leaves, 0) + 1
            found.setdefault(leaves, MergedBundle(index, leaves, known, CATALOGUE))
        if not votes:
            raise _lost(index)
        best = max(votes, key=lambda leaves: (votes[leaves], leaves in found))
        return found.get(best) or MergedBundle(index, best, None, "")


class _BundleCopy:
    """What one store has of a bundle and of its tile of hashes, read once.

    `bundle` and `hashes` have the first `width` entries and hashes; None where the store does not have so many.
    """

    def __init__(self, named: NamedStore, index: int, width: int) -> None:
        self.name, self.store = named.name, named.store
        self._entries = _StoredTile(named.store, log_entries(index, width), log_entries(index), width)
        self._hashes = _StoredTile(named.store, log_tile(0, index, width), log_tile(0, index), width)
        entries = self._entries.first(unpack_entries)
        hashes = self._hashes.first(unpack_hashes)
        self.hashes = None if hashes is None else tuple(hashes)
        self.bundle = None
        if entries is not None:
            self.bundle = MergedBundle(index, tuple(map(leaf_hash, entries)), tuple(entries), named.name)

    def is_as(self, bundle: MergedBundle) -> bool:
        """Return whether the store has this bundle and its tile, byte for byte."""
        if bundle.entries is None or not self._entries.is_as(pack_entries(bundle.entries)):
            return False
        return self._hashes.is_as(pack_hashes(bundle.leaves))


class _StoredTile:
    """The objects of a store that may have a tile, or bundle, of `width` parts: of this width, full, or wider."""

    def __init__(self, store: ObjectStore, key: str, full_key: str, width: int) -> None:
        self._store, self._key, self._full_key, self._width = store, key, full_key, width
        self._own = read_if_possible(store, key)

    @cached_property
    def _full(self) -> bytes | None:
        return read_if_possible(self._store, self._full_key) if self._full_key != self._key else None

    def first(self, unpack: Callable[[bytes], list[bytes] | None]) -> list[bytes] | None:
        """Return the first `width` parts of the first object that has so many; None without one."""
        for content in self.contents():
            parts = unpack(content)
            if parts is not None and len(parts) >= self._width:
                return parts[: self._width]
        return None

    def is_as(self, content: bytes) -> bool:
        """Return whether the store has this content, or a full tile that has replaced it and begins with it."""
        if self._own is not None:
            return self._own == content
        return self._full is not None and self._full[: len(content)] == content

    def contents(self) -> Iterator[bytes]:
        """Yield the objects, that of this width first."""
        if self._own is not None:
            yield self._own
        if self._full is not None:
            yield self._full
        if self._width < TILE_WIDTH:
            for stored in self._store.list(f"{self._full_key}.p"):
                found = parse_log_path(stored.key.removeprefix(f"{LOG}/"))
                if found and found[2] > self._width:
                    content = read_if_possible(self._store, stored.key)
                    if content is not None:
                        yield content


def _upper_tile(tile: Tile) -> LogFile:
    """Return a tile over the hashes of bundles, given as a tile over leaves."""
    key = log_tile(tile.level + 1, tile.index, len(tile.hashes))
    return LogFile(key, log_tile(tile.level + 1, tile.index), pack_hashes(tile.hashes), "")


def _is_listed(store: ObjectStore, index: int, leaves: Sequence[bytes]) -> bool:
    """Return whether a full tile of hashes is what the tile above it states."""
    parent, place = divmod(index, TILE_WIDTH)
    if len(leaves) < TILE_WIDTH:
        return False
    above = _StoredTile(store, log_tile(1, parent, place + 1), log_tile(1, parent), place + 1)
    rows = map(unpack_hashes, above.contents())
    return any(hashes[place] == tree_hash(leaves) for hashes in rows if hashes and len(hashes) > place)


def read_if_possible(store: ObjectStore, key: str) -> bytes | None:
    """Return an object; None if it is missing or cannot be read."""
    try:
        return store.read(key)
    except (KeyNotFound, StoreFault):
        return None


def _lost(index: int) -> LogInvalid:
    start, end = index * TILE_WIDTH, (index + 1) * TILE_WIDTH
    return LogInvalid(
        reason=LocalizedText(
            f"条目 {start} 至 {end - 1} 及其哈希在各处存储中均已失",
            f"the entries {start} to {end - 1} and their hashes are lost in every store",
        )
    )


def _changed(index: int) -> LogInvalid:
    return LogInvalid(
        reason=LocalizedText(
            f"条目 {index * TILE_WIDTH} 起的一组在读取期间改变；请重试",
            f"the entries from {index * TILE_WIDTH} on changed while they were read; try again",
        )
    )
