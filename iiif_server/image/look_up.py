"""Looks up images and decides access to them: the first two steps of a request.

A description from the catalogue is trusted for `TRUSTED_SECONDS`. While the database is unavailable the last one holds
for up to `GRACE_SECONDS`; after that every request for the image is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from iiif_server.auth.credentials import RequestCredentials
from iiif_server.auth.errors import access_refusal
from iiif_server.image.resolved import CachedImage
from iiif_server.image.viewers import Viewers
from iiif_server.metrics import Metrics
from iiif_server.render.watermark import protection_of, read_watermark
from iiif_server.request.limits import ImageLimits
from iiif_server.tiles.circuit_breaker import CircuitBreaker
from iiif_server.tiles.single_flight import SingleFlight
from iiif_server.urls import FULL_TIER, REDUCED_TIER, parse_tier
from repository.clock_cache import ClockCache
from repository.database.deletions import WorkDeleted
from repository.errors import AccessRefused, DatabaseFault, NotFound, ShanbenError, Withdrawn
from repository.identifiers import Kind, is_valid
from repository.localized import LocalizedText
from repository.model.access import NO_PRIVILEGES, AccessVerdict, Privilege, Privileges, decide
from repository.repository import Repository

_Found = TypeVar("_Found")

_DATABASE_UNAVAILABLE: Final = LocalizedText("数据库暂时没有应答，请稍后重试", "it does not respond; try again shortly")
_CACHED_IMAGES: Final = 4096
_THREADS: Final = 4
_TIERS: Final = frozenset({"", FULL_TIER, REDUCED_TIER})


class ImageLookUp:
    """The images of one catalogue, as each viewer may see them. Used from one event loop."""

    def __init__(self, repository: Repository, metrics: Metrics, clock: Callable[[], float]) -> None:
        settings = repository.settings
        self._catalogue = repository.catalogue
        self._deletions = repository.deletions
        self._clock = clock
        self._now = repository.clock
        self._watermark = read_watermark(settings.watermark)
        self._max_area = settings.max_area
        self._breaker = CircuitBreaker(DatabaseFault)
        self._look_ups: SingleFlight[CachedImage] = SingleFlight()
        self._images: ClockCache[tuple[str, Privileges], CachedImage] = ClockCache(_CACHED_IMAGES)
        self._threads = ThreadPoolExecutor(_THREADS, "look-up")
        self._viewers = Viewers(repository, clock, self._query)
        metrics.register_gauge("database-breaker-open", lambda: float(self._breaker.is_open))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def known(self, name: str) -> CachedImage | None:
        """Return the cached description of an image."""
        identifier, _ = parse_tier(name)
        return self._images.get((identifier, NO_PRIVILEGES))

    def forget(self, name: str) -> CachedImage | None:
        """Forget an image. Return its cached description."""
        identifier, _ = parse_tier(name)
        found = self._images.get((identifier, NO_PRIVILEGES))
        for privileges in _ALL_PRIVILEGES:
            if image := self._images.get((identifier, privileges)):
                image.expires = -1.0
                self._images.forget((identifier, privileges))
        return found

    async def shown(self, name: str, credentials: RequestCredentials) -> CachedImage:
        """Return an image, or the tier of one, some of whose pixels a request with these credentials may see.

        Raises `NotFound`, `Withdrawn`, `WorkDeleted`, `AuthorizationNeeded`, `AccessRefused`, `DatabaseFault`.
        """
        identifier, tier = _parsed(name)
        image = await self._image(identifier)
        if any(credentials) and tier != REDUCED_TIER and not image.public.shows_all:
            image = await self._image(identifier, await self._viewers.privileges(credentials))
        return _permitted(image, tier, credentials)

    async def privileges(self, credentials: RequestCredentials) -> Privileges:
        """Return what a request with these credentials may see beyond the public. Raises `DatabaseFault`."""
        return await self._viewers.privileges(credentials) if any(credentials) else NO_PRIVILEGES

    async def described(self, name: str, credentials: RequestCredentials) -> CachedImage:
        """Return an image, or the tier of one, that a request may see the description of. Raises as `shown` does."""
        identifier, tier = _parsed(name)
        image = await self._image(identifier)
        if any(credentials) and tier != REDUCED_TIER and not image.public.shows_all:
            privileges = await self._viewers.described(credentials, image.image.work)
            image = await self._image(identifier, privileges)
        return _permitted(image, tier, credentials)

    async def whole(self, name: str) -> CachedImage:
        """Return an image as it is shown with every privilege. Raises `NotFound`, `Withdrawn`, `WorkDeleted`."""
        identifier, _ = _parsed(name)
        return await self._image(identifier, frozenset(Privilege))

    async def public(self, name: str) -> CachedImage:
        """Return an image as the public sees it, even if nothing of it is shown. Raises as `whole` does."""
        identifier, _ = _parsed(name)
        return await self._image(identifier)

    async def _image(self, identifier: str, privileges: Privileges = NO_PRIVILEGES) -> CachedImage:
        """Return an image as it is shown with these privileges, even if nothing of it is."""
        key = (identifier, privileges)
        image = self._images.get(key)
        if image and image.expires >= self._clock():
            return image
        if not is_valid(identifier, Kind.IMAGE):
            raise NotFound(what=_image_name(identifier))
        try:
            return await self._look_ups.run(key, partial(self._look_up_in_catalogue, identifier, privileges))
        except DatabaseFault:
            if image and image.serve_stale(self._clock()):
                return image
            raise

    async def _look_up_in_catalogue(self, identifier: str, privileges: Privileges) -> CachedImage:
        key = (identifier, privileges)
        now, known = self._clock(), self._images.get(key)
        query = partial(self._query, partial(self._catalogue.image, identifier))
        held = await self._breaker.call(query, reason=_DATABASE_UNAVAILABLE)
        if held is None:
            self._images.forget(key)
            raise await self._not_held(identifier)
        public, decision = (decide(held.rights, held.state, self._now(), each) for each in (NO_PRIVILEGES, privileges))
        if decision.verdict is AccessVerdict.WITHDRAWN:
            self._images.forget(key)
            raise Withdrawn(what=_image_name(identifier), when="")
        if known and known.image == held and (known.public, known.decision) == (public, decision):
            known.confirm(now)
            return known
        limits, protection = ImageLimits(self._max_area, decision.max_size), protection_of(held, self._watermark)
        image = CachedImage(held, limits, protection, now, decision=decision, public=public)
        self._images.put(key, image)
        return image

    async def _not_held(self, identifier: str) -> ShanbenError:
        """Return the error for an image that the catalogue lacks: not held, or deleted with its work."""
        query = partial(self._query, partial(self._deletions.of_image, identifier))
        deletion = await self._breaker.call(query, reason=_DATABASE_UNAVAILABLE)
        what = _image_name(identifier)
        return NotFound(what=what) if deletion is None else WorkDeleted(what=what, day=deletion.day)

    def _query(self, query: Callable[[], _Found]) -> Awaitable[_Found]:
        return asyncio.get_running_loop().run_in_executor(self._threads, query)


def _permitted(image: CachedImage, tier: str, credentials: RequestCredentials) -> CachedImage:
    """Return an image, if the decision shows what the tier promises."""
    allowed = image.decision.shows_all if tier == FULL_TIER else image.decision.shows_pixels
    if allowed:
        return image
    what = _image_name(image.image.identifier)
    has_logged_in = any(credentials) and image.decision != image.public
    raise AccessRefused(what=what) if has_logged_in else access_refusal(what, image.image.rights)


def _parsed(name: str) -> tuple[str, str]:
    identifier, tier = parse_tier(name)
    if tier not in _TIERS or name.endswith("~"):
        raise NotFound(what=_image_name(name))
    return identifier, tier


_ALL_PRIVILEGES: Final = tuple(
    frozenset(privilege for place, privilege in enumerate(Privilege) if number >> place & 1)
    for number in range(1 << len(Privilege))
)


def _image_name(identifier: str) -> LocalizedText:
    return LocalizedText("图像 {name}", "The image {name}").format(name=identifier)
