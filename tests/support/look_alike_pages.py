"""Pages for the search of similar pictures: real scans and generated pages, many of which look alike; and derivatives.

Everything follows from a seed. A third of the generated pages are printed with the same block of empty columns (form
paper, 板框), and some of those have no text. Real scans are cut into parts, so that strangers are of the same paper,
print and hand as the pages that are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import pyvips

from sample_book.book import PACKAGE, find_font
from sample_book.ink import BLOCK, print_mask
from sample_book.layout import COLUMNS, ROWS, PageLayout, Side, set_column, text_page
from sample_book.paper import make_textures, sheet
from sample_book.photograph import INK
from sample_book.picture import Mask, developed
from sample_book.text import JUANS

Pixels = npt.NDArray[np.uint8]
"""A picture: rows, columns, and red, green and blue."""

_SCALE: Final = 0.3
"""Generated pages are 1152 by 1680 pixels, this part of the sample book's."""

_PAPERS: Final = 8
_FORM_SEED: Final = 7
_CHARACTERS: Final = "".join(line for juan in JUANS for chapter in juan.chapters for line in chapter.lines)

_REAL: Final = {
    "books/kiko-zui/0001.jpg": (2, 1),
    "books/kiko-zui/0002.jpg": (2, 1),
    "books/kiko-zui/0003.jpg": (2, 1),
    "books/scroll-landscape/0001.jpg": (24, 1),
    "books/shiji-mulu/0001.jpg": (2, 3),
    "books/shiji-mulu/0002.jpg": (2, 3),
    "books/siku-jianming/0001.jpg": (1, 2),
    "books/siku-jianming/0002.jpg": (1, 2),
    "books/siku-zongmu/0001.png": (2, 2),
    "books/siku-zongmu/0002.png": (2, 2),
    "books/siku-zongmu/0003.png": (2, 2),
    "images/cjk/calendar-table_112.png": (1, 2),
    "images/cjk/draft-ms_p1.png": (2, 1),
    "images/cjk/ndl_kouigenji.jpg": (4, 2),
    "images/cjk/ndl_lunyu_11892692_0004.jpg": (2, 1),
    "images/cjk/siku-bw_p1.png": (1, 1),
    "images/cjk/siku-bw_p2.png": (1, 1),
}
"""The scans, and into how many parts each is cut, across and down."""


@dataclass(frozen=True, slots=True)
class TestPage:
    """A page: its name, the book or kind that it belongs to, its pixels, and whether the library holds it."""

    name: str
    book: str
    pixels: Pixels
    is_held: bool


@dataclass(frozen=True, slots=True)
class Derivative:
    """A picture made from a page: how, and the page."""

    kind: str
    page: TestPage
    pixels: Pixels


