"""The composed ASGI application of the site: the request log, then the image service, then Flask for everything else.

``uvicorn --factory web.asgi:create`` runs it; `shanben serve` does so with several processes. The application is built
during the lifespan's startup, where a fault of the settings can be reported as a message instead of a traceback.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
from typing import Any, Final

from a2wsgi import WSGIMiddleware

from iiif_server.asgi_messages import Receive, Scope, Send, header, send_problem
from iiif_server.host_names import HostInvalid, is_host
from iiif_server.image.asgi import CLIENT_KEY, ImageApplication
from iiif_server.image.service import ImageService
from iiif_server.problems import problem, stated_language
from iiif_server.urls import IMAGE_PREFIXES
from repository.config import Settings, process_settings
from repository.errors import ShanbenError
from repository.repository import Repository, open_repository
from web.app import create_app
from web.max_url_length import MaxUrlLength
from web.telemetry.damage_reports import DamageReporter
from web.telemetry.process_metrics import ProcessMetrics, prepare
from web.telemetry.request_log import RequestLog
from web.trusted_networks import client_address

PAGE_THREADS: Final = 8
"""Requests for pages and services that one process answers concurrently."""

_SWITCH_SECONDS: Final = 0.0005
"""How soon a thread that renders a page or an image yields the interpreter to the event loop."""


class Site:
    """ASGI application that builds the site of this process's settings when the server starts."""

    def __init__(self) -> None:
        self._application: RequestLog | None = None
        self._service: ImageService | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request, or to the events of the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._application is not None:
            await self._application(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._start(process_settings())
        except ShanbenError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._service:
            await asyncio.to_thread(self._service.close)
        await send({"type": "lifespan.shutdown.complete"})

    def _start(self, settings: Settings) -> None:
        repository = open_repository(settings)
        reporter = DamageReporter(repository)
        metrics = ProcessMetrics(reporter.report, prepare(settings))
        self._service = ImageService(repository, metrics=metrics)
        self._application = compose(repository, self._service, metrics)
        reporter.start()
        metrics.start()
        _prepare_process()


class _Router:
    """Sends image requests to the image service and every other request with a valid ``Host`` to Flask."""

    def __init__(self, images: ImageApplication, pages: WSGIMiddleware) -> None:
        self._images = images
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(IMAGE_PREFIXES):
            scope[CLIENT_KEY] = client_address(scope)
            await self._images(scope, receive, send)
        elif not is_host(header(scope, b"host") or "localhost"):
            language = stated_language(header(scope, b"accept-language"))
            await send_problem(send, problem(HostInvalid(), language))
        else:
            await self._pages(scope, receive, send)  # type: ignore[arg-type]


def compose(repository: Repository, service: ImageService, metrics: ProcessMetrics) -> RequestLog:
    """Return the whole web application of a repository."""
    settings = repository.settings
    flask_application: Any = create_app(repository, metrics).wsgi_app
    pages = WSGIMiddleware(flask_application, workers=PAGE_THREADS)
    router = _Router(ImageApplication(service, settings.base_url), pages)
    return RequestLog(MaxUrlLength(router), metrics, settings.request_log)


def create() -> Site:
    """Return the application of this process."""
    return Site()


def _prepare_process() -> None:
    """Tune the interpreter for serving, and end this process when the one that started it ends."""
    gc.collect()
    gc.freeze()  # what is loaded lives as long as the process: a collection would only delay a tile
    sys.setswitchinterval(_SWITCH_SECONDS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        asyncio.get_running_loop().add_reader(parent.sentinel, _end_with_parent, parent.sentinel)


def _end_with_parent(sentinel: int) -> None:
    """Stop this process as SIGTERM does. The sentinel of a parent that has ended stays readable: watch it no more."""
    asyncio.get_running_loop().remove_reader(sentinel)
    os.kill(os.getpid(), signal.SIGTERM)
