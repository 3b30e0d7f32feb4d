"""Reads ``work.toml``, the catalogue record of a deposit. (pure)

The reader is strict: an ignored key, mistyped for instance, would lose catalogue data. It lists every fault with its
key (``date.latest``, ``range[2].pages``), or with line and column if the file is not TOML.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Final, NamedTuple

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.condition import Condition
from repository.model.rights import licence_uri
from repository.model.work import Access, Dating, Record, Rectangle, Rights, ViewingDirection
from workers.deposit import record_values
from workers.deposit.record_condition import read_condition
from workers.deposit.record_limits import exceeded_limit
from workers.deposit.record_reader import RecordReader, record_fault
from workers.deposit.record_syntax import encoding_problem, syntax_problem
from workers.deposit.record_text import read_text_table
from workers.text.statement import TextStatement

WORK_BEHAVIORS: Final = ("paged", "individuals", "continuous", "unordered")
"""The values of `behavior` for a manifest (IIIF Presentation API 3.0, section 3.1)."""

PAGE_BEHAVIORS: Final = ("facing-pages", "non-paged", "individuals")
"""The values of `behavior` for a canvas, and ``individuals`` for a page that is shown alone."""

_RECTANGLE: Final = re.compile(r"(\d{1,7}), ?(\d{1,7}), ?([1-9]\d{0,6}), ?([1-9]\d{0,6})", re.ASCII)
_LARGEST_SIZE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RangeTable:
    """A ``[[range]]`` table; `place` is its position in the record (``range[2]``).

    A `sequence` is another order in which the work is read.
    """

    place: str
    label: str
    pages: str | None
    parent: str | None
    sequence: bool = False


@dataclass(frozen=True, slots=True)
class VolumeTable:
    """A ``[[volume]]`` table; `place` is its position in the record, `order` a number that decides its place.

    `condition` is the physical condition of the volume, None if it is not recorded.
    """

    place: str
    folder: str
    label: str | None
    order: int | None
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class PageTable:
    """A ``[[page]]`` table; `place` is its position in the record, `file` the page's file, with or without suffix.

    `redactions` is None if the table does not state them. `blank` pages may be identical pictures; `order` is a number
    that decides the reading order. `of` is the page of which the file is another photograph, and `picture` tells the
    photographs of a page apart.
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
    of: str | None = None
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """The contents of ``work.toml``. `behavior` and `condition` are None if they are not given.

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
    condition: Condition | None = None
    texts: tuple[TextStatement, ...] = ()


class ReadRecord(NamedTuple):
    """The contents of a record, None if it is not TOML or has no title, and its faults."""

    description: Description | None
    faults: tuple[Fault, ...]


def read_record(content: bytes) -> ReadRecord:
    """Return the contents of a record of at most `record_limits.MAX_BYTES`. Runs in a sandbox."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        return ReadRecord(None, (record_fault(f"byte {fault.start}", "record.encoding", encoding_problem(content)),))
    if exceeded := exceeded_limit(text):
        line, problem = exceeded
        message = LocalizedText(f"{problem.zh}；请简化此文件", f"{problem.en}; simplify the file")
        return ReadRecord(None, (record_fault(f"line {line}", "record.limit", message),))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        place, problem = syntax_problem(str(fault), text)
        return ReadRecord(None, (record_fault(place, "record.syntax", problem),))
    reader = RecordReader(table)
    description = _describe(reader)
    reader.refuse_unknown()
    return ReadRecord(description if description.record.title else None, tuple(reader.faults))


def _describe(reader: RecordReader) -> Description:
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
        place=reader.texts("place"),
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
        condition=read_condition(reader),
        texts=tuple(map(read_text_table, reader.tables("text"))),
    )


def _read_date(reader: RecordReader) -> Dating | None:
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


def _read_date_table(reader: RecordReader) -> Dating | None:
    text = reader.text("text", required=True)
    earliest = reader.checked("earliest", record_values.check_date, "record.date")
    latest = reader.checked("latest", record_values.check_date, "record.date")
    if earliest and latest and (problem := record_values.check_order(earliest, latest)):
        reader.refuse("latest", "record.date", problem)
    reader.refuse_unknown()
    return Dating(text, earliest, latest) if text else None


def _read_languages(reader: RecordReader) -> tuple[str, ...]:
    tags = reader.texts("language")
    for tag in tags:
        if problem := record_values.check_language(tag):
            reader.refuse("language", "record.language", problem)
    return tags


def _read_rights(reader: RecordReader) -> Rights:
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


def _read_range(reader: RecordReader) -> RangeTable | None:
    label = reader.text("label", required=True)
    pages = reader.text("pages")
    parent, sequence = reader.text("parent"), reader.flag("sequence")
    reader.refuse_unknown()
    return RangeTable(reader.place("")[:-1], label, pages, parent, sequence) if label else None


def _read_volume(reader: RecordReader) -> VolumeTable | None:
    folder = reader.text("folder", required=True)
    label = reader.text("label")
    order, condition = reader.number("order"), read_condition(reader)
    reader.refuse_unknown()
    return VolumeTable(reader.place("")[:-1], folder, label, order, condition) if folder else None


def _read_page(reader: RecordReader) -> PageTable | None:
    file = reader.text("file", required=True)
    label = reader.text("label")
    behavior = reader.word("behavior", PAGE_BEHAVIORS)
    leaf = reader.text("leaf")
    missing = reader.flag("missing")
    redactions = _read_rectangles(reader)
    blank, order = reader.flag("blank"), reader.number("order")
    of, picture = reader.text("of"), reader.text("picture")
    reader.refuse_unknown()
    if file is None:
        return None
    place = reader.place("")[:-1]
    return PageTable(place, file, label, behavior, leaf, missing, redactions, blank, order, of, picture)


def _read_rectangles(reader: RecordReader) -> tuple[Rectangle, ...] | None:
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
