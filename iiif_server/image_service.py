"""The order of one image request, and the WSGI application that runs it.

`ImageService.answer` knows no framework. One request goes this way:

1. the identifier is looked up: one catalogue query, trusted for `TRUSTED_SECONDS` so that a withdrawal is soon seen.
   While the database does not answer, what was known goes on being served for `GRACE_SECONDS` after it was last
   confirmed, and not longer: then everything is refused until the database is back;
2. `access.decide`: what may not be shown ends here, before anything else is read;
3. the rest of the path is parsed and laid on the image (`geometry.plan`); the result is kept under its spelling;
4. a matching ``If-None-Match`` ends it: 304, nothing read from storage;
5. a stored tile: one ranged read, its CRC-32 checked, its bytes sent (`tile_source.py`);
6. anything else: the fewest tiles of one level, each read and checked as in 5, rendered (`render.py`). A process makes
   one large picture at a time (`LARGE_PIXELS`), so that its memory stays bounded; who waits too long is told to retry.

A tile that does not fit its checksum is never sent. What is known of its image is then read again, once, in case the
pyramid was made anew meanwhile; a second time it is an error.

The public address in links is `Settings.base_url`, else the request's own scheme and host. ``X-Forwarded-*`` headers
are never believed: behind a proxy, set the base URL.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from iiif_server import render
from iiif_server.fuse import Fuse
from iiif_server.geometry import Limits, RenderPlan, Source, choose_source, plan
from iiif_server.image_info import CONTEXT, PROFILE, image_info
from iiif_server.image_request import parse
from iiif_server.pyramid import PyramidDirectory
from iiif_server.recently_used import RecentlyUsed
from iiif_server.responses import Response, matches, media_weight, problem, problem_document
from iiif_server.tile_grid import TileGrid
from iiif_server.tile_source import open_tile_source
from repository.access import Decision, Verdict, decide
from repository.errors import (
    AccessRefused,
    DatabaseFault,
    KeyAbsent,
    NotHeld,
    PyramidCorrupt,
    RenderingBusy,
    ShanbenError,
    Withdrawn,
)
from repository.handle import Repository
from repository.identifiers import Kind, is_valid
from repository.model import HeldImage
from repository.text import Text, preferred_language

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX: Final = "/iiif/image/3/"
TRUSTED_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 60.0
"""How long after its last confirmation an image is served while the database is away."""

_ASK_AGAIN_SECONDS: Final = 1.0
_NO_ANSWER: Final = Text("数据库暂时没有应答", "it does not answer just now")
LARGE_PIXELS: Final = 8_000_000
"""Pixels read or made from which an answer is large: at most about 80 MB. The largest, 64 megapixels, took 650 MB."""

_PATIENCE_SECONDS: Final = 20.0

_HELD_IMAGES: Final = 4096
_PREPARED: Final = 16_384
_DIRECTORY_BYTES: Final = 64 << 20

_METHODS: Final = "GET, HEAD, OPTIONS"
_CORS: Final = ("Access-Control-Allow-Origin", "*")
_CACHED: Final = ("Cache-Control", "public, max-age=3600")
_INFO_CACHED: Final = ("Cache-Control", "public, max-age=300")
_JSON_LD: Final = f'application/ld+json;profile="{CONTEXT}"'
_JSON: Final = "application/json"

_LOG: Final = logging.getLogger("shanben.image")


class ImageCall(NamedTuple):
    """One request. `path` is what follows `PREFIX`, percent-decoded once; `base_url` has no final slash."""

    path: str
    base_url: str
    method: str = "GET"
    if_none_match: str | None = None
    accept: str | None = None
    accept_language: str | None = None


class _Known:
    """What is known of an image, until `expires` on the service's clock. `grid` comes of the catalogue alone."""

    __slots__ = ("confirmed", "expires", "grid", "image", "limits")

    def __init__(self, image: HeldImage, limits: Limits, now: float) -> None:
        self.image = image
        self.limits = limits
        self.grid = TileGrid(image.width, image.height, image.pyramid.tile_size)
        self.confirm(now)

    def confirm(self, now: float) -> None:
        """The catalogue has just said so."""
        self.confirmed = now
        self.expires = now + TRUSTED_SECONDS

    def excuse(self, now: float) -> bool:
        """The catalogue cannot be asked: whether this may be served all the same, for a moment."""
        end = self.confirmed + GRACE_SECONDS
        self.expires = min(now + _ASK_AGAIN_SECONDS, end)
        return now <= end


class _Prepared(NamedTuple):
    """A spelling already understood. `link` is the canonical path, from `PREFIX` on, and the rest of its header."""

    known: _Known
    task: RenderPlan
    etag: str
    media_type: str
    link: str


