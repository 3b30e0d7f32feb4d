"""A client that calls an ASGI application directly and records every body part that the application sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, unquote

Message = MutableMapping[str, Any]
AsgiApplication = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

LOCAL_PEER = "127.0.0.1"


@dataclass
class AsgiResponse:
    """The messages that an application sent: `parts` are their bodies, empty ones included."""

    status: int = 0
    raw_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    is_complete: bool = False
    error: Exception | None = None
    scope: dict[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def headers(self) -> Mapping[str, str]:
        """Header values by lower-case name; the values of a repeated header are joined with a comma."""
        joined: dict[str, str] = {}
        for name, value in self.raw_headers:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            joined[key] = f"{joined[key]}, {text}" if key in joined else text
        return joined

    def json(self) -> Any:
        return json.loads(self.body)


class AsgiClient:
    """Sends requests to an application in one event loop of its own. `peer` is the address of the TCP peer."""

    def __init__(self, application: AsgiApplication, peer: str | None = LOCAL_PEER) -> None:
        self._application = application
        self._peer = peer
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._runner.close()

    def get(self, target: str, headers: Mapping[str, str] | None = None, **options: Any) -> AsgiResponse:
        return self.request("GET", target, headers, **options)

    def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AsgiResponse:
        """Send one request; the options are those of `exchange`."""
        scope = http_scope(method, target, headers or {}, self._peer)
        return self._runner.run(exchange(self._application, scope, **options))


async def exchange(
    application: AsgiApplication,
    scope: dict[str, Any],
    *,
    body: bytes = b"",
    on_part: Callable[[bytes], Awaitable[None]] | None = None,
    disconnect_after: int | None = None,
    keep_error: bool = False,
) -> AsgiResponse:
    """Run one request through an application.

    `on_part` is awaited before a part is accepted, as a server does whose client reads slowly. After `disconnect_after`
    parts the client is gone: `receive` returns ``http.disconnect`` and further parts are ignored. An exception of the
    application is raised, or stored in the response when `keep_error` is set.
    """
    server = _Server(AsgiResponse(scope=scope), body, on_part, disconnect_after)
    try:
        await application(scope, server.receive, server.send)
    except Exception as error:
        if not keep_error:
            raise
        server.response.error = error
    return server.response


class _Server:
    """The server's side of one request; it asserts that messages come in the order that ASGI requires."""

    def __init__(
        self,
        response: AsgiResponse,
        body: bytes,
        on_part: Callable[[bytes], Awaitable[None]] | None,
        disconnect_after: int | None,
    ) -> None:
        self.response = response
        self._request: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._on_part = on_part
        self._disconnect_after = disconnect_after
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        if self._request:
            return self._request.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._gone.is_set() and not self.response.is_complete:
            return
        if message["type"] == "http.response.start":
            self._start(message)
        else:
            await self._add_part(message)

    def _start(self, message: Message) -> None:
        assert not self.response.status, "the response was started twice"
        for name, value in message.get("headers", ()):
            assert isinstance(name, bytes), name
            assert isinstance(value, bytes), value
            assert name == name.lower(), name
        self.response.status = message["status"]
        self.response.raw_headers = list(message.get("headers", ()))

    async def _add_part(self, message: Message) -> None:
        response = self.response
        assert response.status, "a body part came before the start of the response"
        assert not response.is_complete, "a body part came after the last one"
        part = bytes(message.get("body", b""))
        if self._on_part:
            await self._on_part(part)
        response.parts.append(part)
        response.is_complete = not message.get("more_body", False)
        if response.is_complete or len(response.parts) == self._disconnect_after:
            self._gone.set()


def http_scope(method: str, target: str, headers: Mapping[str, str], peer: str | None = LOCAL_PEER) -> dict[str, Any]:
    """Return the ASGI 3 scope of a request; `target` is a path with its query."""
    raw_path, _, query = quote(target, safe="!#$%&'()*+,/:;=?@[]^~").partition("?")
    given = {"host": "testserver", **{name.lower(): value for name, value in headers.items()}}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given.items()],
        "client": (peer, 50000) if peer is not None else None,
        "server": ("testserver", 80),
        "state": {},
    }
