"""IIIF manifests and collections of partners, of Presentation 2 and 3, as values. (pure)

A document of a partner may break the specification: what is not of the expected type is left out, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from repository.localized import LocalizedText
from workers.harvest.source_record import SourceRecord, ascii_url, is_web_url, source_record
from workers.harvest.xml_documents import DocumentRefused

THUMBNAIL_SIZE: Final = "!400,400"
MOST_MEMBERS: Final = 200_000

_LABELS: Final = {
    "creator": "责任者 責任者 作者 著者 著作者 撰者 编者 編者 creator author contributor",
    "date": "年代 时代 時代 出版年 出版时间 出版時間 成立 成立年 刊写年 刊年 出版事項 出版年月日 date issued created",
    "edition": "版本 版本类型 版本類型 版式 版 刊写 刊写情報 edition publisher",
    "place": "出版地 刊刻地 刻书地 刻書地 刊行地 place placeofpublication",
    "language": "语言 語言 語種 言語 language",
    "classification": "分类 分類 部类 部類 主题 主題 四部 subject classification category",
    "holder": "馆藏 館藏 收藏单位 收藏單位 藏者 所蔵 所蔵者 所藏 holder repository owner institution",
    "call_number": "索书号 索書號 書號 请求记号 請求記号 请求號 登錄號 identifier shelfmark",
    "dimensions": "尺寸 版框 数量 數量 册数 冊數 形態 形態的記述 extent dimensions",
    "summary": "摘要 提要 说明 說明 解題 description abstract summary",
    "rights": "权利 權利 权利声明 權利聲明 使用条件 rights license licence",
}
_FIELD_OF: Final = {label: name for name, labels in _LABELS.items() for label in labels.split()}
_WORD: Final = re.compile(r"[\w]+")

_MANIFESTS: Final = ("Manifest", "sc:Manifest")
_COLLECTIONS: Final = ("Collection", "sc:Collection")
# Tuples and not sets, because the type in a document may be a value that cannot be hashed.

_DEEPEST_TEXTS: Final = 4
"""How deep the lists of a text may be nested; those of Presentation 2 have one level."""


@dataclass(frozen=True, slots=True)
class PartnerManifest:
    """A manifest with its own identifier, and what it says about its work."""

    identifier: str
    record: SourceRecord


@dataclass(frozen=True, slots=True)
class PartnerCollection:
    """A collection: the URLs of its manifests and of its collections, in order, and its label."""

    label: str
    manifests: tuple[str, ...]
    collections: tuple[str, ...]


def read_document(body: bytes) -> PartnerManifest | PartnerCollection:
    """Return a manifest or a collection. Raises `DocumentRefused` for anything else."""
    document = _decode(body)
    kind = document.get("type") or document.get("@type")
    if kind in _MANIFESTS:
        return PartnerManifest(_identifier(document), _record(document))
    if kind in _COLLECTIONS:
        return _collection(document)
    raise DocumentRefused(reason=LocalizedText("不是 IIIF 清单或集合", "it is no IIIF manifest or collection"))


def _decode(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError as fault:
        raise DocumentRefused(reason=LocalizedText("嵌套过深", "it is nested too deeply")) from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        reason = LocalizedText(f"不是合格的 JSON（{fault}）", f"it is not valid JSON ({fault})")
        raise DocumentRefused(reason=reason) from fault
    if not isinstance(document, dict):
        raise DocumentRefused(reason=LocalizedText("不是 JSON 对象", "it is no JSON object"))
    return document


def _collection(document: dict[str, Any]) -> PartnerCollection:
    manifests: list[str] = []
    collections: list[str] = []
    members = [each for name in ("items", "members", "manifests", "collections") for each in _list(document.get(name))]
    if len(members) > MOST_MEMBERS:
        raise DocumentRefused(reason=LocalizedText("集合成员过多", "the collection has too many members"))
    for member in members:
        kind, url = _get(member, "type") or _get(member, "@type"), ascii_url(_identifier(member))
        if is_web_url(url):
            (collections if kind in _COLLECTIONS else manifests).append(url)
    following = [url for name in ("first", "next") if is_web_url(url := _url(document.get(name)))]
    label = next(iter(_texts(document.get("label"))), "")
    return PartnerCollection(label, tuple(dict.fromkeys(manifests)), tuple(dict.fromkeys([*collections, *following])))


def _record(document: dict[str, Any]) -> SourceRecord:
    values: dict[str, list[str]] = {}
    for name, value in _values(document):
        values.setdefault(name, []).append(value)
    return source_record(values)


def _values(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("title", text) for text in _texts(document.get("label")))
    for pair in _list(document.get("metadata")):
        name = _field_of(_texts(_get(pair, "label")))
        if name:
            yield from ((name, text) for text in _texts(_get(pair, "value")))
    for name, key in (("rights", "rights"), ("rights", "license"), ("summary", "summary"), ("summary", "description")):
        yield from ((name, text) for text in _texts(document.get(key)))
    yield from (("holder", text) for text in _texts(document.get("attribution")))
    for provider in _list(document.get("provider")):
        yield from (("holder", text) for text in _texts(_get(provider, "label")))
    yield "manifest", _identifier(document)
    yield from (("page", _url(page)) for key in ("homepage", "related") for page in _list(document.get(key)))
    yield "thumbnail", _thumbnail(document)


def _field_of(labels: list[str]) -> str | None:
    """Return the field that a label of metadata names, in any language: ``Creator / 责任者`` is the creator."""
    for label in labels:
        for word in _WORD.findall(label.lower()):
            if word in _FIELD_OF:
                return _FIELD_OF[word]
    return None


def _thumbnail(document: dict[str, Any]) -> str:
    """Return the URL of a small picture: of the manifest's thumbnail, else of the first canvas; '' without one."""
    canvases = _list(document.get("items")) or [
        canvas for sequence in _list(document.get("sequences"))[:1] for canvas in _list(_get(sequence, "canvases"))
    ]
    thumbnails = [
        *_list(document.get("thumbnail"))[:1],
        *(_list(_get(canvases[0], "thumbnail"))[:1] if canvases else []),
    ]
    pictures = _first_pictures(canvases[0]) if canvases else []
    scaled = (url for resource in (*thumbnails, *pictures) if (url := _small_picture(resource)))
    return next(scaled, "") or next(map(_url, thumbnails), "")


