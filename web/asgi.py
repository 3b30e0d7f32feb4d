"""The composed ASGI application of the site: the request log, the limit of the URL's length, and a router.

The router sends images, renderings and bags to ASGI applications of their own, and everything else to Flask.

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
from http import HTTPStatus
from typing import Any, Final

from a2wsgi import WSGIMiddleware

from iiif_server.asgi_messages import Receive, Scope, Send, header, send_problem
from iiif_server.host_names import HostInvalid, is_host
from iiif_server.image.asgi import CLIENT_KEY, ImageApplication
from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from iiif_server.problems import problem, stated_language
from iiif_server.urls import IMAGE_PREFIXES, parse_bag_path, parse_rendering_path
from repository.config import Settings, process_settings
from repository.errors import ShanbenError
from repository.repository import Repository, open_repository
from web.accounts.session_credentials import SessionCredentials
from web.app import create_app
from web.max_url_length import MaxUrlLength
from web.services.bags import BagApplication
from web.services.renderings import RenderingApplication
from web.telemetry.damage_reports import DamageReporter
from web.telemetry.process_metrics import ProcessMetrics, prepare
from web.telemetry.request_log import RequestLog
from web.trusted_networks import client_address

PAGE_THREADS: Final = 8
"""Requests for pages and services that one process answers concurrently."""

_PICTURE_SECONDS: Final = 10.0
"""How long a page waits for a picture that it holds."""

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


_SAFE: Final = frozenset({"GET", "HEAD"})


class _Router:
    """Sends image requests to the image service. Of the others with a valid ``Host``, it sends renderings and bags to
    their applications, and the rest to Flask.
    """

    def __init__(
        self,
        images: ImageApplication,
        renderings: RenderingApplication,
        bags: BagApplication,
        pages: WSGIMiddleware,
        pictures: _ServicePictures,
    ) -> None:
        self._images = images
        self._renderings = renderings
        self._bags = bags
        self._pages = pages
        self._pictures = pictures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(IMAGE_PREFIXES):
            scope[CLIENT_KEY] = client_address(scope)
            await self._images(scope, receive, send)
        elif not is_host(header(scope, b"host") or "localhost"):
            language = stated_language(header(scope, b"accept-language"))
            await send_problem(send, problem(HostInvalid(), language))
        elif scope["method"] in _SAFE and (rendering := parse_rendering_path(scope["path"])):
            await self._renderings(scope, receive, send, rendering, client_address(scope))
        elif scope["method"] in _SAFE and (work := parse_bag_path(scope["path"])):
            await self._bags(scope, receive, send, work)
        else:
            self._pictures.loop = asyncio.get_running_loop()
            await self._pages(scope, receive, send)  # type: ignore[arg-type]


class _ServicePictures:
    """Pictures for pages that hold them, from the image service, as anybody gets them: access and protection apply.

    `loop` is the event loop of the service, known from the first request on.
    """

    def __init__(self, service: ImageService) -> None:
        self._service = service
        self.loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, path: str) -> bytes | None:
        """Return the picture at a path; None if it is refused or takes too long. Called in a thread of pages."""
        if self.loop is None:
            return None
        response = asyncio.run_coroutine_threadsafe(self._service.respond(ImageCall(path, "")), self.loop)
        try:
            made = response.result(_PICTURE_SECONDS)
        except TimeoutError:
            response.cancel()
            return None
        return bytes(made.body) if made.status == HTTPStatus.OK and isinstance(made.body, bytes | bytearray) else None


def compose(repository: Repository, service: ImageService, metrics: ProcessMetrics) -> RequestLog:
    """Return the whole web application of a repository."""
    settings = repository.settings
    pictures = _ServicePictures(service)
    app = create_app(repository, metrics, pictures=pictures)
    flask_application: Any = app.wsgi_app
    pages = WSGIMiddleware(flask_application, workers=PAGE_THREADS)
    images = ImageApplication(service, settings.base_url)
    renderings = RenderingApplication(repository, service, SessionCredentials(app, repository))
    router = _Router(images, renderings, BagApplication(repository), pages, pictures)
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
