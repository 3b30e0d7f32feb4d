"""Putting manifests and collections where readers and partners find them; only what differs is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iiif_server.manifests import build_collection, build_manifest
from iiif_server.presentation import publish_collection, publish_manifest
from repository.handle import Repository
from repository.model import Pyramid, Work

TOP: Final = "top"
"""The collection of all published works."""


def describe_work(repository: Repository, work: Work, pyramids: Mapping[str, Pyramid]) -> None:
    """Put the work's manifest in the store."""
    publish_manifest(repository.store, work.identifier, build_manifest(work, pyramids, repository.settings.provider))


def describe_all(repository: Repository) -> int:
    """Put the collection of all published works in the store; returns how many they are."""
    works = list(repository.catalogue.all_works())
    publish_collection(repository.store, TOP, build_collection(works))
    return len(works)
