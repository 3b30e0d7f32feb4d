"""Which images are downloads, and the XMP packet that a download carries.

A download is a file that a reader keeps: a PDF, or the whole image as a JPEG in the largest size
that access allows. Tiles, parts and smaller pictures carry nothing, and a stored tile is never changed, even if it is
the whole of a small image.
"""

from __future__ import annotations

from iiif_server.image.resolved import CachedImage
from iiif_server.pyramid.grid import Box
from iiif_server.render.xmp import xmp_packet
from iiif_server.request.geometry import RenderPlan
from iiif_server.request.grammar import OutputFormat
from iiif_server.request.limits import largest
from iiif_server.urls import work_path


def is_download(plan: RenderPlan, image: CachedImage) -> bool:
    """Return whether an image is a download."""
    if plan.format is OutputFormat.PDF:
        return True
    whole = Box(0, 0, image.grid.width, image.grid.height)
    size = largest(whole, False, image.grid, image.limits)
    is_whole = plan.region == whole and (plan.width, plan.height) == size
    return plan.format is OutputFormat.JPG and plan.tile is None and is_whole


def with_packet(plan: RenderPlan, image: CachedImage, *, publisher: str, base_url: str) -> RenderPlan:
    """Return the plan of a download with its packet; any other plan as it is.

    The address of the work is part of the packet only if the public address is set: the request's own may be anything.
    """
    if not is_download(plan, image):
        return plan
    held = image.image
    source = f"{base_url}{work_path(held.work)}" if base_url else ""
    packet = xmp_packet(identifier=held.identifier, source=source, publisher=publisher, rights=held.rights.uri)
    return plan._replace(packet=packet)
