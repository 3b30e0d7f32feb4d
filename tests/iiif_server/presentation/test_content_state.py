"""The examples of the Content State API 1.0, and what is no content state."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiif_server.presentation.content_state import (
    ContentState,
    decode_content_state,
    encode_content_state,
    parse_content_state,
)
from repository.errors import RequestInvalid

MANIFEST = "https://example.org/object1/manifest"
CANVAS = "https://example.org/object1/canvas7"
CONDENSED = (
    '{"id":"https://example.org/object1/canvas7#xywh=1000,2000,1000,2000","type":"Canvas",'
    '"partOf":[{"id":"https://example.org/object1/manifest","type":"Manifest"}]}'
)
ENCODED = (
    "JTdCJTIyaWQlMjIlM0ElMjJodHRwcyUzQSUyRiUyRmV4YW1wbGUub3JnJTJGb2JqZWN0MSUyRmNhbnZhczclMjN4eXdoJTNEMTAwMCUyQzIwMDAl"
    "MkMxMDAwJTJDMjAwMCUyMiUyQyUyMnR5cGUlMjIlM0ElMjJDYW52YXMlMjIlMkMlMjJwYXJ0T2YlMjIlM0ElNUIlN0IlMjJpZCUyMiUzQSUyMmh0"
    "dHBzJTNBJTJGJTJGZXhhbXBsZS5vcmclMkZvYmplY3QxJTJGbWFuaWZlc3QlMjIlMkMlMjJ0eXBlJTIyJTNBJTIyTWFuaWZlc3QlMjIlN0QlNUQl"
    "N0Q"
)
"""Section 6.3: the document and its encoding."""

PLACE = ContentState(MANIFEST, CANVAS, (1000, 2000, 1000, 2000))


def target(**more: Any) -> dict[str, Any]:
    return {**json.loads(CONDENSED), **more}


def annotation(body: Any, motivation: Any = ("contentState",)) -> dict[str, Any]:
    return {"type": "Annotation", "motivation": list(motivation), "target": body}


def test_example_of_the_specification_is_encoded_and_decoded() -> None:
    assert encode_content_state(CONDENSED) == ENCODED
    assert decode_content_state(ENCODED) == CONDENSED


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_every_text_is_decoded_to_itself(text: str) -> None:
    encoded = encode_content_state(text)
    assert decode_content_state(encoded) == text
    assert encoded.isascii()
    assert not set(encoded) & set("=+/%")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (target(), PLACE),  # 2.2.3, 2.2.5
        (annotation(target()), PLACE),  # 2.2.1, 5.1
        (annotation(target(), ["bookmarking", "contentState"]), PLACE),
        ({"id": MANIFEST, "type": "Manifest"}, ContentState(MANIFEST)),
        (annotation({"id": MANIFEST, "type": "Manifest"}), ContentState(MANIFEST)),
        (annotation([target(), target(id="https://example.org/other")]), PLACE),  # 5.3: the first
        (
            annotation({  # 5.2
                "type": "SpecificResource",
                "source": {"id": CANVAS, "type": "Canvas", "partOf": [{"id": MANIFEST, "type": "Manifest"}]},
                "selector": {"type": "PointSelector", "t": 14.5},
            }),
            ContentState(MANIFEST, CANVAS),
        ),
        (
            {
                "type": "SpecificResource",
                "source": {"id": CANVAS, "type": "Canvas", "partOf": {"id": MANIFEST}},
                "selector": [{"type": "FragmentSelector", "value": "xywh=pixel:1,2,3,4"}],
            },
            ContentState(MANIFEST, CANVAS, (1, 2, 3, 4)),
        ),
        (
            {"@id": f"{CANVAS}#xywh=1,2,3,4", "@type": "sc:Canvas", "partOf": [MANIFEST]},
            ContentState(MANIFEST, CANVAS, (1, 2, 3, 4)),
        ),
        (
            {"id": "https://example.org/range/1", "type": "Range", "partOf": [{"id": MANIFEST}]},
            ContentState(MANIFEST),
        ),
    ],
)  # fmt: skip
def test_every_form_of_a_document_is_understood(state: dict[str, Any], expected: ContentState) -> None:
    for text in (json.dumps(state), encode_content_state(json.dumps(state))):
        assert parse_content_state(text) == expected


def test_uri_names_a_manifest_or_a_canvas() -> None:
    assert parse_content_state(MANIFEST).manifest == MANIFEST
    assert parse_content_state(f"{CANVAS}#xywh=1,2,3,4") == ContentState(None, CANVAS, (1, 2, 3, 4))


@pytest.mark.parametrize("fragment", ["xywh=1,2,0,4", "xywh=percent:1,2,3,4", "t=4", "xywh=a,b,c,d"])
def test_fragment_that_is_no_region_in_pixels_shows_the_whole_canvas(fragment: str) -> None:
    assert parse_content_state(f"{CANVAS}#{fragment}") == ContentState(None, CANVAS)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "!!!!", "abcde", "{", "{}", "[]", "null", '{"id": 7}', '{"type": "SpecificResource"}'),
        *("a" * 20_000, encode_content_state("{" * 3000), encode_content_state("[" * 5000), "JTgw"),
        json.dumps(annotation(None)),
        *(f'{{"id": "https://example.org/\\ud800", "type": "{kind}"}}' for kind in ("Manifest", "Canvas")),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid):
        parse_content_state(text)


NAMES = st.sampled_from(["id", "type", "target", "partOf", "source", "selector", "value"])
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(DOCUMENTS)
def test_no_document_breaks_the_parser(document: Any) -> None:
    with suppress(RequestInvalid):
        parse_content_state(json.dumps({"type": "SpecificResource", "source": document, "selector": document}))
