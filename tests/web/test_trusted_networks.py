"""Where a request comes from."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from web.trusted_networks import is_from_private_network, is_local_request, is_private_address


@pytest.mark.parametrize(
    ("address", "is_private"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("10.255.0.1", True),
        ("172.16.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("192.169.1.1", False),
        ("fd12::1", True),
        ("fe80::1", False),
        ("169.254.1.1", False),
        ("100.64.0.1", False),
        ("198.51.100.7", False),
        ("2001:db8::1", False),
        ("0.0.0.0", False),
        ("localhost", False),
        ("10.0.0.1, 8.8.8.8", False),
        ("", False),
    ],
)
def test_private_addresses_are_loopback_and_unrouted_networks(address: str, is_private: bool) -> None:
    assert is_private_address(address) is is_private


def request(peer: str, host: str = "localhost:8000", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    builder = EnvironBuilder(base_url=f"http://{host}/", headers=named, environ_overrides={"REMOTE_ADDR": peer})
    return Request(builder.get_environ())


PROXIED = [
    {"X_Forwarded_For": "10.0.0.1"},
    {"Forwarded": "for=10.0.0.1"},
    {"X_Real_IP": "10.0.0.1"},
    {"Via": "1.1 proxy"},
]


@pytest.mark.parametrize("headers", PROXIED)
def test_proxied_request_is_neither_local_nor_private(headers: dict[str, str]) -> None:
    assert not is_local_request(request("127.0.0.1", **headers))
    assert not is_from_private_network(request("127.0.0.1", **headers))


def test_request_from_a_private_network_is_not_local() -> None:
    assert is_from_private_network(request("10.0.0.9"))
    assert not is_local_request(request("10.0.0.9"))


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("localhost", True), ("127.0.0.1:8000", True), ("[::1]:8000", True), ("rebound.example", False)],
)
def test_local_request_names_this_machine(host: str, is_local: bool) -> None:
    assert is_local_request(request("127.0.0.1", host)) is is_local
