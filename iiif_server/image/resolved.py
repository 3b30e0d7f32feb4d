"""What the image service caches: images as the catalogue describes them, and requests resolved against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.geometry import RenderPlan
from iiif_server.request.limits import ImageLimits
from iiif_server.request.protection import Protection
from iiif_server.tiles.spans import TileSpan
from repository.model.access import Decision
from repository.model.work import HeldImage

TRUSTED_SECONDS: Final = 5.0
"""How long a catalogue query is trusted; a withdrawal takes effect within this time."""

GRACE_SECONDS: Final = 60.0
"""How long after its last confirmation an image is served while the database is unavailable."""

_RETRY_SECONDS: Final = 1.0
_PUBLIC: Final = ((b"cache-control", b"public, max-age=3600, s-maxage=5"),)
# A shared cache asks again as soon as the look-up may have changed; a browser keeps what its reader has seen.
_VARY: Final = (b"vary", b"Cookie, Authorization")
_OF_THE_PUBLIC: Final = (*_PUBLIC, _VARY)
_PRIVATE: Final = ((b"cache-control", b"private, no-store"), _VARY)
# Nobody keeps what the public may not see: a computer of a reading room has many readers.
_CORS: Final = (b"access-control-allow-origin", b"*")

Headers = Sequence[tuple[bytes, bytes]]
"""Header fields as ASGI sends them: names in lower case, values in Latin-1."""


class CachedImage:
    """An image as the catalogue describes it, valid until `expires` on the service's clock.

    `decision` is what may be seen of it: by the public, or with certain privileges. `public` is the decision for the
    public.
    """

    __slots__ = ("confirmed", "decision", "expires", "grid", "image", "limits", "protection", "public")

    def __init__(
        self,
        image: HeldImage,
        limits: ImageLimits,
        protection: Protection,
        now: float,
        *,
        decision: Decision,
        public: Decision,
    ) -> None:
        self.image = image
        self.decision = decision
        self.public = public
        self.limits = limits
        self.protection = protection
        self.grid = TileGrid(image.width, image.height, image.pyramid.tile_size)
        self.confirm(now)

    def confirm(self, now: float) -> None:
        """Record that the catalogue has just returned this description."""
        self.confirmed = now
        self.expires = now + TRUSTED_SECONDS

    @property
    def cache_headers(self) -> Headers:
        """The header fields that say who may keep an answer with pixels of the image."""
        if self.public.shows_all:
            return _PUBLIC
        return _OF_THE_PUBLIC if self.decision == self.public else _PRIVATE

    def serve_stale(self, now: float) -> bool:
        """Extend the validity while the catalogue is unavailable; return False after `GRACE_SECONDS`."""
        end = self.confirmed + GRACE_SECONDS
        self.expires = min(now + _RETRY_SECONDS, end)
        return now <= end


class ResolvedRequest:
    """A request path resolved against an image: its plan, validator and response headers.

    `link` is the canonical path and the rest of its header field. `span` locates a stored tile in its pyramid; it is
    None until the pyramid's directory has been read.
    """

    __slots__ = ("_base_url", "_headers", "etag", "image", "link", "media_type", "plan", "span")

    def __init__(self, image: CachedImage, plan: RenderPlan, etag: str, media_type: str, link: str) -> None:
        self.image = image
        self.plan = plan
        self.etag = etag
        self.media_type = media_type
        self.link = link
        self.span: TileSpan | None = None
        self._base_url = ""
        self._headers: Headers = ()

    def headers(self, base_url: str) -> Headers:
        """Return the header fields of the image response; the first, Content-Type, is not part of a 304.

        Those for the last `base_url` are cached: a site has one, or few.
        """
        if base_url != self._base_url or not self._headers:
            self._headers = (
                (b"content-type", self.media_type.encode("latin-1")),
                (b"etag", self.etag.encode("latin-1")),
                (b"link", f"<{base_url}{self.link}".encode("latin-1", "replace")),
                *self.image.cache_headers,
                _CORS,
            )
            self._base_url = base_url
        return self._headers
