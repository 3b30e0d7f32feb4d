"""JSON is decoded strictly: nothing in a document is ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from repository.json_values import decode_json


@dataclass(frozen=True)
class Leaf:
    """A value without parts."""

    name: str = ""


@dataclass(frozen=True)
class Tree:
    """A value with parts of every kind."""

    one: Leaf = Leaf()
    listed: tuple[Leaf, ...] = ()
    named: Mapping[str, Leaf] | None = None


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (b'{"other": 1}', r"\$"),
        (b'{"one": {"other": 1}}', r"\$\.one"),
        (b'{"listed": [{}, {"other": 1}]}', r"\$\.listed\[1\]"),
        (b'{"named": {"a": {}, "b": {"other": 1}}}', r"\$\.named\['b'\]"),
    ],
)
def test_unknown_keys_are_refused_wherever_they_are(document: bytes, place: str) -> None:
    with pytest.raises(ValueError, match=f"unknown field `other` - at `{place}`"):
        decode_json(document, Tree)


def test_known_keys_are_decoded() -> None:
    document = b'{"one": {"name": "a"}, "listed": [{"name": "b"}], "named": {"c": {"name": "d"}}}'
    assert decode_json(document, Tree) == Tree(Leaf("a"), (Leaf("b"),), {"c": Leaf("d")})


def test_values_are_not_coerced() -> None:
    with pytest.raises(ValueError, match=r"\$\.name"):
        decode_json(b'{"name": 1}', Leaf)
