from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from preservation import merkle
from preservation.merkle import Subtree, TreeHead


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
    subtree = Subtree(vector["start"], vector["end"], one(vector, "root"))
    return merkle.subtree_includes(subtree, vector["leafIdx"], one(vector, "leafHash"), hashes(vector))


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
def test_every_merkle_vector_gets_its_verdict(shared: Path, kind: str, verify: Any, count: int) -> None:
    vectors = read_vectors(shared / "conformance" / "tlog" / "merkle-vectors" / kind)
    wrong = [name for name, vector in vectors if verify(vector) is vector["wantErr"]]
    assert len(vectors) == count
    assert wrong == []
