"""The address that `shanben serve` prints."""

from __future__ import annotations

import pytest

from web.cli.serve import own_address


@pytest.mark.parametrize(
    ("host", "is_secure", "address"),
    [
        ("127.0.0.1", False, "http://127.0.0.1:8000"),
        ("books.example", True, "https://books.example:8000"),
        ("::1", False, "http://[::1]:8000"),
    ],
)
def test_printed_address_can_be_opened(host: str, is_secure: bool, address: str) -> None:
    assert own_address(host, 8000, is_secure=is_secure) == address
