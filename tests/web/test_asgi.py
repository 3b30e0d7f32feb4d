"""The composed application: routing, startup and the limits of a request's head."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from asgi_client import AsgiClient
from hypothesis import given
from hypothesis import strategies as st
from image_requests import PREFIX

from iiif_server.image.service import ImageService
from repository.config import Settings
from repository.repository import Repository, memory_repository
from web import asgi
from web.asgi import Site, compose
from web.telemetry.process_metrics import ProcessMetrics
from web.trusted_networks import client_address


@pytest.fixture
def repository() -> Repository:
    return memory_repository()


def lifespan(site: Site) -> list[dict[str, Any]]:
    """Start and stop a site as a server does; return what it sends."""
    sent: list[dict[str, Any]] = []

    async def live() -> None:
        events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> dict[str, Any]:
            return events.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await site({"type": "lifespan"}, receive, send)

    asyncio.run(live())
    return sent


def test_requests_go_to_the_image_service_or_to_flask_by_their_path(repository: Repository) -> None:
    service = ImageService(repository)
    with AsgiClient(compose(repository, service, ProcessMetrics())) as client:
        image = client.get(f"{PREFIX}nothing/info.json")
        assert (image.status, image.headers["content-type"]) == (404, "application/problem+json")
        page = client.get("/")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert client.get("/iiif/presentation/3/collection/nothing").status == 404
        assert all("x-request-id" in response.headers for response in (image, page))
    service.close()


@pytest.mark.slow
@pytest.mark.parametrize("base_url", ["", "https://books.example/shan"])
@pytest.mark.parametrize("host", ["a..b", 64 * "a", "..", "a b", "[::1", "é", "evil.example/x", "a@b", "a, b"])
def test_host_that_is_no_host_name_is_a_bad_request_everywhere(base_url: str, host: str) -> None:
    repository = memory_repository(Settings(base_url=base_url))
    service = ImageService(repository)
    paths = ["/", "/works?lang=en", "//works", "/nothing", "/health/live", "/log/checkpoint", "/static/site.css"]
    paths += [
        f"{PREFIX}x/info.json",
        f"{PREFIX}x",
        "/iiif/presentation/3/x/manifest",
        "/iiif/presentation/3/collection/top",
    ]
    with AsgiClient(compose(repository, service, ProcessMetrics())) as client:
        for path in paths:
            for method in ("GET", "HEAD", "POST", "OPTIONS"):
                response = client.request(method, path, {"Host": host})
                assert (response.status, response.headers["content-type"]) == (400, "application/problem+json"), path
            assert client.get(path, {"Host": host}).json()["code"] == "request.host"
    service.close()


@pytest.mark.parametrize(
    ("base_url", "start"), [("", "/"), ("https://books.example/shan", "https://books.example/shan/")]
)
def test_redirects_go_to_the_configured_address_and_never_to_the_host_of_the_request(base_url: str, start: str) -> None:
    repository = memory_repository(Settings(base_url=base_url))
    service = ImageService(repository)
    targets = {
        "/works?lang=en": "works",
        "/works?page=1&lang=zh-Hans": "works?page=1",
        "/health//live": "health/live",
        "//evil.example/?lang=en": "evil.example/",
        "/\\evil.example?lang=en": "evil.example",
    }
    with AsgiClient(compose(repository, service, ProcessMetrics())) as client:
        for path, target in targets.items():
            response = client.get(path, {"Host": "evil.example"})
            assert response.status in {303, 308}, path
            assert response.headers["location"] == start + target
    service.close()


def test_a_site_starts_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    monkeypatch.setattr(asgi, "_prepare_process", lambda: None)
    monkeypatch.setattr(asgi, "prepare", lambda _: None)
    assert [message["type"] for message in lifespan(Site())] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_a_site_reports_a_setting_it_cannot_use_as_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("SHANBEN_WATERMARK", str(tmp_path / "absent.png"))
    monkeypatch.setattr(asgi, "prepare", lambda _: None)
    (message,) = lifespan(Site())
    assert message["type"] == "lifespan.startup.failed"
    assert "absent.png" in message["message"]


def test_a_process_whose_parent_has_ended_stops_once(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: signals.append(number))
    sentinel, parents_end = os.pipe()

    async def serve() -> None:
        asyncio.get_running_loop().add_reader(sentinel, asgi._end_with_parent, sentinel)
        os.close(parents_end)
        await asyncio.sleep(0.1)

    asyncio.run(serve())
    os.close(sentinel)
    assert signals == [signal.SIGTERM]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
        ("127.0.0.1", None, ""),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "192.0.2.1\n203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "203.0.113.9, unknown", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("10.0.0.2", None, "10.0.0.2"),
        ("::1", None, ""),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("127.0.0.1", "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", None, ""),
    ],
)
def test_the_client_is_the_peer_or_what_a_private_proxy_reports(peer: str, forwarded: str | None, client: str) -> None:
    fields = forwarded.split("\n") if forwarded is not None else []
    headers = [(b"x-forwarded-for", field.encode()) for field in fields]
    assert client_address({"client": (peer, 4000) if peer else None, "headers": headers}) == client


CONTROLS = st.sampled_from([*map(chr, (*range(0x20), *range(0x7F, 0xA0))), "\u2028", "\u202e", "\r\nSet-Cookie: a=b"])
PLACES = ("/{}", "/works/{}", "/works/{}/", PREFIX + "{}", PREFIX + "{}/info.json", PREFIX + "a/full/{}/0/default.jpg")


@pytest.fixture(scope="module")
def composed() -> Iterator[AsgiClient]:
    repository = memory_repository()
    service = ImageService(repository)
    with AsgiClient(compose(repository, service, ProcessMetrics())) as client:
        yield client
    service.close()


@given(st.sampled_from(PLACES), st.text("a/千", max_size=3), CONTROLS, st.text("a/%", max_size=3))
def test_no_control_character_of_an_address_reaches_a_header(
    composed: AsgiClient, place: str, before: str, control: str, after: str
) -> None:
    response = composed.get(place.format(quote(before + control + after, safe="/")))
    assert response.status in {200, 301, 302, 303, 308, 400, 404}
    assert "set-cookie" not in response.headers
    assert all(ord(each) >= 0x20 and ord(each) != 0x7F for value in response.headers.values() for each in value)
