"""Reads the physical condition of the original: ``[condition]`` of a work, and of a ``[[volume]]`` table. (pure)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from repository.localized import LocalizedText
from repository.model.condition import CAUSES, DAMAGE_GRADES, GRADES, Condition, Repair
from workers.deposit import record_values
from workers.deposit.record_reader import RecordReader

_SIMPLIFIED: Final = str.maketrans("級損黴蝕連蟲蛀齧燼毀線斷", "级损霉蚀连虫蛀啮烬毁线断")
"""The simplified forms of the characters in the words of WH/T 20 and WH/T 22."""


def read_condition(reader: RecordReader) -> Condition | None:
    """Return the table `condition` of a table; None if there is none, or nothing in it."""
    if reader.take("condition") is None:
        return None
    table = reader.required_table("condition")
    if table is None:
        return None
    grade = _graded(table, "grade", GRADES)
    damage = _graded(table, "damage", DAMAGE_GRADES)
    causes = tuple(map(_cause, table.texts("causes")))
    assessed = table.checked("assessed", record_values.check_date, "record.date")
    assessor, note = table.text("assessor"), table.text("note")
    repairs = tuple(filter(None, map(_read_repair, table.tables("repair"))))
    table.refuse_unknown()
    if damage and not assessed and not table.states("assessed"):
        missing = LocalizedText(
            "填写 damage 须同时填写评定日期 assessed", "damage needs assessed, the date of its assessment"
        )
        table.refuse("assessed", "record.missing", missing)
    condition = Condition(grade, damage, causes, assessed, assessor, note, repairs)
    return None if condition == Condition() else condition


def _graded(table: RecordReader, key: str, grades: Iterable[str]) -> str | None:
    """Return a grade in simplified characters; a grade of damage may lack its last word: 三級 is 三级破损."""
    text = table.text(key)
    if text is None:
        return None
    simplified = text.translate(_SIMPLIFIED)
    named = next((grade for grade in (simplified, f"{simplified}破损") if grade in grades), None)
    if named is None:
        choices = "、".join(grades)
        invalid = LocalizedText(f"“{text}”无效；可用的值：{choices}", f'"{text}" is not one of: {choices}')
        table.refuse(key, "record.word", invalid)
    return named


def _cause(text: str) -> str:
    """Return a cause of damage: a word of WH/T 22 in simplified characters, any other as it is written."""
    simplified = text.translate(_SIMPLIFIED)
    return simplified if simplified in CAUSES else text


def _read_repair(table: RecordReader) -> Repair | None:
    date = table.checked("date", record_values.check_date, "record.date", required=True)
    what, by = table.text("what", required=True), table.text("by")
    table.refuse_unknown()
    return Repair(date, what, by) if date and what else None
