"""The answer of a WSGI application (PEP 3333) to one request, sent as it is made. Runs in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iiif_server.whole_answer import Whole, head_lines
from web.http_messages import Bytes, Request, environment, has_body, head, told_of_connection, whole

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Answering:
    """One answer. `send` sends a part of it, and returns when there is room for the next; `date` is a header line.

    `keeps` is asked, when the application has answered, whether the connection is kept; `kept` is what it said. `begun`
    when some of the answer was sent.
    """

    def __init__(self, request: Request, keeps: Callable[[], bool], date: bytes, send: Callable[[bytes], None]) -> None:
        self._request = request
        self._keeps = keeps
        self.kept = False
        self._date = date
        self._send_part = send
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self.begun = False

    def run(self, application: WSGIApplication, always: Mapping[str, Any]) -> Sequence[Bytes]:
        """Ask the application, and send the parts of what it answers but for the last, or the whole, returned.

        `always` is what the environment holds whatever the request. Raises what `application` and `send` raise, and
        `ValueError` for an answer that is none.
        """
        body = application(environment(self._request, always), self._start)
        try:
            return self._answer(body)
        finally:
            close = getattr(body, "close", None)
            if close:
                close()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Callable[..., object]:
        self._status, self._headers = int(status[:3]), headers
        return _refuse_to_write

    def _answer(self, body: Iterable[bytes]) -> Sequence[Bytes]:
        request, self.kept = self._request, self._keeps()
        if not has_body(self._status, request.method):
            return whole(request, Whole(self._status, head_lines(self._status, self._headers)), self._date, self.kept)
        length = next((int(value) for name, value in self._headers if name.lower() == "content-length"), -1)
        if not isinstance(body, list) and (length >= 0 or request.is_1_1):
            return [self._stream(body, length)]
        others = [(name, value) for name, value in self._headers if name.lower() != "content-length"]
        answer = Whole(self._status, head_lines(self._status, others), b"".join(body))
        return whole(request, answer, self._date, self.kept)

    def _stream(self, body: Iterable[bytes], length: int) -> bytes:
        """Send parts as they come: `length` bytes, or in chunks when that is -1 (RFC 9112, section 7.1); the end."""
        framing = b"" if length >= 0 else b"Transfer-Encoding: chunked\r\n"
        connection = told_of_connection(self._request, self.kept)
        start, sent = head(self._status, self._headers, self._date, framing, connection), 0
        for part in filter(None, body):
            sent += len(part)
            self._send_part(start + (part if length >= 0 else b"%X\r\n%b\r\n" % (len(part), part)))
            start, self.begun = b"", True
        if length >= 0 and sent != length:
            raise ValueError(f"{sent} bytes of {length}")
        return start if length >= 0 else start + b"0\r\n\r\n"


def _refuse_to_write(_: bytes) -> object:
    raise NotImplementedError
