"""The sample rare book as a deposit folder for `shanben ingest`, drawn from its text and a typeface.

The same package versions produce the same bytes. Pages are JPEG, to keep the folder small and the demonstration quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repository.errors import DependencyMissing, StagingFault
from repository.localized import LocalizedText
from sample_book.collation import Leaf, Sheet, leaves, text_file, work_file
from sample_book.cover import cover
from sample_book.ink import print_mask
from sample_book.paper import BAMBOO_PAPER, YELLOW_PAPER, Textures, make_textures, sheet
from sample_book.photograph import print_block, shade_behind, stamp
from sample_book.picture import Mask, Picture, developed
from sample_book.seal import circle, seal, turned
from workers.progress import Progress

SEED = 530  # about when the text was written
QUALITY = 90

PACKAGE = Path(__file__).parent
FONT = Path("node_modules/@expo-google-fonts/cactus-classical-serif/400Regular/CactusClassicalSerif_400Regular.ttf")
"""Cactus Classical Serif (SIL Open Font License 1.1), a Ming typeface with the forms of old prints."""


def make_sample(folder: Path, progress: Progress) -> None:
    """Write the sample book into a folder: pages, their text with coordinates, and `work.toml` last.

    Existing files of an earlier run are overwritten. Raises `DependencyMissing` when the typeface is not installed and
    `StagingFault` when the folder cannot be written.
    """
    font = find_font(PACKAGE)
    all_leaves = list(leaves())
    progress.start(LocalizedText("制作样书", "Making the sample book"), sum(len(leaf.sheets) for leaf in all_leaves))
    try:
        _draw(folder, all_leaves, font, progress)
    except OSError as fault:
        raise StagingFault(reason=f"{folder}: {fault.strerror}") from fault
    finally:
        progress.finish()


def _draw(folder: Path, all_leaves: Sequence[Leaf], font: Path, progress: Progress) -> None:
    record = folder / "work.toml"
    record.unlink(missing_ok=True)  # an interrupted run must not leave a folder that looks like a complete deposit
    textures = make_textures(SEED)
    for number, leaf in enumerate(all_leaves):
        draw_leaf(folder, leaf, number, font, textures)
        progress.advance(len(leaf.sheets))
    _write(record, work_file().encode())


def find_font(package: Path) -> Path:
    """Return the typeface that npm installed beside `package.json`. Raises `DependencyMissing`."""
    font = package / FONT
    if not font.is_file():
        remedy = "npm ci --prefix sample_book"
        raise DependencyMissing(
            what=LocalizedText("样书字体", "the typeface of the sample book"), remedy=LocalizedText(remedy, remedy)
        )
    return font


def draw_leaf(folder: Path, leaf: Leaf, number: int, font: Path, textures: Textures) -> None:
    """Write the pages of one leaf and their text; `number` seeds its random variation."""
    rng = np.random.default_rng([SEED, number])
    blocks = [print_mask(page.plan, font, rng) for page in leaf.sheets]
    for place, page in enumerate(leaf.sheets):
        picture = cover(rng, textures) if leaf.is_cover else _paper(leaf, place, blocks, textures, rng)
        print_block(picture, blocks[place], textures, rng)
        for mark, middle in _vermilion(page, font, rng):
            stamp(picture, mark, middle, textures, rng)
        _write(folder / f"{page.key}.jpg", _jpeg(developed(picture)))
        _write(folder / "text" / f"{page.key}.xml", text_file(page))


def _paper(leaf: Leaf, place: int, blocks: list[Mask], textures: Textures, rng: np.random.Generator) -> Picture:
    """Return the unprinted side of a leaf, with the print of its other side showing through."""
    colour = YELLOW_PAPER if leaf.is_yellow else BAMBOO_PAPER
    volume = np.random.default_rng([SEED, 1000 + leaf.volume])
    return sheet(
        leaf.sheets[place].plan.side, rng, volume, textures, colour=colour, shade=shade_behind(blocks[1 - place])
    )


def _vermilion(page: Sheet, font: Path, rng: np.random.Generator) -> Iterator[tuple[Mask, tuple[int, int]]]:
    """Yield the red marks of a page, each with its middle."""
    for x, y in page.plan.stops:
        yield circle(rng), (x + round(rng.normal(0, 5)), y + round(rng.normal(0, 5)))
    for item in page.seals:
        yield turned(seal(item.text, item.size, font, intaglio=item.intaglio), rng), item.middle


def _jpeg(picture: Any) -> bytes:
    """Return a picture as a JPEG file without metadata."""
    content: bytes = picture.jpegsave_buffer(Q=QUALITY, subsample_mode="off", keep="none")
    return content


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
