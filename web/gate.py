"""What is not worth reading: requests that nothing here could ever ask for end at the door."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from iiif_server.problems import preferred_language, problem_document
from repository.localized import LocalizedText

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LONGEST_ADDRESS: Final = 4096
"""Bytes of a path and its query together. The longest that the image service can be asked for has some 200."""

_WORDS: Final = LocalizedText("地址过长", "The address is too long")


class Gate:
    """WSGI: refuses with 414 what is too long, and hands everything else on."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        if len(environ["PATH_INFO"]) + len(environ.get("QUERY_STRING", "")) <= LONGEST_ADDRESS:
            return self._application(environ, start_response)
        status = HTTPStatus.REQUEST_URI_TOO_LONG
        language = preferred_language(environ.get("HTTP_ACCEPT_LANGUAGE"))
        document = problem_document(status, "address.long", _WORDS, language, {})
        start_response(f"{status.value} {status.phrase}", list(document.headers))
        return [document.body]