class ImageService:
    """Answers image requests for one repository. Safe to use from many threads; what it remembers is bounded.

    Held at most: 4,096 images, 16,384 understood spellings (about 1 KB each), 64 MiB of pyramids' directories.
    """

    def __init__(self, repository: Repository, clock: Callable[[], float] = monotonic) -> None:
        self._catalogue = repository.catalogue
        self._fuse = Fuse(DatabaseFault)
        self._tiles = open_tile_source(repository.settings, repository.store)
        self._max_area = repository.settings.max_area
        self._jpeg_quality = repository.settings.jpeg_quality
        self._clock = clock
        self._known: RecentlyUsed[str, _Known] = RecentlyUsed(_HELD_IMAGES)
        self._prepared: RecentlyUsed[str, _Prepared] = RecentlyUsed(_PREPARED)
        self._directories: RecentlyUsed[str, PyramidDirectory] = RecentlyUsed(_DIRECTORY_BYTES, _memory)
        self._edition = render.edition()
        self._large = Lock()
        render.use_little_memory()

    def answer(self, call: ImageCall) -> Response:
        """The response to one request; errors of the domain become problem documents."""
        if call.method == "OPTIONS":
            return _preflight()
        if call.method not in {"GET", "HEAD"}:
            return _method_refused(call)
        try:
            try:
                return self._answer(call)
            except (PyramidCorrupt, KeyAbsent):
                self._forget(call.path.partition("/")[0])
                return self._answer(call)
        except ShanbenError as error:
            return _refusal(error, call)

    def _answer(self, call: ImageCall) -> Response:
        prepared = self._prepared.get(call.path)
        if prepared is None or prepared.known.expires < self._clock():
            identifier, _, rest = call.path.partition("/")
            known = self._look_up(identifier)  # 1, 2
            if not rest:
                location = f"{call.base_url}{PREFIX}{identifier}/info.json"
                return Response(HTTPStatus.SEE_OTHER, [("Location", location), _CORS])
            if rest == "info.json":
                return _info(known, call)
            prepared = self._prepare(call.path, rest, known)  # 3
        headers = [
            ("Content-Type", prepared.media_type),
            ("ETag", prepared.etag),
            ("Link", f"<{call.base_url}{prepared.link}"),
            _CACHED,
            _CORS,
        ]
        if call.if_none_match and matches(call.if_none_match, prepared.etag):
            return Response(HTTPStatus.NOT_MODIFIED, headers[1:])  # 4
        if call.method == "HEAD":
            return Response(HTTPStatus.OK, headers)
        return Response(HTTPStatus.OK, headers, self._pixels(prepared))

    def _look_up(self, identifier: str) -> _Known:
        """What is known of an image that may be shown. Raises `NotHeld`, `Withdrawn`, `AccessRefused`."""
        known = self._known.get(identifier)
        now = self._clock()
        if known and known.expires >= now:
            return known
        try:
            image = self._ask(identifier) if is_valid(identifier, Kind.IMAGE) else None
        except DatabaseFault:
            if known and known.excuse(self._clock()):
                return known
            raise
        if image is None:
            self._known.forget(identifier)
            raise NotHeld(what=Text("图像 {name}", "The image {name}").format(name=identifier))
        decision = decide(image.rights, image.state)
        if not decision.shows_pixels:
            self._known.forget(identifier)
            raise _denial(decision, identifier)
        if known and known.image == image:
            known.confirm(now)
            return known
        known = _Known(image, Limits(self._max_area, decision.max_size), now)
        self._known.put(identifier, known)
        return known

    def _ask(self, identifier: str) -> HeldImage | None:
        return self._fuse.run(lambda: self._catalogue.image(identifier), reason=_NO_ANSWER)

    def _prepare(self, path: str, rest: str, known: _Known) -> _Prepared:
        prepared = self._prepared.get(path)
        if prepared and prepared.known is known:
            return prepared
        task = plan(parse(rest), known.grid, known.limits)
        link = f'{PREFIX}{known.image.identifier}/{task.canonical}>;rel="canonical", <{PROFILE}>;rel="profile"'
        prepared = _Prepared(known, task, self._etag(known, task), render.MEDIA_TYPES[task.format], link)
        self._prepared.put(path, prepared)
        return prepared

    def _etag(self, known: _Known, task: RenderPlan) -> str:
        """A strong validator: the pyramid, the answer, and for what is not stored, all that decides its rendering."""
        pyramid = known.image.pyramid.fingerprint[:16]
        if task.tile is not None:
            return f'"{pyramid}-{task.tile}"'
        decided = f"{task.canonical} {task.width},{task.height} {known.limits} {self._edition} {self._jpeg_quality}"
        return f'"{pyramid}-{hashlib.blake2b(decided.encode(), digest_size=8).hexdigest()}r"'

    def _pixels(self, prepared: _Prepared) -> bytes:
        known, task = prepared.known, prepared.task
        if task.tile is not None:
            return self._read_tile(known, task.tile)  # 5
        source = choose_source(task, known.grid, known.limits)
        if max(source.box.width * source.box.height, task.width * task.height) < LARGE_PIXELS:
            return self._render(known, task, source)  # 6
        if not self._large.acquire(timeout=_PATIENCE_SECONDS):
            raise RenderingBusy
        try:
            return self._render(known, task, source)
        finally:
            self._large.release()

    def _render(self, known: _Known, task: RenderPlan, source: Source) -> bytes:
        return render.render(
            task, source, known.grid, lambda ordinal: self._read_tile(known, ordinal), self._jpeg_quality
        )

    def _read_tile(self, known: _Known, ordinal: int) -> bytes:
        """The stored bytes of a tile. Raises `PyramidCorrupt` rather than give other bytes."""
        key = known.image.pyramid.key
        directory = self._directories.get(key) or self._read_directory(known)
        offset, length, crc = directory.locate(ordinal)
        return self._tiles.tile(key, offset, length, crc)

    def _read_directory(self, known: _Known) -> PyramidDirectory:
        """The directory of a pyramid, which must be the one that the catalogue knows."""
        pyramid = known.image.pyramid
        directory = self._tiles.directory(pyramid)
        if directory.grid != known.grid:
            raise PyramidCorrupt(key=pyramid.key, reason=f"{directory.grid} ≠ {known.grid}")
        self._directories.put(pyramid.key, directory)
        return directory

    def _forget(self, identifier: str) -> None:
        known = self._known.get(identifier)
        if known:
            known.expires = -1.0
            self._directories.forget(known.image.pyramid.key)
            self._tiles.forget(known.image.pyramid)
            self._known.forget(identifier)


