"""The order of one image request.

`ImageService.answer` knows no framework; `image/wsgi.py` calls it. One request goes this way:

1. the identifier is looked up: one catalogue query, trusted for `TRUSTED_SECONDS` so that a withdrawal is soon seen.
   While the database does not answer, what was known goes on being served for `GRACE_SECONDS` after it was last
   confirmed, and not longer: then everything is refused until the database is back;
2. `access.decide`: what may not be shown ends here, before anything else is read;
3. the rest of the path is parsed and laid on the image (`geometry.plan`); the result is kept under its spelling;
4. a matching ``If-None-Match`` ends it: 304, nothing read from storage;
5. a stored tile: one ranged read, its CRC-32 checked, its bytes sent (`tiles/source.py`);
6. anything else: the fewest tiles of one level, each read and checked as in 5, rendered (`render/pipeline.py`); what
   costs much (`request/cost.py`) in a process of its own, one at a time, and given in parts (`render/pool.py`).

A tile that does not fit its checksum is never sent. What is known of its image is then read again, once, in case the
pyramid was made anew meanwhile; a second time it is an error.

Image API 3.0 and 2.1.1 stand beside each other, and differ in the grammar, the canonical form and info.json alone: what
a tile is, is the same in both, and so are its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from time import monotonic
from typing import Final

from iiif_server.image import capabilities
from iiif_server.image.cached_image import CachedImage
from iiif_server.image.resolved import ResolvedRequest
from iiif_server.image.responses import (
    Address,
    ImageCall,
    address_of,
    base_uri,
    information,
    method_refused,
    preflight,
    redirect,
    refusal,
)
from iiif_server.metrics import Observer, RequestClass, Unobserved
from iiif_server.problems import Response, matches
from iiif_server.pyramid.file import PyramidDirectory
from iiif_server.render import pipeline
from iiif_server.render.decoded_cache import DecodedTiles
from iiif_server.render.pool import RenderedStream, RenderPool
from iiif_server.render.watermark import apply_protection, protection_of, read_watermark
from iiif_server.request.cost import is_slow
from iiif_server.request.geometry import ImageLimits, RenderPlan, choose_source, plan
from iiif_server.request.grammar import ApiVersion, parse
from iiif_server.request.info import PROFILES, Described, Offered
from iiif_server.tiles.circuit_breaker import CircuitBreaker
from iiif_server.tiles.source import open_tile_source
from iiif_server.tiles.spans import TileSpan
from iiif_server.whole_answer import Whole
from repository.access import AccessVerdict, Decision, decide
from repository.clock_cache import ClockCache
from repository.errors import (
    AccessRefused,
    DatabaseFault,
    KeyNotFound,
    NotFound,
    PyramidCorrupt,
    RequestInvalid,
    ShanbenError,
    Withdrawn,
)
from repository.identifiers import Kind, is_valid
from repository.localized import LocalizedText
from repository.model import HeldImage
from repository.repository import Repository

PREFIX: Final = base_uri(ApiVersion.THREE, "")
"""Where the addresses of Image API 3.0 begin, which are the ones our own pages use."""

_NO_ANSWER: Final = LocalizedText("数据库暂时没有应答", "it does not answer just now")

_OK, _NOT_MODIFIED = HTTPStatus.OK.value, HTTPStatus.NOT_MODIFIED.value
_HELD_IMAGES: Final = 4096
_PREPARED: Final = 16_384
_DIRECTORY_BYTES: Final = 64 << 20
_THUMBNAILS_BYTES: Final = 32 << 20
_THUMBNAIL: Final = 128 << 10
"""Bytes up to which a picture of a whole image is kept: lists of a work's pages ask for the same over and over."""


