"""The WSGI application of the image service.

The public address in links is `Settings.base_url`, else the request's own scheme and host. ``X-Forwarded-*`` headers
are never believed: behind a proxy, set the base URL.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from iiif_server.image.responses import PREFIXES, ImageCall
from iiif_server.image.service import ImageService
from repository.repository import Repository

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class ImageApplication:
    """WSGI: image requests answered here, everything else handed to `behind`."""

    def __init__(self, repository: Repository, behind: WSGIApplication, service: ImageService | None = None) -> None:
        self._service = service or ImageService(repository)
        self._base_url = repository.settings.base_url
        self._behind = behind

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        path: str = environ["PATH_INFO"]
        if not path.startswith(PREFIXES):
            return self._behind(environ, start_response)
        call = ImageCall(
            path if path.isascii() else _decoded(path),
            self._base_url or _own_address(environ),
            environ["REQUEST_METHOD"],
            environ.get("HTTP_IF_NONE_MATCH"),
            environ.get("HTTP_ACCEPT"),
            environ.get("HTTP_ACCEPT_LANGUAGE"),
        )
        status, headers, body = self._service.answer(call)
        if not isinstance(body, bytes):
            start_response(_STATUS_LINES[status], headers)
            return body
        if call.method == "HEAD" and body:
            headers.append(("Content-Length", str(len(body))))
            body = b""
        start_response(_STATUS_LINES[status], headers)
        return [body]


_STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def _own_address(environ: WSGIEnvironment) -> str:
    """The address the request was sent to (PEP 3333, "URL Reconstruction")."""
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return f"{environ['wsgi.url_scheme']}://{host}{environ.get('SCRIPT_NAME', '')}"


def _decoded(path: str) -> str:
    """PEP 3333 carries the path's bytes as Latin-1."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")
