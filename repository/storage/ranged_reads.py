"""Ranges of an S3 store's objects, read in an event loop: a tile there costs no thread, and no handing over.

What a general client does for a ranged GET costs several times what the range does. So this does little: one ``GET``
over HTTP/1.1 with a ``Range``, at an address that the general client has signed for some minutes, on a connection that
is kept. It is a short way, not the only one: it never tries long, and whoever is told that it failed asks the store
itself (`ObstoreStore.read_range`), which tries again, and knows what is wrong. What it needs and does not find (a proxy
in between, an authority that the system does not know) only makes it fail.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cached_property
from http import HTTPStatus
from time import monotonic
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

from repository.clock_cache import ClockCache
from repository.errors import KeyNotFound, StoreFault

SIGNED_SECONDS: Final = 900
"""How long a signed address is good for."""

MOST_CONNECTIONS: Final = 32
"""Requests under way at once; further ones wait for their turn."""

_READ_SECONDS: Final = 4.0
_RENEW_SECONDS: Final = 600.0
_UNUSED_SECONDS: Final = 20.0  # before a gateway closes it, commonly after 60
_ADDRESSES: Final = 4096

Sign = Callable[[str, int], Awaitable[str]]
"""The signed address of an object for a GET, good for so many seconds. Raises `StoreFault`."""


class RangedReads:
    """Reads ranges of one store. For one event loop, to which its connections belong."""

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self._addresses: ClockCache[str, _Address] = ClockCache(_ADDRESSES)
        self._unused: deque[tuple[float, _Connection]] = deque()
        self._turns = asyncio.Semaphore(MOST_CONNECTIONS)

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Just `length` bytes from `start`, within some four seconds. Raises `KeyNotFound`, `StoreFault`."""
        try:
            async with asyncio.timeout(_READ_SECONDS), self._turns:
                address = await self._address(key)
                asked = b"%bRange: bytes=%d-%d\r\n\r\n" % (address.head, start, start + length - 1)
                return await self._get(address, asked, length)
        except _Refused as refused:
            kind = KeyNotFound if refused.status == HTTPStatus.NOT_FOUND else StoreFault
            raise kind(key=key, reason=f"HTTP {refused.status}") from refused
        except (OSError, EOFError, HttpParserError) as fault:  # TimeoutError and ssl.SSLError are OSErrors
            raise StoreFault(key=key, reason=str(fault) or type(fault).__name__) from fault

    def close(self) -> None:
        """Close what is kept."""
        while self._unused:
            self._unused.pop()[1].close()

    async def _get(self, address: _Address, asked: bytes, length: int) -> bytes:
        while kept := self._kept():
            try:
                return await self._ask(kept, asked, length)
            except _ClosedMeanwhile:
                continue  # as a server may that has not been asked anything for a while
        loop = asyncio.get_running_loop()
        secure = self._trust if address.secure else None
        _, fresh = await loop.create_connection(_Connection, address.host, address.port, ssl=secure)
        return await self._ask(fresh, asked, length)

    async def _ask(self, connection: _Connection, asked: bytes, length: int) -> bytes:
        try:
            return await connection.ask(asked, length)
        finally:
            if connection.is_free:
                self._unused.append((monotonic(), connection))
            else:
                connection.close()

    def _kept(self) -> _Connection | None:
        """The connection last used, if there is one; those unused for long are closed."""
        oldest = monotonic() - _UNUSED_SECONDS
        while self._unused and self._unused[0][0] < oldest:
            self._unused.popleft()[1].close()
        while self._unused:
            _, connection = self._unused.pop()
            if connection.is_free:
                return connection
        return None

    async def _address(self, key: str) -> _Address:
        address = self._addresses.get(key)
        if address is None or address.expires < monotonic():
            address = _parse(await self._sign(key, SIGNED_SECONDS), monotonic() + _RENEW_SECONDS)
            self._addresses.put(key, address)
        return address

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()


class _Address(NamedTuple):
    """Where an object is read; `head` is what every request for it begins with."""

    host: str
    port: int
    secure: bool
    head: bytes
    expires: float


def _parse(url: str, expires: float) -> _Address:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode("ascii")
    return _Address(parts.hostname or "", parts.port or (443 if secure else 80), secure, head, expires)


class _Refused(Exception):
    """The store answered, and not with the range."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _ClosedMeanwhile(EOFError):
    """The connection ended before anything of an answer came."""


class _Connection(asyncio.Protocol):
    """One connection, one request at a time. Holds at most the range that was asked for."""

    def __init__(self) -> None:
        self._transport = cast(asyncio.Transport, None)
        self._answer: asyncio.Future[bytes] | None = None
        self._begun = False
        self.is_free = True
        """Whether another request may follow: whatever came was answered, whole."""

    async def ask(self, asked: bytes, length: int) -> bytes:
        """The body of the answer, of just `length` bytes. Raises `_Refused`, `EOFError`, `HttpParserError`."""
        self.is_free = self._begun = False
        self._parser = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._missing = self._length = length
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(asked)
        return await self._answer

    def close(self) -> None:
        """End it."""
        self._transport.abort()

    # The event loop's calls (asyncio.Protocol)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        self._begun = True
        if self._answer is None or self._answer.done():  # nobody asked
            self.is_free = False
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError as fault:
            self._fail(fault)

    def connection_lost(self, error: Exception | None) -> None:
        """It has ended."""
        self.is_free = False
        self._fail(EOFError("the connection ended") if self._begun else _ClosedMeanwhile("the connection ended"))

    # The parser's calls (httptools)

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for makes the connection useless."""
        if self._answer is None or self._answer.done():
            self.is_free = False

    def on_body(self, body: bytes) -> None:
        """A part of the body; of one that is no range only the status counts."""
        self._missing -= len(body)
        if self._missing < 0 or self._parser.get_status_code() != HTTPStatus.PARTIAL_CONTENT:
            self._fail(_Refused(self._parser.get_status_code()))
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        status = self._parser.get_status_code()
        if self._answer is None or self._answer.done():
            return
        if status != HTTPStatus.PARTIAL_CONTENT or self._missing:
            self._fail(_Refused(status))
            return
        self.is_free = self._parser.should_keep_alive()
        self._answer.set_result(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))

    def _fail(self, fault: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(fault)
