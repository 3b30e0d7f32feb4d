"""The canvases of a manifest, one for each page, painted with its photographs. (pure)

Presentation 3.0, section 3.4, allows few behaviors on a canvas. In a paged work:

=============  =======================================================================================
page           canvas
=============  =======================================================================================
individuals    ``facing-pages``: one picture of a whole opening, shown by itself
facing-pages   the same
non-paged      ``non-paged``: a fold-out or an insert, at which no page is turned
others         none, because they are behaviors of manifests
=============  =======================================================================================

In other works canvases have no behavior. Viewers show the first canvas of a paged work alone; a book of which the first
two pages face each other begins with a page that was not photographed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from iiif_server.presentation.text_annotations import text_links
from iiif_server.presentation.values import Json, bilingual, present
from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.limits import ImageLimits
from iiif_server.request.thumbnail import PictureRequest, fitted, thumbnail
from iiif_server.urls import (
    annotation_page_path,
    annotation_path,
    canvas_path,
    image_path,
    image_service_path,
    stored_id,
)
from repository.localized import LocalizedText
from repository.model.access import Decision
from repository.model.text import TextKind
from repository.model.work import Image, Page, Pyramid, Work

_MANIFEST_BEHAVIORS: Final = frozenset({"paged", "individuals", "continuous", "unordered"})
_CANVAS_BEHAVIORS: Final = {"individuals": "facing-pages", "facing-pages": "facing-pages", "non-paged": "non-paged"}
_BLANK_SIZE: Final = (1000, 1400)
_MISSING: Final = LocalizedText("缺叶", "missing leaf")
_UNPHOTOGRAPHED: Final = LocalizedText("未拍摄", "not photographed")


def manifest_behavior(work: Work) -> str | None:
    """Return the behavior of the manifest: a paged work in which every picture is an opening has ``individuals``."""
    shown = [page for page in work.pages() if page.images]
    openings = [page for page in shown if _CANVAS_BEHAVIORS.get(page.behavior or "") == "facing-pages"]
    if work.behavior == "paged" and shown and len(openings) == len(shown):
        return "individuals"
    return work.behavior if work.behavior in _MANIFEST_BEHAVIORS else None


def canvases(
    work: Work,
    pyramids: Mapping[str, Pyramid],
    max_area: int,
    seen: Decision,
    *,
    paged: bool,
    texts: Mapping[str, Collection[TextKind]],
) -> Iterator[Json]:
    """Yield the canvases of a work, as large as their first photographs, with what access allows.

    `texts` has the kinds of the texts of each page that has any, by its key.
    """
    limits = ImageLimits(max_area, seen.max_size)
    size = next(((image.width, image.height) for image in work.images()), _BLANK_SIZE)
    for number, page in enumerate(work.pages(), start=1):
        if page.images:
            size = (page.images[0].width, page.images[0].height)
        identifier = stored_id(canvas_path(work.identifier, number))
        behavior = _CANVAS_BEHAVIORS.get(page.behavior or "") if paged else None
        bodies = [_body(image, _grid(image, pyramids), limits) for image in page.images]
        yield present(
            id=identifier,
            type="Canvas",
            label=_page_label(page),
            width=size[0],
            height=size[1],
            thumbnail=_thumbnail(page, pyramids, limits) if seen.shows_pixels else None,
            behavior=[behavior] if behavior else None,
            items=_painting(work.identifier, number, page, bodies),
            **text_links(work.identifier, number, texts.get(page.key, ()) if seen.shows_text else ()),
        )


def _page_label(page: Page) -> Json:
    if page.images:
        return {"none": [page.label]}
    reason = _UNPHOTOGRAPHED if page.unphotographed else _MISSING
    return bilingual(LocalizedText(f"{page.label}（{reason.zh}）", f"{page.label} ({reason.en})"))


def _painting(work: str, number: int, page: Page, bodies: Sequence[Json]) -> list[Json]:
    """Return one annotation. Several photographs of a page are a choice, the first shown by default (cookbook 0033)."""
    if not page.images:
        return []
    if len(bodies) > 1:
        # By numbers where the deposit has no label, because names of files may contain the names of people.
        for place, (body, image) in enumerate(zip(bodies, page.images, strict=True), start=1):
            numbered = bilingual(LocalizedText(f"图像 {place}", f"Image {place}"))
            body["label"] = {"none": [image.label]} if image.label else numbered
    annotation = {
        "id": stored_id(annotation_path(work, number)),
        "type": "Annotation",
        "motivation": "painting",
        "body": bodies[0] if len(bodies) == 1 else {"type": "Choice", "items": bodies},
        "target": stored_id(canvas_path(work, number)),
    }
    return [{"id": stored_id(annotation_page_path(work, number)), "type": "AnnotationPage", "items": [annotation]}]


def _body(image: Image, grid: TileGrid, limits: ImageLimits) -> Json:
    return _image_resource(image, fitted(grid, max(grid.width, grid.height), limits))


def _thumbnail(page: Page, pyramids: Mapping[str, Pyramid], limits: ImageLimits) -> list[Json] | None:
    if not page.images:
        return None
    image = page.images[0]
    return [_image_resource(image, thumbnail(_grid(image, pyramids), limits))]


def _grid(image: Image, pyramids: Mapping[str, Pyramid]) -> TileGrid:
    return TileGrid(image.width, image.height, pyramids[image.identifier].tile_size)


def _image_resource(image: Image, picture: PictureRequest) -> Json:
    return {
        "id": stored_id(image_path(image.identifier, picture.request)),
        "type": "Image",
        "format": "image/jpeg",
        "width": picture.width,
        "height": picture.height,
        "service": [image_service(image.identifier)],
    }


def image_service(image: str) -> Json:
    """Return the reference to the service of an image."""
    return {"id": stored_id(image_service_path(image)), "type": "ImageService3", "profile": "level2"}
