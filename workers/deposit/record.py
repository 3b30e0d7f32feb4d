"""Reads ``work.toml``, the catalogue record of a deposit. (pure)

The reader is strict: an ignored key, mistyped for instance, would lose catalogue data. It lists every fault with its
key (``date.latest``, ``range[2].pages``), or with line and column if the file is not TOML.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model import Access, Dating, Record, Rectangle, Rights, ViewingDirection
from repository.rights import licence_uri
from workers.deposit import record_values
from workers.deposit.record_limits import exceeded_limit
from workers.deposit.record_syntax import encoding_problem, syntax_problem
from workers.deposit.spelling import suggested_key

RECORD_FILE: Final = "work.toml"

WORK_BEHAVIORS: Final = ("paged", "individuals", "continuous", "unordered")
"""The values of `behavior` for a manifest (IIIF Presentation API 3.0, section 3.1)."""

PAGE_BEHAVIORS: Final = ("facing-pages", "non-paged", "individuals")
"""The values of `behavior` for a canvas, and ``individuals`` for a page that is shown alone."""

_RECTANGLE: Final = re.compile(r"(\d{1,7}), ?(\d{1,7}), ?([1-9]\d{0,6}), ?([1-9]\d{0,6})", re.ASCII)
_LARGEST_SIZE: Final = 1_000_000
_NUMBERS: Final = 1_000_000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class RangeTable:
    """A ``[[range]]`` table; `place` is its position in the record (``range[2]``)."""

    place: str
    label: str
    pages: str | None
    parent: str | None


@dataclass(frozen=True, slots=True)
class VolumeTable:
    """A ``[[volume]]`` table; `place` is its position in the record, `order` a number that decides its place."""

    place: str
    folder: str
    label: str | None
    order: int | None


@dataclass(frozen=True, slots=True)
class PageTable:
    """A ``[[page]]`` table; `place` is its position in the record, `file` the page's file, with or without suffix.

    `redactions` is None if the table does not state them. `blank` pages may be identical pictures; `order` is a number
    that decides the reading order.
    """

    place: str
    file: str
    label: str | None
    behavior: str | None
    leaf: str | None
    missing: bool
    redactions: tuple[Rectangle, ...] | None = None
    blank: bool = False
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """The contents of ``work.toml``. `behavior` is None if it is not given.

    `states_watermark` is whether it decides about the watermark: a held work keeps its own otherwise.
    """

    record: Record
    rights: Rights
    viewing_direction: ViewingDirection
    behavior: str | None
    ranges: tuple[RangeTable, ...]
    pages: tuple[PageTable, ...]
    volumes: tuple[VolumeTable, ...] = ()
    states_watermark: bool = False


class ReadRecord(NamedTuple):
    """The contents of a record, None if it is not TOML or has no title, and its faults."""

    description: Description | None
    faults: tuple[Fault, ...]


def read_record(content: bytes) -> ReadRecord:
    """Return the contents of a record of at most `record_limits.MAX_BYTES`. Runs in a sandbox."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        return ReadRecord(None, (_fault(f"byte {fault.start}", "record.encoding", encoding_problem(content)),))
    if exceeded := exceeded_limit(text):
        line, problem = exceeded
        message = LocalizedText(f"{problem.zh}；请简化此文件", f"{problem.en}; simplify the file")
        return ReadRecord(None, (_fault(f"line {line}", "record.limit", message),))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        place, problem = syntax_problem(str(fault), text)
        return ReadRecord(None, (_fault(place, "record.syntax", problem),))
    reader = _Reader(table)
    description = _describe(reader)
    reader.refuse_unknown()
    return ReadRecord(description if description.record.title else None, tuple(reader.faults))


def _fault(place: str, code: str, message: LocalizedText) -> Fault:
    return Fault(RECORD_FILE, place, code, message)


class _Reader:
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
        self.faults.append(_fault(self.place(key), code, message))

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

    def checked(self, key: str, check: Callable[[str], LocalizedText | None], code: str) -> str | None:
        """Return a text for which `check` returns no problem."""
        value = self.text(key)
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

    def tables(self, key: str) -> list[_Reader]:
        """Return readers of the tables of ``[[key]]``, which are numbered from 1."""
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._refuse_type(key, LocalizedText(f"[[{key}]] 形式的表", f"[[{key}]] tables"))
            return []
        return [
            _Reader(item, f"{self.place(key)}[{number}]", self.faults) for number, item in enumerate(value, start=1)
        ]

    def table(self, key: str) -> _Reader:
        """Return a reader of the table under `key`, whose value must be a table."""
        return _Reader(self._table[key], self.place(key), self.faults)

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


