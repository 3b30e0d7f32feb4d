"""What the index has of a work: the fields of its record that are searched, its facets, and the pages with text.

A partner's record is in the index as a work without pages, under the identifier of `record_identifier`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from iiif_server.search.blocks import Block, BlockPage, blocks_of, line_of
from iiif_server.search.dates import dynasty_of, read_years
from iiif_server.search.fold import Tier, fold, tables
from iiif_server.search.pinyin import syllables
from repository.database.holdings import class_of
from repository.model.changes import set_of_class
from repository.model.harvest import parts_of_identifier
from repository.model.reign_years import Years
from repository.model.text import PageText
from repository.model.work import Range, Record, Work

_EDITIONS: Final = (
    ("影印本", "影印 景印"),
    ("石印本", "石印"),
    ("铅印本", "铅印 排印"),
    ("活字本", "活字 聚珍"),
    ("稿本", "稿本 手稿"),
    ("抄本", "抄本 钞本 写本 精抄"),
    ("拓本", "拓本 拓片"),
    ("套印本", "套印 朱墨"),
    ("刻本", "刻本 刊本 刻 刊 本衙 藏板"),
)
"""Kinds of edition (版本类型), each with the words of a statement of edition that tell it; the first that fits is
taken."""


class IndexedWork(msgspec.Struct, frozen=True, array_like=True):
    """A work in the index. `version` tells which state of record and text was indexed.

    `fields` are texts by the fields of a segment; `facets` have each facet's values. `years` are the first and the last
    year of the work, None if unknown. A work that is `removed` is in the index only to hide what older segments have.
    """

    identifier: str
    version: str
    removed: bool = False
    accessioned: str = ""
    title: str = ""
    creator: list[str] = []
    date: str = ""
    pinyin: str = ""
    years: tuple[int, int] | None = None
    pages: int = 0
    fields: dict[str, list[str]] = {}
    facets: dict[str, list[str]] = {}
    suggestions: list[tuple[str, str, str]] = []


def removed_work(identifier: str) -> IndexedWork:
    """Return the entry that hides, in older segments, a work that the catalogue does not have any more."""
    return IndexedWork(identifier, "", removed=True)


def content_version(version: str) -> str:
    """Return how the version of a work or record in the index begins: its own version, and that of the folding."""
    return f"{version}.{tables().digest}."


def work_version(version: int, texts: str | None) -> str:
    """Return the version of a work in the index: that of its object, of the folding, and of its texts."""
    return f"{content_version(str(version))}{texts or ''}"


def indexed_work(work: Work, version: str, accessioned: str, *, has_text: bool) -> IndexedWork:
    """Return a work's record as the index has it."""
    record = work.record
    suggestions = [_suggestion("title", record.title), *(_suggestion("person", name) for name in record.creator)]
    facets = {"class": [class_of(record.classification)], "text": ["yes"] if has_text else []}
    return msgspec.structs.replace(
        _indexed(work.identifier, version, accessioned, record, facets),
        pages=sum(1 for _ in work.pages()),
        fields=_fields(record, {"other": _labels(work.ranges)}),
        suggestions=suggestions,
    )


def indexed_record(
    identifier: str, version: str, accessioned: str, record: Record, more: Mapping[str, Iterable[str]]
) -> IndexedWork:
    """Return the record of a partner as the index has it; `more` are further texts of its fields.

    Partners classify by other systems too, so that only the classes of this library become values of the facet. What
    partners have is suggested to nobody, because suggestions count works of this library.
    """
    subjects = (class_of(text) for text in (record.classification or "", *more.get("class", ())))
    classes = [each for each in subjects if set_of_class(each) != set_of_class("")]
    facets = {"class": classes[:1], "partner": [parts_of_identifier(identifier)[0]]}
    found = _indexed(identifier, version, accessioned, record, facets)
    return msgspec.structs.replace(found, fields=_fields(record, more))


def _indexed(
    identifier: str, version: str, accessioned: str, record: Record, facets: Mapping[str, list[str]]
) -> IndexedWork:  # fmt: skip
    years = _years(record)
    return IndexedWork(
        identifier,
        version,
        False,
        accessioned,
        record.title,
        list(record.creator),
        record.date.text if record.date else "",
        " ".join(syllables(record.title)),
        (years.first, years.last) if years else None,
        facets=_facets(record, years, facets),
    )


def work_blocks(work: Work, texts: Mapping[str, PageText]) -> Iterator[Block]:
    """Yield the blocks of a work's text; `texts` has the best text of each page by its key."""
    return blocks_of(_pages(work, texts))


def _pages(work: Work, texts: Mapping[str, PageText]) -> Iterator[BlockPage]:
    for number, page in enumerate(work.pages(), start=1):
        text = texts.get(page.key)
        if text is None:
            continue
        lines = [line_of(line) for line in text.lines if line.text]
        image = page.images[0] if page.images else None
        sides = (image.identifier, image.width, image.height) if image else ("", 0, 0)
        yield BlockPage(number, page.label, *sides, lines)


def _fields(record: Record, more: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    date = [record.date.text] if record.date else []
    fields = {
        "title": [record.title],
        "person": list(record.creator),
        "place": [*record.place, record.edition or "", *date],
        "class": [record.classification or ""],
        "call_number": [record.call_number or "", record.identifier or ""],
        "other": [record.summary or "", record.holder or ""],
    }
    return {name: [value for value in (*values, *more.get(name, ())) if value] for name, values in fields.items()}


def _labels(ranges: Iterable[Range]) -> Iterator[str]:
    for each in ranges:
        yield each.label
        yield from _labels(each.ranges)


def _facets(record: Record, years: Years | None, more: Mapping[str, list[str]]) -> dict[str, list[str]]:
    edition = edition_of(record.edition or "")
    dynasty = dynasty_of(record.date.text if record.date else record.edition or "", years)
    facets = {
        **more,
        "dynasty": [dynasty or ""],
        "edition": [edition or ""],
        "published_in": list(record.place),
        "holder": [record.holder or ""],
        "language": list(record.language),
    }
    return {name: [value for value in dict.fromkeys(values) if value] for name, values in facets.items()}


def edition_of(statement: str) -> str | None:
    """Return the kind of an edition (版本类型) from its statement; None for one that tells none."""
    folded = fold(statement, Tier.VARIANT)
    for kind, words in _EDITIONS:
        if any(fold(word, Tier.VARIANT) in folded for word in words.split()):
            return kind
    return None


def _years(record: Record) -> Years | None:
    if record.date is None:
        return read_years(record.edition or "")
    stated = [year for bound in (record.date.earliest, record.date.latest) if (year := _year(bound)) is not None]
    return Years(min(stated), max(stated)) if stated else read_years(record.date.text)


def _year(bound: str | None) -> int | None:
    """Return the year of an ISO 8601 date; a leading minus is kept."""
    if not bound:
        return None
    sign, digits = (-1, bound[1:]) if bound.startswith("-") else (1, bound)
    year = digits.partition("-")[0]
    return sign * int(year) if year.isdecimal() else None


def _suggestion(kind: str, text: str) -> tuple[str, str, str]:
    """Return the kind of a suggestion, its text, and its pinyin with a space between syllables."""
    return kind, text, " ".join(syllables(text))
