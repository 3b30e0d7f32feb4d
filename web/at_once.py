"""Image requests that can be answered in the event loop, with no thread to wake: at once, or when bytes have come."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter

from iiif_server.image.responses import PREFIXES, ImageCall
from iiif_server.image.service import ImageService
from iiif_server.metrics import RequestClass
from iiif_server.whole_answer import Whole
from web.gate import LONGEST_ADDRESS
from web.http_messages import Request
from web.telemetry.wsgi_request_log import WsgiRequestLog


class AtOnce:
    """Answers what it can of what the WSGI application would answer likewise, and logs it likewise.

    `base_url` is `Settings.base_url`: the public address, '' for the one that each request was sent to.
    """

    def __init__(self, service: ImageService, log: WsgiRequestLog, base_url: str) -> None:
        self._service = service
        self._log = log
        self._base_url = base_url

    def __call__(self, request: Request) -> Whole | Awaitable[Whole | None] | None:
        """The answer, now or awaited; None for what takes a thread, and for all that is no image request.

        What is awaited may be None as well.
        """
        path, headers = request.path, request.headers
        if not path.startswith(PREFIXES) or len(path) > LONGEST_ADDRESS or request.query or "host" not in headers:
            return None
        began = perf_counter()
        base_url = self._base_url or f"http://{headers['host']}"
        call = ImageCall(path, base_url, request.method, headers.get("if-none-match"))
        found = self._service.at_once(call)
        if found is not None:
            return self._logged(request, found, began)
        coming = self._service.soon(call)
        return self._when_there(request, coming, began) if coming else None

    async def _when_there(
        self, request: Request, coming: Awaitable[tuple[Whole, RequestClass] | None], began: float
    ) -> Whole | None:
        found = await coming
        return None if found is None else self._logged(request, found, began)

    def _logged(self, request: Request, found: tuple[Whole, RequestClass], began: float) -> Whole:
        answer, lane = found
        line = self._log.answered(request, answer, lane, began)
        return Whole(answer.status, answer.lines + line, answer.body)