def _describe(reader: _Reader) -> Description:
    record = Record(
        title=reader.text("title", required=True) or "",
        identifier=reader.text("identifier"),
        creator=reader.texts("creator"),
        date=_read_date(reader),
        language=_read_languages(reader),
        classification=reader.text("classification"),
        edition=reader.text("edition"),
        dimensions=reader.text("dimensions"),
        call_number=reader.text("call_number"),
        holder=reader.text("holder"),
        summary=reader.text("summary"),
    )
    direction = reader.word("viewing_direction", tuple(ViewingDirection)) or ViewingDirection.RIGHT_TO_LEFT
    return Description(
        record=record,
        rights=_read_rights(reader),
        viewing_direction=ViewingDirection(direction),
        behavior=reader.word("behavior", WORK_BEHAVIORS),
        ranges=tuple(filter(None, map(_read_range, reader.tables("range")))),
        pages=tuple(filter(None, map(_read_page, reader.tables("page")))),
        volumes=tuple(filter(None, map(_read_volume, reader.tables("volume")))),
        states_watermark=reader.states("watermark"),
    )


def _read_date(reader: _Reader) -> Dating | None:
    """Read ``date = "清"``, or a table of text, earliest and latest. A text that is a machine date sets all three."""
    if isinstance(reader.take("date"), dict):
        return _read_date_table(reader.table("date"))
    text = reader.text("date")
    if text is None or not record_values.looks_like_date(text):
        return None if text is None else Dating(text)
    if problem := record_values.check_date(text):
        reader.refuse("date", "record.date", problem)
        return None
    return Dating(text, text, text)


def _read_date_table(reader: _Reader) -> Dating | None:
    text = reader.text("text", required=True)
    earliest = reader.checked("earliest", record_values.check_date, "record.date")
    latest = reader.checked("latest", record_values.check_date, "record.date")
    if earliest and latest and (problem := record_values.check_order(earliest, latest)):
        reader.refuse("latest", "record.date", problem)
    reader.refuse_unknown()
    return Dating(text, earliest, latest) if text else None


def _read_languages(reader: _Reader) -> tuple[str, ...]:
    tags = reader.texts("language")
    for tag in tags:
        if problem := record_values.check_language(tag):
            reader.refuse("language", "record.language", problem)
    return tags


def _read_rights(reader: _Reader) -> Rights:
    address = reader.checked("rights", record_values.check_uri, "record.rights")
    uri = address and (licence_uri(address) or address)
    access = Access(reader.word("access", tuple(Access)) or Access.OPEN)
    size = reader.take("max_size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _LARGEST_SIZE):
        expected = LocalizedText(
            f"max_size 应为 1 至 {_LARGEST_SIZE} 的整数（像素）",
            f"max_size must be an integer from 1 to {_LARGEST_SIZE} (pixels)",
        )
        reader.refuse("max_size", "record.type", expected)
    elif (size is None) == (access is Access.REDUCED):
        incomplete = LocalizedText(
            'max_size 与 access = "reduced" 须同时给出', 'max_size and access = "reduced" must be given together'
        )
        reader.refuse("max_size", "record.access", incomplete)
    watermark = reader.flag("watermark")
    return Rights(uri, access, size if isinstance(size, int) else None, watermark)


def _read_range(reader: _Reader) -> RangeTable | None:
    label = reader.text("label", required=True)
    pages = reader.text("pages")
    parent = reader.text("parent")
    reader.refuse_unknown()
    return RangeTable(reader.place("")[:-1], label, pages, parent) if label else None


def _read_volume(reader: _Reader) -> VolumeTable | None:
    folder = reader.text("folder", required=True)
    label = reader.text("label")
    order = reader.number("order")
    reader.refuse_unknown()
    return VolumeTable(reader.place("")[:-1], folder, label, order) if folder else None


def _read_page(reader: _Reader) -> PageTable | None:
    file = reader.text("file", required=True)
    label = reader.text("label")
    behavior = reader.word("behavior", PAGE_BEHAVIORS)
    leaf = reader.text("leaf")
    missing = reader.flag("missing")
    redactions = _read_rectangles(reader)
    blank, order = reader.flag("blank"), reader.number("order")
    reader.refuse_unknown()
    if file is None:
        return None
    return PageTable(reader.place("")[:-1], file, label, behavior, leaf, missing, redactions, blank, order)


def _read_rectangles(reader: _Reader) -> tuple[Rectangle, ...] | None:
    """Read ``redact = ["x,y,w,h"]``: areas that are hidden from all readers, in pixels of the master.

    Return None if the table does not state them.
    """
    if not reader.states("redact"):
        reader.take("redact")
        return None
    matches = [_RECTANGLE.fullmatch(text) for text in reader.texts("redact")]
    if not all(matches):
        invalid = LocalizedText("每个区域应写作 x,y,宽,高（像素）", "each area must be x,y,width,height in pixels")
        reader.refuse("redact", "record.rectangle", invalid)
    return tuple(Rectangle(*map(int, match.groups())) for match in matches if match)
