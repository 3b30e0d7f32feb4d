"""IIIF collections of partners' manifests: one of all partners, and one of each, which lists their manifests. (pure)

They are built when they are requested, because partners' records are rows of the database, and never published works.
A partner with more than `MOST` manifests has a collection of parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from iiif_server.urls import collection_path
from repository.localized import LocalizedText

MOST: Final = 500
PARTNERS: Final = "partners"
LABEL: Final = LocalizedText("合作机构的书目", "Works at partner institutions")

_CONTEXT: Final = "http://iiif.io/api/presentation/3/context.json"
_NAME: Final = re.compile(r"partner(?:s-([1-9][0-9]{0,5}))?-([a-z0-9-]{1,32})")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PartnerCollectionName:
    """The source of a partner's collection, and the part from 1; None for the whole."""

    source: str
    part: int | None = None

    @property
    def text(self) -> str:
        """The name in the collection's address."""
        return f"partner-{self.source}" if self.part is None else f"partners-{self.part}-{self.source}"


def parse_collection_name(name: str) -> PartnerCollectionName | None:
    """Return what a name means: the inverse of `PartnerCollectionName.text`; None for any other name."""
    match = _NAME.fullmatch(name)
    return PartnerCollectionName(match[2], int(match[1]) if match[1] else None) if match else None


def all_partners(sources: Iterable[tuple[str, str]], base: str) -> Json:
    """Return the collection of all partners, given by name and title, under the public address `base`."""
    items = [_reference(PartnerCollectionName(name).text, _plain(title), base) for name, title in sources]
    return _collection(PARTNERS, _bilingual(LABEL), items, base, ("top", LocalizedText("馆藏善本", "Works held")))


def whole_partner(name: str, title: str, manifests: int, listed: Sequence[tuple[str, str]], base: str) -> Json:
    """Return the collection of a partner: its manifests, `listed` by URL and title, or parts if they are many."""
    own = PartnerCollectionName(name)
    if manifests <= MOST:
        items = [_manifest(url, label) for url, label in listed]
    else:
        parts = range(1, -(-manifests // MOST) + 1)
        items = [_reference(PartnerCollectionName(name, part).text, _plain(f"{title} {part}"), base) for part in parts]
    return _collection(own.text, _plain(title), items, base, (PARTNERS, LABEL))


def part_of_partner(name: PartnerCollectionName, title: str, listed: Sequence[tuple[str, str]], base: str) -> Json:
    """Return a part of a partner's collection."""
    whole = PartnerCollectionName(name.source).text
    items = [_manifest(url, label) for url, label in listed]
    return _collection(name.text, _plain(f"{title} {name.part}"), items, base, (whole, LocalizedText(title, title)))


def partners_reference(base: str) -> Json:
    """Return the reference to the collection of all partners, for the top collection."""
    return _reference(PARTNERS, _bilingual(LABEL), base)


def _collection(name: str, label: Json, items: list[Json], base: str, whole: tuple[str, LocalizedText]) -> Json:
    return {
        "@context": _CONTEXT,
        "id": f"{base}{collection_path(name)}",
        "type": "Collection",
        "label": label,
        "partOf": [_reference(whole[0], _bilingual(whole[1]), base)],
        "items": items,
    }


def _reference(name: str, label: Json, base: str) -> Json:
    return {"id": f"{base}{collection_path(name)}", "type": "Collection", "label": label}


def _manifest(url: str, label: str) -> Json:
    return {"id": url, "type": "Manifest", "label": _plain(label)}


def _bilingual(text: LocalizedText) -> Json:
    return {"zh-Hans": [text.zh], "en": [text.en]}


def _plain(text: str) -> Json:
    return {"none": [text]}