class ImageService:
    """Answers image requests for one repository. Safe to use from many threads; what it remembers is bounded.

    `offered` is what may be asked for; when it is not given, what works is found out first (a fifth of a second; raises
    `DependencyMissing` when that is too little).

    Held at most: 4,096 images, 16,384 understood spellings (about 1 KB each), 64 MiB of pyramids' directories,
    32 MiB of small pictures of whole images, each under its ETag, 64 MiB of decoded tiles.
    """

    def __init__(
        self,
        repository: Repository,
        clock: Callable[[], float] = monotonic,
        offered: Offered | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer = observer or Unobserved()
        self._catalogue = repository.catalogue
        self._fuse = CircuitBreaker(DatabaseFault)
        self._tiles = open_tile_source(repository.settings, repository.store, observer)
        self._mark = read_watermark(repository.settings.watermark)
        self._max_area = repository.settings.max_area
        self._jpeg_quality = repository.settings.jpeg_quality
        self._clock = clock
        self._known: ClockCache[str, CachedImage] = ClockCache(_HELD_IMAGES)
        self._prepared: ClockCache[str, ResolvedRequest] = ClockCache(_PREPARED)
        self._directories: ClockCache[str, PyramidDirectory] = ClockCache(_DIRECTORY_BYTES, _memory)
        self._thumbnails: ClockCache[str, bytes] = ClockCache(_THUMBNAILS_BYTES, len)
        self._decoded = DecodedTiles()
        self._edition = pipeline.renderer_version()
        self._slow = RenderPool(repository.settings.render_seconds, observer)
        pipeline.use_little_memory()
        self._offered = offered or capabilities.probe()
        observer.watched("database-fuse", lambda: float(self._fuse.is_open))

    def answer(self, call: ImageCall) -> Response:
        """The response to one request; errors of the domain become problem documents."""
        if call.method == "OPTIONS":
            self._observer.took("info")
            return preflight()
        if call.method not in {"GET", "HEAD"}:
            self._observer.took("refused")
            return method_refused(call)
        try:
            try:
                return self._answer(call)
            except (PyramidCorrupt, KeyNotFound):
                return self._answer_anew(call, address_of(call.path).identifier)
        except ShanbenError as error:
            self._observer.took("refused")
            return refusal(error, call)

    def at_once(self, call: ImageCall) -> tuple[Whole, RequestClass] | None:
        """The response to a request, and the way it went, if it can be had without waiting for anything; else None.

        That is what the memory of this process or of the machine holds: what is known of the image, its pyramid's
        directory, the stored tile, or the thumbnail. `answer` gives the same. Nobody is told of it.
        """
        if call.method not in {"GET", "HEAD"}:
            return None
        try:
            prepared = self._prepared_at_once(call.path)
            if prepared is None:
                return None
            picture, unchanged = prepared.lines(call.base_url)
            if call.if_none_match and matches(call.if_none_match, prepared.etag):
                return Whole(_NOT_MODIFIED, unchanged), "not-modified"
            body = self._pixels_at_once(prepared) if call.method == "GET" else None
        except (ShanbenError, ValueError):
            return None
        if body is None:
            return None
        return Whole(_OK, picture, body), "stored" if prepared.place else "rendered"

    def soon(self, call: ImageCall) -> Awaitable[tuple[Whole, RequestClass] | None] | None:
        """The same for a stored tile that `at_once` has just not had, and that the event loop can read; else None.

        What is awaited may be None too: then, as otherwise, it is for `answer`.
        """
        prepared = self._prepared.get(call.path)
        if call.method != "GET" or prepared is None or prepared.place is None:
            return None
        if prepared.known.expires < self._clock():
            return None
        reading = self._tiles.soon(prepared.known.image.pyramid.key, *prepared.place)
        return self._answer_soon(prepared.lines(call.base_url)[0], reading) if reading else None

    async def _answer_soon(self, lines: bytes, reading: Awaitable[bytes | None]) -> tuple[Whole, RequestClass] | None:
        tile = await reading
        return None if tile is None else (Whole(_OK, lines, tile), "stored")

    def _prepared_at_once(self, path: str) -> ResolvedRequest | None:
        prepared = self._prepared.get(path)
        now = self._clock()
        if prepared and prepared.known.expires >= now:
            return prepared
        address = address_of(path)
        known = self._known.get(address.identifier)
        if known is None or known.expires < now or address.rest in {"", "info.json"}:
            return None
        return self._prepare(path, address, known)

    def _pixels_at_once(self, prepared: ResolvedRequest) -> bytes | bytearray | None:
        if prepared.task.tile is None:
            return self._thumbnails.get(prepared.etag)
        key = prepared.known.image.pyramid.key
        place = prepared.place
        if place is None:
            directory = self._directories.get(key)
            if directory is None:
                return None
            prepared.place = place = directory.locate(prepared.task.tile)
        return self._tiles.near(key, *place)

    def _answer_anew(self, call: ImageCall, identifier: str) -> Response:
        """The answer by what is known now of an image; what is damaged then is damaged, and is reported."""
        self._forget(identifier)
        try:
            return self._answer(call)
        except (PyramidCorrupt, KeyNotFound) as error:
            if known := self._known.get(identifier):
                self._report(known, error)
            raise

    def _report(self, known: CachedImage, error: ShanbenError) -> None:
        self._observer.damaged(known.image.identifier, known.image.work, str(error))

    def _answer(self, call: ImageCall) -> Response:
        prepared = self._prepared.get(call.path)
        if prepared is None or prepared.known.expires < self._clock():
            address = address_of(call.path)
            known = self._look_up(address.identifier)  # 1, 2
            self._observer.took("info")
            if not address.rest:
                return redirect(call, address)
            if address.rest == "info.json":
                return information(call, address.version, _described(call, address, known), self._offered)
            prepared = self._prepare(call.path, address, known)  # 3
        headers = prepared.headers(call.base_url)
        if call.if_none_match and matches(call.if_none_match, prepared.etag):
            self._observer.took("not-modified")
            return Response(HTTPStatus.NOT_MODIFIED, headers[1:])  # 4
        if call.method == "HEAD":
            self._observer.took("info")
            return Response(HTTPStatus.OK, [*headers, *self._length(prepared)])
        return Response(HTTPStatus.OK, headers, self._pixels(prepared))

    def _length(self, prepared: ResolvedRequest) -> list[tuple[str, str]]:
        """The length of a stored tile; that of anything else is not known before it is made."""
        if prepared.task.tile is None:
            return []
        return [("Content-Length", str(self._locate(prepared.known, prepared.task.tile)[1]))]

    def _look_up(self, identifier: str) -> CachedImage:
        """What is known of an image that may be shown. Raises `NotFound`, `Withdrawn`, `AccessRefused`."""
        known = self._known.get(identifier)
        now = self._clock()
        if known and known.expires >= now:
            return known
        try:
            image = self._ask(identifier) if is_valid(identifier, Kind.IMAGE) else None
        except DatabaseFault:
            if known and known.serve_stale(self._clock()):
                return known
            raise
        if image is None:
            self._known.forget(identifier)
            raise NotFound(what=LocalizedText("图像 {name}", "The image {name}").format(name=identifier))
        decision = decide(image.rights, image.state)
        if not decision.shows_pixels:
            self._known.forget(identifier)
            raise _denial(decision, identifier)
        if known and known.image == image:
            known.confirm(now)
            return known
        known = CachedImage(
            image, ImageLimits(self._max_area, decision.max_size), protection_of(image, self._mark), now
        )
        self._known.put(identifier, known)
        return known

    def _ask(self, identifier: str) -> HeldImage | None:
        return self._fuse.run(lambda: self._catalogue.image(identifier), reason=_NO_ANSWER)

    def _prepare(self, path: str, address: Address, known: CachedImage) -> ResolvedRequest:
        prepared = self._prepared.get(path)
        if prepared and prepared.known is known:
            return prepared
        asked = parse(address.rest, address.version)
        if asked.format not in self._offered.formats:
            raise RequestInvalid(part="format", reason=_not_offered(asked.format, self._offered.formats))
        if asked.quality not in self._offered.qualities:
            raise RequestInvalid(part="quality", reason=_not_offered(asked.quality, self._offered.qualities))
        task = apply_protection(plan(asked, known.grid, known.limits), known.protection, known.grid)
        uri = base_uri(address.version, address.identifier)
        link = f'{uri}/{task.canonical}>;rel="canonical", <{PROFILES[address.version]}>;rel="profile"'
        prepared = ResolvedRequest(known, task, self._etag(known, task), pipeline.MEDIA_TYPES[task.format], link)
        self._prepared.put(path, prepared)
        return prepared

    def _etag(self, known: CachedImage, task: RenderPlan) -> str:
        """A strong validator: the pyramid, the answer, and for what is not stored, all that decides its rendering."""
        pyramid = known.image.pyramid.fingerprint[:16]
        if task.tile is not None:
            return f'"{pyramid}-{task.tile}"'
        made = f"{self._edition} {self._jpeg_quality} {task.protection.variant}"
        decided = f"{task.canonical} {task.width},{task.height} {known.limits} {made}"
        return f'"{pyramid}-{hashlib.blake2b(decided.encode(), digest_size=8).hexdigest()}r"'

    def _pixels(self, prepared: ResolvedRequest) -> bytes | RenderedStream:
        known, task = prepared.known, prepared.task
        if task.tile is not None:
            self._observer.took("stored")
            return self._read_tile(known, task.tile)  # 5
        thumbnail = self._thumbnails.get(prepared.etag)
        if thumbnail is not None:
            self._observer.took("rendered")
            return thumbnail
        source = choose_source(task, known.grid, known.limits)  # 6
        if is_slow(task, source):
            self._observer.took("slow")
            return self._slow.render(task, source, known.grid, self._slow_reader(known), self._jpeg_quality)
        self._observer.took("rendered")
        began = monotonic()
        try:
            read, kept = lambda ordinals: self._read_tiles(known, ordinals), self._decoded.of(known.image.pyramid)
            made = pipeline.render(task, source, known.grid, read, self._jpeg_quality, kept)
        finally:
            self._observer.counted("decode-seconds", monotonic() - began)
        if task.region[2:] == (known.grid.width, known.grid.height) and len(made) <= _THUMBNAIL:
            self._thumbnails.put(prepared.etag, made)
        return made

    def _slow_reader(self, known: CachedImage) -> pipeline.ReadTiles:
        """Reads tiles for an answer that may have been begun when one proves damaged: there is no second time then."""

        def read(ordinals: Sequence[int]) -> list[bytes]:
            try:
                return self._read_tiles(known, ordinals)
            except (PyramidCorrupt, KeyNotFound) as error:
                self._report(known, error)
                raise

        return read

    def _read_tile(self, known: CachedImage, ordinal: int) -> bytes:
        """The stored bytes of a tile. Raises `PyramidCorrupt` rather than give other bytes."""
        return self._tiles.tile(known.image.pyramid.key, *self._locate(known, ordinal))

    def _locate(self, known: CachedImage, ordinal: int) -> tuple[int, int, int]:
        """Where a tile lies in its pyramid: its offset, length and CRC-32."""
        directory = self._directories.get(known.image.pyramid.key) or self._read_directory(known)
        return directory.locate(ordinal)

    def _read_tiles(self, known: CachedImage, ordinals: Sequence[int]) -> list[bytes]:
        """The stored bytes of many tiles, read together. Raises as `_read_tile` does."""
        key = known.image.pyramid.key
        directory = self._directories.get(key) or self._read_directory(known)
        return self._tiles.tiles(key, [TileSpan(*directory.locate(ordinal)) for ordinal in ordinals])

    def _read_directory(self, known: CachedImage) -> PyramidDirectory:
        """The directory of a pyramid, which must be the one that the catalogue knows."""
        pyramid = known.image.pyramid
        self._observer.counted("directory-read")
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


def _described(call: ImageCall, address: Address, known: CachedImage) -> Described:
    uri = call.base_url + base_uri(address.version, address.identifier)
    return Described(uri, call.base_url, known.image.work, known.image.rights.uri, known.grid, known.limits)


def _not_offered(wanted: str, offered: Iterable[str]) -> LocalizedText:
    return LocalizedText(
        "本服务不提供 {wanted}，可用：{offered}", "{wanted} is not offered here; there are: {offered}"
    ).format(wanted=wanted, offered=", ".join(offered))


def _memory(directory: PyramidDirectory) -> int:
    return directory.memory


def _denial(decision: Decision, identifier: str) -> ShanbenError:
    what = LocalizedText("图像 {name}", "The image {name}").format(name=identifier)
    return Withdrawn(what=what) if decision.verdict is AccessVerdict.WITHDRAWN else AccessRefused(what=what)
