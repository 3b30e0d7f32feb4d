"""The reading order of names that number volumes or pages, by digits, Chinese numerals and words. (pure)

Names are compared where they first differ. There, numbers are compared by value; members of one sequence
(`sequences.py`) by their place; words such as 序 stand first, 附錄 last. Other Chinese words have no order, unless each
of the names ends in a different number: 書影0001, 地圖0002. ASCII text is compared by its characters.

`arrange` orders a set of names together, because one name does not show what its characters mean: 上 numbers a volume
in 上冊 and 下冊, and not in 上海 and 下關.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from repository.model.numerals import RUN, is_by_place, read_numeral
from workers.deposit.naming import page_number
from workers.deposit.sequences import is_first_word, is_sequel, is_sequence_word, match_back, match_front, ranks

_TOKEN: Final = re.compile(rf"(\d+)|({RUN.pattern})|(.)", re.DOTALL)
_NUMBER: Final = "\0"
_EXAMPLES: Final = 5


class _ChineseNumber(int):
    """A number that was written in Chinese numerals; equal to the same number in digits."""


Token = int | str
"""A number, or a single character that is no part of one."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """Names in reading order.

    `unknown` are sets of names whose order is not known, `equal` sets of names with equal numbers and words: 卷一, 卷1.
    Of each set, at most five names are given.
    """

    names: tuple[str, ...]
    unknown: tuple[tuple[str, ...], ...] = ()
    equal: tuple[tuple[str, ...], ...] = ()


def arrange(names: Iterable[str]) -> Arranged:
    """Return different names in reading order. Names of unknown order follow their code points."""
    distinct = sorted(set(names))
    lists = _has_lists(distinct)
    arranger = _Arranger()
    ordered = arranger.arrange([_Name(name, tokens(name, lists=lists)) for name in distinct], 0)
    return Arranged(tuple(name.name for name in ordered), tuple(arranger.unknown), tuple(arranger.equal))


def tokens(name: str, *, lists: bool = False) -> tuple[Token, ...]:
    """Return a name as numbers and characters, in Unicode form NFKC (１ is 1).

    With `lists`, 三四 is 3 and 4, otherwise 34.
    """
    found: list[Token] = []
    for digits, run, character in _TOKEN.findall(unicodedata.normalize("NFKC", name)):
        if digits:
            found.append(int(digits))
        elif run:
            numeral = read_numeral(run)
            found += map(_ChineseNumber, numeral.listed if lists and numeral.listed else numeral.numbers)
        else:
            found.append(character)
    return tuple(found)


def _has_lists(names: Sequence[str]) -> bool:
    """Return whether all runs of several digits list them, as 卷一二 and 卷三四 do, and 卷一〇 and 卷一一 do not."""
    runs = [run for name in names for run in RUN.findall(name)]
    numerals = [read_numeral(run) for run in runs if len(run) > 1 and is_by_place(run)]
    return bool(numerals) and all(numeral.listed for numeral in numerals)


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    tokens: tuple[Token, ...]

    def rest(self, position: int) -> str:
        """Return what follows a position, with each number as NUL."""
        return "".join(_NUMBER if isinstance(token, int) else token for token in self.tokens[position:])


@dataclass(frozen=True, slots=True)
class _Step:
    """What a name has at a position: `group` 0 for its end, 1 for a first word, 2 for the rest, 3 for a last word.

    `rank` orders the words of a group; `token` is the word, or the number or character; `length` is in tokens.
    """

    group: int
    rank: int
    token: Token
    length: int


_LAST_GROUP: Final = 3
_MIDDLE: Final = 2


def _step(name: _Name, position: int) -> _Step:
    if position >= len(name.tokens):
        return _Step(0, 0, "", 0)
    token = name.tokens[position]
    if isinstance(token, str):
        rest = name.rest(position)
        for group, match in ((1, match_front), (_LAST_GROUP, match_back)):
            if found := match(rest):
                return _Step(group, found[0], found[1], len(found[1]))
    return _Step(_MIDDLE, 0, token, 1)


@dataclass(slots=True)
class _Arranger:
    """Orders names recursively, and collects those of unknown or equal order."""

    unknown: list[tuple[str, ...]] = field(default_factory=list)
    equal: list[tuple[str, ...]] = field(default_factory=list)

    def arrange(self, names: Sequence[_Name], position: int) -> list[_Name]:
        """Return names that are equal before `position` in order."""
        while len(names) > 1:
            groups = _grouped(names, position)
            if len(groups) > 1:
                return self._arrange_groups(names, groups, position)
            (step,) = groups
            if not step.length:
                self.equal.append(tuple(name.name for name in names)[:_EXAMPLES])
                break
            position += step.length
        return list(names)

    def _arrange_groups(
        self, names: Sequence[_Name], groups: Mapping[_Step, list[_Name]], position: int
    ) -> list[_Name]:
        ordered = _ordered_steps(groups, position)
        if ordered is None:
            if numbered := _by_last_number(names):
                return numbered
            self.unknown.append(tuple(members[0].name for members in groups.values())[:_EXAMPLES])
            ordered = sorted(groups, key=lambda step: groups[step][0].name)
        return [name for step in ordered for name in self.arrange(groups[step], position + step.length)]


def _grouped(names: Sequence[_Name], position: int) -> dict[_Step, list[_Name]]:
    """Return names by what they have at a position: single characters if these are a sequence, otherwise words."""
    characters: dict[_Step, list[_Name]] = {}
    words: dict[_Step, list[_Name]] = {}
    for name in names:
        token = name.tokens[position] if position < len(name.tokens) else ""
        characters.setdefault(_Step(_MIDDLE, 0, token, 1), []).append(name)
        words.setdefault(_step(name, position), []).append(name)
    different = [step.token for step in characters]
    is_sequence = len(different) > 1 and ranks([str(token) for token in different]) is not None
    return characters if is_sequence and _have_same_unit(characters, position) else words


def _ordered_steps(groups: Mapping[_Step, list[_Name]], position: int) -> list[_Step] | None:
    """Return the different steps at a position in order, or None if it is not known."""
    words = [step for step in groups if step.group in {1, _LAST_GROUP}]
    middle = _ordered_middle({step: groups[step] for step in groups if step.group == _MIDDLE}, position)
    if middle is None or len({(step.group, step.rank) for step in words}) < len(words) or _may_be_second(groups):
        return None
    others = sorted((step for step in groups if step.group != _MIDDLE), key=lambda step: (step.group, step.rank))
    return [
        *(step for step in others if step.group < _MIDDLE),
        *middle,
        *(step for step in others if step.group > _MIDDLE),
    ]


def _may_be_second(steps: Collection[_Step]) -> bool:
    """Return whether 續 may stand for 2, because there are greater numbers and no 2: 初編 續編 三編."""
    numbers = {step.token for step in steps if isinstance(step.token, int)}
    has_sequel = any(step.group == _LAST_GROUP and is_sequel(str(step.token)) for step in steps)
    return has_sequel and 2 not in numbers and any(number > 2 for number in numbers)


def _ordered_middle(groups: Mapping[_Step, list[_Name]], position: int) -> list[_Step] | None:
    steps = list(groups)
    if len(steps) < 2:
        return steps
    chinese = [step for step in steps if isinstance(step.token, str) and _has_no_order(step.token)]
    is_uniform = _have_same_unit(groups, position)
    if not chinese:
        is_word = position == 0 and any(isinstance(step.token, _ChineseNumber) for step in steps)
        return sorted(steps, key=_plain_key) if is_uniform or not is_word else None
    if not is_uniform:
        return None
    if len(chinese) == len(steps):
        order = ranks([str(step.token) for step in steps])
        return sorted(steps, key=lambda step: order[str(step.token)]) if order else None
    if len(chinese) == 1 and _is_first(chinese[0], groups, position):
        return [chinese[0], *sorted((step for step in steps if step is not chinese[0]), key=_plain_key)]
    return None


def _is_first(step: _Step, groups: Mapping[_Step, list[_Name]], position: int) -> bool:
    """Return whether a step is a word for 1 (初集, 元年) beside greater numbers."""
    others = [other.token for other in groups if other is not step]
    return all(isinstance(token, int) and token > 1 for token in others) and all(
        is_first_word(name.rest(position)) for name in groups[step]
    )


def _plain_key(step: _Step) -> tuple[int, int, str]:
    return (0, step.token, "") if isinstance(step.token, int) else (1, 0, step.token)


def _has_no_order(character: str) -> bool:
    """Return whether a character is of a script without alphabetical order."""
    return unicodedata.category(character) == "Lo"


def _have_same_unit(groups: Mapping[_Step, list[_Name]], position: int) -> bool:
    """Return whether at most one Chinese word follows the differing tokens, as 冊 in 上冊 and 下冊.

    Members of sequences and words that stand first or last may follow besides: 一上, 二下.
    """
    units = set()
    for step, names in groups.items():
        for name in names:
            following = name.rest(position + step.length)
            if not following or not _has_no_order(following[0]) or is_sequence_word(following[0]):
                continue
            if not match_front(following) and not match_back(following):
                units.add(following[0])
    return len(units) < 2


def _by_last_number(names: Sequence[_Name]) -> list[_Name] | None:
    """Return names by the numbers that they end in, or None unless each has a different one."""
    numbers = {name.name: page_number(name.name) for name in names}
    values = {name: number.value for name, number in numbers.items() if number}
    if len(set(values.values())) < len(names):
        return None
    return sorted(names, key=lambda name: values[name.name])
