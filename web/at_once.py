"""Image requests that can be answered without waiting for anything: in the event loop, with no thread to wake."""

from __future__ import annotations

from time import perf_counter

from iiif_server.image_answers import PREFIXES, ImageCall
from iiif_server.image_service import ImageService
from iiif_server.whole_answer import Whole
from web.gate import LONGEST_ADDRESS
from web.http_messages import Request
from web.request_log import RequestLog


class AtOnce:
    """Answers what it can of what the WSGI application would answer likewise, and logs it likewise.

    `base_url` is `Settings.base_url`: the public address, '' for the one that each request was sent to.
    """

    def __init__(self, service: ImageService, log: RequestLog, base_url: str) -> None:
        self._service = service
        self._log = log
        self._base_url = base_url

    def __call__(self, request: Request) -> Whole | None:
        """The answer; None for what has to wait for something, and for all that is no image request."""
        path, headers = request.path, request.headers
        if not path.startswith(PREFIXES) or len(path) > LONGEST_ADDRESS or request.query or "host" not in headers:
            return None
        began = perf_counter()
        base_url = self._base_url or f"http://{headers['host']}"
        found = self._service.at_once(ImageCall(path, base_url, request.method, headers.get("if-none-match")))
        if found is None:
            return None
        answer, lane = found
        line = self._log.answered(request, answer, lane, began)
        return Whole(answer.status, answer.lines + line, answer.body)
