"""Our Merkle trees, notes and signatures on the vectors of C2SP, Certificate Transparency and Wycheproof."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from preservation.log import merkle, notes
from preservation.log.merkle import Subtree, TreeHead
from preservation.log.tiles import Edge, StoredTree
from repository.errors import EvidenceInvalid
from repository.storage.s3 import memory_store


def read_vectors(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return [
        (str(path.relative_to(folder)), json.loads(path.read_text("utf-8"))) for path in sorted(folder.rglob("*.json"))
    ]


def hashes(vector: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(step) for step in vector["proof"] or []]


def one(vector: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(vector[name])


def inclusion(vector: dict[str, Any]) -> bool:
    head = TreeHead(vector["treeSize"], one(vector, "root"))
    return merkle.includes(head, vector["leafIdx"], one(vector, "leafHash"), hashes(vector))


def subtree_inclusion(vector: dict[str, Any]) -> bool:
    start, end = vector["start"], vector["end"]
    head = TreeHead(end - start, one(vector, "root"))
    return merkle.is_subtree(start, end) and merkle.includes(
        head, vector["leafIdx"] - start, one(vector, "leafHash"), hashes(vector)
    )


def consistency(vector: dict[str, Any]) -> bool:
    old, new = (TreeHead(vector[f"size{n}"], one(vector, f"root{n}")) for n in (1, 2))
    return merkle.extends(old, new, hashes(vector))


def subtree_consistency(vector: dict[str, Any]) -> bool:
    subtree = Subtree(vector["start"], vector["end"], one(vector, "root1"))
    return merkle.contains_subtree(TreeHead(vector["size"], one(vector, "root2")), subtree, hashes(vector))


@pytest.mark.parametrize(
    ("kind", "verify", "count"),
    [
        ("inclusion", inclusion, 51),
        ("consistency", consistency, 50),
        ("subtreeinclusion", subtree_inclusion, 107),
        ("subtreeconsistency", subtree_consistency, 60),
    ],
)
def test_merkle_vectors_get_their_verdicts(shared: Path, kind: str, verify: Any, count: int) -> None:
    vectors = read_vectors(shared / "conformance" / "tlog" / "merkle-vectors" / kind)
    wrong = [name for name, vector in vectors if verify(vector) is vector["wantErr"]]
    assert len(vectors) == count
    assert wrong == []


@pytest.fixture
def answers(shared: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared / "conformance" / "tlog" / "known-answers.json").read_text("utf-8"))
    return loaded


def test_tree_hash_and_compact_range_give_the_known_roots(answers: dict[str, Any]) -> None:
    leaves = [merkle.leaf_hash(bytes.fromhex(entry)) for entry in answers["rfc6962_leaf_inputs_hex"]]
    for size, root in enumerate(answers["rfc6962_roots_hex_by_size"]):
        assert merkle.tree_hash(leaves[:size]).hex() == merkle.CompactRange.over(leaves[:size]).root().hex() == root


def test_edge_gives_the_known_roots_of_long_logs(answers: dict[str, Any]) -> None:
    roots = {int(size): root for size, root in answers["roots_of_entry-i_base64_by_size"].items()}
    edge = Edge()
    for number in range(max(roots)):
        edge.append(merkle.leaf_hash(b"entry-%d" % number))
        if edge.size in roots:
            assert base64.b64encode(edge.root()).decode() == roots.pop(edge.size)
    assert not roots


def test_known_record_hash_and_signed_note(answers: dict[str, Any]) -> None:
    record = answers["record_hash"]
    assert notes.encode_base64(merkle.leaf_hash(record["input_utf8"].encode())) == record["base64"]
    note = answers["signed_note"]
    key = notes.parse_verifier_key(note["verifier_key"])
    content = f"{note['text']}\n{note['signature_line']}"
    content += "" if content.endswith("\n") else "\n"
    assert notes.verify_note(content.encode(), [key]).text == note["text"]


def test_log_of_300_leaves_has_the_cosigned_root(shared: Path) -> None:
    folder = shared / "conformance" / "tlog" / "tiles-300"
    line = json.loads((folder / "mirror.v0.json").read_text("utf-8"))["verifier_keys"][0]
    key = notes.parse_verifier_key(line)
    assert key.algorithm is notes.Algorithm.COSIGNATURE
    note = (folder / "checkpoint").read_bytes()
    checkpoint = notes.read_checkpoint(note, [key])
    assert (checkpoint.origin, checkpoint.size) == ("rome2026h1.example.org", 300)
    store = memory_store()
    for path in (folder / "tile").rglob("*"):
        if path.is_file():
            store.put(f"log/{path.relative_to(folder)}", path.read_bytes())
    tree = StoredTree(store, checkpoint.size)
    assert tree.edge().root() == tree.hash_of(0, 300) == checkpoint.root
    proof = merkle.inclusion_proof(271, 300, tree.hash_of)
    assert merkle.includes(checkpoint.head, 271, tree.tile(0, 1)[15], proof)
    with pytest.raises(EvidenceInvalid):
        notes.read_checkpoint(note.replace(b"\n300\n", b"\n301\n"), [key])


def test_ed25519_vectors_of_wycheproof_get_their_verdicts(shared: Path) -> None:
    vectors = json.loads((shared / "conformance" / "wycheproof" / "ed25519_test.json").read_text("utf-8"))
    counted = 0
    for group in vectors["testGroups"]:
        key = notes.VerifierKey("name", notes.Algorithm.ED25519, bytes.fromhex(group["publicKey"]["pk"]))
        for test in group["tests"]:
            verdict = key.verifies(bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            assert verdict is (test["result"] == "valid"), test["tcId"]
            counted += 1
    assert counted == vectors["numberOfTests"] == 151
