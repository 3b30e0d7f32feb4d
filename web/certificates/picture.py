"""The picture on a certificate: of the image, or of the first of a work, where access shows it."""

from __future__ import annotations

from typing import Final

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request import thumbnail
from iiif_server.request.limits import ImageLimits
from iiif_server.urls import image_path
from repository.repository import Repository
from web.certificates.facts import CertificateFacts

_SIDE: Final = 480
"""The longest side in pixels."""


def picture_path(repository: Repository, facts: CertificateFacts) -> str | None:
    """Return the path of the picture in the image service; None while access shows no pixels."""
    image = facts.placed.image if facts.placed else next(facts.work.images(), None)
    if image is None or not facts.decision.shows_pixels:
        return None
    pyramid = repository.catalogue.pyramids(facts.work.identifier)[image.identifier]
    grid = TileGrid(image.width, image.height, pyramid.tile_size)
    limits = ImageLimits(repository.settings.max_area, facts.decision.max_size)
    return image_path(image.identifier, thumbnail.fitted(grid, _SIDE, limits).request)
