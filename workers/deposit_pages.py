"""How files become pages: names, numbers, order, labels, ranges. (pure)

A page's number is the last group of digits in its name: ``0012`` and ``IMG_0012`` are page 12, ``0012a`` is 12a. Names
that differ in nothing but that number belong together, and their numbers must not skip.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from repository.errors import Fault
from repository.model import Range
from repository.text import Text
from workers.record import RECORD_FILE, RangeTable

MAX_NAME_BYTES: Final = 255

_NUMBERED: Final = re.compile(r"(.*?)(\d+)(\D*)", re.ASCII | re.DOTALL)
_DIGITS: Final = re.compile(r"(\d+)", re.ASCII)
_RESERVED_CHARACTERS: Final = frozenset('<>:"/\\|?*')
_RESERVED_NAME: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)
_NUMERALS: Final = "〇一二三四五六七八九"


def name_fault(name: str) -> Text | None:
    """Why a file or folder name would not survive another system; None when it would.

    Portable is: NFC, so that one name is one sequence of bytes; no control characters; nothing Windows reserves; no
    space at either end, no dot at the end; at most 255 bytes. Letters of any script are welcome.
    """
    if any("\ud800" <= character <= "\udfff" for character in name):
        return Text("文件名不是 UTF-8", "the name is not UTF-8")
    return next((text for text, is_wrong in _NAME_RULES if is_wrong(name)), None)


_NAME_RULES: Final[tuple[tuple[Text, Callable[[str], bool]], ...]] = (
    (
        Text("文件名不是 NFC 规范形式", "the name is not in Unicode form NFC"),
        lambda name: not unicodedata.is_normalized("NFC", name),
    ),
    (
        Text(
            '文件名含有控制字符或 < > : " / \\ | ? *', 'the name holds a control character or one of < > : " / \\ | ? *'
        ),
        lambda name: any(c in _RESERVED_CHARACTERS or unicodedata.category(c) in {"Cc", "Cf"} for c in name),
    ),
    (
        Text("文件名为 Windows 保留名", "the name is reserved by Windows"),
        lambda name: _RESERVED_NAME.fullmatch(name) is not None,
    ),
    (
        Text("文件名首尾有空格或末尾有点", "the name begins or ends with a space, or ends with a dot"),
        lambda name: name != name.strip() or name.endswith("."),
    ),
    (
        Text(f"文件名超过 {MAX_NAME_BYTES} 字节", f"the name is longer than {MAX_NAME_BYTES} bytes"),
        lambda name: len(name.encode()) > MAX_NAME_BYTES,
    ),
)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key that orders names as people count: 2 before 10. Equal only for equal texts but for leading zeros."""
    parts = _DIGITS.split(text)
    return tuple((0, int(part), "") if part.isascii() and part.isdecimal() else (1, 0, part) for part in parts)


def default_label(stem: str) -> str:
    """A page's label by its file name: the number without zeros and what follows it, else the name."""
    match = _NUMBERED.fullmatch(stem)
    return f"{int(match[2])}{match[3]}" if match else stem


def default_volume_label(folder: str, ordinal: int) -> str:
    """第一册 and so on, by the number in the folder's name, else by its place."""
    match = _NUMBERED.fullmatch(folder)
    return f"第{_numeral(int(match[2]) if match else ordinal)}册"


def _numeral(number: int) -> str:
    """Chinese numerals to 99; digits beyond."""
    if not 0 < number < 100:
        return str(number)
    tens, units = divmod(number, 10)
    head = ("" if tens == 1 else _NUMERALS[tens]) + "十" if tens else ""
    return head + (_NUMERALS[units] if units else "")


