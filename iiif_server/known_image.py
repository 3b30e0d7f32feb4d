"""What the image service knows of an image, and for how long it may go by that. (pure)"""

from __future__ import annotations

from typing import Final

from iiif_server.geometry import Limits
from iiif_server.tile_grid import TileGrid
from iiif_server.treatment import Treatment
from repository.model import HeldImage

TRUSTED_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 60.0
"""How long after its last confirmation an image is served while the database is away."""

_ASK_AGAIN_SECONDS: Final = 1.0


class Known:
    """What is known of an image, until `expires` on the service's clock. `grid` comes of the catalogue alone."""

    __slots__ = ("confirmed", "expires", "grid", "image", "limits", "treatment")

    def __init__(self, image: HeldImage, limits: Limits, treatment: Treatment, now: float) -> None:
        self.image = image
        self.limits = limits
        self.treatment = treatment
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
