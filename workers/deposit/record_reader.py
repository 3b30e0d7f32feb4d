"""Reads the values of the tables of a catalogue record by key, and collects their faults. (pure)"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from repository.faults import Fault
from repository.localized import LocalizedText
from workers.deposit.spelling import suggested_key

RECORD_FILE: Final = "work.toml"

_NUMBERS: Final = 1_000_000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def record_fault(place: str, code: str, message: LocalizedText) -> Fault:
    """Return a fault of the record."""
    return Fault(RECORD_FILE, place, code, message)


class RecordReader:
    """Reads the values of one table by key and collects faults; a key that was never read is unknown."""

    def __init__(self, table: Mapping[str, Any], place: str = "", faults: list[Fault] | None = None) -> None:
        self._table = table
        self._place = place
        self._known: list[str] = []
        self.faults: list[Fault] = [] if faults is None else faults

    def place(self, key: str) -> str:
        """Return the full name of a key of this table."""
        return f"{self._place}.{key}" if self._place else key

    def refuse(self, key: str, code: str, message: LocalizedText) -> None:
        """Add a fault at a key."""
        self.faults.append(record_fault(self.place(key), code, message))

    def take(self, key: str) -> Any:
        """Return the value as it is in the file, None if it is absent."""
        self._known.append(key)
        return self._table.get(key)

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Return a text without surrounding space. A blank text is a fault; so is an absent one if it is required."""
        value = self.take(key)
        if value is None:
            if required:
                self.refuse(key, "record.missing", LocalizedText(f"缺少 {key}；请补上", f"{key} is missing; add it"))
            return None
        if not isinstance(value, str):
            self._refuse_type(key, LocalizedText('带引号的文字，如 "…"', 'a text in quotes, such as "…"'))
            return None
        if not value.strip():
            blank = LocalizedText(f"{key} 为空；请填写或删去", f"{key} is blank; fill it in or remove it")
            self.refuse(key, "record.blank", blank)
            return None
        if _CONTROL.search(value):
            zh, en = "含有不可见的控制字符；请删去", "contains invisible control characters; remove them"
            self.refuse(key, "record.control", LocalizedText(f"{key} {zh}", f"{key} {en}"))
            return None
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty if it is absent."""
        value = self.take(key)
        if value is None:
            return ()
        is_valid = isinstance(value, list) and all(
            isinstance(item, str) and item.strip() and not _CONTROL.search(item) for item in value
        )
        if not is_valid:
            self._refuse_type(key, LocalizedText('文字列表，如 ["…", "…"]', 'a list of texts, such as ["…", "…"]'))
            return ()
        return tuple(item.strip() for item in value)

    def word(self, key: str, words: tuple[str, ...]) -> str | None:
        """Return one of `words`."""
        value = self.text(key)
        if value is None or value in words:
            return value
        choices = ", ".join(words)
        invalid = LocalizedText(f"“{value}”无效；可用的值：{choices}", f'"{value}" is not one of: {choices}')
        self.refuse(key, "record.word", invalid)
        return None

    def checked(
        self, key: str, check: Callable[[str], LocalizedText | None], code: str, *, required: bool = False
    ) -> str | None:
        """Return a text for which `check` returns no problem."""
        value = self.text(key, required=required)
        if value is None or (problem := check(value)) is None:
            return value
        self.refuse(key, code, problem)
        return None

    def flag(self, key: str) -> bool:
        """Return true or false; false if it is absent."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            self._refuse_type(key, LocalizedText("true 或 false", "true or false"))
        return value is True

    def states(self, key: str) -> bool:
        """Return whether the key is present."""
        return key in self._table

    def number(self, key: str) -> int | None:
        """Return an integer from 0 to 999,999."""
        value = self.take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _NUMBERS:
            self._refuse_type(key, LocalizedText("0 至 999999 的整数", "an integer from 0 to 999999"))
            return None
        return value

    def tables(self, key: str) -> list[RecordReader]:
        """Return readers of the tables of ``[[key]]``, which are numbered from 1."""
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._refuse_type(key, LocalizedText(f"[[{key}]] 形式的表", f"[[{key}]] tables"))
            return []
        return [
            RecordReader(item, f"{self.place(key)}[{number}]", self.faults)
            for number, item in enumerate(value, start=1)
        ]

    def table(self, key: str) -> RecordReader:
        """Return a reader of the table under `key`, whose value must be a table."""
        return RecordReader(self._table[key], self.place(key), self.faults)

    def required_table(self, key: str) -> RecordReader | None:
        """Return a reader of the table under `key`; None, and a fault, if its value is no table."""
        if isinstance(self.take(key), dict):
            return self.table(key)
        self._refuse_type(key, LocalizedText(f"[{key}] 形式的表", f"a table: [{key}]"))
        return None

    def refuse_unknown(self) -> None:
        """Add a fault for every key that was not read, with the key that it probably means."""
        for key in self._table.keys() - set(self._known):
            if nearest := suggested_key(key, self._known):
                zh, en = f"是否应为 {nearest}？", f"did you mean {nearest}?"
            else:
                keys = ", ".join(self._known)
                zh, en = f"可用的项：{keys}", f"the keys are: {keys}"
            problem = LocalizedText(f"没有 {key} 这一项；{zh}", f"there is no key {key}; {en}")
            self.refuse(key, "record.unknown-key", problem)

    def _refuse_type(self, key: str, expected: LocalizedText) -> None:
        self.refuse(key, "record.type", LocalizedText(f"{key} 应为{expected.zh}", f"{key} must be {expected.en}"))
