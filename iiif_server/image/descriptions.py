"""Information documents for the public and for readers who have logged in, with the authorization services.

What the public may see whole has no such services. Of any other image, and of its tiers (`urls.tier_name`):

=============  =====================================================================================================
document       response
=============  =====================================================================================================
the image's    what the request may see; 401, and the document of the whole image, if that is nothing
``~reduced``   what everybody may see
``~full``      the whole image; version 2, whose clients send an access token, sends those without one to ``~reduced``
=============  =====================================================================================================

Authorization Flow 2.0 has documents that everybody may read, and a probe service that takes the token; Authentication
1.0 has statuses of documents instead (section 3). Version 3 declares both, version 2 the older.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from iiif_server.auth.errors import AuthorizationNeeded
from iiif_server.auth.services import CONTEXT_2, cookie_service, probe_service
from iiif_server.image.look_up import ImageLookUp
from iiif_server.image.resolved import CachedImage
from iiif_server.image.responses import ImageCall, ImageResponse, information, lower_tier
from iiif_server.request.grammar import ApiVersion
from iiif_server.request.info import Described, Offered
from iiif_server.urls import (
    FULL_TIER,
    REDUCED_TIER,
    ImagePath,
    image_info_path,
    image_service_path,
    parse_tier,
    tier_name,
)


class Descriptions:
    """Responds with information documents."""

    def __init__(self, look_up: ImageLookUp, offered: Offered, provider: str) -> None:
        self._look_up = look_up
        self._offered = offered
        self._provider = provider

    async def respond(self, call: ImageCall, path: ImagePath) -> ImageResponse:
        """Return the response to a request. Raises `NotFound`, `Withdrawn`, `AccessRefused`, `DatabaseFault`."""
        identifier, tier = parse_tier(path.image)
        version = ApiVersion(path.version)
        if tier == FULL_TIER and version is ApiVersion.THREE:
            whole = await self._look_up.whole(path.image)
            return self._document(call, path, whole, is_public=True)
        try:
            image = await self._look_up.described(path.image, call.credentials)
        except AuthorizationNeeded:
            if tier == REDUCED_TIER:
                raise
            public = await self._look_up.public(path.image)
            if tier == FULL_TIER and public.public.shows_pixels:
                return lower_tier(call, image_info_path(tier_name(identifier, REDUCED_TIER), path.version))
            whole = await self._look_up.whole(path.image)
            return self._document(call, path, whole, status=HTTPStatus.UNAUTHORIZED)
        return self._document(call, path, image, is_public=image.decision == image.public)

    def _document(
        self,
        call: ImageCall,
        path: ImagePath,
        image: CachedImage,
        *,
        is_public: bool = False,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> ImageResponse:
        version, held = ApiVersion(path.version), image.image
        services = () if image.public.shows_all else self._services(call, path, held.work)
        contexts = (CONTEXT_2,) if services and version is ApiVersion.THREE else ()
        uri = call.base_url + image_service_path(path.image, path.version)
        described = Described(
            uri, call.base_url, held.work, held.rights.uri, image.grid, image.limits, services, contexts
        )
        return information(call, version, described, self._offered, is_public=is_public, status=status)

    def _services(self, call: ImageCall, path: ImagePath, work: str) -> tuple[dict[str, Any], ...]:
        older = cookie_service(work, call.base_url, self._provider)
        if ApiVersion(path.version) is ApiVersion.TWO:
            return (older,)
        if parse_tier(path.image)[1] == REDUCED_TIER:
            return ()  # everybody may see the pictures that it describes
        return probe_service(path.image, work, call.base_url, self._provider), older
