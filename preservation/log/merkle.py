"""Compute Merkle tree hashes and roots, and make and verify inclusion and consistency proofs. (pure)

The tree is that of RFC 6962 section 2.1 (identical in RFC 9162 section 2.1) with SHA-256. Subtrees and their proofs
follow draft-ietf-plants-merkle-tree-certs section 4, which generalises the RFC 6962 proofs:

- the inclusion proof of leaf ``m`` is the consistency proof of the subtree ``[m, m + 1)``;
- the consistency proof of size ``m`` is the consistency proof of the subtree ``[0, m)``.

One function therefore makes all proofs and one verifies them. A hash is 32 bytes; a proof lists hashes from the leaves
to the root. Sizes are below 2**63. docs/decisions/0002-empty-trees.md defines the proofs of trees of size 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()
"""The root of a tree without leaves (RFC 6962 section 2.1): SHA-256 of the empty string."""
MAX_SIZE: Final = 1 << 63

RangeHash = Callable[[int, int], bytes]
"""Returns the hash of the leaves ``[start, end)``; called only for ranges that are a node of the tree."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A tree's number of leaves and its root."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Subtree:
    """The leaves ``[start, end)`` of a tree and the root over them."""

    start: int
    end: int
    root: bytes


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of 0x00 and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node: SHA-256 of 0x01 and its children's hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return the size of the left subtree of `size` leaves (2 or more): the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes by the recursive definition (RFC 6962 section 2.1, MTH)."""

    def recurse(start: int, end: int) -> bytes:
        if end - start == 1:
            return leaves[start]
        middle = start + split(end - start)
        return node_hash(recurse(start, middle), recurse(middle, end))

    return recurse(0, len(leaves)) if leaves else EMPTY_ROOT


@dataclass(slots=True)
class CompactRange:
    """The roots of the complete subtrees of a growing tree, largest first.

    It holds one hash for each bit set in `size` (63 at most), which suffices to append leaves and compute the root.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    @classmethod
    def over(cls, leaves: Iterable[bytes]) -> CompactRange:
        """Return the compact range of the tree over these leaf hashes."""
        compact_range = cls()
        for leaf in leaves:
            compact_range.append(leaf)
        return compact_range

    def append(self, leaf: bytes) -> None:
        """Append a leaf hash, merging it with as many peaks as `size` has trailing one bits."""
        size, peaks = self.size, self.peaks
        while size & 1:
            leaf = node_hash(peaks.pop(), leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the tree."""
        return fold_peaks(self.peaks)


def fold_peaks(peaks: Sequence[bytes]) -> bytes:
    """Return the root of a tree from the roots of its complete subtrees, largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def is_subtree(start: int, end: int) -> bool:
    """Return whether ``[start, end)`` is a subtree: `start` is a multiple of its size rounded up to a power of two.

    draft-ietf-plants-merkle-tree-certs section 4.1. An empty range is a subtree at any position.
    """
    return 0 <= start <= end < MAX_SIZE and (start == end or start % (1 << (end - start - 1).bit_length()) == 0)


def inclusion_proof(index: int, size: int, hash_of: RangeHash) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves (RFC 6962 section 2.1.1)."""
    return subtree_proof(index, index + 1, size, hash_of)


def consistency_proof(old_size: int, size: int, hash_of: RangeHash) -> list[bytes]:
    """Return the proof that the tree of `size` leaves extends that of `old_size` >= 1 (RFC 6962 section 2.1.2)."""
    return subtree_proof(0, old_size, size, hash_of)


def subtree_proof(start: int, end: int, size: int, hash_of: RangeHash) -> list[bytes]:
    """Return the proof that the non-empty subtree ``[start, end)`` is in the tree. Raises `ValueError` if it is not."""
    if not (is_subtree(start, end) and start < end <= size < MAX_SIZE):
        raise ValueError(f"no subtree [{start}, {end}) in a tree of {size}")
    siblings, node = _descend(start, end, size)
    first = [] if node == (start, end) else [hash_of(*node)]
    return first + [hash_of(sibling.start, sibling.end) for sibling in reversed(siblings)]


def includes(head: TreeHead, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` proves the leaf hash at `index` of the tree (RFC 9162 section 2.1.3.2)."""
    inside = 0 <= index < head.size and len(leaf) == HASH_SIZE
    return inside and contains_subtree(head, Subtree(index, index + 1, leaf), proof)


def extends(old: TreeHead, new: TreeHead, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` proves that the new tree extends the old one (RFC 9162 section 2.1.4.2).

    False for an empty old tree: every tree extends it, so no proof exists.
    """
    return old.size > 0 and contains_subtree(new, Subtree(0, old.size, old.root), proof)


def contains_subtree(head: TreeHead, subtree: Subtree, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` proves the subtree of the tree (draft-ietf-plants-merkle-tree-certs section 4.4).

    Every tree of at least `end` leaves contains the empty subtree, with the empty root and an empty proof.
    """
    if not (is_subtree(subtree.start, subtree.end) and subtree.end <= head.size < MAX_SIZE):
        return False
    if subtree.start == subtree.end:
        return subtree.root == EMPTY_ROOT and not proof and (head.size > 0 or head.root == EMPTY_ROOT)
    # Hashes of other lengths could be concatenated to the same node preimage.
    if proof and any(len(part) != HASH_SIZE for part in (subtree.root, *proof)):
        return False
    return _climb(subtree, head.size, proof) == (subtree.root, head.root)


class _Sibling(NamedTuple):
    """A sibling on the path from the root: its leaves, its side, and whether it is inside the subtree."""

    start: int
    end: int
    on_left: bool
    inside: bool


def _descend(start: int, end: int, size: int) -> tuple[list[_Sibling], tuple[int, int]]:
    """Return the siblings from the root down to the last node of the subtree ``[start, end)``, and that node."""
    siblings = []
    low, high, first = 0, size, start
    while (low, high) != (first, end):
        middle = low + split(high - low)
        if end <= middle:
            siblings.append(_Sibling(middle, high, on_left=False, inside=False))
            high = middle
        else:
            siblings.append(_Sibling(low, middle, on_left=True, inside=first < middle))
            first, low = max(first, middle), middle
    return siblings, (low, high)


def _climb(subtree: Subtree, size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the subtree root and the tree root that a proof yields; None when its length is wrong."""
    siblings, node = _descend(subtree.start, subtree.end, size)
    whole = node == (subtree.start, subtree.end)
    if len(proof) != len(siblings) + (not whole):
        return None
    inner = outer = subtree.root if whole else proof[0]
    for sibling, step in zip(reversed(siblings), proof if whole else proof[1:], strict=True):
        inner = node_hash(step, inner) if sibling.inside else inner
        outer = node_hash(step, outer) if sibling.on_left else node_hash(outer, step)
    return inner, outer
