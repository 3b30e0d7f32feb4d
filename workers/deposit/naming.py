"""File names of a deposit: portability, natural order, default labels of pages and volumes, and gaps. (pure)

The number of a page is the last group of digits in its name: ``0012`` and ``IMG_0012`` are page 12, ``0012a`` is 12a.
Names that differ only in this number form a sequence, whose numbers must not skip.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import groupby, pairwise
from typing import Final

from repository.localized import LocalizedText

MAX_NAME_BYTES: Final = 255

_NUMBERED: Final = re.compile(r"(.*?)(\d+)(\D*)", re.ASCII | re.DOTALL)
_DIGITS: Final = re.compile(r"(\d+)", re.ASCII)
_RESERVED_CHARACTERS: Final = frozenset('<>:"/\\|?*')
_RESERVED_NAME: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)
_NUMERALS: Final = "〇一二三四五六七八九"


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


def default_label(stem: str) -> str:
    """Return the label of a page by its file name: its number without leading zeros and the rest, else the name."""
    match = _NUMBERED.fullmatch(stem)
    return f"{int(match[2])}{match[3]}" if match else stem


def default_volume_label(folder: str, ordinal: int) -> str:
    """Return the label of a volume (第一册) by the number in its folder's name, else by `ordinal`, counted from 1."""
    match = _NUMBERED.fullmatch(folder)
    return f"第{_numeral(int(match[2]) if match else ordinal)}册"


def _numeral(number: int) -> str:
    """Return a number in Chinese numerals up to 99, and in digits beyond."""
    if not 0 < number < 100:
        return str(number)
    tens, units = divmod(number, 10)
    head = ("" if tens == 1 else _NUMERALS[tens]) + "十" if tens else ""
    return head + (_NUMERALS[units] if units else "")


def find_gaps(stems: Iterable[str]) -> list[str]:
    """Return the numbers that the sequences among the names skip: ``0003``, or ``0003-0007`` for several."""
    numbered = [match for match in map(_NUMBERED.fullmatch, stems) if match]
    gaps = []
    for prefix, matches in groupby(sorted(numbered, key=lambda match: match[1]), key=lambda match: match[1]):
        widths = {int(match[2]): len(match[2]) for match in matches}
        for before, after in pairwise(sorted(widths)):
            if after > before + 1:
                first, last = (f"{prefix}{number:0{widths[before]}}" for number in (before + 1, after - 1))
                gaps.append(first if first == last else f"{first}-{last}")
    return gaps
