"""An answer that fails when part of it was sent is broken off, so that nobody takes it for whole.

Pictures that are sent as they are made have no length in their head: the end of the answer is told by its last chunk
(RFC 9112, section 7.1). granian sends that chunk whenever the iterator of an answer ends, by an error too, and gives an
application no other way to end an answer. So the connection itself is closed here, from beneath granian: its client
finds that the last chunk is absent, and discards the rest.

granian does not say either which connection an answer goes to, only its client's address. It is told from the others
of that address by the bytes that the kernel has taken for it since the answer began. Where this does not suffice, all
that may be the one are closed: what is lost by that is asked for again, what is wrong is kept.

A client that takes nothing for `STALL_SECONDS` is broken off too: others wait for the place that it holds.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from struct import Struct
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, NamedTuple

from iiif_server.render_pool import Parts
from repository.errors import ShanbenError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

STALL_SECONDS: Final = 30.0
"""How long a client may take nothing of an answer that is ready for it."""

_HEAD: Final = 4096
"""Bytes that the head of an answer may have."""

_ON_THE_WAY: Final = 2 << 20
"""Bytes of an answer that granian may hold: four parts, and what is being written."""

_DRAIN_SECONDS: Final = 1.0
_SO_COOKIE, _COOKIE_BYTES = 57, 8  # asm-generic/socket.h
_TCP_INFO: Final = Struct("=120xQ16xI52xQQ")
"""Linux's tcp_info: bytes_acked, notsent_bytes, bytes_sent, bytes_retrans (linux/tcp.h)."""

_LOG: Final = logging.getLogger("shanben.image")


class BreakingOff:
    """WSGI: answers of `behind` that come in parts are whole, or broken off."""

    def __init__(self, behind: WSGIApplication, stall_seconds: float = STALL_SECONDS) -> None:
        self._behind = behind
        self._stall_seconds = stall_seconds

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        body = self._behind(environ, start_response)
        if not isinstance(body, Parts):
            return body
        if environ["SERVER_PROTOCOL"] != "HTTP/1.1":  # no chunks before: such an answer ends with its connection
            with closing(body):
                return [b"".join(body)]
        return Answer(body, environ["REMOTE_ADDR"], environ["PATH_INFO"], self._stall_seconds)


class Answer:
    """The parts of an answer on their way to a client."""

    def __init__(self, parts: Parts, client: str, path: str, stall_seconds: float) -> None:
        self._parts = parts
        self._client = client
        self._path = path
        self._sent = 0
        self._before = written(client)
        self._stall_seconds = stall_seconds
        self._offered_at: float | None = None  # None while there is nothing for the client to take
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next part; no more when the answer has failed, its connection being closed then."""
        self._offered_at = None
        with ExitStack() as on_failure:
            on_failure.callback(self._break_off, _DRAIN_SECONDS)
            try:
                part = next(self._parts, None)
            except ShanbenError as error:
                _LOG.error("%s: 中途失败，连接已断开 / failed in the middle, broken off: %s", self._path, error)
                raise StopIteration from error
            on_failure.pop_all()
        if part is None:
            raise StopIteration
        self._sent += len(f"{len(part):X}") + len(part) + 4
        self._offered_at = monotonic()
        return part

    def close(self) -> None:
        """Sent, or given up: its client has gone."""
        self._ended.set()
        self._parts.close()

    def _watch(self) -> None:
        """Break off when the client has taken nothing for too long."""
        rest = self._stall_seconds
        while not self._ended.wait(rest):
            offered = self._offered_at
            rest = self._stall_seconds - (monotonic() - offered if offered is not None else 0)
            if rest <= 0:
                _LOG.warning("%s: 客户端停止接收，已断开 / its client takes nothing, broken off", self._path)
                self._break_off(0)
                return

    def _break_off(self, patience: float) -> None:
        """Close the connection. For `patience` seconds, wait until the kernel has all that was sent."""
        deadline = monotonic() + patience
        likely = self._drained()
        while not likely and monotonic() < deadline:
            sleep(0.01)
            likely = self._drained()
        close(self._client, likely or self._congested() or set(written(self._client)))

    def _drained(self) -> set[int]:
        """Those that took all that was sent here, and nothing else."""
        return {cookie for cookie, length, _ in self._taken() if self._sent <= length <= self._sent + _HEAD}

    def _congested(self) -> set[int]:
        """Those that may yet be about to, for they are full."""
        least, most = self._sent - _ON_THE_WAY, self._sent + _HEAD
        return {cookie for cookie, length, waiting in self._taken() if waiting and least <= length <= most}

    def _taken(self) -> Iterator[tuple[int, int, bool]]:
        """Each connection, what was written to it since this answer began, and whether any of it waits."""
        for cookie, now in written(self._client).items():
            before = self._before.get(cookie)
            yield cookie, now.length - (before.length if before else 0), now.waiting


class Written(NamedTuple):
    """Bytes ever written to a connection, and whether its client has yet to take some of them."""

    length: int
    waiting: bool


def written(client: str) -> Mapping[int, Written]:
    """The connections of this process with a client, by the kernel's cookies."""
    found = {}

    def look(connection: socket.socket, cookie: int) -> None:
        told = connection.getsockopt(socket.SOL_TCP, socket.TCP_INFO, _TCP_INFO.size)
        acknowledged, unsent, sent, repeated = _TCP_INFO.unpack(told)
        length = sent - repeated + unsent
        found[cookie] = Written(length, length - acknowledged > 1)  # the connection's beginning counts as one

    _each_connection(client, look)
    return found


def close(client: str, cookies: set[int]) -> None:
    """Close connections with a client: nothing more is sent over them, their last chunks neither."""

    def shut(connection: socket.socket, cookie: int) -> None:
        if cookie in cookies:
            connection.shutdown(socket.SHUT_RDWR)

    _each_connection(client, shut)


def _each_connection(client: str, use: Callable[[socket.socket, int], None]) -> None:
    for name in os.listdir("/proc/self/fd"):
        # What has just ended, or is no connection, is passed over.
        with suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            # A copy of our own, so that the number cannot pass to another file meanwhile.
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.family != socket.AF_UNIX and connection.getpeername()[0] == client:
                    cookie = connection.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, _COOKIE_BYTES)
                    use(connection, int.from_bytes(cookie, sys.byteorder))
