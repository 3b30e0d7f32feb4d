"""Decide, from the inventories of all copies of an object, what the object must hold. (pure)

An inventory counts only if a sidecar vouches for its bytes, it follows the rules of OCFL, and the log does not
contradict it. Of those that count, the one that lacks least of what the log names is taken, then the one with more
versions, then the one that is stored in more places. Where that decides nothing, nothing is decided: a person must.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from preservation.digests import sha256
from preservation.ocfl.inventory import (
    INVENTORY_NAME,
    SIDECAR_NAME,
    Inventory,
    inventory_as_of,
    inventory_bytes,
    parse_inventory,
    sidecar_bytes,
)
from preservation.ocfl.layout import OBJECT_DECLARATION, OBJECT_DECLARATION_CONTENT
from preservation.ocfl.validation_rules import check_inventory
from repository.errors import ObjectInvalid
from repository.localized import LocalizedText

Judge = Callable[[Inventory], int | None]
"""Returns how many digests that the log states an inventory lacks; None for an inventory that the log contradicts."""

_NONE: Final = LocalizedText(
    "各处都没有与日志相符的可用 OCFL 清单", "no store has a usable inventory with which the log agrees"
)
_SPLIT: Final = LocalizedText(
    "各处的 OCFL 清单互不相同，而日志不能判定何者为真",
    "the stores hold different inventories, and the log does not decide which of them is genuine",
)


@dataclass(frozen=True, slots=True)
class InventoryCopy:
    """An inventory and its sidecar as one store holds them in one folder of an object, '' for its root.

    `document` is None for a missing inventory, `stated` for a missing or malformed sidecar.
    """

    store: str
    folder: str
    document: bytes | None
    stated: str | None

    @property
    def digest(self) -> str | None:
        """The SHA-256 of the inventory."""
        return None if self.document is None else sha256([self.document])

    @property
    def is_intact(self) -> bool:
        """Whether the sidecar beside the inventory vouches for it."""
        return self.document is not None and self.digest == self.stated


@dataclass(frozen=True, slots=True)
class AgreedFile:
    """What a file of an object must be: its SHA-256 and, if the decision itself gives them, its bytes."""

    sha256: str
    content: bytes | None = None


@dataclass(frozen=True)
class AgreedObject:
    """An object as both witnesses have it: its inventory, and the inventory of each version, None if that is lost."""

    inventory: Inventory
    documents: Sequence[bytes | None]

    @property
    def content(self) -> Mapping[str, str]:
        """The SHA-256 of every content file by its path."""
        return {path: digest for digest, listed in self.inventory.manifest.items() for path in listed}

    @cached_property
    def files(self) -> Mapping[str, AgreedFile]:
        """Every file by its path, in the order in which they are put: the root inventory commits an object."""
        files = {path: AgreedFile(digest) for path, digest in sorted(self.content.items())}
        for number, document in enumerate(self.documents, start=1):
            files |= _with_sidecar(f"v{number}/", document)
        files[OBJECT_DECLARATION] = _agreed(OBJECT_DECLARATION_CONTENT)
        return files | _with_sidecar("", self.documents[-1])

    def as_of(self, version: int) -> AgreedObject:
        """Return the object as it was when a version was its newest one."""
        if version >= len(self.documents):
            return self
        return AgreedObject(inventory_as_of(self.inventory, version), self.documents[:version])


@dataclass(frozen=True, slots=True)
class Agreement:
    """The decision: the object, or None and why. `newer` are the stores that hold a version which nothing else knows.

    Without an object, `candidates` are inventories that the log contradicts in part. They name content that it knows.
    """

    agreed: AgreedObject | None
    reason: LocalizedText | None = None
    newer: frozenset[str] = frozenset()
    candidates: Sequence[Inventory] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    inventory: Inventory
    document: bytes
    votes: int
    stores: frozenset[str]


def agree(copies: Collection[InventoryCopy], identifier: str, *, newest: int | None, judge: Judge) -> Agreement:
    """Decide what an object must hold.

    `newest` is the newest version that is known outside the stores: an inventory with more versions is reported, and
    neither used nor replaced. None accepts any number of versions.
    """
    sound = list(_sound(copies, identifier))
    newer = [each for each in sound if newest is not None and len(each.inventory.versions) > newest]
    known = [each for each in sound if each not in newer]
    judged = [(lacking, each) for each in known if (lacking := judge(each.inventory)) is not None]
    stores = frozenset(store for each in newer for store in each.stores)
    if not judged:
        return Agreement(None, _NONE, stores, [each.inventory for each in known])
    ranks = [(-lacking, len(each.inventory.versions), each.votes) for lacking, each in judged]
    if ranks.count(max(ranks)) > 1:
        return Agreement(None, _SPLIT, stores)
    best = judged[ranks.index(max(ranks))][1]
    documents = [_document(copies, best, number) for number in range(1, len(best.inventory.versions) + 1)]
    return Agreement(AgreedObject(best.inventory, documents), None, stores)


def _sound(copies: Collection[InventoryCopy], identifier: str) -> Iterator[_Candidate]:
    """Yield the different inventories that a sidecar vouches for and that follow the rules of OCFL."""
    stated = {copy.stated for copy in copies}
    votes = Counter(copy.document for copy in copies if copy.document is not None and copy.digest in stated)
    for document, count in votes.items():
        inventory = _parsed(document)
        if inventory is not None and inventory.identifier == identifier:
            holders = frozenset(copy.store for copy in copies if copy.document == document)
            yield _Candidate(inventory, document, count, holders)


def _parsed(document: bytes) -> Inventory | None:
    try:
        inventory = parse_inventory(document, INVENTORY_NAME)
    except ObjectInvalid:
        return None
    broken = [finding for finding in check_inventory(json.loads(document), INVENTORY_NAME) if not finding.is_warning]
    return None if broken else inventory


def _document(copies: Collection[InventoryCopy], best: _Candidate, number: int) -> bytes | None:
    """Return the inventory of a version: the one that most copies and sidecars have; None if all of them are lost.

    The bytes that this program writes for the version count if a sidecar states them.
    """
    if number == len(best.inventory.versions):
        return best.document
    history = best.inventory.versions[:number]
    computed = inventory_bytes(inventory_as_of(best.inventory, number))
    held = [copy for copy in copies if copy.folder == f"v{number}/"]
    votes = Counter(copy.stated for copy in held if copy.stated)
    documents = {sha256([computed]): computed} if sha256([computed]) in votes else {}
    for copy in held:
        if copy.document is None or copy.digest is None or copy.digest not in votes:
            continue
        inventory = _parsed(copy.document)
        if inventory and inventory.versions == history:
            votes[copy.digest] += 1
            documents[copy.digest] = copy.document
    return max(documents.items(), key=lambda item: votes[item[0]], default=(None, None))[1]


def _with_sidecar(folder: str, document: bytes | None) -> dict[str, AgreedFile]:
    if document is None:
        return {}
    sidecar = sidecar_bytes(sha256([document]))
    return {folder + INVENTORY_NAME: _agreed(document), folder + SIDECAR_NAME: _agreed(sidecar)}


def _agreed(content: bytes) -> AgreedFile:
    return AgreedFile(sha256([content]), content)
