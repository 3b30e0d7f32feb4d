"""An HTTP answer whose body is there, and its head as HTTP/1.1 has it. (pure)"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class Whole(NamedTuple):
    """An HTTP answer whose body is there. `lines` are those of `head_lines`; more may follow them."""

    status: int
    lines: bytes
    body: bytes | bytearray = b""


def head_lines(status: int, headers: Sequence[tuple[str, str]]) -> bytes:
    """Status line and headers as HTTP/1.1 has them (RFC 9112, sections 4 and 5), without the empty line that ends them.

    Raises `ValueError` for a header that is more than one line.
    """
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", *(f"{name}: {value}" for name, value in headers)]
    text = "\r\n".join(lines)
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise ValueError(text)
    return f"{text}\r\n".encode("latin-1")
