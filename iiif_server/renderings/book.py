"""What a rendering shows: the pages selected of a work, and the picture of each as the image service gives it. (pure)

The pictures of a PDF have a longest side of about `SIDE` pixels, on which the text of a page is easily read. Those of
scrolls and other long originals are larger, so that their short side has `SHORT_SIDE`, up to `MOST_PIXELS`. If the
pyramid has a level that is not much smaller, its size is taken: its pixels need no scaling. A picture that is one
stored tile is sent as it is stored. Access may allow less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.limits import ImageLimits
from iiif_server.request.thumbnail import PictureRequest, fitted
from iiif_server.urls import image_path
from repository.model.text import PageText
from repository.model.work import Image, Page, Pyramid, Work

SIDE: Final = 2000
SHORT_SIDE: Final = 1200
MOST_PIXELS: Final = 16_000_000
_NEAR: Final = 0.7
"""A level of at least this part of the wanted side is taken as it is."""


@dataclass(frozen=True, slots=True)
class BookPage:
    """A page of a rendering: its number in the work from 1, its label, and its text if it has one.

    `image` is the first image of the page and `path` that of its picture; both are None for a missing leaf. `width` and
    `height` are those of the page in pixels of the whole image.
    """

    number: int
    page: Page
    width: int
    height: int
    path: str | None = None
    text: PageText | None = None

    @property
    def image(self) -> Image | None:
        """The image that is shown: of several photographs of a page, the first."""
        return self.page.images[0] if self.page.images else None


@dataclass(frozen=True, slots=True)
class Book:
    """A work with the pages that are selected. `address` is the public address of its page, `publisher` the library."""

    work: Work
    pages: tuple[BookPage, ...]
    address: str = ""
    publisher: str = ""


_BLANK: Final = (1000, 1400)


def book_pages(
    work: Work,
    numbers: Sequence[int],
    pyramids: Mapping[str, Pyramid],
    limits: ImageLimits,
    texts: Mapping[str, PageText],
    *,
    whole: bool = False,
) -> tuple[BookPage, ...]:
    """Return the pages with these numbers. A missing leaf has the size of the page before it.

    `texts` are by the keys of pages. `whole` asks for pictures as large as access allows.
    """
    pages = list(work.pages())
    size = next(((image.width, image.height) for image in work.images()), _BLANK)
    found = []
    for number in numbers:
        page = pages[number - 1]
        path = None
        if page.images:
            image = page.images[0]
            size = image.width, image.height
            grid = TileGrid(*size, pyramids[image.identifier].tile_size)
            path = image_path(image.identifier, picture_request(grid, limits, whole=whole).request)
        found.append(BookPage(number, page, *size, path, texts.get(page.key)))
    return tuple(found)


def picture_request(grid: TileGrid, limits: ImageLimits, *, whole: bool = False) -> PictureRequest:
    """Return the request of a page's picture, and its size; the largest that access allows if `whole`."""
    longest, shortest = max(grid.width, grid.height), min(grid.width, grid.height)
    if whole:
        return fitted(grid, longest, limits)
    side = max(SIDE, SHORT_SIDE * longest // shortest)
    side = min(side, isqrt(MOST_PIXELS * longest // shortest))
    levels = (max(level.width, level.height) for level in grid.levels)
    near = next((level for level in levels if side * _NEAR <= level <= side), side)
    return fitted(grid, near, limits)
