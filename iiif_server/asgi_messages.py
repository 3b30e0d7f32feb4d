"""ASGI's callables and messages, as the middleware of this package uses them: https://asgi.readthedocs.io ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from iiif_server.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first value of a request header, whose name is given in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


async def send_problem(send: Send, problem: Problem) -> None:
    """Send a problem document as a whole response."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers]
    headers.append((b"content-length", b"%d" % len(problem.body)))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.body})
