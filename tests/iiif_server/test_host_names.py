"""Which ``Host`` is a host name, and what every application answers to one that is not."""

from __future__ import annotations

import pytest

from iiif_server.host_names import is_host


@pytest.mark.parametrize(
    "host",
    [
        "library.example",
        "library.example.",
        "localhost:8000",
        "LIBRARY.example:443",
        "127.0.0.1:8000",
        "[::1]",
        "[2001:db8::7]:8000",
        "web_1:8000",
        "xn--fiqs8s.example",
        "a" * 63,
        ".".join(["a" * 61] * 4),
        "a",
        "library.example:",
    ],
)
def test_host_name_or_address_is_accepted(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "-a.example",
        "a-.example",
        "a" * 64,
        f"{'a' * 64}.example",
        ".".join(["a" * 62] * 5),
        "a b",
        "a,b",
        "a/b",
        "a@b",
        "a?b",
        "善本.example",
        "a\x00",
        "a\n",
        "[::1",
        "[]",
        "[1.2.3.4]",
        "[fe80::1%25eth0]",
        "a:b",
        "a:65536",
        "a:123456",
        "a:1:2",
        "::1",
        "a:٣",
    ],
)
def test_anything_else_is_no_host(host: str) -> None:
    assert not is_host(host)
