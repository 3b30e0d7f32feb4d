from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from preservation.log import merkle
from preservation.log.merkle import EMPTY_ROOT, CompactRange, Subtree, TreeHead

ENTRIES = st.lists(st.binary(max_size=40), min_size=1, max_size=80)


def leaves_of(entries: list[bytes]) -> list[bytes]:
    return [merkle.leaf_hash(entry) for entry in entries]


def hasher(leaves: list[bytes]) -> merkle.RangeHash:
    return lambda start, end: merkle.tree_hash(leaves[start:end])


def independent_tree(entries: list[bytes]) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(entry)
    return tree


@given(ENTRIES)
def test_roots_equal_those_of_pymerkle(entries: list[bytes]) -> None:
    tree = independent_tree(entries)
    leaves = leaves_of(entries)
    compact_range = CompactRange()
    for size, leaf in enumerate(leaves, start=1):
        compact_range.append(leaf)
        assert compact_range.root() == merkle.tree_hash(leaves[:size]) == tree.get_root(size)
        assert len(compact_range.peaks) == size.bit_count()


@given(ENTRIES, st.data())
def test_inclusion_proof_equals_that_of_pymerkle_and_verifies(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    leaves = leaves_of(entries)
    proof = merkle.inclusion_proof(index, len(leaves), hasher(leaves))
    # pymerkle counts leaves from 1 and begins a path with the leaf itself.
    reference = independent_tree(entries).prove_inclusion(index + 1, len(leaves))
    head = TreeHead(len(leaves), merkle.tree_hash(leaves))
    assert sorted([leaves[index], *proof]) == sorted(reference.path)
    assert merkle.includes(head, index, leaves[index], proof)


@given(ENTRIES, st.data())
def test_consistency_proof_verifies_against_roots_of_pymerkle(entries: list[bytes], data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, len(entries)))
    leaves = leaves_of(entries)
    proof = merkle.consistency_proof(old_size, len(leaves), hasher(leaves))
    tree = independent_tree(entries)
    old, new = TreeHead(old_size, tree.get_root(old_size)), TreeHead(len(leaves), tree.get_root())
    assert merkle.extends(old, new, proof)
    reference = tree.prove_consistency(old_size, len(leaves))
    reference.verify(old.root, new.root, prior_size=old_size, later_size=len(leaves))


@given(ENTRIES, st.data())
def test_altered_inclusion_proof_does_not_verify(entries: list[bytes], data: st.DataObject) -> None:
    leaves = leaves_of(entries)
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, hasher(leaves))
    head = TreeHead(size, merkle.tree_hash(leaves))
    other_leaf = merkle.leaf_hash(entries[index] + b"x")
    assert not merkle.includes(head, index, other_leaf, proof)
    assert not merkle.includes(head, index, leaves[index], [*proof, EMPTY_ROOT])
    assert not merkle.includes(head, index, leaves[index], [EMPTY_ROOT, *proof])
    assert not merkle.includes(head, -1, leaves[index], proof)
    assert not merkle.includes(head, size, leaves[index], proof)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        assert not merkle.includes(head, index, leaves[index], [*proof[:at], bit, *proof[at + 1 :]])
        assert not merkle.includes(head, index, leaves[index], [*proof[:at], *proof[at + 1 :]])


def test_proof_with_hashes_of_other_lengths_does_not_verify() -> None:
    left, right = merkle.leaf_hash(b"left"), merkle.leaf_hash(b"right")
    head = TreeHead(2, merkle.node_hash(left, right))
    assert merkle.includes(head, 0, left, [right])
    assert not merkle.includes(head, 0, left + right[:1], [right[1:]])
    assert not merkle.contains_subtree(head, Subtree(0, 1, left + right[:1]), [right[1:]])


@given(st.integers(1, 40), st.data())
def test_subtree_proof_verifies_for_every_subtree(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    ranges = [(a, b) for a in range(size) for b in range(a + 1, size + 1) if merkle.is_subtree(a, b)]
    start, end = data.draw(st.sampled_from(ranges))
    subtree = Subtree(start, end, merkle.tree_hash(leaves[start:end]))
    head = TreeHead(size, merkle.tree_hash(leaves))
    assert merkle.contains_subtree(head, subtree, merkle.subtree_proof(start, end, size, hasher(leaves)))
    within = merkle.inclusion_proof(0, end - start, hasher(leaves[start:end]))
    assert merkle.includes(TreeHead(end - start, subtree.root), 0, leaves[start], within)


@pytest.mark.parametrize(
    ("start", "end", "size"), [(0, 0, 0), (0, 0, 3), (0, 4, 3), (1, 3, 8), (-1, 0, 3), (0, 1, 1 << 63)]
)
def test_subtree_proof_refuses_ranges_that_are_no_subtree(start: int, end: int, size: int) -> None:
    with pytest.raises(ValueError, match="no subtree"):
        merkle.subtree_proof(start, end, size, lambda start, end: EMPTY_ROOT)


def test_empty_tree_has_the_empty_root_and_no_proofs() -> None:
    root = merkle.tree_hash([merkle.leaf_hash(b"")])
    assert merkle.tree_hash([]) == CompactRange().root() == EMPTY_ROOT
    assert not merkle.extends(TreeHead(0, EMPTY_ROOT), TreeHead(0, EMPTY_ROOT), [])
    assert not merkle.extends(TreeHead(0, EMPTY_ROOT), TreeHead(1, root), [])
    assert not merkle.includes(TreeHead(0, EMPTY_ROOT), 0, root, [])


def test_proof_for_a_tree_of_excessive_size_is_refused_without_computation() -> None:
    assert not merkle.includes(TreeHead(1 << 5000, EMPTY_ROOT), 5, EMPTY_ROOT, [])
