"""The leaves of the sample book, and its catalogue record. (pure)"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iiif_server.presentation.alto import alto_document
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Rectangle
from sample_book.layout import (
    BODY_WIDTH,
    COLUMNS,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    ROW,
    TOP,
    Character,
    PageLayout,
    Side,
    colophon_page,
    columns_of,
    cover_slip,
    first_column,
    half_leaves,
    text_page,
    title_page,
)
from sample_book.text import AUTHOR, DYNASTY, JUANS, TITLE, Juan

NUMERALS = "一二三四五六七八九"
TEXT = {"kind": "transcription", "source": "樣書所據文字 / the text of which the specimen was set", "language": "lzh"}
COLOPHON = ("是編以程式成之", "供數位善本試用", "非古本讀者察之")


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal of four characters: its side and centre in pixels; `intaglio` for white characters on red (白文)."""

    text: str
    size: int
    middle: tuple[int, int]
    intaglio: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page: its key in the deposit, its label, the half-leaf that it shows, its layout and its seals."""

    key: str
    label: str
    leaf: str | None
    plan: PageLayout
    seals: tuple[Seal, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of a volume (counted from 1): two sheets, or one for a cover."""

    volume: int
    sheets: tuple[Sheet, ...]
    is_cover: bool = False
    is_yellow: bool = False


def leaves() -> Iterator[Leaf]:
    """Yield every leaf of both volumes in reading order."""
    for volume, juan in enumerate(JUANS, start=1):
        yield Leaf(volume, (Sheet(_key(volume, 1), "書衣", None, cover_slip(juan.label)),), is_cover=True)
        if volume == 1:
            yield _front_leaf()
        yield from _text_leaves(volume, juan)


def work_file() -> str:
    """Return the catalogue record, `work.toml`."""
    record = {
        "title": TITLE,
        "identifier": "specimen-qianziwen",
        "creator": [f"{AUTHOR} ({DYNASTY}) 撰"],
        "language": ["lzh"],
        "classification": "經部·小學類",
        "edition": "數位樣本：仿清刻本，半葉七行，行十二字，四周雙邊，單黑魚尾",
        "call_number": "樣本·一",
        "holder": "善本樣本庫",
        "summary": "程式所製樣本，並非古籍書影：文字、版式、紙墨、印章皆由程式生成，供試用本系統。"
        "A specimen, not a photograph of an old book: layout, paper, ink and seals were drawn by this program.",
        "rights": "http://creativecommons.org/publicdomain/zero/1.0/",
        "viewing_direction": "right-to-left",
        "date": {"text": "二〇二六年（數位樣本）", "earliest": "2026", "latest": "2026"},
    }
    pages = [
        {"file": sheet.key, "label": sheet.label} | ({"leaf": sheet.leaf} if sheet.leaf else {})
        for leaf in leaves()
        for sheet in leaf.sheets
    ]
    return (
        "\n".join(
            [*_assignments(record), *_tables("range", _ranges()), *_tables("page", pages), *_tables("text", [TEXT])]
        )
        + "\n"
    )


def text_file(sheet: Sheet) -> bytes:
    """Return the text of a page as ALTO, a line for each column, with its place in pixels."""
    characters = sheet.plan.characters
    numbers = sorted({character.column for character in characters})
    columns = [[character for character in characters if character.column == number] for number in numbers]
    lines = tuple(TextLine("".join(c.text for c in column), _bounds(column)) for column in columns)
    text = PageText(sheet.key, TextKind.TRANSCRIPTION, lines, TEXT["source"], quality=1.0, language="lzh")
    return alto_document(text, PAGE_WIDTH, PAGE_HEIGHT, f"{sheet.key}.jpg")


def _key(volume: int, number: int) -> str:
    return f"volume-{volume}/{number:04d}"


def _front_leaf() -> Leaf:
    """Return the leaf before the text: the title page (內封) and, on its back, the colophon (牌記)."""
    title, colophon = title_page(), colophon_page(COLOPHON)
    last = title.characters[-1].box
    seal = Seal("樣本之印", 430, (last.x + last.width // 2, last.y + 60), intaglio=True)
    return Leaf(
        1,
        (Sheet(_key(1, 2), "內封", None, title, (seal,)), Sheet(_key(1, 3), "牌記", None, colophon)),
        is_yellow=True,
    )


def _text_leaves(volume: int, juan: Juan) -> Iterator[Leaf]:
    columns = half_leaves(columns_of(juan))
    for number in range(len(columns) // 2):
        sheets = tuple(
            _text_sheet(volume, juan, number, side, columns[2 * number + place]) for place, side in enumerate(Side)
        )
        yield Leaf(volume, sheets)


def _text_sheet(volume: int, juan: Juan, number: int, side: Side, columns: Sequence[Any]) -> Sheet:
    plan = text_page(columns, side, juan.label, NUMERALS[number])
    key = _key(volume, _first_text_page(volume) + 2 * number + list(Side).index(side))
    seals = _owner_seals(plan) if (number, side) == (0, Side.A) else ()
    half = "上" if side is Side.A else "下"
    return Sheet(key, f"{juan.label} 葉{NUMERALS[number]}{half}", f"{number + 1}{side}", plan, seals)


def _first_text_page(volume: int) -> int:
    return 4 if volume == 1 else 2


def _owner_seals(plan: PageLayout) -> tuple[Seal, ...]:
    """Return the collectors' seals at the foot of the first column, the newer above the older."""
    middle = plan.characters[0].box.x + BODY_WIDTH // 2
    return (
        Seal("數位善本", 392, (middle + 4, TOP + 11 * ROW - 60), intaglio=False),
        Seal("程式刻書", 330, (middle - 10, TOP + 9 * ROW + 120), intaglio=True),
    )


def _bounds(characters: Sequence[Character]) -> Rectangle:
    boxes = [character.box for character in characters]
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    return Rectangle(left, top, right - left, bottom - top)


def _ranges() -> Iterator[dict[str, str]]:
    """Yield the front matter, then each 卷 and its chapters. A chapter may begin on the page where another ends."""
    yield {"label": "卷首", "pages": f"{_key(1, 2)}-0003"}
    for volume, juan in enumerate(JUANS, start=1):
        yield {"label": juan.label}
        last = len(half_leaves(columns_of(juan))) - 1
        starts = [first_column(juan, number) for number in range(len(juan.chapters))]
        ends = [(start - 1) // COLUMNS for start in starts[1:]] + [last]
        for chapter, start, end in zip(juan.chapters, starts, ends, strict=True):
            first = _first_text_page(volume)
            pages = f"{_key(volume, first + start // COLUMNS)}-{first + end:04d}"
            yield {"label": f"{chapter.ordinal} {chapter.name}", "pages": pages, "parent": juan.label}


def _assignments(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: Any) -> str:
    """Return a value as TOML, in which strings and arrays of strings are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(_assignments(value)) + " }"
    return json.dumps(value, ensure_ascii=False)


def _tables(name: str, tables: Iterator[dict[str, str]] | Sequence[dict[str, str]]) -> Iterator[str]:
    for table in tables:
        yield from ("", f"[[{name}]]", *_assignments(table))
