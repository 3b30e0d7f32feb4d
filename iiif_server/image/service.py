"""The image service: looks up an image, decides access, resolves the request and responds.

`ImageService.respond` knows no web framework; `asgi.py` calls it. Every request takes one path:

1. **Look up** the image (`look_up.py`): one catalogue query, trusted for `TRUSTED_SECONDS`.
2. **Decide access** (`access.decide`): a request for an image that must not be shown ends here. Credentials are read
   only for images that the public does not see whole (`viewers.py`).
3. **Resolve** the rest of the path: parse it (`grammar`), plan it on the image (`geometry`), protect it (`watermark`).
   The result is cached under its path. A matching ``If-None-Match`` ends the request: 304, nothing is read.
4. **Respond**: a stored tile by one verified read (`tiles`); any other image by rendering (`render`): a cheap one in a
   thread, a costly one (`cost.is_slow`) streamed from a sandboxed process (`pool.py`).

When a pyramid proves damaged or absent, the image is looked up again once, because the pyramid may have been replaced;
a second failure is reported as damage and refused.

Image API 3.0 and 2.1.1 differ in their grammar, canonical form and info.json; the bytes of a tile are the same.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Final

from iiif_server.auth.credentials import NO_CREDENTIALS, RequestCredentials
from iiif_server.entity_tags import matches
from iiif_server.image import capabilities
from iiif_server.image.client_budget import ClientBudget
from iiif_server.image.credentials import open_credentials
from iiif_server.image.descriptions import Descriptions
from iiif_server.image.download import with_packet
from iiif_server.image.look_up import ImageLookUp
from iiif_server.image.resolved import CachedImage, Headers, ResolvedRequest
from iiif_server.image.responses import (
    ImageCall,
    ImageResponse,
    method_refused,
    preflight,
    redirect,
    refusal,
)
from iiif_server.metrics import Metrics, NoMetrics
from iiif_server.pyramid.file import PyramidDirectory
from iiif_server.render import pipeline
from iiif_server.render.decoded_cache import DecodedTiles
from iiif_server.render.pool import RenderPool, blocking_reader
from iiif_server.render.watermark import apply_protection
from iiif_server.request.cost import RequestLimited, cost, is_slow
from iiif_server.request.geometry import RenderPlan, Source, choose_source, plan
from iiif_server.request.grammar import ApiVersion, parse
from iiif_server.request.info import PROFILES, Offered
from iiif_server.tiles.source import TileBytes, open_tile_source
from iiif_server.tiles.spans import TileSpan
from iiif_server.urls import ImagePath, image_path, parse_image_path
from repository.clock_cache import ClockCache
from repository.errors import (
    KeyNotFound,
    NotFound,
    PyramidCorrupt,
    RenderingBusy,
    RequestInvalid,
    ShanbenError,
)
from repository.localized import LocalizedText
from repository.model.access import Privileges
from repository.repository import Repository

_CACHED_REQUESTS: Final = 16_384
_DIRECTORY_BYTES: Final = 64 << 20
_THUMBNAIL_BYTES: Final = 32 << 20
_MAX_THUMBNAIL: Final = 128 << 10
"""Bytes up to which an image of the full region is cached: lists of a work's pages request the same ones repeatedly."""

_RENDER_THREADS: Final = 2


