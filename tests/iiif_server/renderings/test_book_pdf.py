"""PDFs of works, read by poppler."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
from prerequisites import require

from iiif_server.pyramid.grid import TileGrid
from iiif_server.renderings.book import MOST_PIXELS, Book, book_pages, picture_request
from iiif_server.renderings.book_pdf import write_pdf
from iiif_server.request.limits import ImageLimits
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Image, Master, Page, Pyramid, Range, Record, Rectangle, Rights, Volume, Work

LIMITS = ImageLimits(64_000_000)
BEYOND_BMP = "𠮷"


def image(name: str) -> Image:
    return Image(f"i-{name}", 1200, 1500, Master(f"masters/{name}.tif", "0" * 64, 1, "image/tiff"))


BOOK = Work(
    "w1",
    Record("論語集解 (一)", creator=("何晏",), language=("lzh",)),
    (
        Volume("", (Page("1", "書名葉", (image("1"),)), Page("2", "葉一", (image("2"),)), Page("3", "葉二"))),
        Volume("", (Page("4", "葉三", (image("4"),)),)),
    ),
    (Range("卷一", ("1", "2"), (Range("學而", ("2",)),)), Range("卷二", ("4",))),
    Rights("http://creativecommons.org/publicdomain/mark/1.0/"),
)
COLUMNS = PageText(
    "2",
    TextKind.TRANSCRIPTION,
    (
        TextLine("子曰學而時習之不亦說乎", Rectangle(1000, 100, 100, 1200)),
        TextLine(f"有朋自遠方來{BEYOND_BMP}不亦樂乎", Rectangle(850, 100, 100, 1200)),
        TextLine("人不知而不慍", Rectangle(800, 100, 45, 600), is_note=True),
    ),
)
WITHOUT_PLACES = PageText("4", TextKind.OCR, (TextLine("甲乙丙丁"), TextLine("戊己庚辛")))


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    grey = pyvips.Image.gaussnoise(800, 1000, mean=200, sigma=9, seed=1).cast("uchar")
    return bytes(grey.colourspace("srgb").jpegsave_buffer(Q=80))


def pdf_of(work: Work, jpeg: bytes, numbers: list[int], *texts: PageText) -> bytes:
    pyramids = {held.identifier: Pyramid("key", "0" * 64, 1, 512) for held in work.images()}
    pages = book_pages(work, numbers, pyramids, LIMITS, {text.page: text for text in texts})
    output = io.BytesIO()
    write_pdf(Book(work, pages, "https://library.example/works/w1", "某館"), lambda _: jpeg, output)
    return output.getvalue()


def poppler(command: str, folder: Path, pdf: bytes, *options: str) -> str:
    (folder / "book.pdf").write_bytes(pdf)
    program = require(shutil.which(command), "Debian's package poppler-utils")
    done = subprocess.run(
        [program, *options, folder / "book.pdf", *(["-"] if command == "pdftotext" else [])],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.fixture(scope="module")
def whole(jpeg: bytes) -> bytes:
    return pdf_of(BOOK, jpeg, [1, 2, 3, 4], COLUMNS, WITHOUT_PLACES)


def test_columns_are_copied_from_right_to_left_with_rare_characters(whole: bytes, tmp_path: Path) -> None:
    texts = poppler("pdftotext", tmp_path, whole, "-raw").split("\f")
    assert [text.split() for text in texts[:4]] == [
        [],
        [line.text for line in COLUMNS.lines],
        [],
        [line.text for line in WITHOUT_PLACES.lines],
    ]


def test_columns_stand_where_they_stand_on_the_picture(whole: bytes, tmp_path: Path) -> None:
    boxes = poppler("pdftotext", tmp_path, whole, "-bbox", "-f", "2", "-l", "2")
    found = re.findall(r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.)', boxes)
    left, top, _, bottom = (float(number) * 300 / 72 for number in found[0][:4])  # poppler guesses how wide glyphs are
    assert found[0][4] == "子"
    assert (left, top, bottom) == pytest.approx((1000, 100, 1300), abs=3)


def test_pictures_are_embedded_as_they_are_and_a_missing_leaf_has_none(
    whole: bytes, jpeg: bytes, tmp_path: Path
) -> None:  # fmt: skip
    assert whole.count(jpeg) == 3
    rows = poppler("pdfimages", tmp_path, whole, "-list").splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["1", "2", "4"]
    assert all(row.split()[3:9] == ["800", "1000", "rgb", "3", "8", "jpeg"] for row in rows)


def test_document_states_title_direction_labels_rights_and_outline(whole: bytes, tmp_path: Path) -> None:
    described = poppler("pdfinfo", tmp_path, whole)
    assert re.search(r"^Title: +論語集解 \(一\)$", described, re.MULTILINE)
    assert re.search(r"^Pages: +4$", described, re.MULTILINE)
    packet = poppler("pdfinfo", tmp_path, whole, "-meta")
    assert "http://creativecommons.org/publicdomain/mark/1.0/" in packet
    assert "https://library.example/works/w1" in packet
    assert b"/Direction /R2L" in whole
    assert b"/PageLayout /TwoPageRight" in whole
    labels = re.findall(rb"/P <feff([0-9a-f]+)>", whole)
    assert [bytes.fromhex(label.decode()).decode("utf-16-be") for label in labels] == ["書名葉", "葉一", "葉二", "葉三"]
    entries = [bytes.fromhex(label.decode()).decode("utf-16-be") for label in re.findall(rb"/Title <feff(\w+)>", whole)]
    assert entries == ["第 1 册", "卷一", "學而", "第 2 册", "卷二", "論語集解 (一)"]


def test_selected_pages_alone_are_in_the_document_and_its_outline(jpeg: bytes, tmp_path: Path) -> None:
    part = pdf_of(BOOK, jpeg, [4], COLUMNS, WITHOUT_PLACES)
    assert re.search(r"^Pages: +1$", poppler("pdfinfo", tmp_path, part), re.MULTILINE)
    entries = [bytes.fromhex(label.decode()).decode("utf-16-be") for label in re.findall(rb"/Title <feff(\w+)>", part)]
    assert entries == ["第 2 册", "卷二", "論語集解 (一)"]
    assert b"/SinglePage" in part


def test_text_of_more_characters_than_a_font_holds_is_copied(jpeg: bytes, tmp_path: Path) -> None:
    lines = tuple("".join(chr(0x4E00 + 30 * row + place) for place in range(30)) for row in range(40))
    text = PageText("1", TextKind.OCR, tuple(map(TextLine, lines)))
    copied = poppler("pdftotext", tmp_path, pdf_of(BOOK, jpeg, [1], text), "-raw")
    assert copied.split() == list(lines)


def test_work_that_reads_from_left_to_right_says_nothing_of_the_direction(jpeg: bytes) -> None:
    work = replace(BOOK, viewing_direction="left-to-right")
    assert b"/Direction" not in pdf_of(work, jpeg, [1])


@pytest.mark.parametrize(
    ("size", "limits", "picture"),
    [
        ((4000, 5000), LIMITS, (1600, 2000)),  # the level of 2,500 is larger, that of 1,250 much smaller
        ((2800, 3800), LIMITS, (1400, 1900)),  # the level of half the size needs no scaling
        ((900, 1300), LIMITS, (900, 1300)),
        ((4000, 5000), ImageLimits(64_000_000, 800), (640, 800)),
    ],
)
def test_picture_of_a_page_is_large_enough_to_read_and_within_access(
    size: tuple[int, int], limits: ImageLimits, picture: tuple[int, int]
) -> None:
    request = picture_request(TileGrid(*size, 512), limits)
    assert (request.width, request.height) == picture


def test_picture_of_a_scroll_is_high_enough_to_read() -> None:
    request = picture_request(TileGrid(31_502, 1516, 512), LIMITS)
    assert request.height > 700
    assert request.width * request.height <= MOST_PIXELS * 1.01
