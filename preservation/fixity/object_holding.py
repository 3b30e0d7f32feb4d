"""What each store holds of one work's object while it is repaired: its paths, its inventories, and what is damaged."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from preservation.digests import sha256
from preservation.fixity.agreement import AgreedObject, InventoryCopy
from preservation.fixity.files import require_reachable
from preservation.fixity.findings import FindingKind, FixityFinding
from preservation.fixity.object_files import read_inventories
from preservation.ocfl.inventory import parse_inventory
from preservation.replication.transfer import NamedStore
from repository import paths
from repository.errors import KeyNotFound, ObjectInvalid, StoreFault
from repository.storage.store import ObjectStore

_HELD: Final = frozenset({FindingKind.UNEXPECTED, FindingKind.CHANGED})
"""The findings of files that are there, under a name that is not theirs."""


@dataclass(frozen=True, slots=True)
class RepairStore:
    """A store that takes part in a repair, by the name that findings give it: ``store``, or the replica's name.

    It must hold the work up to version `held`; with 0 it is only a source. `findings` are those of the work in it. A
    store whose `fault` is set is out of reach, or not recognised: it is neither read nor written. `unchecked` are the
    keys of files that could not be checked.
    """

    name: str
    store: ObjectStore
    held: int = 0
    findings: Sequence[FixityFinding] = ()
    fault: StoreFault | None = None
    unchecked: Sequence[str] = ()


@dataclass(frozen=True)
class ObjectHolding:
    """What a store that is in reach holds of an object, as it was before the repair."""

    place: RepairStore
    root: str
    listed: Collection[str]
    inventories: Sequence[InventoryCopy]
    expected: set[str] = field(default_factory=set)

    @property
    def named(self) -> NamedStore:
        """The store, for transfers."""
        return NamedStore(self.place.name, self.place.store)

    @property
    def root_inventory(self) -> InventoryCopy | None:
        """The root inventory if its own sidecar vouches for it."""
        return next((copy for copy in self.inventories if not copy.folder and copy.is_intact), None)

    @property
    def versions(self) -> int:
        """The number of versions that the root inventory lists; 0 without one to trust."""
        copy = self.root_inventory
        try:
            return len(parse_inventory(copy.document, self.root).versions) if copy and copy.document else 0
        except ObjectInvalid:
            return 0

    def is_foreign(self, agreed: AgreedObject) -> bool:
        """Return whether the store has an intact inventory that is none of the agreed ones."""
        return any(copy.is_intact and copy.document not in agreed.documents for copy in self.inventories)

    def suspects(self, agreed: AgreedObject) -> set[str]:
        """Return the content files to compare: those with findings, if the findings rest on the agreed inventory."""
        content = set(agreed.content)
        copy = self.root_inventory
        if copy is None or copy.document != agreed.documents[-1]:
            return content
        named = {finding.key.removeprefix(f"{self.root}/") for finding in self.place.findings}
        if self.root in named:  # the finding concerns the whole object
            return content
        return content & (named | (content - set(self.listed)))

    @cached_property
    def strays(self) -> dict[str, str]:
        """The SHA-256 of the files that are not as they should be, by key: among them are exchanged ones."""
        keys = [finding.key for finding in self.place.findings if finding.kind in _HELD]
        return {key: digest for key in keys if (digest := digest_of(self.place.store, key))}

    def quarantined(self, digest: str) -> Iterator[str]:
        """Yield the keys of the store's quarantine under which content with this SHA-256 may be kept."""
        yield from (stored.key for stored in self.place.store.list(paths.quarantine_of(digest)))


def read_holding(place: RepairStore, work: str) -> ObjectHolding:
    """Return what a store holds of the object of a work. Raises `StoreFault`."""
    root = paths.ocfl_object(work)
    listed = {stored.key.removeprefix(f"{root}/") for stored in place.store.list(root)}
    stored = read_inventories(place.store, work, listed)
    copies = [InventoryCopy(place.name, each.folder, each.document, each.stated) for each in stored]
    return ObjectHolding(place, root, listed, copies)


def digest_of(store: ObjectStore, key: str) -> str | None:
    """Return the SHA-256 of an object; None when it cannot be read. Raises `StoreFault` for an unreachable store."""
    try:
        return sha256(store.chunks(key))
    except KeyNotFound:
        return None
    except StoreFault:
        require_reachable(store)
        return None


def damage_of(store: ObjectStore, key: str, digest: str) -> FindingKind | None:
    """Read an object completely; return what is wrong with it, None if it has this SHA-256. Raises as `digest_of`."""
    try:
        return None if sha256(store.chunks(key)) == digest else FindingKind.CHANGED
    except KeyNotFound:
        return FindingKind.MISSING
    except StoreFault:
        require_reachable(store)
        return FindingKind.UNREADABLE


def places_of(
    holdings: Sequence[ObjectHolding], target: ObjectHolding, path: str, same: Collection[str]
) -> Iterator[tuple[ObjectHolding, str]]:
    """Yield every place in an object, as store and key, where content for `path` of the target may be found.

    First the same path in the other stores, then the other paths with the same content, `same`, in all stores. The
    caller verifies each of them while it is read.
    """
    others = [other for other in holdings if other is not target]
    for other in others:
        if path in other.listed:
            yield other, f"{other.root}/{path}"
    for other in (*others, target):
        for each in same:
            if each in other.listed and each != path:
                yield other, f"{other.root}/{each}"