class ImageApplication:
    """WSGI: image requests answered here, everything else handed to `behind`."""

    def __init__(self, repository: Repository, behind: WSGIApplication) -> None:
        self._service = ImageService(repository)
        self._base_url = repository.settings.base_url
        self._behind = behind

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        path: str = environ["PATH_INFO"]
        if not path.startswith(PREFIX):
            return self._behind(environ, start_response)
        call = ImageCall(
            path[len(PREFIX) :] if path.isascii() else _decoded(path[len(PREFIX) :]),
            self._base_url or _own_address(environ),
            environ["REQUEST_METHOD"],
            environ.get("HTTP_IF_NONE_MATCH"),
            environ.get("HTTP_ACCEPT"),
            environ.get("HTTP_ACCEPT_LANGUAGE"),
        )
        status, headers, body = self._service.answer(call)
        start_response(_STATUS_LINES[status], headers)
        return [b"" if call.method == "HEAD" else body]


_STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def _own_address(environ: WSGIEnvironment) -> str:
    """The address the request was sent to (PEP 3333, "URL Reconstruction")."""
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return f"{environ['wsgi.url_scheme']}://{host}{environ.get('SCRIPT_NAME', '')}"


def _decoded(path: str) -> str:
    """PEP 3333 carries the path's bytes as Latin-1."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _memory(directory: PyramidDirectory) -> int:
    return directory.memory


def _denial(decision: Decision, identifier: str) -> ShanbenError:
    what = Text("图像 {name}", "The image {name}").format(name=identifier)
    return Withdrawn(what=what) if decision.verdict is Verdict.WITHDRAWN else AccessRefused(what=what)


def _info(known: _Known, call: ImageCall) -> Response:
    """The information document, as JSON-LD unless the request prefers plain JSON or is a browser's (section 5.1)."""
    uri = f"{call.base_url}{PREFIX}{known.image.identifier}"
    body = image_info(uri, known.grid, known.limits, known.image.rights.uri)
    media_type = _JSON if _prefers_json(call.accept) else _JSON_LD
    etag = f'"{hashlib.blake2b(media_type.encode() + body, digest_size=12).hexdigest()}"'
    headers = [
        ("Content-Type", media_type),
        ("ETag", etag),
        ("Link", f'<{PROFILE}>;rel="profile"'),
        ("Vary", "Accept"),
        _INFO_CACHED,
        _CORS,
    ]
    if matches(call.if_none_match, etag):
        return Response(HTTPStatus.NOT_MODIFIED, headers[1:])
    return Response(HTTPStatus.OK, headers, body)


def _prefers_json(accept: str | None) -> bool:
    if not accept:
        return False
    linked, plain = media_weight(accept, "application/ld+json"), media_weight(accept, _JSON)
    return plain > linked or (plain == linked and "text/html" in accept)


def _preflight() -> Response:
    headers = [
        _CORS,
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", "*"),
        ("Access-Control-Max-Age", "86400"),
        ("Allow", _METHODS),
    ]
    return Response(HTTPStatus.NO_CONTENT, headers)


def _method_refused(call: ImageCall) -> Response:
    detail = Text("图像服务只接受 {methods}", "The image service takes only {methods}").format(methods=_METHODS)
    document = problem_document(
        HTTPStatus.METHOD_NOT_ALLOWED, "method", detail, preferred_language(call.accept_language), {}
    )
    return Response(HTTPStatus.METHOD_NOT_ALLOWED, [*document.headers, ("Allow", _METHODS), _CORS], document.body)


def _refusal(error: ShanbenError, call: ImageCall) -> Response:
    document = problem(error, preferred_language(call.accept_language))
    if document.status >= 500:
        _LOG.error("%s %s: %s", call.method, call.path, error)
    return Response(document.status, [*document.headers, _CORS], document.body)
