"""Merkle trees and their proofs, by the definitions of RFC 6962 and the Merkle tree certificates draft.

Slow and recursive on purpose: every function is one definition of a specification, over the entries themselves. It
generates vectors for what the project computes in another way.

- RFC 6962, section 2.1: MTH, PATH (2.1.1), PROOF and SUBPROOF (2.1.2);
- draft-ietf-plants-merkle-tree-certs, section 4: subtrees and SUBTREE_PROOF.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

Entries = Sequence[bytes]

RFC6962_ENTRIES: Final = tuple(
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
"""The entries that implementations of Certificate Transparency have in their tests."""

RFC6962_ROOTS: Final = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
"""The roots of the trees of the first 1, 2, ... of these entries, from the same tests."""


def leaf(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def mth(entries: Entries) -> bytes:
    """Return the Merkle tree hash."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return leaf(entries[0])
    k = largest_power_below(len(entries))
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def largest_power_below(n: int) -> int:
    """Return the largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def path(m: int, entries: Entries) -> list[bytes]:
    """Return the audit path of entry m."""
    if len(entries) == 1:
        return []
    k = largest_power_below(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m: int, entries: Entries) -> list[bytes]:
    """Return the consistency proof between the first m entries and all."""
    return _subproof(m, entries, whole=True)


def _subproof(m: int, entries: Entries, *, whole: bool) -> list[bytes]:
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = largest_power_below(len(entries))
    if m <= k:
        return [*_subproof(m, entries[:k], whole=whole), mth(entries[k:])]
    return [*_subproof(m - k, entries[k:], whole=False), mth(entries[:k])]


def subtree_proof(start: int, end: int, entries: Entries) -> list[bytes]:
    """Return the consistency proof between the subtree of entries ``[start, end)`` and the tree of all."""
    return _subtree_subproof(start, end, entries, whole=True)


def _subtree_subproof(start: int, end: int, entries: Entries, *, whole: bool) -> list[bytes]:
    n = len(entries)
    if (start, end) == (0, n):
        return [] if whole else [mth(entries)]
    k = largest_power_below(n)
    if end <= k:
        return [*_subtree_subproof(start, end, entries[:k], whole=whole), mth(entries[k:])]
    if k <= start:
        return [*_subtree_subproof(start - k, end - k, entries[k:], whole=whole), mth(entries[:k])]
    return [*_subtree_subproof(0, end - k, entries[k:], whole=False), mth(entries[:k])]


def is_subtree(start: int, end: int) -> bool:
    """Return whether ``[start, end)`` is a subtree: its start is a multiple of a power of two of at least its size."""
    size = 1
    while size < end - start:
        size *= 2
    return start < end and start % size == 0


@dataclass(frozen=True)
class Vector:
    """A claim about the subtree ``[start, end)`` of a tree, and whether its proof holds.

    The subtree is one leaf for an inclusion proof, and begins at 0 for a consistency proof.
    """

    name: str
    start: int
    end: int
    subtree_root: bytes
    size: int
    root: bytes
    proof: tuple[bytes, ...]
    holds: bool = True


def inclusion_vectors(entries: Entries) -> Iterator[Vector]:
    """Yield for every entry of every tree a vector that holds, and others that differ from it in one respect."""
    for size in range(1, len(entries) + 1):
        tree = entries[:size]
        for m in range(size):
            good = Vector(f"{m} of {size}", m, m + 1, leaf(tree[m]), size, mth(tree), tuple(path(m, tree)))
            yield good
            yield from _falsified(good)


def consistency_vectors(entries: Entries) -> Iterator[Vector]:
    """Yield such vectors for the consistency of every two sizes."""
    for size in range(1, len(entries) + 1):
        tree = entries[:size]
        for m in range(1, size + 1):
            good = Vector(f"{m} to {size}", 0, m, mth(tree[:m]), size, mth(tree), tuple(proof(m, tree)))
            yield good
            yield from _falsified(good)


def subtree_vectors(entries: Entries) -> Iterator[Vector]:
    """Yield such vectors for every subtree of every tree."""
    for size in range(1, len(entries) + 1):
        tree = entries[:size]
        for start in range(size):
            for end in (end for end in range(start + 1, size + 1) if is_subtree(start, end)):
                hashes = tuple(subtree_proof(start, end, tree))
                good = Vector(f"[{start}, {end}) of {size}", start, end, mth(tree[start:end]), size, mth(tree), hashes)
                yield good
                yield from _falsified(good)


def _falsified(good: Vector) -> Iterator[Vector]:
    """Yield vectors that must not verify, each a change of one that does."""
    other = sha256(good.name.encode()).digest()
    yield replace(good, name=f"{good.name}: another subtree root", subtree_root=other, holds=False)
    yield replace(good, name=f"{good.name}: another root", root=other, holds=False)
    yield replace(good, name=f"{good.name}: a hash at the end", proof=(*good.proof, other), holds=False)
    yield replace(good, name=f"{good.name}: a hash at the beginning", proof=(other, *good.proof), holds=False)
    yield replace(good, name=f"{good.name}: the root at the end", proof=(*good.proof, good.root), holds=False)
    for n, one in enumerate(good.proof):
        before, after = good.proof[:n], good.proof[n + 1 :]
        yield replace(good, name=f"{good.name}: without hash {n}", proof=before + after, holds=False)
        altered = one[:-1] + bytes([one[-1] ^ 1])
        yield replace(good, name=f"{good.name}: hash {n} altered", proof=(*before, altered, *after), holds=False)
        if after and after[0] != one:
            swapped = (*before, after[0], one, *after[1:])
            yield replace(good, name=f"{good.name}: hashes {n} and {n + 1} swapped", proof=swapped, holds=False)