def generated_pages(seed: int, books: int, pages: int) -> Iterator[TestPage]:
    """Yield `pages` text pages of each of `books` books, twice as many of form paper, and a third as many blank."""
    font, textures = find_font(PACKAGE), make_textures(seed)
    sides = list(Side)
    papers = [
        developed(
            sheet(sides[number % 2], np.random.default_rng([seed, 1, number]), np.random.default_rng(seed), textures)
        ).resize(_SCALE)
        for number in range(_PAPERS)
    ]
    form = {side: _reduced(print_mask(_without_text(side), font, np.random.default_rng(_FORM_SEED))) for side in Side}
    for book in range(books):
        for number in range(pages):
            rng = np.random.default_rng([seed, 2, book, number])
            side = sides[number % 2]
            block = _reduced(
                print_mask(text_page(_columns(rng, ROWS), side, "卷上", "一二三四五"[book % 5]), font, rng)
            )
            yield TestPage(f"book-{book}/{number}", f"book-{book}", _printed(papers, side, block, rng), number % 2 == 0)
    for number in range(2 * pages):
        rng = np.random.default_rng([seed, 3, number])
        side = sides[number // 2 % 2]
        plan = replace(text_page(_columns(rng, 8), side, "", ""), bars=(), heart=(), fishtails=(), stops=())
        written = np.maximum(form[side], _moved(_reduced(print_mask(plan, font, rng)), rng))
        yield TestPage(f"form/{number}", "form", _printed(papers, side, written, rng), number % 2 == 0)
    for number in range(-(-pages // 3)):
        rng = np.random.default_rng([seed, 4, number])
        side = sides[number // 2 % 2]
        yield TestPage(f"blank/{number}", "blank", _printed(papers, side, form[side], rng), number % 2 == 0)


def real_pages(shared: Path, folder: str = "") -> Iterator[TestPage]:
    """Yield the parts of the real scans, of those in `folder` if it is given; every second part is held."""
    number = 0
    for name, (across, down) in _REAL.items():
        if not name.startswith(folder):
            continue
        picture = pyvips.Image.new_from_file(str(shared / "data" / name)).colourspace("srgb").extract_band(0, n=3)
        width, height = picture.width // across, picture.height // down
        for row in range(down):
            for column in range(across):
                part = picture.crop(column * width, row * height, width, height)
                part = part.resize(min(1.0, 2400 / max(width, height)))
                yield TestPage(f"{name}/{row}-{column}", name, part.numpy(), number % 2 == 0)
                number += 1


def _columns(rng: np.random.Generator, rows: int) -> list[Any]:
    return [set_column("".join(rng.choice(list(_CHARACTERS), rng.integers(rows // 2, rows)))) for _ in range(COLUMNS)]


def _without_text(side: Side) -> PageLayout:
    return replace(text_page([], side, "", ""), characters=(), heart=(), stops=())


def _reduced(block: Mask) -> Mask:
    return cv2.resize(block, None, fx=_SCALE * BLOCK, fy=_SCALE * BLOCK, interpolation=cv2.INTER_AREA)


def _moved(block: Mask, rng: np.random.Generator) -> Mask:
    """Return a block moved by at most a tenth of a column: a hand writes beside the printed rules, not by them."""
    shift = np.float32([[1, 0, rng.uniform(-12, 12)], [0, 1, rng.uniform(-40, 40)]])
    return cv2.warpAffine(block, shift, block.shape[::-1])


def _printed(papers: Sequence[Any], side: Side, block: Mask, rng: np.random.Generator) -> Pixels:
    """Return a sheet of paper with a block printed on it: where the printer laid it, inked and worn unevenly."""
    paper = papers[2 * int(rng.integers(len(papers) // 2)) + list(Side).index(side)].numpy().astype(np.float32)
    height, width = paper.shape[:2]
    laid = np.float32([[1, 0, rng.normal(0, 9)], [0, 1, rng.normal(0, 9)]])
    block = cv2.warpAffine(cv2.resize(block, (width, height)), laid, (width, height)).astype(np.float32) / 255
    ink = np.clip(block * (0.86 + 0.10 * _clouds(rng, paper.shape, 6)), 0, 1)[:, :, None]
    aged = 1 + (0.02 * _clouds(rng, paper.shape, 90) + 0.015 * _clouds(rng, paper.shape, 25))[:, :, None]
    fibres = rng.normal(1, 0.012, (height, width, 1)).astype(np.float32)
    reflectance = np.asarray(INK, np.float32)
    return np.clip(paper * aged * fibres * (1 - ink * (1 - reflectance)), 0, 255).astype(np.uint8)


def _clouds(rng: np.random.Generator, shape: tuple[int, ...], size: int) -> Any:
    """Return smooth noise around 0 whose spots have about `size` pixels."""
    height, width = shape[:2]
    coarse = rng.normal(0, 1, (height // size + 1, width // size + 1)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


# Derivatives


def derive(page: TestPage, kind: str, rng: np.random.Generator) -> Derivative:
    """Return a derivative of a kind (`KINDS`), at most 1600 pixels wide and high, which has been a JPEG."""
    pixels = _at_most(page.pixels, int(rng.integers(700, 1600)))
    for step in KINDS[kind]:
        pixels = step(pixels if step is not _cropped else page.pixels, rng)
    return Derivative(kind, page, _recompressed(_at_most(pixels, 1600), rng))


def _at_most(pixels: Pixels, side: int) -> Pixels:
    scale = side / max(pixels.shape[:2])
    return pixels if scale >= 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _cropped(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a part of 15 to 70 per cent of the area, 400 to 1,600 pixels long."""
    height, width = pixels.shape[:2]
    share, stretch = np.sqrt(rng.uniform(0.15, 0.70)), rng.uniform(0.8, 1.25)
    w, h = (min(length, int(length * share * by)) for length, by in ((width, stretch), (height, 1 / stretch)))
    x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    return _at_most(pixels[y : y + h, x : x + w], int(rng.integers(400, 1600)))


def _shrunk(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return _at_most(pixels, int(rng.integers(400, 1000)))


def _turned(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, int(rng.integers(1, 4))))


def _slanted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a picture turned by any angle, on a plain background."""
    angle = rng.uniform(-15, 15) if rng.random() < 0.7 else rng.uniform(-180, 180)
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    w, h = int(width * cosine + height * sine), int(width * sine + height * cosine)
    matrix[:, 2] += ((w - width) / 2, (h - height) / 2)
    return cv2.warpAffine(pixels, matrix, (w, h), borderValue=[int(c) for c in rng.integers(0, 256, 3)])


def _photographed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a photograph by hand: perspective, uneven light, a table beyond the edges, blur and noise."""
    height, width = pixels.shape[:2]
    margin = rng.uniform(0.02, 0.10)
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    moved = corners * (1 - 2 * margin) + margin * np.float32([width, height])
    moved += rng.uniform(-0.06, 0.06, (4, 2)).astype(np.float32) * np.float32([width, height])
    table = np.full_like(pixels, rng.integers(20, 200, 3)) + rng.integers(0, 30, pixels.shape).astype(np.uint8)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    shot = cv2.warpPerspective(pixels, matrix, (width, height), dst=table, borderMode=cv2.BORDER_TRANSPARENT)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    light = 1 + rng.uniform(-0.35, 0.35) * (x - 0.5) + rng.uniform(-0.35, 0.35) * (y - 0.5)
    tint = rng.uniform(0.85, 1.1, 3).astype(np.float32)
    lit = cv2.GaussianBlur(shot.astype(np.float32) * light[:, :, None] * tint, (0, 0), rng.uniform(0.4, 1.3))
    return np.clip(lit + rng.normal(0, rng.uniform(1, 6), lit.shape), 0, 255).astype(np.uint8)


def _recompressed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    quality = int(rng.integers(30, 90))
    _, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])


KINDS: Final[dict[str, tuple[Callable[[Pixels, np.random.Generator], Pixels], ...]]] = {
    "copied": (),
    "resized": (_shrunk,),
    "cropped": (_cropped,),
    "turned": (_turned,),
    "slanted": (_slanted,),
    "photographed": (_photographed,),
    "cropped and turned": (_cropped, _turned),
    "cropped and photographed": (_cropped, _photographed),
}
