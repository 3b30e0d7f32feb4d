"""The sample book: complete text, coordinates that match the ink, and reproducible bytes."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from click.testing import CliRunner
from PIL import ImageFont
from silent_progress import SilentProgress

from repository.errors import DependencyMissing, StagingFault
from repository.localized import LocalizedText
from sample_book import make_sample
from sample_book.__main__ import main
from sample_book.book import PACKAGE, SEED, draw_leaf, find_font
from sample_book.collation import leaves
from sample_book.layout import BODY_WIDTH, BOTTOM, PAGE_HEIGHT, PAGE_WIDTH, TOP, TextBox
from sample_book.paper import make_textures
from sample_book.text import JUANS
from workers.deposit.ranges import build_ranges
from workers.deposit.record import read_record
from workers.text.read import read_text
from workers.text.source import SourcePage

CACHE = PACKAGE.parent / ".make" / "sample-book"
KEYS = [f"volume-1/{number:04d}" for number in range(1, 10)] + [f"volume-2/{number:04d}" for number in range(1, 10)]


class CountingProgress:
    """Records the numbers reported."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def start(self, label: LocalizedText, total: int) -> None:
        self.total = total

    def advance(self, amount: int) -> None:
        self.done += amount

    def finish(self) -> None:
        assert self.done == self.total


@pytest.fixture(scope="module")
def book() -> Path:
    """The whole book. Drawing it takes twenty seconds, so it is drawn once for each state of what it is made from."""
    with drawing_alone():
        folder = CACHE / digest_of_sources()
        if not folder.is_dir():
            for old in CACHE.glob("*/"):
                shutil.rmtree(old)
            unfinished = folder.with_suffix(".unfinished")
            progress = CountingProgress()
            make_sample(unfinished, progress)
            assert progress.total == len(KEYS)
            unfinished.rename(folder)
    return folder