def _first_pictures(canvas: Any) -> list[Any]:
    """Return the picture that is painted on a canvas, in Presentation 3 or 2."""
    bodies = [
        body
        for page in _list(_get(canvas, "items"))
        for annotation in _list(_get(page, "items"))
        for body in _list(_get(annotation, "body"))
    ]
    return (bodies + [_get(image, "resource") for image in _list(_get(canvas, "images"))])[:1]


def _small_picture(resource: Any) -> str:
    """Return a request for a small picture to the image service of a resource; '' without one that scales."""
    for service in _list(_get(resource, "service")):
        base, profile = _identifier(service), str(_get(service, "profile"))
        if is_web_url(base) and "level0" not in profile:
            return f"{base.rstrip('/')}/full/{THUMBNAIL_SIZE}/0/default.jpg"
    return ""


def _texts(value: Any, depth: int = _DEEPEST_TEXTS) -> list[str]:
    """Return the texts of a value of Presentation 3 (by language) or 2 (text, or value with language)."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each, depth - 1)] if depth else []
    if isinstance(value, Mapping):
        if isinstance(value.get("@value"), str):
            return [value["@value"]]
        return [text for texts in value.values() if isinstance(texts, list) for text in texts if isinstance(text, str)]
    return []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _identifier(value: Any) -> str:
    found = _get(value, "id") or _get(value, "@id")
    return found if isinstance(found, str) else ""


def _url(value: Any) -> str:
    return value if isinstance(value, str) else _identifier(value)
