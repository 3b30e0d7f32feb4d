"""File names of a deposit: portability, default labels of pages and volumes, and gaps. (pure)

The number of a page is the last group of digits in its name: ``0012`` and ``IMG_0012`` are page 12, ``0012a`` is 12a.
The resolution at the end of a name (``0012_300dpi``) and a date (``1937-08-13``) are no page numbers. Names that differ
only in the number form a sequence, whose numbers must not skip.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from repository.localized import LocalizedText
from repository.model.numerals import write_numeral

MAX_NAME_BYTES: Final = 255

_NUMBERED: Final = re.compile(r"(.*?)(\d+)(\D*)", re.ASCII | re.DOTALL)
_DIGITS: Final = re.compile(r"(\d+)", re.ASCII)
_RESERVED_CHARACTERS: Final = frozenset('<>:"/\\|?*')
_RESERVED_NAME: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)
_FULL_WIDTH_DIGITS: Final = str.maketrans("０１２３４５６７８９", "0123456789")
_RESOLUTION: Final = re.compile(r"(?<=[^\W_])[\s_.(（-]+\d{2,4}\s*[dp]pi[)）]?(?![^\W_])", re.IGNORECASE)
_CLOSING: Final = ")]}）】」』"
_SIDE: Final = re.compile(r"[\s_.-]?(?:[abrv]|[上下前後后正背表裏里オウ])", re.IGNORECASE)
_DATE: Final = re.compile(
    r"(?<!\d)(?:1\d|20)\d{2}([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"
    r"|(?<!\d)\d{1,4}年\d{1,2}月(?:\d{1,2}[日号號])?",
    re.ASCII,
)


def name_problem(name: str) -> LocalizedText | None:
    """Return why a file or folder name is not portable between systems, or None if it is.

    A portable name is in Unicode form NFC, so that a name is one sequence of bytes; has no control characters and
    nothing that Windows reserves; has no space at either end and no dot at the end; and has at most 255 bytes. Letters
    of any script are allowed.
    """
    if any("\ud800" <= character <= "\udfff" for character in name):
        return LocalizedText("文件名不是 UTF-8 编码", "the name is not UTF-8")
    return next((text for text, is_violated in _NAME_RULES if is_violated(name)), None)


_NAME_RULES: Final[tuple[tuple[LocalizedText, Callable[[str], bool]], ...]] = (
    (
        LocalizedText("文件名不是 Unicode NFC 形式", "the name is not in Unicode form NFC"),
        lambda name: not unicodedata.is_normalized("NFC", name),
    ),
    (
        LocalizedText(
            '文件名含有控制字符或 < > : " / \\ | ? *',
            'the name contains a control character or one of < > : " / \\ | ? *',
        ),
        lambda name: any(c in _RESERVED_CHARACTERS or unicodedata.category(c) in {"Cc", "Cf"} for c in name),
    ),
    (
        LocalizedText("文件名为 Windows 保留名", "the name is reserved by Windows"),
        lambda name: _RESERVED_NAME.fullmatch(name) is not None,
    ),
    (
        LocalizedText("文件名首尾有空格，或以点结尾", "the name begins or ends with a space, or ends with a dot"),
        lambda name: name != name.strip() or name.endswith("."),
    ),
    (
        LocalizedText(f"文件名超过 {MAX_NAME_BYTES} 字节", f"the name is longer than {MAX_NAME_BYTES} bytes"),
        lambda name: len(name.encode()) > MAX_NAME_BYTES,
    ),
)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key in which 2 comes before 10. Texts that differ only in leading zeros have equal keys."""
    parts = _DIGITS.split(text)
    return tuple((0, int(part), "") if part.isascii() and part.isdecimal() else (1, 0, part) for part in parts)


@dataclass(frozen=True, slots=True)
class PageNumber:
    """The number of a page in its name, its digits as written, and what stands before and after; `date` as written."""

    before: str
    digits: str
    after: str
    date: str = ""

    @property
    def value(self) -> int:
        """The number."""
        return int(self.digits)


def page_number(stem: str) -> PageNumber | None:
    """Return the number in the name of a page without suffix, or None if it has no digits but those of a date."""
    text = _RESOLUTION.sub("", stem.translate(_FULL_WIDTH_DIGITS))
    dates = list(_DATE.finditer(text))
    hidden = _DATE.sub(lambda match: "-" * len(match[0]), text)
    match = _NUMBERED.fullmatch(hidden)
    if match is None:
        return None
    start, end = match.span(2)
    return PageNumber(text[:start], match[2], text[end:].lstrip(_CLOSING), dates[-1][0] if dates else "")


def default_label(stem: str) -> str:
    """Return the label of a page by its file name: its number without leading zeros and the rest, else the name.

    A date in the name is part of the label, because each day's pages begin with 1.
    """
    number = page_number(stem)
    if number is None:
        return stem
    label = f"{number.value}{number.after}"
    return f"{number.date} {label}" if number.date and number.date in number.before else label


def default_volume_label(folder: str, ordinal: int) -> str:
    """Return the label of a volume: its folder's words.

    A folder named in ASCII alone has none for readers of Chinese: 第一册 by the number in its name, else by `ordinal`,
    counted from 1.
    """
    if not folder.isascii():
        return folder
    match = _NUMBERED.fullmatch(folder)
    return f"第{write_numeral(int(match[2]) if match else ordinal)}册"


def is_leaf_side(number: PageNumber) -> bool:
    """Return whether a number is that of a leaf, because a side follows it: 0001a, 12下."""
    return _SIDE.fullmatch(number.after) is not None


def find_gaps(stems: Iterable[str]) -> list[str]:
    """Return the numbers that the sequences among the names skip: ``0003``, or ``0003-0007`` for several.

    A sequence of leaf sides alone may skip numbers, as the leaf numbers printed in books do.
    """
    numbered = [number for number in map(page_number, stems) if number]
    gaps = []
    for before, sequence in groupby(sorted(numbered, key=lambda number: number.before), lambda number: number.before):
        numbers = list(sequence)
        if all(map(is_leaf_side, numbers)):
            continue
        widths = {number.value: len(number.digits) for number in numbers}
        for lower, upper in pairwise(sorted(widths)):
            if upper > lower + 1:
                first, last = (f"{before}{value:0{widths[lower]}}" for value in (lower + 1, upper - 1))
                gaps.append(first if first == last else f"{first}-{last}")
    return gaps