@contextmanager
def drawing_alone() -> Iterator[None]:
    """Let one process of the tests draw the book, while others wait for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest_of_sources() -> str:
    """Return a digest of everything that the pixels depend on: the code, the typeface and the libraries."""
    digest = hashlib.sha256()
    for path in [find_font(PACKAGE), *sorted(PACKAGE.glob("*.py"))]:
        digest.update(path.read_bytes())
    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    digest.update(f"{np.__version__} {pyvips.__version__} {libvips}".encode())
    return digest.hexdigest()[:16]


def texts(folder: Path) -> dict[str, SourcePage]:
    """The text of every page as the deposit has it, by page."""
    paths = sorted((folder / "text").rglob("*.xml"))
    keys = [str(path.relative_to(folder / "text").with_suffix("")) for path in paths]
    return {key: text_of(folder, key) for key in keys}


def text_of(folder: Path, key: str) -> SourcePage:
    """The text of one page as the deposit has it."""
    path = folder / "text" / f"{key}.xml"
    read = read_text(path.read_bytes(), path.name)
    assert read.text, read.faults
    [page] = read.text.pages
    return page


def test_text_has_a_thousand_different_characters() -> None:
    lines = [line for juan in JUANS for chapter in juan.chapters for line in chapter.lines]
    assert len(lines) == 250
    assert {len(line) for line in lines} == {4}
    assert len(set("".join(lines))) == 1000
    assert lines[0] == "天地玄黃"
    assert lines[-1] == "焉哉乎也"


def test_typeface_has_every_character() -> None:
    face = ImageFont.truetype(find_font(PACKAGE), 64)
    absent = bytes(face.getmask("\U000323af"))
    every = {c.text for leaf in leaves() for sheet in leaf.sheets for c in (*sheet.plan.characters, *sheet.plan.heart)}
    assert [text for text in sorted(every) if bytes(face.getmask(text)) == absent] == []


def test_pages_contain_the_text_in_reading_order() -> None:
    columns = [
        "".join(character.text for character in sheet.plan.characters if character.column == column)
        for leaf in leaves()
        for sheet in leaf.sheets
        if sheet.leaf
        for column in range(1, 8)
    ]
    read = "".join(column for column in columns if not column.startswith(("千字文", "梁")))
    assert read == "".join(line for juan in JUANS for chapter in juan.chapters for line in chapter.lines)


@pytest.mark.parametrize("key", KEYS)
def test_character_boxes_run_from_right_to_left_and_never_overlap(key: str) -> None:
    (plan,) = [sheet.plan for leaf in leaves() for sheet in leaf.sheets if sheet.key == key]
    covered = np.zeros((PAGE_HEIGHT, PAGE_WIDTH), np.uint8)
    for character in plan.characters:
        box = character.box
        assert min(box.x, box.y) >= 0
        assert box.x + box.width <= PAGE_WIDTH
        assert box.y + box.height <= PAGE_HEIGHT
        covered[box.y : box.y + box.height, box.x : box.x + box.width] += 1
    assert covered.max() == 1
    places = [(character.column, -character.box.x, character.box.y) for character in plan.characters]
    if len({character.box.height for character in plan.characters}) == 1:
        assert places == sorted(places)
        lefts = {column: x for column, x, _ in places}
        assert sorted(lefts.values()) == [lefts[column] for column in sorted(lefts)]


@pytest.mark.slow
def test_deposit_is_complete_and_its_record_valid(book: Path) -> None:
    pictures = sorted(str(path.relative_to(book).with_suffix("")) for path in book.glob("volume-*/*"))
    assert pictures == KEYS
    assert sorted(texts(book)) == KEYS
    description, faults = read_record((book / "work.toml").read_bytes())
    assert faults == ()
    assert description is not None
    assert description.record.title == "千字文"
    assert [page.file for page in description.pages] == KEYS
    ranges, faults = build_ranges(description.ranges, KEYS)
    assert faults == ()
    assert [(part.label, len(part.ranges)) for part in ranges] == [("卷首", 0), ("卷上", 2), ("卷下", 2)]
    assert [part.pages[0] for part in ranges[1].ranges + ranges[2].ranges] == [
        page
        for line in ("天地玄黃", "蓋此身髮", "都邑華夏", "治本於農")
        for page, document in texts(book).items()
        if any(column.text.startswith(line) for column in document.lines)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_page_is_a_colour_picture_of_twenty_megapixels(book: Path, key: str) -> None:
    image: Any = pyvips.Image.new_from_file(str(book / f"{key}.jpg"))
    assert image.width * image.height >= 20_000_000
    assert (image.width, image.height, image.bands, image.format) == (PAGE_WIDTH, PAGE_HEIGHT, 3, "uchar")
    assert text_of(book, key).size == (PAGE_WIDTH, PAGE_HEIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("key", [key for key in KEYS if key not in {"volume-1/0001", "volume-2/0001"}])
def test_ink_is_within_the_boxes_of_the_columns(book: Path, key: str) -> None:
    image: Any = pyvips.Image.new_from_file(str(book / f"{key}.jpg"))
    black = (image < 110).bandand().numpy() > 0
    places = [tuple(map(round, line.box)) for line in text_of(book, key).lines if line.box]
    boxes = [TextBox(left, top, right - left, bottom - top) for left, top, right, bottom in places]
    assert boxes
    assert all(ink(black, box) > 0.005 for box in boxes)
    if key.endswith(("0002", "0003")) and key.startswith("volume-1"):
        return  # the title page and the colophon have columns of several sizes
    for left in sorted({box.x for box in boxes}):
        column = black[TOP + 20 : BOTTOM - 20, left : left + BODY_WIDTH].copy()
        for box in (box for box in boxes if box.x == left):
            column[max(box.y - TOP - 20, 0) : box.y - TOP - 20 + box.height] = False
        assert column.mean() < 0.0001


def ink(black: Any, box: TextBox) -> float:
    """The share of a box that is black."""
    return float(black[box.y : box.y + box.height, box.x : box.x + box.width].mean())


@pytest.mark.slow
def test_first_text_page_has_red_seals_and_the_last_has_none(book: Path) -> None:
    def reddest(key: str) -> float:
        image: Any = pyvips.Image.new_from_file(str(book / f"{key}.jpg"))
        return float((image[0] - image[1] > 90).avg()) / 255

    assert reddest("volume-1/0004") > 0.005
    assert reddest("volume-1/0009") < 0.002


@pytest.mark.slow
def test_leaf_drawn_again_has_the_same_bytes(book: Path, tmp_path: Path) -> None:
    every = list(leaves())
    draw_leaf(tmp_path, every[2], 2, find_font(PACKAGE), make_textures(SEED))
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        assert path.read_bytes() == (book / path.relative_to(tmp_path)).read_bytes()


def test_folder_that_cannot_be_written_is_a_staging_fault(tmp_path: Path) -> None:
    (tmp_path / "book").write_text("a file, not a folder")
    with pytest.raises(StagingFault, match="book"):
        make_sample(tmp_path / "book", SilentProgress())


def test_missing_typeface_is_reported_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(DependencyMissing, match="npm ci --prefix sample_book"):
        find_font(tmp_path)


def test_command_reports_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "book").write_text("a file, not a folder")
    result = CliRunner().invoke(main, [str(tmp_path / "book")])
    assert result.exit_code == 3
    assert "book" in result.output
