"""Read one log from several stores, each of which may have lost or changed other parts of it.

For every bundle, the entries are taken from the first store whose bundle and tile agree, else from the one that most of
the stored hashes confirm, and from the catalogue if no store has them. Whether the choice is right is decided by the
signed root alone: `confirmed` recomputes it. What is then read must be what was confirmed, or `LogInvalid` is raised.
Memory: 32 bytes for each 256 entries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from preservation.log.merkle import TreeHead, leaf_hash, tree_hash
from preservation.log.tiles import Edge, pack_entries, pack_hashes, unpack_entries, unpack_hashes
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
    """The log of `size` entries in `stores`. With `careful`, every store's copy of every bundle is compared."""

    def __init__(self, stores: Sequence[NamedStore], size: int, known: KnownEntries, *, careful: bool = False) -> None:
        self._stores = stores
        self._size = size
        self._known = known
        self._careful = careful
        self._chosen: list[bytes] = []

    def confirmed(self, heads: Collection[TreeHead]) -> set[TreeHead]:
        """Return those of the heads, none larger than the log, whose root the entries give.

        Raises `LogInvalid` when neither entries nor hashes of a bundle are left, and `StoreFault`.
        """
        edge, found = Edge(), {head for head in heads if head.size == 0}
        by_size: dict[int, list[TreeHead]] = {}
        for head in heads:
            by_size.setdefault(head.size, []).append(head)
        self._chosen = []
        for index in range(-(-self._size // TILE_WIDTH)):
            leaves = self._bundle(index).leaves
            self._chosen.append(tree_hash(leaves))
            for leaf in leaves:
                edge.append(leaf)
                found |= {head for head in by_size.get(edge.size, ()) if edge.root() == head.root}
        return found

    def files(self) -> Iterator[LogFile]:
        """Yield every bundle and tile of the log that `confirmed` has read. Raises as `confirmed`."""
        edge = Edge()
        for index, chosen in enumerate(self._chosen):
            bundle = self._bundle(index)
            if tree_hash(bundle.leaves) != chosen:
                raise _changed(index)
            content = None if bundle.entries is None else pack_entries(bundle.entries)
            yield LogFile(log_entries(index, len(bundle.leaves)), log_entries(index), content, bundle.source)
            for leaf in bundle.leaves:
                for tile in edge.append(leaf):
                    yield LogFile(tile.key, log_tile(tile.level, tile.index), pack_hashes(tile.hashes), "")
        for tile in edge.partial_tiles():
            yield LogFile(tile.key, log_tile(tile.level, tile.index), pack_hashes(tile.hashes), "")

    def _bundle(self, index: int) -> MergedBundle:
        width = min(self._size - index * TILE_WIDTH, TILE_WIDTH)
        found: dict[tuple[bytes, ...], MergedBundle] = {}
        votes: dict[tuple[bytes, ...], int] = {}
        for named in self._stores:
            tile = _hashes(named.store, index, width)
            bundle = _entries_of(named, index, width)
            if tile is not None:
                votes[tile] = votes.get(tile, 0) + 1 + _is_listed(named.store, index, tile)
            if bundle is not None:
                votes[bundle.leaves] = votes.get(bundle.leaves, 0) + 1
                found.setdefault(bundle.leaves, bundle)
                if bundle.leaves == tile and not self._careful:
                    return bundle
        return self._choose(index, width, found, votes)

    def _choose(
        self,
        index: int,
        width: int,
        found: dict[tuple[bytes, ...], MergedBundle],
        votes: dict[tuple[bytes, ...], int],
    ) -> MergedBundle:
        known = tuple(self._known(index * TILE_WIDTH, index * TILE_WIDTH + width))
        if len(known) == width:
            leaves = tuple(map(leaf_hash, known))
            votes[leaves] = votes.get(leaves, 0) + 1
            found.setdefault(leaves, MergedBundle(index, leaves, known, CATALOGUE))
        if not votes:
            raise _lost(index)
        best = max(votes, key=lambda leaves: (votes[leaves], leaves in found))
        return found.get(best) or MergedBundle(index, best, None, "")


def _entries_of(named: NamedStore, index: int, width: int) -> MergedBundle | None:
    for content in _stored(named.store, log_entries(index, width), log_entries(index), width):
        entries = unpack_entries(content)
        if entries is not None and len(entries) >= width:
            return MergedBundle(index, tuple(map(leaf_hash, entries[:width])), tuple(entries[:width]), named.name)
    return None


def _hashes(store: ObjectStore, index: int, width: int) -> tuple[bytes, ...] | None:
    for content in _stored(store, log_tile(0, index, width), log_tile(0, index), width):
        hashes = unpack_hashes(content)
        if hashes is not None and len(hashes) >= width:
            return tuple(hashes[:width])
    return None


def _is_listed(store: ObjectStore, index: int, leaves: Sequence[bytes]) -> bool:
    """Return whether a full tile of hashes is what the tile above it states."""
    parent, place = divmod(index, TILE_WIDTH)
    if len(leaves) < TILE_WIDTH:
        return False
    for content in _stored(store, log_tile(1, parent, place + 1), log_tile(1, parent), place + 1):
        hashes = unpack_hashes(content)
        if hashes is not None and len(hashes) > place and hashes[place] == tree_hash(leaves):
            return True
    return False


def _stored(store: ObjectStore, key: str, full: str, width: int) -> Iterator[bytes]:
    """Yield what a store has of a tile at this width: the tile itself, the full one, and wider partial ones."""
    for each in dict.fromkeys((key, full)):
        content = read_if_possible(store, each)
        if content is not None:
            yield content
    if width < TILE_WIDTH:
        for stored in store.list(f"{full}.p"):
            found = parse_log_path(stored.key.removeprefix(f"{LOG}/"))
            if found and found[2] > width and (content := read_if_possible(store, stored.key)) is not None:
                yield content


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
