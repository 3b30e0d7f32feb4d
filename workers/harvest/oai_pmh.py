"""The answers of an OAI-PMH 2.0 provider as values: Identify, ListMetadataFormats and ListRecords. (pure)

Source: The Open Archives Initiative Protocol for Metadata Harvesting, version 2.0, sections 3 and 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from lxml import etree

from repository.localized import LocalizedText
from repository.whole_numbers import parse_whole_number
from workers.harvest.xml_documents import DocumentRefused, parse_xml, words
from workers.untrusted_xml import local_name

_NAMESPACE: Final = "http://www.openarchives.org/OAI/2.0/"
_MOST_RECORDS: Final = 20_000
_LARGEST_LIST: Final = 10**11 - 1
LONGEST_IDENTIFIER: Final = 1000
LONGEST_TOKEN: Final = 8000

PREFERRED_FORMATS: Final = (
    ("mods", "http://www.loc.gov/mods/"),
    ("marcxml", "http://www.loc.gov/MARC21/slim"),
    ("oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc/"),
)
"""The formats that are read, the richest first, each with how its namespace begins."""


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """What Identify says: the name, how deletions are recorded, and whether times have seconds."""

    name: str
    deleted: str
    has_seconds: bool


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A record of a list: `element` is its metadata, None if it is deleted; `original` the record as canonical XML."""

    identifier: str
    datestamp: str
    original: bytes
    element: Any | None

    @property
    def digest(self) -> str:
        """The SHA-256 of the original."""
        return hashlib.sha256(self.original).hexdigest()


@dataclass(frozen=True, slots=True)
class RecordList:
    """A part of a list: its records, the token of the next part, '' for the last, and the stated size of the whole.

    `responded` is the provider's own time of the answer. `unreadable` counts records without a usable identifier or a
    canonical form.
    """

    records: tuple[ListedRecord, ...]
    token: str
    size: int | None
    responded: str
    unreadable: int = 0


class ProviderError(DocumentRefused):
    """An error of the protocol; `name` is its code, such as ``badArgument``."""

    code = "partner.oai"
    text = LocalizedText(
        "合作机构的 OAI-PMH 服务报错 {name}：{reason}", "The OAI-PMH provider reports {name}: {reason}"
    )


def request_url(base: str, arguments: Mapping[str, str]) -> str:
    """Return the URL of a request; empty arguments are left out."""
    return f"{base}{'&' if '?' in base else '?'}{urlencode({k: v for k, v in arguments.items() if v})}"


def read_identity(body: bytes) -> ProviderIdentity:
    """Return what Identify answers. Raises `DocumentRefused`."""
    found = _verb(body, "Identify")
    values = {local_name(child): words(child) for child in found}
    deleted = values.get("deletedRecord", "no")
    granularity = values.get("granularity", "")
    return ProviderIdentity(
        values.get("repositoryName", "")[:500],
        deleted if deleted in {"persistent", "transient"} else "no",
        granularity.upper().endswith("SSZ"),
    )


def read_formats(body: bytes) -> dict[str, str]:
    """Return the prefixes of the formats that can be read here, by their kind in `PREFERRED_FORMATS`."""
    found: dict[str, str] = {}
    for each in _verb(body, "ListMetadataFormats"):
        values = {local_name(child): words(child) for child in each}
        prefix, namespace = values.get("metadataPrefix", ""), values.get("metadataNamespace", "")
        for kind, start in PREFERRED_FORMATS:
            if prefix and namespace.startswith(start):
                found.setdefault(kind, prefix[:100])
    return found


def read_records(body: bytes) -> RecordList:
    """Return a part of a list of records. Raises `ProviderError`, `DocumentRefused`; no match is an empty list."""
    root = _root(body)
    responded = root.findtext(f"{{{_NAMESPACE}}}responseDate", "").strip()[:40]
    try:
        found = _in(root, "ListRecords")
    except ProviderError as error:
        if error.details["name"] != "noRecordsMatch":
            raise
        return RecordList((), "", 0, responded)
    elements = [child for child in found if local_name(child) == "record"]
    if len(elements) > _MOST_RECORDS:
        raise DocumentRefused(reason=LocalizedText("一次应答的记录过多", "it has too many records"))
    records = list(_records(elements))
    token = found.find(f"{{{_NAMESPACE}}}resumptionToken")
    value, size = ("", None) if token is None else (words(token), token.get("completeListSize"))
    if len(value) > LONGEST_TOKEN:
        raise DocumentRefused(reason=LocalizedText("续传标记过长", "its resumption token is too long"))
    count = parse_whole_number(size or "", _LARGEST_LIST)
    return RecordList(tuple(records), value, count, responded, len(elements) - len(records))


def _records(elements: list[Any]) -> Iterator[ListedRecord]:
    for element in elements:
        header = element.find(f"{{{_NAMESPACE}}}header")
        if header is None:
            continue
        identifier = header.findtext(f"{{{_NAMESPACE}}}identifier", "").strip()
        if not 0 < len(identifier) <= LONGEST_IDENTIFIER or not identifier.isprintable():
            continue
        metadata = element.find(f"{{{_NAMESPACE}}}metadata")
        is_deleted = header.get("status") == "deleted"
        content = next(iter(metadata), None) if metadata is not None and not is_deleted else None
        if content is None and not is_deleted:
            continue
        try:
            original = etree.tostring(element, method="c14n", with_tail=False)
        except etree.C14NError:
            continue  # a relative URI as a namespace has no canonical form (Canonical XML 1.0, section 1.3)
        stamp = header.findtext(f"{{{_NAMESPACE}}}datestamp", "").strip()[:40]
        yield ListedRecord(identifier, stamp, original, content)


def _verb(body: bytes, name: str) -> Any:
    return _in(_root(body), name)


def _root(body: bytes) -> Any:
    root = parse_xml(body)
    if root.tag != f"{{{_NAMESPACE}}}OAI-PMH":
        raise DocumentRefused(reason=LocalizedText("不是 OAI-PMH 的应答", "it is no answer of OAI-PMH"))
    return root


def _in(root: Any, name: str) -> Any:
    found = root.find(f"{{{_NAMESPACE}}}{name}")
    if found is not None:
        return found
    error = root.find(f"{{{_NAMESPACE}}}error")
    if error is None:
        raise DocumentRefused(reason=LocalizedText(f"缺少 {name}", f"it lacks {name}"))
    raise ProviderError(name=(error.get("code") or "")[:40], reason=words(error)[:300])
