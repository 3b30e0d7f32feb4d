"""Published Presentation documents: stored once, served as bytes under any public address, in both versions.

Documents are stored in version 3; those of 2.1 are converted from them when they are requested. The identifiers in a
stored document begin with `PLACEHOLDER`; serving replaces it by the public address. A document that is not JSON or has
another identifier is damaged: it is refused, never served.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from iiif_server.entity_tags import entity_tag
from iiif_server.presentation.version2 import to_version2
from iiif_server.urls import PLACEHOLDER, collection_path, manifest_path, stored_id
from repository import identifiers, paths
from repository.clock_cache import ClockCache
from repository.errors import IntegrityError, NotFound
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.storage.store import ObjectStore, put_if_changed, read_if_present

MEDIA_TYPES: Final = {
    version: f'application/ld+json;profile="http://iiif.io/api/presentation/{version}/context.json"'
    for version in (2, 3)
}
"""The media type of documents in each version that is served."""

_CACHE_BYTES: Final = 32 << 20
_COLLECTION_NAME: Final = re.compile(r"(?=.{1,100}\Z)[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """A document as served, and its entity tag (`entity_tags.entity_tag`)."""

    body: bytes
    etag: str


class DocumentDamaged(IntegrityError):
    """A published document that is damaged; it can be published again from the work's object."""

    code = "integrity.document"
    text = LocalizedText(
        "已发布的文件 {key} 损坏；请运行 shanben rebuild 重新发布",
        "The published document {key} is damaged; run shanben rebuild to publish it again",
    )


class _Head(msgspec.Struct):
    """The part of a document that is compared; decoding it validates the JSON of the whole."""

    id: str


class PresentationService:
    """Reads published manifests and collections from the store.

    Every request reads the stored document; what was made of the same bytes before is taken from a cache of 32 MiB.
    Several threads may use it.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._served: ClockCache[tuple[str, bytes, bytes, int], PublishedDocument] = ClockCache(
            _CACHE_BYTES, lambda document: len(document.body)
        )

    def manifest(self, work: str, base_url: str, version: int = 3) -> PublishedDocument:
        """Return the manifest of a work, under the public address `base_url`, which has no final slash.

        Raises `IdentifierInvalid`, `DocumentDamaged`, and `NotFound` when the work is not published.
        """
        identifier = identifiers.parse(work, Kind.WORK)
        return self._document(paths.manifest(identifier), manifest_path(identifier), identifier, base_url, version)

    def collection(self, name: str, base_url: str, version: int = 3) -> PublishedDocument:
        """Return a collection by its name. Raises `NotFound`, `DocumentDamaged`."""
        if not _COLLECTION_NAME.fullmatch(name):
            raise NotFound(what=name)
        return self._document(paths.collection(name), collection_path(name), name, base_url, version)

    def _document(self, key: str, path: str, what: str, base_url: str, version: int) -> PublishedDocument:
        stored = read_if_present(self._store, key)
        if stored is None:
            raise NotFound(what=what)
        made_of = key, hashlib.sha256(stored).digest(), _address(base_url), version
        document = self._served.get(made_of)
        if document is None:
            _check(key, stored, stored_id(path))
            content = stored if version == 3 else msgspec.json.encode(to_version2(msgspec.json.decode(stored)))
            body = under_address(content, base_url)
            document = PublishedDocument(body, entity_tag(body))
            self._served.put(made_of, document)
        return document


def under_address(stored: bytes, base_url: str) -> bytes:
    """Return a stored document with the identifiers that it has under the public address `base_url`."""
    return stored.replace(PLACEHOLDER.encode(), _address(base_url))


def _address(base_url: str) -> bytes:
    """Return a public address for a JSON string: it may come from a request, so it is escaped."""
    return json.dumps(base_url.rstrip("/"))[1:-1].encode()


def _check(key: str, stored: bytes, identifier: str) -> None:
    """Raise `DocumentDamaged` unless a document is JSON with this identifier."""
    try:
        found = msgspec.json.decode(stored, type=_Head).id
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise DocumentDamaged(key=key) from fault
    if found != identifier:
        raise DocumentDamaged(key=key)


def publish_manifest(store: ObjectStore, work: str, body: bytes) -> bool:
    """Store a work's manifest; return False when the same bytes are stored already."""
    return put_if_changed(store, paths.manifest(work), body)


def remove_manifest(store: ObjectStore, work: str) -> None:
    """Delete a work's manifest, so that nobody reads it from the store."""
    store.delete(paths.manifest(work))


def publish_collection(store: ObjectStore, name: str, body: bytes) -> bool:
    """Store a collection; return False when the same bytes are stored already."""
    return put_if_changed(store, paths.collection(name), body)


def published_collections(store: ObjectStore) -> Iterator[str]:
    """Yield the names of the published collections."""
    for entry in store.list(paths.COLLECTIONS):
        if name := paths.name_of_collection(entry.key):
            yield name


def remove_collection(store: ObjectStore, name: str) -> None:
    """Delete a collection, so that it is no longer served."""
    store.delete(paths.collection(name))


def listed_collections(store: ObjectStore, name: str) -> frozenset[str]:
    """Return the identifiers of the collections that a published collection lists; none when it is unreadable."""
    body = read_if_present(store, paths.collection(name))
    try:
        items = json.loads(body)["items"] if body else []
        return frozenset(item["id"] for item in items if item["type"] == "Collection")
    except (ValueError, KeyError, TypeError):
        return frozenset()