def find_gaps(stems: Iterable[str]) -> list[str]:
    """The numbers skipped among names that belong together: ``0003``, or ``0003-0007`` for several."""
    numbered = [match for match in map(_NUMBERED.fullmatch, stems) if match]
    gaps = []
    for prefix, matches in groupby(sorted(numbered, key=lambda match: match[1]), key=lambda match: match[1]):
        widths = {int(match[2]): len(match[2]) for match in matches}
        for before, after in pairwise(sorted(widths)):
            if after > before + 1:
                first, last = (f"{prefix}{number:0{widths[before]}}" for number in (before + 1, after - 1))
                gaps.append(first if first == last else f"{first}-{last}")
    return gaps


@dataclass(frozen=True, slots=True)
class _Node:
    """A range being put in its place in the tree."""

    table: RangeTable
    pages: tuple[str, ...]


def build_ranges(tables: Sequence[RangeTable], keys: Sequence[str]) -> tuple[tuple[Range, ...], tuple[Fault, ...]]:
    """The tree of ranges over the work's page keys, in the order declared, and what is wrong with the tables."""
    faults: list[Fault] = []
    nodes = [_Node(table, _read_pages(table, keys, faults)) for table in tables]
    _check_parents(tables, faults)
    if faults:
        return (), tuple(faults)
    return _children(None, nodes), ()


def _children(parent: str | None, nodes: Sequence[_Node]) -> tuple[Range, ...]:
    return tuple(
        Range(node.table.label, node.pages, _children(node.table.label, nodes))
        for node in nodes
        if node.table.parent == parent
    )


def _check_parents(tables: Sequence[RangeTable], faults: list[Fault]) -> None:
    labels = [table.label for table in tables]
    parents = {table.label: table.parent for table in tables}
    for table in tables:
        parent = table.parent
        if parent is None:
            if table.pages is None and table.label not in parents.values():
                faults.append(_range_fault(table, "pages", "没有书页，也没有下级", "it has neither pages nor parts"))
        elif labels.count(parent) != 1:
            zh, en = f"须有且仅有一个“{parent}”", f'there must be exactly one range "{parent}"'
            faults.append(_range_fault(table, "parent", zh, en))
        elif _is_cyclic(table.label, parents):
            faults.append(_range_fault(table, "parent", "上下级循环", "its parents lead back to it"))


def _is_cyclic(label: str, parents: Mapping[str, str | None]) -> bool:
    above = parents.get(label)
    for _ in parents:
        if above is None:
            return False
        if above == label:
            return True
        above = parents.get(above)
    return True


def _read_pages(table: RangeTable, keys: Sequence[str], faults: list[Fault]) -> tuple[str, ...]:
    """The keys that ``pages`` names: single pages and runs ``first-last``, separated by commas."""
    places = {key: place for place, key in enumerate(keys)}
    pages: list[str] = []
    for item in (part.strip() for part in (table.pages or "").split(",") if part.strip()):
        run = _find_run(item, places)
        if run is None:
            faults.append(_range_fault(table, "pages", f"没有书页 {item}", f"there is no page {item}"))
        elif run[0] > run[1]:
            faults.append(_range_fault(table, "pages", f"{item} 首尾颠倒", f"{item} runs backwards"))
        else:
            pages += keys[run[0] : run[1] + 1]
    return tuple(dict.fromkeys(pages))


def _find_run(item: str, places: Mapping[str, int]) -> tuple[int, int] | None:
    """Where a page or a run begins and ends. Names may hold hyphens, so each is tried as the one between the two."""
    if item in places:
        return places[item], places[item]
    for match in re.finditer("-", item):
        first, last = item[: match.start()].strip(), item[match.end() :].strip()
        volume = first.rpartition("/")[0]
        end = places.get(last, places.get(f"{volume}/{last}") if volume else None)
        if first in places and end is not None:
            return places[first], end
    return None


def _range_fault(table: RangeTable, key: str, zh: str, en: str) -> Fault:
    text = Text(f"范围“{table.label}”：{zh}", f'the range "{table.label}": {en}')
    return Fault(RECORD_FILE, f"{table.place}.{key}", "range." + key, text)
