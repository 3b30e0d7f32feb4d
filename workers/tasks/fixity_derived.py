"""Checks of what can be made again: pyramids, by their own digests, and published documents, by making them again.

A pyramid's directory must have the fingerprint that the catalogue records, and every tile the CRC-32 in the directory.
A published document must be, byte for byte, what the catalogue gives now. Only the primary store has either.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Final

from iiif_server.presentation.published import published_collections
from iiif_server.pyramid.file import check_tile_stream, read_directory
from preservation.digests import sha256
from preservation.fixity.files import require_reachable
from preservation.fixity.findings import FileCheck, FindingKind, FixityFinding
from preservation.fixity.object_check import CheckedObject
from preservation.progress import OnProgress
from repository import paths
from repository.database.fixity_values import FileClass, ListedFile, UnitKind
from repository.errors import KeyNotFound, PyramidCorrupt, StoreFault
from repository.localized import Language, LocalizedText
from repository.model.work import Pyramid
from repository.repository import Repository
from repository.storage.content import Chunk
from workers.published_edition import is_outdated
from workers.tasks.jobs import PUBLISH_COLLECTIONS
from workers.tasks.publish import collections_of, manifest_of

_BEING_PUBLISHED: Final = LocalizedText("正在发布", "it is being published")


def listed_derived(repository: Repository, kind: UnitKind, work: str) -> list[ListedFile]:
    """Return the pyramids of a work, or its published documents, as they are to be checked."""
    if kind is UnitKind.PYRAMIDS:
        pyramids = repository.catalogue.pyramids(work).values()
        return [ListedFile(pyramid.key, FileClass.PYRAMIDS, pyramid.bytes) for pyramid in pyramids]
    documents = _documents(repository, work)
    return [ListedFile(key, FileClass.PUBLISHED, len(body)) for key, body in documents]


def check_pyramids(repository: Repository, work: str, executor: Executor, on_progress: OnProgress) -> CheckedObject:
    """Check the pyramids of a work. Raises `StoreFault` when the store is unreachable."""
    check = partial(_check_pyramid, repository, work, on_progress)
    checks = list(executor.map(check, repository.catalogue.pyramids(work).values()))
    if any(each.finding for each in checks):  # one may have been made again meanwhile
        checks = list(executor.map(check, repository.catalogue.pyramids(work).values()))
    return CheckedObject(len(checks), checks)


def check_published(repository: Repository, work: str, on_progress: OnProgress) -> CheckedObject:
    """Check the manifest of a work, or all collections for ''. Raises `StoreFault` when the store is unreachable."""
    checks = list(_check_documents(repository, work, on_progress))
    if any(each.finding for each in checks):  # one may have been published meanwhile
        checks = list(_check_documents(repository, work, on_progress))
    if any(each.finding for each in checks) and is_outdated(repository):  # not damaged: of an earlier release
        checks = [FileCheck(each.key, reason=_BEING_PUBLISHED) if each.finding else each for each in checks]
    return CheckedObject(len(checks), checks)


def _check_pyramid(repository: Repository, work: str, on_progress: OnProgress, pyramid: Pyramid) -> FileCheck:
    store, key, size = repository.store, pyramid.key, 0

    def chunks() -> Iterator[Chunk]:
        nonlocal size
        for chunk in store.chunks(key):
            size += len(chunk)
            on_progress(len(chunk))
            yield chunk

    def failed(kind: FindingKind, found: str | None = None, detail: str = "") -> FileCheck:
        return FileCheck(key, size, FixityFinding(key, kind, work, pyramid.fingerprint, found, detail))

    try:
        directory = read_directory(partial(store.read_range, key), key)
        check_tile_stream(chunks(), directory, key)
    except KeyNotFound:
        return failed(FindingKind.MISSING)
    except PyramidCorrupt as fault:
        return failed(FindingKind.CHANGED, detail=fault.in_language(Language.ENGLISH))
    except StoreFault as fault:
        require_reachable(store)
        return failed(FindingKind.UNREADABLE, detail=str(fault.details.get("reason", "")))
    if directory.fingerprint != pyramid.fingerprint:
        return failed(FindingKind.CHANGED, directory.fingerprint)
    return FileCheck(key, size)


def _documents(repository: Repository, work: str) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and the bytes that published documents must have."""
    if not work:
        yield from ((paths.collection(name), body) for name, body in collections_of(repository))
        return
    document, held = repository.catalogue.work(work), repository.catalogue.access(work)
    if document is None or held is None:
        return
    body = manifest_of(repository, document, held.access, repository.catalogue.pyramids(work))
    if body is not None:
        yield paths.manifest(work), body


def _check_documents(repository: Repository, work: str, on_progress: OnProgress) -> Iterator[FileCheck]:
    store, keys = repository.store, set()
    is_publishing = not work and bool(repository.jobs.active(PUBLISH_COLLECTIONS, 1))
    for key, body in _documents(repository, work):
        keys.add(key)
        if is_publishing:
            yield FileCheck(key, reason=_BEING_PUBLISHED)
            continue
        finding = partial(FixityFinding, key, work=work or None, expected=sha256([body]))
        try:
            stored = store.read(key)
        except KeyNotFound:
            yield FileCheck(key, 0, finding(kind=FindingKind.MISSING))
            continue
        except StoreFault as fault:
            require_reachable(store)
            reason = str(fault.details.get("reason", ""))
            yield FileCheck(key, 0, finding(kind=FindingKind.UNREADABLE, detail=reason))
            continue
        on_progress(len(stored))
        changed = None if stored == body else finding(kind=FindingKind.CHANGED, found=sha256([stored]))
        yield FileCheck(key, len(stored), changed)
    if not work and not is_publishing:
        for name in published_collections(store):
            if (key := paths.collection(name)) not in keys:
                yield FileCheck(key, finding=FixityFinding(key, FindingKind.UNEXPECTED))
