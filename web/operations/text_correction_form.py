"""The form of a correction: lines as people type them, and the changes of its buttons. (pure)

A button of the form changes its lines and saves nothing: the page shows the form again with the changed lines. The
lines become those of the text only when the form is saved, all in one correction. So the form works without a script.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from repository.localized import LocalizedText
from repository.model.text import TextLine
from repository.model.work import Rectangle
from repository.whole_numbers import parse_whole_number
from workers.text.correction import CorrectionInvalid, require_room

_SIDES: Final = ("x", "y", "width", "height")

_LARGEST: Final = 999_999_999
_BROKEN: Final = LocalizedText("表单不完整，请重新打开此页", "the form is not complete; open this page again")
_PLACE: Final = LocalizedText(
    "第 {number} 行的位置须为四个整数（左、上、宽、高），或四项全空",
    "the place of line {number} is four whole numbers (left, top, width, height), or all four are empty",
)
_SPLIT: Final = LocalizedText(
    "第 {number} 行有 {count} 字，请填写在第几字之后拆开，至少 1，至多 {most}",
    "line {number} has {count} {count:character|characters}; state after which of them to split it, from 1 to {most}",
)
_SHORT: Final = LocalizedText(
    "第 {number} 行不足两字，不能拆开", "line {number} has fewer than two characters and cannot be split"
)


class LineChange(StrEnum):
    """What a button of the form does: it adds a line behind a line, or changes that line."""

    ADD = "add"
    DELETE = "delete"
    SPLIT = "split"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line as typed: `place` is left, top, width and height; `split` after how many characters to split it."""

    text: str = ""
    place: tuple[str, str, str, str] = ("", "", "", "")
    is_note: bool = False
    split: str = ""


Draft = tuple[DraftLine, ...]


@dataclass(frozen=True, slots=True)
class ChangedDraft:
    """The lines after a change, which it was, and the index of the line where the work goes on, None without lines."""

    lines: Draft
    change: LineChange
    focus: int | None


def draft_of(lines: Iterable[TextLine]) -> Draft:
    """Return the lines of a text as the form shows them first."""
    return tuple(DraftLine(line.text, _typed(line.region), line.is_note) for line in lines)


def draft_of_form(form: Mapping[str, Sequence[str]]) -> Draft:
    """Return the lines of a form that was sent: `line`, its sides and `split` once for each, `note` with their indexes.

    Raises `CorrectionInvalid`.
    """
    lines = form.get("line", ())
    sides = [form.get(side, ()) for side in _SIDES]
    splits, notes = form.get("split", ()), set(form.get("note", ()))
    if any(len(values) != len(lines) for values in (*sides, splits)):
        raise CorrectionInvalid(_BROKEN)
    return tuple(
        DraftLine(text, (x, y, width, height), str(index) in notes, split)
        for index, (text, x, y, width, height, split) in enumerate(zip(lines, *sides, splits, strict=True))
    )


def lines_of(draft: Draft) -> tuple[TextLine, ...]:
    """Return lines as they are typed. Raises `CorrectionInvalid` for a place that is none."""
    return tuple(TextLine(line.text, region_of(number, line), line.is_note) for number, line in enumerate(draft, 1))


def region_of(number: int, line: DraftLine) -> Rectangle | None:
    """Return the place of the line with this number, from 1. Raises `CorrectionInvalid`."""
    if not any(side.strip() for side in line.place):
        return None
    place = [side for typed in line.place if (side := _typed_number(typed)) is not None]
    if len(place) < len(_SIDES):
        raise CorrectionInvalid(_PLACE.format(number=number))
    return Rectangle(*place)


def _typed_number(typed: str) -> int | None:
    """Return a number that a person typed, also in the full-width digits of a Chinese keyboard; None for none."""
    return parse_whole_number(unicodedata.normalize("NFKC", typed).strip(), _LARGEST)


def changed_draft(draft: Draft, button: str) -> ChangedDraft:
    """Return the lines as a button changes them; it is named by its change and a line, ``split-3``, from 1.

    ``add-0`` adds a line before all others. Raises `CorrectionInvalid`.
    """
    name, _, place = button.partition("-")
    number = parse_whole_number(place, len(draft), 0 if name == LineChange.ADD else 1)
    if name not in set(LineChange) or number is None:
        raise CorrectionInvalid(_BROKEN)
    change = LineChange(name)
    lines, focus = _CHANGES[change](draft, number)
    return ChangedDraft(lines, change, focus if lines else None)


def characters(text: str) -> list[str]:
    """Return the characters of a line, each with the marks and variation selectors that follow it."""
    found: list[str] = []
    for character in text:
        if found and unicodedata.category(character).startswith("M"):
            found[-1] += character
        else:
            found.append(character)
    return found


def _added(draft: Draft, number: int) -> tuple[Draft, int]:
    require_room(len(draft) + 1)
    return (*draft[:number], DraftLine(), *draft[number:]), number


def _deleted(draft: Draft, number: int) -> tuple[Draft, int]:
    return (*draft[: number - 1], *draft[number:]), min(number, len(draft) - 1) - 1


def _split(draft: Draft, number: int) -> tuple[Draft, int]:
    require_room(len(draft) + 1)
    line = draft[number - 1]
    found, at = characters(line.text.strip()), _typed_number(line.split)
    if len(found) < 2:
        raise CorrectionInvalid(_SHORT.format(number=number))
    if at is None or not 1 <= at < len(found):
        raise CorrectionInvalid(_SPLIT.format(number=number, count=len(found), most=len(found) - 1))
    before, after = _split_region(region_of(number, line), at / len(found))
    parts = (
        replace(line, text="".join(found[:at]), place=_typed(before), split=""),
        replace(line, text="".join(found[at:]), place=_typed(after), split=""),
    )
    return (*draft[: number - 1], *parts, *draft[number:]), number


def _split_region(region: Rectangle | None, share: float) -> tuple[Rectangle | None, Rectangle | None]:
    """Return the two parts of a place, divided across its longer side; a place of one pixel stays that of both."""
    if region is None or max(region.width, region.height) < 2:
        return region, region
    length = max(region.width, region.height)
    first = min(max(round(length * share), 1), length - 1)
    if region.height >= region.width:
        before = replace(region, height=first)
        return before, replace(region, y=region.y + first, height=length - first)
    return replace(region, width=first), replace(region, x=region.x + first, width=length - first)


def _moved_up(draft: Draft, number: int) -> tuple[Draft, int]:
    return (_exchanged(draft, number - 2), number - 2) if number > 1 else (draft, 0)


def _moved_down(draft: Draft, number: int) -> tuple[Draft, int]:
    return (_exchanged(draft, number - 1), number) if number < len(draft) else (draft, number - 1)


def _exchanged(draft: Draft, index: int) -> Draft:
    return (*draft[:index], draft[index + 1], draft[index], *draft[index + 2 :])


def _typed(region: Rectangle | None) -> tuple[str, str, str, str]:
    if region is None:
        return "", "", "", ""
    return str(region.x), str(region.y), str(region.width), str(region.height)


_CHANGES: Final[Mapping[LineChange, Callable[[Draft, int], tuple[Draft, int]]]] = {
    LineChange.ADD: _added,
    LineChange.DELETE: _deleted,
    LineChange.SPLIT: _split,
    LineChange.UP: _moved_up,
    LineChange.DOWN: _moved_down,
}
