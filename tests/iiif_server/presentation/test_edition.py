"""Documents that say something else are of another edition, so that an upgrade publishes them again."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata

import msgspec
import pytest

from iiif_server.presentation.collections import ALL, AccessionPeriod
from iiif_server.presentation.edition import EDITION, PublishedEdition, edition_of
from iiif_server.presentation.manifest import build_collection, build_divided_collection, build_manifest
from repository.model.text import TextKind
from repository.model.work import (
    Access,
    Dating,
    Image,
    Master,
    Page,
    Pyramid,
    Range,
    Record,
    Rectangle,
    Rights,
    Volume,
    Work,
    WorkState,
    WorkSummary,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGESTS = {
    2: "8faa02c9ca7fc0b53f26c39372257a88d8533a8bfc51055ddd97a20010737b78",
    3: "0dfd8e3b7b1250638088a5bae8c162ac074521992a4866f29026ae62b628e041",
    4: "30caed1651853648ee62eff44db3fbf4b969e41c27063bd6000c3793bc26756c",
}
"""The SHA-256 of the documents below in each edition, with iiif-prezi3 as requirements-test.lock has it."""


def picture(name: str, label: str = "", redactions: tuple[Rectangle, ...] = ()) -> Image:
    master = Master(f"masters/{name}.tif", "0" * 64, 1, "image/tiff")
    return Image(f"i-{name}", 4000, 5000, master, redactions, label)


def documents() -> list[bytes]:
    """The manifests of works that have together all that a manifest can have, and collections."""
    pages = (
        Page("a/1", "葉一", (picture("1", "彩色"), picture("2", "紅外")), "facing-pages"),
        Page("a/2", "葉二", (picture("3"),), "non-paged"),
        Page("a/3", "葉三", leaf="三"),
    )
    record = Record(
        "論語",
        "LIB-1",
        ("何晏",),
        Dating("明萬曆", "1573", "1620"),
        ("lzh",),
        "經部",
        "刻本",
        "20 cm",
        "善 1",
        "某館",
        "學而。",
        ("洛陽",),
    )
    assert all(getattr(record, field.name) for field in fields(record)), "a new field is to be among the documents"
    ranges = (
        Range("卷一", ("a/1",), (Range("序", ("a/2",)),)),
        Range("原序", ("a/2", "a/1", "a/3"), (), sequence=True),
    )
    rights = Rights("http://creativecommons.org/publicdomain/mark/1.0/")
    work = Work("w1", record, (Volume("上", pages), Volume("", (Page("b/1", "一", (picture("4"),)),))), ranges, rights)
    hidden = replace(
        work, volumes=(Volume("", (Page("1", "1", (picture("5", "", (Rectangle(1, 1, 9, 9),)),)),)),), ranges=()
    )
    works = [
        work,
        replace(work, rights=Rights("某種權利", Access.REDUCED, 800)),
        replace(work, rights=Rights(None, Access.RESTRICTED)),
        hidden,
    ]
    pyramids = {image.identifier: Pyramid("key", "0" * 64, 1, 512) for each in works for image in each.images()}
    texts = {"a/1": [TextKind.TRANSCRIPTION, TextKind.TRANSLATION], "b/1": [TextKind.OCR]}
    logo = "https://library.example/logo.svg"
    summaries = [WorkSummary("w1", "論語", (), None, "i-1", 1, 1, WorkState.PUBLISHED)]
    return [
        *(build_manifest(each, pyramids, "某館", 64_000_000, NOW, logo=logo, texts=texts) for each in works),
        build_collection(summaries),
        build_divided_collection(ALL, [AccessionPeriod("2026")]),
    ]


def test_changed_documents_are_of_another_edition() -> None:
    assert sha256(b"\n".join(documents())).hexdigest() == DIGESTS[EDITION], (
        "manifests or collections have changed: raise EDITION in iiif_server/presentation/edition.py by one, so that an"
        f" upgrade publishes them again, and put the new digest here (iiif-prezi3 {metadata.version('iiif-prezi3')})"
    )


def test_an_edition_is_that_of_the_settings_too() -> None:
    found = {
        edition_of(*each) for each in (("", "", 1), ("某館", "", 1), ("", "https://a", 1), ("", "", 2), ("", "", 1))
    }
    assert len(found) == 4


def test_a_record_of_an_edition_survives_json() -> None:
    published = PublishedEdition("e", "w1", complete=True)
    assert PublishedEdition.of_json(published.to_json()) == published
    for damaged in (b"", b"[]", b'{"edition":1}', b"\xff"):
        with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
            PublishedEdition.of_json(damaged)
