"""Guarded requests: only public addresses, checked where the connection goes."""

from __future__ import annotations

import threading
import time

import pytest
from partner_server import Answer, partner_server

from repository.errors import ShanbenError
from repository.network.guarded_http import (
    AddressRefused,
    FetchLimits,
    GuardedClient,
    PartnerUnavailable,
    is_public,
    parse_partner_url,
)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("fec0::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::a00:1", "5f00::1", "2001:db8::1"),
        *("::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
        "no address",
    ],
)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "file:///etc/passwd",
            "ftp://x/",
            "http://",
            "http://x:99999/",
            "http://user:pass@x/",
            "http://x/\r\nHost: y",
        ),
        *("http://x/ y", "http://[::1", "gopher://x/", "", "http://x/書", "http://x/" + "a" * 5000),
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        parse_partner_url(url)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.1"],
)
def test_no_way_to_write_the_own_machine_is_requested(host: str) -> None:
    with partner_server() as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(ShanbenError):
            GuardedClient("test").get(f"http://{host}:{port}/")
        assert server.asked == []


def test_a_name_is_resolved_once_and_every_address_of_it_checked() -> None:
    with partner_server() as server:
        server.answer = lambda path, query: Answer(b"private")
        port = server.url.rpartition(":")[2]
        resolved: list[str] = []

        def rebinding(host: str, port: int) -> list[str]:
            resolved.append(host)
            return ["127.0.0.1"] if len(resolved) > 1 else ["203.0.113.1", "127.0.0.1"]

        with pytest.raises(AddressRefused):
            GuardedClient("test", resolve=rebinding).get(f"http://partner.example:{port}/")
        assert (resolved, server.asked) == (["partner.example"], [])


def test_the_connection_goes_to_the_checked_address_with_the_name_of_the_host() -> None:
    with partner_server() as server:
        server.answer = lambda path, query: Answer(b"welcome")
        port = server.url.rpartition(":")[2]
        client = GuardedClient("test/1", private_hosts=["partner.example"], resolve=lambda host, port: ["127.0.0.1"])
        assert client.get(f"http://partner.example:{port}/a?b=c").body == b"welcome"
        path, query, headers = server.asked[0]
        assert (path, query, headers["host"], headers["user-agent"]) == (
            "/a",
            {"b": "c"},
            f"partner.example:{port}",
            "test/1",
        )


def test_an_empty_answer_with_the_header_of_a_compressed_one_is_empty() -> None:
    with partner_server() as server:
        server.answer = lambda path, query: Answer(status=304, headers={"Content-Encoding": "gzip"})
        client = GuardedClient("test", private_hosts=["127.0.0.1"])
        answer = client.get(server.url)
        assert (answer.status, answer.body) == (304, b"")


def test_a_name_server_that_does_not_answer_ends_the_request_at_its_deadline() -> None:
    answers = threading.Event()

    def hangs(host: str, port: int) -> list[str]:
        answers.wait(30)
        return ["127.0.0.1"]

    started = time.monotonic()
    try:
        with pytest.raises(PartnerUnavailable, match="takes too long"):
            GuardedClient("test", FetchLimits(seconds=0.2), resolve=hangs).get("http://partner.example/")
        assert time.monotonic() - started < 15
    finally:
        answers.set()


def test_a_name_that_does_not_exist_is_a_fault_of_the_partner() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(PartnerUnavailable, match="not known"):
        GuardedClient("test", resolve=unknown).get("http://partner.example/")


def test_a_redirect_is_checked_like_the_first_address() -> None:
    with partner_server() as server:
        port = server.url.rpartition(":")[2]
        server.answer = lambda path, query: Answer(status=301, headers={"Location": f"http://localhost:{port}/"})
        client = GuardedClient("test", private_hosts=["127.0.0.1"])
        with pytest.raises(AddressRefused):
            client.get(f"http://127.0.0.1:{port}/")
        assert len(server.asked) == 1
