"""A content state opens the reader at its place; that of another library is named, and nothing is fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from iiif_server.presentation.content_state import encode_content_state
from iiif_server.urls import canvas_path, manifest_path

BASE = "https://books.example/shan"


def open_state(client: FlaskClient, state: str, path: str = "/read") -> Any:
    return client.get(path, query_string={"iiif-content": state})


def test_canvas_and_region_are_opened_from_any_reader(public_client: FlaskClient, publisher: Any) -> None:
    book = publisher.book().identifier
    manifest, canvas = BASE + manifest_path(book), BASE + canvas_path(book, 2)
    target = {"id": f"{canvas}#xywh=10,20,30,40", "type": "Canvas", "partOf": [{"id": manifest, "type": "Manifest"}]}
    for state in (json.dumps(target), encode_content_state(json.dumps(target)), f"{canvas}#xywh=10,20,30,40"):
        for path in ("/read", f"/works/{book}/read", "/works/another/read"):
            answer = open_state(public_client, state, path)
            assert answer.status_code == 303
            assert answer.location.endswith(f"/works/{book}/read?page=2#xywh=10,20,30,40")
    whole = open_state(public_client, manifest)
    assert whole.location.endswith(f"/works/{book}/read")
    assert public_client.get(whole.location.removeprefix(BASE)).status_code == 200


@pytest.mark.parametrize(
    "state",
    [
        "https://other.example/iiif/presentation/3/w1/manifest",
        "https://books.example.evil.example/shan/iiif/presentation/3/w1/manifest",
        f"{BASE}/iiif/presentation/3/../../login",
        f"{BASE}@other.example/iiif/presentation/3/w1/manifest",
    ],
)
def test_work_of_another_library_is_not_opened(public_client: FlaskClient, state: str) -> None:
    answer = open_state(public_client, state)
    assert answer.status_code == 400
    assert "不在本馆" in answer.text


@pytest.mark.parametrize("state", ["", "!!", "{}"])
def test_what_is_no_content_state_is_refused(public_client: FlaskClient, state: str) -> None:
    assert open_state(public_client, state).status_code == 400
