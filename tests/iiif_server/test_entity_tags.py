"""Entity tags, as one place makes and compares them."""

from __future__ import annotations

import pytest
from werkzeug import Response

from iiif_server.entity_tags import entity_tag, matches


def test_tag_of_a_document_is_the_one_that_werkzeug_adds() -> None:
    response = Response(b"a document")
    response.add_etag()
    assert response.headers["ETag"] == entity_tag(b"a document")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('"abc-1"', True),
        ('W/"abc-1"', True),
        ('"x", "abc-1"', True),
        ('"x",W/"abc-1","y"', True),
        ("*", True),
        (" * ", True),
        (None, False),
        ("", False),
        ('"abc"', False),
        ('"abc-12"', False),
        ("abc-1", False),
        ('"x, "abc-1', False),
        ('"*"', False),
    ],
)
def test_if_none_match_compares_entity_tags_weakly(header: str | None, expected: bool) -> None:
    assert matches(header, '"abc-1"') is expected
