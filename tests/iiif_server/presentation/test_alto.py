"""ALTO that is written is valid, and gives the same text when it is read again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from iiif_server.presentation.alto import alto_document
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Rectangle
from workers.text.read import read_text
from workers.text.source import clean_line

REGIONS = st.builds(Rectangle, *(st.integers(0, 1000),) * 2, *(st.integers(1, 1000),) * 2)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
LINES = st.builds(TextLine, TEXTS.map(clean_line).filter(bool), st.none() | REGIONS, st.booleans())


@given(st.lists(LINES, max_size=5))
@settings(max_examples=60)
def test_alto_has_an_inverse(lines: list[TextLine]) -> None:
    text = PageText("0001", TextKind.OCR, tuple(lines), "engine & co. <1>", 0.9, "lzh")
    read = read_text(alto_document(text, 2000, 2000, "0001.jpg"), "0001.xml").text
    assert read
    [page] = read.pages
    boxes = [line.box and tuple(map(int, line.box)) for line in page.lines]
    corners = [(r.x, r.y, r.x + r.width, r.y + r.height) if (r := line.region) else None for line in lines]
    assert [(line.text, line.is_note) for line in page.lines] == [(line.text, line.is_note) for line in lines]
    assert boxes == corners
    assert (page.image, page.size) == ("0001.jpg", (2000, 2000))
    assert read.source == "engine & co. <1>"


def test_alto_is_valid_by_its_schema(shared: Path, tmp_path: Path) -> None:
    schema = _schema(shared / "conformance/schemas", tmp_path)
    for lines in ((), (TextLine("天地 玄黃", Rectangle(1, 2, 3, 4)), TextLine("小字 \x0b & <", None, is_note=True))):
        for text in (PageText("1", TextKind.OCR, lines, "engine 1", 0.95, "lzh"), PageText("1", TextKind.OCR, lines)):
            schema.assertValid(etree.fromstring(alto_document(text, 100, 200, "0001.jpg")))


def _schema(schemas: Path, folder: Path) -> Any:
    """Compile the schema from a copy of it that imports local files; nothing is downloaded.

    ALTO names the group of XLink's attributes as the older schema of the Library of Congress did.
    """
    for name in ("alto-4-4.xsd", "xlink.xsd", "xml.xsd"):
        text = (schemas / name).read_text("utf-8")
        text = re.sub(r'schemaLocation="https?://[^"]*/', 'schemaLocation="', text)
        (folder / name).write_text(text.replace('ref="xlink:simpleLink"', 'ref="xlink:simpleAttrs"'), "utf-8")
    return etree.XMLSchema(etree.parse(folder / "alto-4-4.xsd", etree.XMLParser(no_network=True)))
