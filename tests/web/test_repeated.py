"""A request that is recognised is the one that a parser would find; what is at all unlike the last is left to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.whole_answer import Whole, head_lines
from web.connection import PATIENCE, Connection
from web.http_messages import Request
from web.repeated import Repeated
from web.request_reader import LONGEST_HEAD

BROWSER = (
    b"Host: books.example\r\nUser-Agent: Reader/1.0 (a; b)\r\nAccept: image/avif,image/*;q=0.8\r\n"
    b"Accept-Language: zh-CN,zh;q=0.8\r\nReferer: https://books.example/read\r\nCookie: a=1\r\nCookie: b=2\r\n"
)
TILE = b"/iiif/image/3/i9/0,0,512,512/512,512/0/default.jpg"


def get(target: bytes, headers: bytes = BROWSER, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, headers)


class Transport(asyncio.Transport):
    """Takes what is sent."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 50_000) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def writelines(self, pieces: Any) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        pass


class Site:
    """Remembers what it was asked, and answers all of it at once."""

    date, patience, stopping = b"", PATIENCE, False

    def __init__(self) -> None:
        self.loop = self
        self.connections: set[Connection] = set()
        self.asked: list[Request] = []

    def time(self) -> float:
        return 0.0

    def call_later(self, seconds: float, act: Any) -> None:
        pass

    def at_once(self, request: Request) -> Whole:
        self.asked.append(request)
        return Whole(200, head_lines(200, []))


def asked(*pieces: bytes) -> list[Request]:
    """What a connection asks its site for when these bytes come, each in one piece."""
    site = Site()
    connection = Connection(site)  # type: ignore[arg-type]
    connection.connection_made(Transport())
    for piece in pieces:
        connection.data_received(piece)
    return site.asked


def in_small_pieces(*pieces: bytes) -> list[Request]:
    """The same by the parser alone, for which a request in two pieces is."""
    return asked(*(part for piece in pieces for part in (piece[:1], piece[1:])))


def recognised(first: bytes, second: bytes) -> Request | None:
    """What is made of the second after the first."""
    repeated = Repeated(LONGEST_HEAD)
    repeated.remember(first, asked(first)[0])
    return repeated.recognise(second)


@pytest.mark.parametrize("target", [TILE, b"/", b"/a%20b/%E5%96%84", b"/iiif/image/2/i9/full/%5E200,/!90/gray.png"])
def test_the_next_tile_is_recognised_and_is_what_a_parser_finds(target: bytes) -> None:
    found = recognised(get(TILE), get(target))
    assert found is not None
    assert [found] == in_small_pieces(get(target))
    assert asked(get(TILE), get(target)) == in_small_pieces(get(TILE), get(target))


@pytest.mark.parametrize(
    "second",
    [
        get(TILE, BROWSER + b"If-None-Match: *\r\n"),
        get(TILE, BROWSER.replace(b"zh-CN", b"zh-TW")),
        get(TILE, method=b"HEAD"),
        get(TILE, version=b"HTTP/1.0"),
        get(TILE + b"?a=b"),
        get(TILE + b"#a"),
        get(b"http://books.example" + TILE),
        get(b"*"),
        get(TILE + b"\x00"),
        get(TILE + b" "),
        get(TILE + b"\xe5\x96\x84"),
        get(TILE) + get(TILE),
        get(TILE)[:-1],
        b"\r\n" + get(TILE),
        get(b"/" + b"x" * LONGEST_HEAD),
        get(TILE).replace(b"\r\n", b"\n"),
        b"",
        b"GET " + TILE,
        BROWSER,
    ],
)
def test_anything_else_is_left_to_the_parser(second: bytes) -> None:
    assert recognised(get(TILE), second) is None


@pytest.mark.parametrize(
    "first",
    [
        get(TILE, BROWSER + b"Connection: close\r\n"),
        get(TILE, version=b"HTTP/1.0", headers=BROWSER + b"Connection: keep-alive\r\n"),
        get(TILE, BROWSER + b"Content-Length: 0\r\n"),
        get(TILE, BROWSER + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        get(TILE, BROWSER + b"Expect: nothing\r\n"),
        get(TILE, method=b"HEAD"),
        get(TILE) + get(TILE),
        b"\r\n" + get(TILE),
    ],
)
def test_what_means_more_than_its_answer_is_not_remembered(first: bytes) -> None:
    assert recognised(first, first) is None
    assert recognised(first, get(TILE)) is None


def test_a_refused_request_is_not_remembered() -> None:
    bad = get(TILE, b"Host: a\r\nHost: b\r\n")
    assert asked(bad, bad) == []


PIECES = st.sampled_from(
    [
        b"GET ",
        b"/",
        TILE,
        b" HTTP/1.1\r\n",
        b"\r\n",
        BROWSER,
        b"Host: a\r\n",
        b"?",
        b"%",
        b" ",
        b"\n",
        b"X: y\r\n",
        b"\0",
    ]
)


@given(data=st.lists(st.one_of(PIECES, st.binary(max_size=3)), max_size=7).map(b"".join))
def test_whatever_comes_after_a_tile_is_understood_as_without_a_memory(data: bytes) -> None:
    assert asked(get(TILE), data) == in_small_pieces(get(TILE), data)
