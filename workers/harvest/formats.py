"""Reads records in Dublin Core, MODS and MARCXML (MARC 21 and CNMARC) into `SourceRecord`. (pure)

Sources: oai_dc of OAI-PMH 2.0; MODS 3; MARC 21 Bibliographic and CNMARC (UNIMARC), whose tags tell which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lxml import etree

from workers.harvest.source_record import SourceRecord, is_web_url, source_record
from workers.harvest.xml_documents import DocumentRefused, words
from workers.untrusted_xml import local_name

Values = dict[str, list[str]]

_DUBLIN_CORE: Final = {
    "title": "title",
    "creator": "creator",
    "contributor": "creator",
    "date": "date",
    "language": "language",
    "subject": "classification",
    "publisher": "edition",
    "format": "dimensions",
    "description": "summary",
    "rights": "rights",
    "source": "holder",
}
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif")
_MODS_PICTURE: Final = "preview"
_MARC21: Final[Mapping[str, tuple[str, str]]] = {
    "245": ("title", "abnp"),
    "100": ("creator", "abcdj"),
    "110": ("creator", "ab"),
    "700": ("creator", "abcdj"),
    "710": ("creator", "ab"),
    "250": ("edition", "ab"),
    "300": ("dimensions", "abc"),
    "520": ("summary", "a"),
    "084": ("classification", "a"),
    "650": ("classification", "ax"),
    "506": ("rights", "au"),
    "540": ("rights", "afu"),
    "041": ("language", "a"),
}
_CNMARC: Final[Mapping[str, tuple[str, str]]] = {
    "200": ("title", "ahi"),
    "701": ("creator", "abcf4"),
    "702": ("creator", "abcf4"),
    "711": ("creator", "ab"),
    "712": ("creator", "ab"),
    "205": ("edition", "ab"),
    "215": ("dimensions", "acd"),
    "330": ("summary", "a"),
    "690": ("classification", "a"),
    "606": ("classification", "ax"),
    "101": ("language", "a"),
}


def read_record(element: Any) -> SourceRecord:
    """Return what a metadata element says, by its namespace and name. Raises `DocumentRefused` for another format."""
    reader = _READERS.get(local_name(element))
    if reader is None:
        raise DocumentRefused(reason=f"{etree.QName(element)}"[:200])
    values: Values = {}
    for name, value in reader(element):
        values.setdefault(name, []).append(value)
    return source_record(values)


def _read_dublin_core(root: Any) -> Iterator[tuple[str, str]]:
    for child in root:
        name, value = local_name(child), words(child)
        if name in {"identifier", "relation"} and is_web_url(value):
            yield _kind_of_url(value), value
        elif name == "identifier":
            yield "call_number", value
        elif name in _DUBLIN_CORE:
            yield _DUBLIN_CORE[name], value


def _kind_of_url(url: str) -> str:
    path = url.lower().partition("?")[0]
    if "manifest" in path:
        return "manifest"
    return "thumbnail" if path.endswith(_PICTURES) else "page"


def _read_mods(root: Any) -> Iterator[tuple[str, str]]:
    if local_name(root) == "modsCollection":
        root = next(iter(root), root)
    for child in root:
        reader = _MODS.get(local_name(child))
        if reader is not None:
            yield from reader(child)


def _mods_title(element: Any) -> Iterator[tuple[str, str]]:
    parts = {local_name(child): words(child) for child in element}
    whole = "".join(parts.get(name, "") for name in ("nonSort", "title"))
    numbered = " ".join(parts[name] for name in ("partNumber", "partName") if name in parts)
    yield "title", " ".join(part for part in (whole, parts.get("subTitle", ""), numbered) if part)


def _mods_name(element: Any) -> Iterator[tuple[str, str]]:
    parts = [words(child) for child in element if local_name(child) == "namePart" and child.get("type") != "date"]
    roles = [words(term) for term in element.iter() if local_name(term) == "roleTerm" and term.get("type") != "code"]
    yield "creator", " ".join([*parts, *roles])


def _mods_origin(element: Any) -> Iterator[tuple[str, str]]:
    for child in element:
        name = local_name(child)
        if name in {"dateIssued", "dateCreated", "copyrightDate", "dateOther"}:
            yield "date", words(child)
        elif name in {"edition", "publisher"}:
            yield "edition", words(child)
        elif name == "place":
            yield from (("place", words(term)) for term in child if term.get("type") != "code")


def _mods_location(element: Any) -> Iterator[tuple[str, str]]:
    for child in element.iter():
        name, value = local_name(child), words(child)
        if name == "url":
            yield ("thumbnail" if child.get("access") == _MODS_PICTURE else _kind_of_url(value)), value
        elif name == "physicalLocation":
            yield "holder", value
        elif name == "shelfLocator":
            yield "call_number", value


def _mods_physical(element: Any) -> Iterator[tuple[str, str]]:
    return (("dimensions", words(child)) for child in element if local_name(child) == "extent")


def _mods_rights(element: Any) -> Iterator[tuple[str, str]]:
    links = (value for name, value in element.attrib.items() if name.endswith("href"))
    return (("rights", value) for value in (*links, words(element)))


def _mods_identifier(element: Any) -> Iterator[tuple[str, str]]:
    value = words(element)
    yield (_kind_of_url(value) if is_web_url(value) else "call_number"), value


_MODS: Final[Mapping[str, Callable[[Any], Iterator[tuple[str, str]]]]] = {
    "titleInfo": _mods_title,
    "name": _mods_name,
    "originInfo": _mods_origin,
    "location": _mods_location,
    "physicalDescription": _mods_physical,
    "accessCondition": _mods_rights,
    "identifier": _mods_identifier,
    "language": lambda element: (("language", words(child)) for child in element),
    "classification": lambda element: iter([("classification", words(element))]),
    "subject": lambda element: iter([("classification", words(element))]),
    "abstract": lambda element: iter([("summary", words(element))]),
}


def _read_marc(root: Any) -> Iterator[tuple[str, str]]:
    record = next((each for each in root.iter() if local_name(each) == "record"), root)
    fields = [each for each in record if local_name(each) == "datafield"]
    tags = {field.get("tag") for field in fields}
    is_chinese = "200" in tags and "245" not in tags
    table = _CNMARC if is_chinese else _MARC21
    for field in _in_original_script(fields):
        tag = _linked_tag(field) or field.get("tag") or ""
        if tag in table:
            name, codes = table[tag]
            yield name, " ".join(_subfields(field, codes))
        elif tag == "856":
            for url in _subfields(field, "u"):
                yield _kind_of_url(url), url
        elif tag in {"210", "260", "264"}:
            yield from _publication(field, is_chinese=is_chinese)
        elif tag == "852":
            yield "holder", " ".join(_subfields(field, "ab"))
            yield "call_number", " ".join(_subfields(field, "hij"))


def _publication(field: Any, *, is_chinese: bool) -> Iterator[tuple[str, str]]:
    """Yield place, publisher and date of an imprint; field 210 is one in CNMARC only."""
    if is_chinese == (field.get("tag") == "210"):
        yield from (("place", place) for place in _subfields(field, "a"))
        yield "edition", " ".join(_subfields(field, "c" if is_chinese else "b"))
        yield "date", " ".join(_subfields(field, "d" if is_chinese else "c"))


def _in_original_script(fields: list[Any]) -> Iterator[Any]:
    """Yield the fields in order, those in original script (880) in place of their romanised twins."""
    linked = {_link(field): field for field in fields if field.get("tag") == "880" and _link(field)}
    for field in fields:
        if field.get("tag") != "880":
            yield linked.get((field.get("tag"), (_link(field) or ("", ""))[1]), field)


def _link(field: Any) -> tuple[str, str] | None:
    """Return tag and number of subfield 6 (MARC 21, appendix A): ``245-01/$1`` of field 880 is ("245", "01")."""
    value = next(iter(_subfields(field, "6")), "").partition("/")[0]
    tag, _, number = value.partition("-")
    return (tag, number) if number and number != "00" else None


def _linked_tag(field: Any) -> str | None:
    link = _link(field) if field.get("tag") == "880" else None
    return link[0] if link else None


def _subfields(field: Any, codes: str) -> list[str]:
    return [words(child) for child in field if local_name(child) == "subfield" and child.get("code") in set(codes)]


_READERS: Final[Mapping[str, Callable[[Any], Iterator[tuple[str, str]]]]] = {
    "dc": _read_dublin_core,
    "mods": _read_mods,
    "modsCollection": _read_mods,
    "record": _read_marc,
    "collection": _read_marc,
}
