"""ASGI middleware that refuses URLs longer than any that this application serves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from iiif_server.asgi_messages import Application, Receive, Scope, Send, header, send_problem
from iiif_server.problems import problem_document, stated_language
from repository.localized import LocalizedText

MAX_URL_BYTES: Final = 4096
"""The limit of a path and its query together, as sent. The longest image request has about 200 bytes."""

_TOO_LONG: Final = LocalizedText(
    f"地址过长，路径与查询合计不得超过 {MAX_URL_BYTES} 字节；请缩短地址",
    f"The URL is too long: its path and query may have at most {MAX_URL_BYTES} bytes together; shorten it",
)


class MaxUrlLength:
    """Responds with 414 to a request whose URL exceeds `MAX_URL_BYTES`, and passes every other request on."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http" or _url_length(scope) <= MAX_URL_BYTES:
            await self._application(scope, receive, send)
            return
        language = stated_language(header(scope, b"accept-language"))
        await send_problem(
            send, problem_document(HTTPStatus.REQUEST_URI_TOO_LONG, "address.long", _TOO_LONG, language, {})
        )


def _url_length(scope: Scope) -> int:
    path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    return len(path) + len(scope["query_string"])
