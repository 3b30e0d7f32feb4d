"""Restricted and reduced images with and without credentials: which pixels, which documents, which caches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import pyvips
from image_requests import WholeResponse, respond

from iiif_server.auth.credentials import PARTNER_PREFIX, AccessCookie, AccessKeys, AccessToken, RequestCredentials
from iiif_server.image.capabilities import probe
from iiif_server.image.resolved import TRUSTED_SECONDS
from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from repository.config import Settings
from repository.database.accounts import session_reference
from repository.model.accounts import Role
from repository.model.partners import Scope
from repository.model.work import Access, Rights
from repository.repository import memory_repository

pytestmark = pytest.mark.slow

BASE = "https://books.example"
RESTRICTED = Rights(access=Access.RESTRICTED)
REDUCED = Rights(access=Access.REDUCED, max_size=400)
WHOLE = "full/max/0/default.jpg"
TILE = "0,0,256,256/256,256/0/default.jpg"

offered = cache(probe)


class Library:
    """One image, a reader who has logged in, and a service whose clock is moved by hand."""

    def __init__(self, hold: Callable[..., str], picture: pyvips.Image, rights: Rights) -> None:
        self.repository = memory_repository(Settings())
        self.image = hold(self.repository, picture, rights)
        self.now = 100.0
        self.service = ImageService(self.repository, lambda: self.now, offered())
        self.runner = asyncio.Runner()
        self.repository.accounts.add("reader", Role.READER, "hash")
        token = self.repository.account_sessions.start("reader")
        assert token
        self.session_token = token
        keys = AccessKeys(self.repository.accounts.cookie_secret())
        held = self.repository.catalogue.image(self.image)
        assert held
        now = self.repository.clock().timestamp()
        self.cookie = RequestCredentials(keys.cookie(AccessCookie(session_reference(token))))
        self.access_token = RequestCredentials("", keys.token(AccessToken(session_reference(token), held.work), now))
        self.other_token = RequestCredentials("", keys.token(AccessToken(session_reference(token), "another"), now))

    def ask(
        self, rest: str, who: RequestCredentials | None = None, *, tier: str = "", version: int = 3
    ) -> WholeResponse:
        path = f"/iiif/image/{version}/{self.image}{tier}/{rest}"
        call = ImageCall(path, BASE, credentials=who) if who else ImageCall(path, BASE)
        return respond(self.service, call, self.runner)


@pytest.fixture
def library(hold_picture: Callable[..., str], picture: pyvips.Image) -> Callable[[Rights], Library]:
    return lambda rights: Library(hold_picture, picture, rights)


def document(response: WholeResponse) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.body)
    return found


def width(response: WholeResponse) -> int:
    assert response.status == 200
    return int(pyvips.Image.new_from_buffer(response.body, "").width)


def shown(response: WholeResponse) -> tuple[int, int | None]:
    """Return the status, and the width of the picture if there is one."""
    return response.status, width(response) if response.status == 200 else None


def test_cookie_opens_a_restricted_image_and_nobody_else_sees_its_cached_bytes(
    library: Callable[[Rights], Library],
) -> None:
    held = library(RESTRICTED)
    for _ in range(2):  # the second time everything that the first one cached is there
        assert held.ask(TILE).status == held.ask(WHOLE).status == 401
        opened = held.ask(TILE, held.cookie)
        assert opened.status == 200
        assert opened.headers["Cache-Control"] == "private, no-store"
        assert width(held.ask(WHOLE, held.cookie)) == 1500
    assert held.ask(f"{TILE} open").status == held.ask(f"{TILE} ").status == 401
    for suffix in (" full-size restricted-images", "~", "~x", "~full~reduced"):
        assert held.ask(TILE, tier=suffix).status in {401, 404}


def test_entity_tag_of_a_restricted_image_tells_the_public_nothing(library: Callable[[Rights], Library]) -> None:
    held = library(RESTRICTED)
    tag = held.ask(TILE, held.cookie).headers["ETag"]
    call = ImageCall(f"/iiif/image/3/{held.image}/{TILE}", BASE, if_none_match=tag)
    assert respond(held.service, call, held.runner).status == 401


def test_access_token_opens_the_document_and_no_pixel(library: Callable[[Rights], Library]) -> None:
    held = library(RESTRICTED)
    for version in (2, 3):
        assert held.ask("info.json", held.access_token, version=version).status == 200
        assert held.ask("info.json", held.other_token, version=version).status == 401
        assert held.ask("info.json", RequestCredentials("", "forged"), version=version).status == 401
    assert held.ask(TILE, held.access_token).status == 401
    opened = held.ask("info.json", held.access_token)
    assert opened.headers["Cache-Control"] == "private, no-store"


def test_document_of_a_restricted_image_declares_the_services_of_both_versions(
    library: Callable[[Rights], Library],
) -> None:
    held = library(RESTRICTED)
    refused = held.ask("info.json")
    found = document(refused)
    assert (refused.status, found["width"]) == (401, 1500)
    assert found["@context"] == ["http://iiif.io/api/auth/2/context.json", "http://iiif.io/api/image/3/context.json"]
    probed, older = found["service"]
    assert probed["id"] == f"{BASE}/iiif/auth/2/probe/{held.image}"
    assert [probed["type"], probed["service"][0]["type"], *(s["type"] for s in probed["service"][0]["service"])] == [
        "AuthProbeService2", "AuthAccessService2", "AuthAccessTokenService2", "AuthLogoutService2",
    ]  # fmt: skip
    assert older["profile"] == "http://iiif.io/api/auth/1/login"
    assert document(held.ask("info.json", version=2))["service"] == [older]


def test_open_image_declares_no_services_and_looks_up_no_session(
    library: Callable[[Rights], Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = library(Rights())
    monkeypatch.setattr(type(held.repository.account_sessions), "account_of", lambda *_: pytest.fail("a session"))
    assert "service" not in document(held.ask("info.json", held.cookie))
    answer = held.ask(TILE, held.cookie)
    assert answer.headers["Cache-Control"].startswith("public")
    assert "Vary" not in answer.headers


def test_reduced_image_is_whole_for_a_reader_and_reduced_for_the_public(library: Callable[[Rights], Library]) -> None:
    held = library(REDUCED)
    assert [width(held.ask(WHOLE, who)) for who in (None, held.cookie, None)] == [400, 1500, 400]
    assert held.ask(WHOLE).headers["Cache-Control"].startswith("public")
    assert "Cookie" in held.ask(WHOLE).headers["Vary"]
    assert [document(held.ask("info.json", who))["maxWidth"] for who in (None, held.access_token)] == [400, 65_500]


def test_tiers_of_a_reduced_image_have_their_own_addresses(library: Callable[[Rights], Library]) -> None:
    held = library(REDUCED)
    assert width(held.ask(WHOLE, held.cookie, tier="~reduced")) == width(held.ask(WHOLE, tier="~reduced")) == 400
    assert held.ask(WHOLE, tier="~full").status == 401
    assert width(held.ask(WHOLE, held.cookie, tier="~full")) == 1500
    whole, reduced = document(held.ask("info.json", tier="~full")), document(held.ask("info.json", tier="~reduced"))
    assert (whole["id"], whole["maxWidth"]) == (f"{BASE}/iiif/image/3/{held.image}~full", 65_500)
    assert whole["service"][0]["id"].endswith(f"{held.image}~full")
    assert reduced["maxWidth"] == 400
    assert "service" not in reduced


def test_older_viewers_are_sent_to_the_lower_tier_until_they_send_a_token(library: Callable[[Rights], Library]) -> None:
    held = library(REDUCED)
    sent = held.ask("info.json", tier="~full", version=2)
    assert (sent.status, sent.headers["Location"]) == (302, f"{BASE}/iiif/image/2/{held.image}~reduced/info.json")
    lower = document(held.ask("info.json", tier="~reduced", version=2))
    assert lower["service"][0]["profile"] == "http://iiif.io/api/auth/1/login"
    assert held.ask("info.json", held.access_token, tier="~full", version=2).status == 200


def test_logout_takes_effect_within_seconds_and_tiles_ask_for_no_session(
    library: Callable[[Rights], Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = library(RESTRICTED)
    asked = []
    sessions = held.repository.account_sessions
    real = type(sessions).account_of
    monkeypatch.setattr(type(sessions), "account_of", lambda own, session: asked.append(session) or real(own, session))
    for column in range(4):
        assert held.ask(f"{256 * column},0,256,256/256,256/0/default.jpg", held.cookie).status == 200
    assert len(asked) == 1
    sessions.end(held.session_token)
    held.now += TRUSTED_SECONDS + 1
    assert held.ask(TILE, held.cookie).status == 401


def test_token_of_a_partner_opens_what_its_scopes_name(library: Callable[[Rights], Library]) -> None:
    for rights, scope, other, without in (
        (RESTRICTED, Scope.RESTRICTED_IMAGES, Scope.FULL_SIZE, (401, None)),
        (REDUCED, Scope.FULL_SIZE, Scope.RESTRICTED_IMAGES, (200, 400)),
    ):
        held = library(rights)
        tokens = held.repository.partner_tokens
        right, wrong = (
            RequestCredentials("", tokens.create(name, [given], PARTNER_PREFIX)[1])
            for name, given in (("a", scope), ("b", other))
        )
        assert width(held.ask(WHOLE, right)) == 1500
        assert shown(held.ask(WHOLE, wrong)) == without
        tokens.revoke("a")
        held.now += TRUSTED_SECONDS + 1
        assert shown(held.ask(WHOLE, right)) == without
