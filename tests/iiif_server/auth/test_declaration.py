"""Manifests declare the authorization services of works that the public does not see whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iiif_server.auth.declaration import declare_services
from repository.model.access import AccessVerdict, Decision


def manifest() -> dict[str, Any]:
    service = {"id": "https://base.invalid/iiif/image/3/abc", "type": "ImageService3"}
    body = {"type": "Choice", "items": [{"type": "Image", "service": [dict(service)]} for _ in range(2)]}
    return {"@context": "http://p3", "items": [{"items": [{"items": [{"body": body}]}]}, {"items": []}]}


@pytest.mark.parametrize("public", [Decision(AccessVerdict.REFUSED), Decision(AccessVerdict.REDUCED, 400)])
def test_every_picture_names_its_probe_and_the_access_service_stands_once(public: Decision) -> None:
    found = declare_services(manifest(), work="w1", provider="某館", public=public)
    assert found["@context"] == ["http://iiif.io/api/auth/2/context.json", "http://p3"]
    assert json.dumps(found).count("AuthProbeService2") == 2
    assert json.dumps(found).count("AuthLogoutService2") == 1
    (access,) = found["services"]
    picture = found["items"][0]["items"][0]["items"][0]["body"]["items"][0]
    (probe,) = picture["service"][0]["service"]
    assert probe["id"].endswith("/iiif/auth/2/probe/abc")
    assert probe["service"] == [{"id": access["id"], "type": "AuthAccessService2", "profile": "active"}]
    assert access["label"]["en"] == ["Log in to 某館"]


def test_manifest_of_an_open_work_is_as_it_was() -> None:
    assert declare_services(manifest(), work="w1", provider="", public=Decision(AccessVerdict.OPEN)) == manifest()
