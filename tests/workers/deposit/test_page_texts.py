"""Files of text are assigned to pages by name and by page breaks, and to places by scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repository.model.text import TextKind, TextLine
from repository.model.work import Image, Master, Page, Rectangle
from workers.deposit.page_texts import AssignedTexts, assign_texts
from workers.text.places import has_shape_of, placed
from workers.text.source import Box, SourceLine, SourcePage, SourceText, TextForm
from workers.text.statement import TextStatement, statements_of_json, statements_to_json


def image(width: int = 1000, height: int = 2000, *redactions: Rectangle) -> Image:
    return Image("i", width, height, Master("masters/0001.tif", "0" * 64, 1, "image/tiff"), redactions)


def page(key: str, label: str = "", leaf: str | None = None, shown: Image | None = None) -> Page:
    return Page(key, label, (shown or image(),), leaf=leaf)


def plain(*lines: str) -> SourceText:
    return SourceText(TextForm.PLAIN, (SourcePage(tuple(map(SourceLine, lines))),))


def broken(*names: str, images: Sequence[str] = ()) -> SourceText:
    pictures = images or [""] * len(names)
    pages = tuple(
        SourcePage((SourceLine(f"text of {name}"),), name, picture)
        for name, picture in zip(names, pictures, strict=True)
    )
    return SourceText(TextForm.TEI, pages, has_breaks=True)


def assign(pages: Sequence[Page], files: Mapping[str, SourceText], *statements: TextStatement) -> AssignedTexts:
    return assign_texts(pages, files, statements)


def lines(assigned: AssignedTexts) -> list[tuple[str, list[str]]]:
    assert not assigned.faults
    return [(text.page, [line.text for line in text.lines]) for text in assigned.texts]


def test_a_file_is_the_text_of_the_page_with_its_name() -> None:
    pages = [page("volume-1/0001"), page("volume-2/0001")]
    files = {
        "text/volume-2/0001.txt": plain("second"),
        "text/volume-1/1.txt": plain("first"),
        "text/english/volume-1/0001.xml": plain("translated"),
    }
    translation = TextStatement("text/english", kind=TextKind.TRANSLATION, language="en", source="a translator")
    assigned = assign(pages, files, translation)
    assert [(text.page, text.kind, text.source) for text in assigned.texts] == [
        ("volume-1/0001", TextKind.TRANSLATION, "a translator"),
        ("volume-1/0001", TextKind.TRANSCRIPTION, ""),
        ("volume-2/0001", TextKind.TRANSCRIPTION, ""),
    ]


@pytest.mark.parametrize("path", ["text/0003.txt", "text/0001.txt", "text/volume-3/0001.xml"])
def test_a_text_that_no_page_is_named_as_is_a_fault(path: str) -> None:
    [fault] = assign([page("volume-1/0001"), page("volume-2/0001")], {path: plain("text")}).faults
    assert (fault.file, fault.code) == (path, "text.page")


def test_page_breaks_name_pictures_or_pages_or_leaves() -> None:
    pages = [page("0001", "封面"), page("0002", "卷一 叶一上", "1a"), page("0003", "卷一 叶一下", "1b")]
    pictures = broken("x", "y", images=("scans/0003.jpg", "0002.tif"))
    assert lines(assign(pages, {"text/book.xml": pictures})) == [("0002", ["text of y"]), ("0003", ["text of x"])]
    for names in (("0002", "0003"), ("卷一 叶一上", "卷一 叶一下"), ("1a", "1b"), ("001-1a", "001-1b")):
        assigned = assign(pages, {"text/book.xml": broken(*names)})
        assert [text.page for text in assigned.texts] == ["0002", "0003"], names


def test_page_breaks_are_counted_if_they_name_nothing() -> None:
    pages = [page("0001"), Page("0002"), page("0003")]
    assert [key for key, _ in lines(assign(pages, {"text/b.xml": broken("a", "b", "c")}))] == ["0001", "0002", "0003"]
    assert [key for key, _ in lines(assign(pages, {"text/b.xml": broken("a", "b")}))] == ["0001", "0003"]
    assert lines(assign(pages, {"text/b.xml": broken("a", "b", "c", "d")})) == [
        ("0001", ["text of a", "text of b"]),
        ("0003", ["text of c", "text of d"]),
    ]


def test_files_of_one_folder_are_one_text_in_the_order_of_their_names() -> None:
    pages = [page(f"{number:04d}") for number in range(1, 4)]
    files = {"text/k/b_10.txt": broken("c"), "text/k/b_2.txt": broken("a", "b")}
    assert lines(assign(pages, files)) == [
        ("0001", ["text of a"]),
        ("0002", ["text of b"]),
        ("0003", ["text of c"]),
    ]


def test_a_text_covers_the_volume_that_it_is_named_after_or_the_stated_pages() -> None:
    pages = [page("v1/0001"), page("v2/0001"), page("v2/0002")]
    assert [key for key, _ in lines(assign(pages, {"text/v2.xml": broken("a", "b")}))] == ["v2/0001", "v2/0002"]
    stated = TextStatement("text/tei.xml", pages="v1/0001-v2/0001")
    files = {"text/tei.xml": broken("a", "b")}
    assert [key for key, _ in lines(assign(pages, files, stated))] == ["v1/0001", "v2/0001"]


def test_page_breaks_that_fit_no_pages_are_a_fault_that_names_the_numbers() -> None:
    pages = [page("0001"), page("0002")]
    [fault] = assign(pages, {"text/tei.xml": broken("1a", "1b", "2a")}).faults
    assert (fault.file, fault.code) == ("text/tei.xml", "text.pages")
    assert "3 pages (" not in fault.message.en
    assert "1a … 2a" in fault.message.zh
    [fault] = assign(pages, {"text/tei.xml": broken("a")}, TextStatement("text/tei.xml", pages="9-10")).faults
    assert fault.code == "text.pages"


def test_places_are_scaled_to_the_picture_and_dropped_if_its_shape_differs() -> None:
    line = SourceLine("文", (10, 20, 30, 41), is_note=True)
    fitting = SourceText(TextForm.ALTO, (SourcePage((line,), size=(100, 200)),))
    [text] = assign([page("0001")], {"text/0001.xml": fitting}).texts
    assert text.lines == (TextLine("文", Rectangle(100, 200, 200, 210), is_note=True),)
    turned = SourceText(TextForm.ALTO, (SourcePage((line,), size=(200, 100)),))
    assigned = assign([page("0001")], {"text/0001.xml": turned})
    assert assigned.texts[0].lines == (TextLine("文", None, is_note=True),)
    assert [notice.code for notice in assigned.notices] == ["text.shape"]


def test_text_that_a_redaction_may_hide_is_left_out() -> None:
    redacted = page("0001", shown=image(1000, 2000, Rectangle(0, 0, 500, 500)))
    source = SourcePage((SourceLine("hidden", (400, 400, 600, 600)), SourceLine("seen", (600, 600, 700, 700))))
    file = SourceText(TextForm.ALTO, (SourcePage((*source.lines, SourceLine("unknown"))),))
    assert lines(assign([redacted], {"text/0001.xml": file})) == [("0001", ["seen"])]


def test_a_redaction_of_any_photograph_hides_the_text_there() -> None:
    half = image(500, 1000, Rectangle(0, 0, 251, 250))
    another_shape = image(1000, 1000, Rectangle(0, 0, 1, 1))
    first = image()
    boxes = {"hidden": (400, 400, 600, 600), "touched": (501, 0, 600, 100), "seen": (502, 0, 600, 100)}
    found = tuple(SourceLine(text, box) for text, box in boxes.items())
    file = {"text/0001.xml": SourceText(TextForm.ALTO, (SourcePage((*found, SourceLine("unknown"))),))}
    assert lines(assign([Page("0001", images=(first, half))], file)) == [("0001", ["seen"])]
    assert lines(assign([Page("0001", images=(first, first, another_shape))], file)) == []


_COORDINATES = st.floats(-500, 3000, allow_nan=False)


@given(st.tuples(_COORDINATES, _COORDINATES, _COORDINATES, _COORDINATES), st.integers(1, 3000), st.integers(1, 3000))
@settings(max_examples=60)
def test_a_place_is_always_within_the_picture(box: Box, width: int, height: int) -> None:
    shown = image(700, 900)
    found = placed(box, (width, height), shown)
    if found:
        assert 0 <= found.x < found.x + found.width <= 700
        assert 0 <= found.y < found.y + found.height <= 900
    assert has_shape_of((7, 9), shown)


def test_statements_have_an_inverse() -> None:
    statements = (
        TextStatement("text/a.xml", TextKind.OCR, "engine 1", 0.9, "lzh", corrected=True, pages="1-2", added="2026"),
        TextStatement(),
    )
    assert statements_of_json(statements_to_json(statements)) == statements
