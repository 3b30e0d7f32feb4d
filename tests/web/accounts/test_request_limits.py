"""Costly services refuse the client that asks too often, and partners ask more."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, islice

import pytest
from flask.testing import FlaskClient

from iiif_server.auth.credentials import PARTNER_PREFIX
from repository.model.partners import Scope
from repository.repository import Repository
from web.accounts import request_limits
from web.app import create_app

RATE = 3


@pytest.fixture
def client(repository: Repository) -> FlaskClient:
    settings = replace(repository.settings, client_requests=RATE)
    return create_app(replace(repository, settings=settings)).test_client()


def statuses(client: FlaskClient, times: int, address: str = "198.51.100.7", token: str = "") -> list[int]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return [
        client.get("/api/1/nothing", headers=headers, environ_overrides={"REMOTE_ADDR": address}).status_code
        for _ in range(times)
    ]


def test_one_request_too_many_is_refused_with_the_time_to_wait(client: FlaskClient) -> None:
    assert statuses(client, RATE + 1) == [404] * RATE + [429]
    refused = client.get("/api/1/nothing", environ_overrides={"REMOTE_ADDR": "198.51.100.7"})
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.mimetype == "application/problem+json"
    assert refused.get_json()["code"] == "request.rate"
    assert statuses(client, 1, "198.51.100.8") == [404]
    assert client.get("/", environ_overrides={"REMOTE_ADDR": "198.51.100.7"}).status_code == 200


WORK = "w0000000000000000"
COSTLY = ("/search?q=x", "/works", "/oai", "/api/1/search", f"/iiif/search/2/{WORK}", "/sitemap/1.xml")
OF_A_WORK = (
    *(f"/works/{WORK}{rest}" for rest in ("", "/read", "/text", "/text/1.txt", "/record.json", "/record.mods.xml")),
    f"/iiif/presentation/3/{WORK}/canvas/1/text",
    f"/iiif/presentation/2/{WORK}/canvas/1/text",
    "/oembed",
)
CHEAP = ("/", "/log/key", "/iiif/discovery/1/changes", f"/iiif/presentation/3/{WORK}/manifest", "/robots.txt")


@pytest.mark.parametrize(
    ("paths", "most"),
    [(COSTLY, RATE), (OF_A_WORK, RATE * request_limits._TIMES_OF_A_WORK), (CHEAP, None)],
    ids=["searches and lists", "what is made of a work", "what is cheap"],
)
def test_requests_are_limited_by_what_they_cost(client: FlaskClient, paths: tuple[str, ...], most: int | None) -> None:
    def ask(path: str) -> int:
        return client.get(path, environ_overrides={"REMOTE_ADDR": "198.51.100.10"}).status_code

    answered = [ask(path) for path in islice(cycle(paths), most or RATE * 10)]
    assert 429 not in answered
    assert {ask(path) == 429 for path in paths} == {most is not None}
    others = {COSTLY: OF_A_WORK, OF_A_WORK: COSTLY, CHEAP: CHEAP}[paths]
    assert ask(others[0]) != 429, "the kinds are counted apart"


def test_program_on_this_machine_has_no_limit(client: FlaskClient) -> None:
    assert 429 not in statuses(client, RATE * 2, "127.0.0.1")


def test_partner_who_harvests_may_ask_more(client: FlaskClient, repository: Repository) -> None:
    tokens = repository.partner_tokens
    harvester = tokens.create("harvester", [Scope.HARVEST], PARTNER_PREFIX)[1]
    other = tokens.create("other", [Scope.EXPORT], PARTNER_PREFIX)[1]
    assert statuses(client, RATE * 2, token=harvester) == [404] * RATE * 2
    assert statuses(client, RATE + 1, "198.51.100.9", other)[-1] == 429


def test_without_redis_each_process_counts_its_own(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(repository.settings, client_requests=RATE, broker="redis://127.0.0.1:1/0")
    monkeypatch.setattr(request_limits, "_PARTNER_TIMES", 1)
    client = create_app(replace(repository, settings=settings)).test_client()
    assert statuses(client, RATE + 1) == [404] * RATE + [429]
