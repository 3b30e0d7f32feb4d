"""What the image service knows of an image, and for how long it may go by that. (pure)"""

from __future__ import annotations

from typing import Final

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.geometry import ImageLimits
from iiif_server.request.protection import Protection
from repository.model import HeldImage

TRUSTED_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 60.0
"""How long after its last confirmation an image is served while the database is away."""

_ASK_AGAIN_SECONDS: Final = 1.0


class CachedImage:
    """What is known of an image, until `expires` on the service's clock. `grid` comes of the catalogue alone."""

    __slots__ = ("confirmed", "expires", "grid", "image", "limits", "protection")

    def __init__(self, image: HeldImage, limits: ImageLimits, protection: Protection, now: float) -> None:
        self.image = image
        self.limits = limits
        self.protection = protection
        self.grid = TileGrid(image.width, image.height, image.pyramid.tile_size)
        self.confirm(now)

    def confirm(self, now: float) -> None:
        """The catalogue has just said so."""
        self.confirmed = now
        self.expires = now + TRUSTED_SECONDS

    def serve_stale(self, now: float) -> bool:
        """The catalogue cannot be asked: whether this may be served all the same, for a moment."""
        end = self.confirmed + GRACE_SECONDS
        self.expires = min(now + _ASK_AGAIN_SECONDS, end)
        return now <= end
