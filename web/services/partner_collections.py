"""The IIIF collections of partners' manifests over HTTP, built from the database when they are requested."""

from __future__ import annotations

import json

from iiif_server.entity_tags import entity_tag
from iiif_server.presentation.partner_collections import (
    MOST,
    PARTNERS,
    Json,
    PartnerCollectionName,
    all_partners,
    parse_collection_name,
    part_of_partner,
    whole_partner,
)
from iiif_server.presentation.published import PublishedDocument, under_address
from iiif_server.presentation.version2 import to_version2
from iiif_server.urls import PLACEHOLDER
from repository.errors import NotFound
from repository.repository import Repository


def partner_collection(repository: Repository, name: str, base: str, version: int = 3) -> PublishedDocument | None:
    """Return the collection of partners with a name in a version of the API, under the public address `base`.

    None if the name is of another kind. Raises `NotFound`.
    """
    if name == PARTNERS:
        sources = [(source.name, source.shown_title) for source in repository.harvests.sources()]
        return _document(all_partners(sources, PLACEHOLDER), base, version)
    parsed = parse_collection_name(name)
    return _document(_of_source(repository, parsed), base, version) if parsed else None


def _of_source(repository: Repository, name: PartnerCollectionName) -> Json:
    source = repository.harvests.source(name.source)
    count = repository.harvests.counts(source.name).manifests
    start = ((name.part or 1) - 1) * MOST
    if name.part is not None and (start >= count or count <= MOST):
        raise NotFound(what=name.text)
    listed = [(each.manifest, each.title) for each in repository.harvests.manifests(source.name, start, MOST)]
    if name.part is None:
        return whole_partner(source.name, source.shown_title, count, listed, PLACEHOLDER)
    return part_of_partner(name, source.shown_title, listed, PLACEHOLDER)


def _document(document: Json, base: str, version: int) -> PublishedDocument:
    shown = to_version2(document) if version == 2 else document
    body = under_address(json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode(), base)
    return PublishedDocument(body, entity_tag(body))