class ImageService:
    """Responds to image requests for one repository. Used from one event loop; its caches are bounded.

    `offered` is what may be requested; without it, `capabilities.probe` finds out (a tenth of a second; raises
    `DependencyMissing` when level 2 of the API cannot be served).

    Memory at most: 4,096 images, 16,384 resolved requests (about 1 KB each), 64 MiB of pyramid directories, 32 MiB of
    thumbnails, 64 MiB of decoded tiles, and two images of 4 megapixels being rendered.
    """

    def __init__(
        self,
        repository: Repository,
        clock: Callable[[], float] = monotonic,
        offered: Offered | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        settings = repository.settings
        self._metrics = metrics = metrics or NoMetrics()
        self._look_up = ImageLookUp(repository, metrics, clock)
        self._tiles = open_tile_source(settings, repository.store, metrics)
        self._publisher, self._base_url = settings.provider, settings.base_url
        self._credentials = open_credentials(settings, repository.catalogue)
        self._jpeg_quality = settings.jpeg_quality
        self._clock = clock
        self._resolved: ClockCache[str, ResolvedRequest] = ClockCache(_CACHED_REQUESTS)
        self._resolved_privately: ClockCache[str, ResolvedRequest] = ClockCache(_CACHED_REQUESTS // 4)
        self._directories: ClockCache[str, PyramidDirectory] = ClockCache(_DIRECTORY_BYTES, lambda found: found.memory)
        self._thumbnails: ClockCache[str, bytes] = ClockCache(_THUMBNAIL_BYTES, len)
        self._decoded = DecodedTiles()
        self._renderer_version = pipeline.renderer_version()
        self._render_threads = ThreadPoolExecutor(_RENDER_THREADS, "render")
        self._pool = RenderPool(settings.render_seconds, metrics)
        self._budget = ClientBudget(settings.client_pixels, clock)
        pipeline.use_little_memory()
        self._offered = offered or capabilities.probe()
        self._descriptions = Descriptions(self._look_up, self._offered, settings.provider)

    async def respond(self, call: ImageCall) -> ImageResponse:
        """Return the response to a request; domain errors become problem documents."""
        if call.method == "OPTIONS":
            return preflight()
        if call.method not in {"GET", "HEAD"}:
            return method_refused(call)
        try:
            try:
                return await self._respond(call)
            except (PyramidCorrupt, KeyNotFound):
                return await self._respond_afresh(call)
        except ShanbenError as error:
            return refusal(error, call)

    async def privileges(self, credentials: RequestCredentials) -> Privileges:
        """Return what a request with these credentials may see beyond the public. Raises `DatabaseFault`."""
        return await self._look_up.privileges(credentials)

    def close(self) -> None:
        """End the rendering process and the threads. Blocks: see `RenderPool.close`."""
        self._pool.close()
        self._credentials.close()
        self._render_threads.shutdown(wait=False, cancel_futures=True)
        self._look_up.close()

    async def _respond(self, call: ImageCall) -> ImageResponse:
        resolved = self._resolved.get(call.path)
        if resolved is None or resolved.image.expires < self._clock() or _may_see_more(call, resolved.image):
            path = _parsed(call.path)
            if not path.rest:
                await self._look_up.public(path.image)
                return redirect(call, path)
            if path.rest == "info.json":
                return await self._descriptions.respond(call, path)
            image = await self._look_up.shown(path.image, call.credentials)
            resolved = self._resolve(path, image)
        headers = resolved.headers(call.base_url)
        if call.if_none_match and matches(call.if_none_match, resolved.etag):
            without_type = headers[1:]
            return ImageResponse(HTTPStatus.NOT_MODIFIED, without_type, b"", "not-modified")
        if call.method == "HEAD":
            return ImageResponse(HTTPStatus.OK, [*headers, *await self._content_length(resolved)])
        if resolved.plan.tile is None:
            return await self._credentials.signed(await self._render(call, resolved, headers), resolved)
        span = resolved.span or await self._locate(resolved)
        tile = await self._tiles.tile(resolved.image.image.pyramid.key, span)
        return ImageResponse(HTTPStatus.OK, headers, tile, "stored")

    async def _respond_afresh(self, call: ImageCall) -> ImageResponse:
        """Respond after a new look-up; report the pyramid as damaged when it fails again."""
        identifier = _parsed(call.path).image
        self._forget(identifier)
        try:
            return await self._respond(call)
        except (PyramidCorrupt, KeyNotFound) as error:
            if image := self._look_up.known(identifier):
                self._report_damage(image, error)
            raise

    def _forget(self, identifier: str) -> None:
        image = self._look_up.forget(identifier)
        if image:
            self._directories.forget(image.image.pyramid.key)
            self._tiles.forget(image.image.pyramid)

    # 3: resolve

    def _resolve(self, path: ImagePath, image: CachedImage) -> ResolvedRequest:
        """Return a resolved request, from the cache or to it.

        What everybody sees is cached apart: `_respond` asks for it before it knows the viewer.
        """
        cache = self._resolved if image.decision == image.public else self._resolved_privately
        key = image_path(path.image, path.rest, path.version)
        resolved = cache.get(key)
        if resolved and resolved.image is image:
            return resolved
        version = ApiVersion(path.version)
        request = parse(path.rest, version)
        if request.format not in self._offered.formats:
            raise RequestInvalid(part="format", reason=_not_offered(request.format, self._offered.formats))
        if request.quality not in self._offered.qualities:
            raise RequestInvalid(part="quality", reason=_not_offered(request.quality, self._offered.qualities))
        planned = apply_protection(plan(request, image.grid, image.limits), image.protection, image.grid)
        planned = with_packet(planned, image, publisher=self._publisher, base_url=self._base_url)
        canonical = image_path(path.image, planned.canonical, version)
        link = f'{canonical}>;rel="canonical", <{PROFILES[version]}>;rel="profile"'
        media_type = pipeline.MEDIA_TYPES[planned.format]
        resolved = ResolvedRequest(image, planned, self._etag(image, planned), media_type, link)
        cache.put(key, resolved)
        return resolved

    def _etag(self, image: CachedImage, planned: RenderPlan) -> str:
        """Return a strong validator: the pyramid, the tile, or everything that determines a rendering."""
        pyramid = image.image.pyramid.fingerprint[:16]
        if planned.tile is not None:
            return f'"{pyramid}-{planned.tile}"'
        renderer = f"{self._renderer_version} {self._jpeg_quality} {planned.protection.variant}"
        determined = f"{planned.canonical} {planned.width},{planned.height} {image.limits} {renderer}"
        digest = hashlib.blake2b(determined.encode() + planned.packet, digest_size=8)
        return self._credentials.mark(f'"{pyramid}-{digest.hexdigest()}r"', planned)

    # 4: respond

    async def _content_length(self, resolved: ResolvedRequest) -> Headers:
        """Return the length of a stored tile; that of a rendering is unknown before it is made.

        A tile is read, so that HEAD is refused where GET would be: for a pyramid that is absent or damaged.
        """
        if resolved.plan.tile is None:
            if self._thumbnails.get(resolved.etag) is None:
                await self._read_tiles(resolved.image, [resolved.image.grid.count - 1])
            return ()
        span = resolved.span or await self._locate(resolved)
        tile = await self._tiles.tile(resolved.image.image.pyramid.key, span)
        return ((b"content-length", b"%d" % len(tile)),)

    async def _locate(self, resolved: ResolvedRequest) -> TileSpan:
        """Return where a stored tile is in its pyramid, and keep it with the request."""
        assert resolved.plan.tile is not None  # noqa: S101 - the caller has checked
        directory = await self._directory(resolved.image)
        resolved.span = span = TileSpan(*directory.locate(resolved.plan.tile))
        return span

    async def _render(self, call: ImageCall, resolved: ResolvedRequest, headers: Headers) -> ImageResponse:
        thumbnail = self._thumbnails.get(resolved.etag)
        if thumbnail is not None:
            return ImageResponse(HTTPStatus.OK, headers, thumbnail, "rendered")
        image, planned = resolved.image, resolved.plan
        source = choose_source(planned, image.grid, image.limits)
        charge = cost(planned, source)
        if seconds := self._budget.spend(call.client, charge):
            self._metrics.increment("slow-refused")
            raise RequestLimited(seconds=round(seconds))
        if is_slow(planned, source):
            read = partial(self._read_tiles_of_stream, image)
            try:
                body = await self._pool.render(planned, source, image.grid, read, self._jpeg_quality)
            except RenderingBusy:
                self._budget.refund(call.client, charge)
                raise
            return ImageResponse(HTTPStatus.OK, headers, body, "slow")
        rendered = await self._render_in_thread(image, planned, source)
        if planned.region[2:] == (image.grid.width, image.grid.height) and len(rendered) <= _MAX_THUMBNAIL:
            self._thumbnails.put(resolved.etag, rendered)
        return ImageResponse(HTTPStatus.OK, headers, rendered, "rendered")

    async def _render_in_thread(self, image: CachedImage, planned: RenderPlan, source: Source) -> bytes:
        loop, began = asyncio.get_running_loop(), monotonic()
        read = blocking_reader(partial(self._read_tiles, image), loop)
        decoded = self._decoded.of(image.image.pyramid)
        render = partial(pipeline.render, planned, source, image.grid, read, self._jpeg_quality, decoded)
        try:
            return await loop.run_in_executor(self._render_threads, render)
        finally:
            self._metrics.increment("decode-seconds", monotonic() - began)

    async def _read_tiles_of_stream(self, image: CachedImage, ordinals: Sequence[int]) -> list[TileBytes]:
        """Read tiles for a response that may have begun: it cannot be retried, so damage is reported here."""
        try:
            return await self._read_tiles(image, ordinals)
        except (PyramidCorrupt, KeyNotFound) as error:
            self._report_damage(image, error)
            raise

    async def _read_tiles(self, image: CachedImage, ordinals: Sequence[int]) -> list[TileBytes]:
        directory = await self._directory(image)
        spans = [TileSpan(*directory.locate(ordinal)) for ordinal in ordinals]
        return await self._tiles.tiles(image.image.pyramid.key, spans)

    async def _directory(self, image: CachedImage) -> PyramidDirectory:
        """Return the directory of an image's pyramid. Raises `PyramidCorrupt` when it describes another image."""
        pyramid = image.image.pyramid
        directory = self._directories.get(pyramid.key)
        if directory is not None:
            return directory
        self._metrics.increment("directory-read")
        directory = await self._tiles.directory(pyramid)
        if directory.grid != image.grid:
            raise PyramidCorrupt(key=pyramid.key, reason=f"{directory.grid} ≠ {image.grid}")
        self._directories.put(pyramid.key, directory)
        return directory

    def _report_damage(self, image: CachedImage, error: ShanbenError) -> None:
        self._metrics.report_damage(image.image.identifier, image.image.work, str(error))


def _parsed(path: str) -> ImagePath:
    parts = parse_image_path(path)
    if parts is None:
        raise NotFound(what=path)
    return parts


def _may_see_more(call: ImageCall, image: CachedImage) -> bool:
    """Return whether a request has credentials by which it may see more of an image than everybody."""
    return call.credentials is not NO_CREDENTIALS and not image.public.shows_all


def _not_offered(name: str, offered: Iterable[str]) -> LocalizedText:
    text = LocalizedText("本服务不提供 {name}，可用：{offered}", "{name} is not offered here; available: {offered}")
    return text.format(name=name, offered=", ".join(offered))
