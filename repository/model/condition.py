"""The physical condition of an original as the library recorded it: its grade, its damage and its repairs. (pure)

Grades are those of 古籍定级标准 (WH/T 20-2006), damage is graded by 古籍特藏破损定级标准 (WH/T 22-2006). Both are
recorded, never computed: only a person who has the book in hand can assess it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

_GRADES: Final = (("一级", "Grade 1"), ("二级", "Grade 2"), ("三级", "Grade 3"))
_CLASSES: Final = (("甲等", "A"), ("乙等", "B"), ("丙等", "C"))

GRADES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        **{
            zh + class_zh: LocalizedText(zh + class_zh, en + class_en)
            for zh, en in _GRADES
            for class_zh, class_en in (("", ""), *_CLASSES)
        },
        "四级": LocalizedText("四级", "Grade 4"),
    }
)
"""The grades of an old book from the most valuable on, with their names (WH/T 20-2006, section 3)."""

DAMAGE_GRADES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "一级破损": LocalizedText("一级破损", "Damage 1 (most severe)"),
        "二级破损": LocalizedText("二级破损", "Damage 2"),
        "三级破损": LocalizedText("三级破损", "Damage 3"),
        "四级破损": LocalizedText("四级破损", "Damage 4"),
        "五级破损": LocalizedText("五级破损", "Damage 5 (slightest)"),
    }
)
"""The grades of damage from the most severe on, with their names (WH/T 22-2006, section 4)."""

SEVERE: Final = ("一级破损", "二级破损")
"""The grades of damage of books that are to be repaired first."""

CAUSES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        zh: LocalizedText(zh, en)
        for zh, en in (
            ("酸化", "acidification"),
            ("老化", "ageing"),
            ("霉蚀", "mould"),
            ("粘连", "adhesion"),
            ("虫蛀", "insect damage"),
            ("鼠啮", "gnawing by rodents"),
            ("絮化", "disintegration into fibres"),
            ("撕裂", "tears"),
            ("缺损", "losses"),
            ("烬毁", "fire damage"),
            ("线断", "broken binding thread"),
        )
    }
)
"""The causes of damage that WH/T 22-2006 defines (section 3), with English names. A record may name others."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair of an original: its date (ISO 8601), what was done, and by whom, which may name people."""

    date: str
    what: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of an original, or of a volume of it, when it was assessed.

    `grade` is one of `GRADES`, `damage` one of `DAMAGE_GRADES`; each is None if it is not recorded. `assessed` is the
    date (ISO 8601) of the assessment and `assessor` who made it, which may name people. `repairs` are in the order of
    the record.
    """

    grade: str | None = None
    damage: str | None = None
    causes: tuple[str, ...] = ()
    assessed: str | None = None
    assessor: str | None = None
    note: str | None = None
    repairs: tuple[Repair, ...] = ()


def without_names(condition: Condition | None) -> Condition | None:
    """Return a condition for others than the staff: nobody who assessed or repaired, and no remarks.

    None if nothing remains.
    """
    if condition is None:
        return None
    repairs = tuple(replace(repair, by=None) for repair in condition.repairs)
    stripped = replace(condition, assessor=None, note=None, repairs=repairs)
    return None if stripped == Condition() else stripped
