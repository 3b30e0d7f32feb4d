"""Records in MARC 21 as MARCXML (Library of Congress, MARC21slim.xsd). (pure)

The catalogue is free text, and the record says no more than that: names are uncontrolled (720), classes are index terms
(653), dates have the text as catalogued (260). Text is in its original script in the regular fields (MARC 21, appendix
D, model B); there is no romanised pair (880), because nobody has catalogued one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from iiif_server.records.context import RecordContext, section_labels
from iiif_server.records.xml_text import XSI, set_schema, xml_text
from repository.model.access import AccessVerdict
from repository.model.work import Dating, Work

NAMESPACE: Final = "http://www.loc.gov/MARC21/slim"
SCHEMA: Final = "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd"
_M: Final = ElementMaker(namespace=NAMESPACE, nsmap={"marc": NAMESPACE, "xsi": XSI})
_LEADER: Final = "00000nam a2200000 u 4500"
"""A new record of a monograph in Unicode, whose lengths are not computed, as in all MARCXML."""

_LANGUAGES: Final = {
    "bo": "tib",
    "de": "ger",
    "en": "eng",
    "fr": "fre",
    "ja": "jpn",
    "ko": "kor",
    "la": "lat",
    "lzh": "chi",
    "mn": "mon",
    "mnc": "mnc",
    "ru": "rus",
    "sa": "san",
    "ug": "uig",
    "vi": "vie",
    "zh": "chi",
}
"""MARC's language codes by the primary subtags of BCP 47."""

_RESTRICTIONS: Final = {
    AccessVerdict.REDUCED: "图像以缩小尺寸开放",
    AccessVerdict.REFUSED: "图像限制利用",
}
_YEAR: Final = re.compile(r"\d{4}")

Subfields = Sequence[tuple[str, str | None]]


def marc(work: Work, context: RecordContext) -> etree._Element:
    """Return the record of a work."""
    record = _M.record(
        _M.leader(_LEADER),
        _control("001", work.identifier),
        _control("005", f"{re.sub('[^0-9]', '', context.changed):0<14.14}.0"),
        _control("008", fixed_data(work, context.changed)),
        *_fields(work, context),
        type="Bibliographic",
    )
    set_schema(record, NAMESPACE, SCHEMA)
    return record


def fixed_data(work: Work, entered: str) -> str:
    """Return the 40 characters of field 008 for books; what the catalogue does not say has fill characters."""
    date_type, first, second = _years(work.record.date)
    day = re.sub("[^0-9]", "", entered)[2:8]
    return f"{day:0>6}{date_type}{first}{second}xx {'|' * 17}{_language(work.record.language)}|d"


def _years(date: Dating | None) -> tuple[str, str, str]:
    """Return the type of date and the dates: one year, a range in which the year is, or unknown."""
    first, second = (_year(bound) for bound in ((date.earliest, date.latest) if date else (None, None)))
    if first is None or second is None:
        return "n", "uuuu", "uuuu"
    if first.startswith("-") or second.startswith("-"):
        return "b", " " * 4, " " * 4
    return ("s", first, " " * 4) if first == second else ("q", first, second)


def _year(bound: str | None) -> str | None:
    """Return the year of a date of ISO 8601, ``-`` before the common era; None if it has none of four digits."""
    if bound and bound.startswith("-"):
        return "-"
    return bound[:4] if bound and _YEAR.match(bound) else None


def _language(tags: Sequence[str]) -> str:
    codes = {_LANGUAGES.get(tag.partition("-")[0].lower(), "und") for tag in tags}
    return "mul" if len(codes) > 1 else next(iter(codes), "und")


def _fields(work: Work, context: RecordContext) -> Iterator[etree._Element]:
    """Yield the data fields in the order of their tags; those without content are left out."""
    record = work.record
    rows: list[tuple[str, str, Subfields]] = [
        ("024", "8 ", [("a", record.identifier)]),
        ("040", "  ", [("a", context.provider or record.holder), ("b", "chi")]),
        ("041", " 7", [*(("a", tag) for tag in record.language), ("2", "rfc5646" if record.language else None)]),
        ("245", "00", [("a", record.title)]),
        ("250", "  ", [("a", record.edition)]),
        (
            "260",
            "  ",
            [*(("a", place) for place in record.place), ("c", record.date.text if record.date else None)],
        ),
        ("300", "  ", [("c", record.dimensions)]),
        ("505", "0 ", [("a", " -- ".join(section_labels(work)))]),
        ("506", "1 ", [("a", _RESTRICTIONS.get(context.decision.verdict))]),
        ("520", "  ", [("a", record.summary)]),
        ("540", "  ", [("u", work.rights.uri)]),
        ("653", " 0", [("a", record.classification)]),
        *(("720", "  ", [("a", creator)]) for creator in record.creator),
        ("852", "  ", [("a", record.holder), ("j", record.call_number)]),
        ("856", "40", [("u", context.page(work))]),
        ("856", "41", [("3", "IIIF manifest"), ("q", "application/ld+json"), ("u", context.manifest(work))]),
    ]
    for tag, indicators, subfields in rows:
        stated = [(code, value) for code, value in subfields if value]
        if stated and stated != [("b", "chi")]:
            yield _data(tag, indicators, stated)


def _control(tag: str, value: str) -> etree._Element:
    return _M.controlfield(value, {"tag": tag})


def _data(tag: str, indicators: str, subfields: Sequence[tuple[str, str]]) -> etree._Element:
    attributes = {"tag": tag, "ind1": indicators[0], "ind2": indicators[1]}
    return _M.datafield(attributes, *(_M.subfield(xml_text(value), code=code) for code, value in subfields))
