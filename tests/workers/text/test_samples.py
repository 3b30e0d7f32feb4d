"""Real files of text, of which some are not valid by their schemas."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from lxml import etree

from workers.text.read import read_text
from workers.text.source import SourceText

pytestmark = pytest.mark.slow


def _read(path: Path) -> SourceText:
    found = read_text(path.read_bytes(), path.name)
    assert found.text, found.faults
    return found.text


@pytest.mark.parametrize(
    ("name", "lines", "first"),
    [
        ("alto/00001.xml", 27, "81"),
        ("alto/00002.xml", 29, "Bemerkungen"),
        ("alto/newspaper_issue_1-alto_p1.xml", 304, "I. 54. Jahrgang"),
        ("hocr-alto-mini/sn90050306_1920_05_27_1.xml", 279, "Help on Business"),
        ("hocr-alto-mini/space_after.html", 517, "DESERT GOLD"),
        ("kraken/page/cPAS-2000.xml", 0, ""),
        ("siku-zongmu_p1.txt", 9, "欽定四庫全書總目卷一"),
    ],
)
def test_each_sample_is_read(shared: Path, name: str, lines: int, first: str) -> None:
    [page] = _read(shared / "data/ocr" / name).pages
    assert len(page.lines) == lines
    assert (page.lines[0].text if page.lines else "") == first


def test_hyphens_at_the_end_of_lines_are_kept_as_printed(shared: Path) -> None:
    [page] = _read(shared / "data/ocr/alto/00002.xml").pages
    assert sum(line.text.endswith("-") for line in page.lines) >= 3


def test_columns_are_ordered_as_people_ordered_them(shared: Path) -> None:
    """The lines of these files are in an order that people corrected, which the reader does not use."""
    files = sorted((shared / "data/ocr/chi-know-po").glob("*/*.xml"))
    ratios = [_likeness(_order_of_document(path), _order_read(path)) for path in files]
    assert len(files) > 100
    assert sum(ratios) / len(ratios) > 0.98


def _order_read(path: Path) -> list[str]:
    return [line.text for page in _read(path).pages for line in page.lines]


def _order_of_document(path: Path) -> list[str]:
    lines = etree.parse(path).iter("{*}TextLine")
    return [text.strip() for line in lines if (text := line.findtext("{*}TextEquiv/{*}Unicode"))]


def _likeness(one: Sequence[str], other: Sequence[str]) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def test_kanripo_books_are_read_whole(shared: Path) -> None:
    files = sorted((shared / "data/text/KR2n0009").glob("*.txt"))
    pages = [page for path in files for page in _read(path).pages]
    assert len(pages) == sum(path.read_text().count("<pb:") for path in files)
    assert any(line.is_note and line.text == "有序" for page in pages for line in page.lines)
    assert not any(mark in line.text for page in pages for line in page.lines for mark in "()¶<&")
