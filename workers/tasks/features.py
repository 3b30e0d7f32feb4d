"""Computes the features of pages, and the index of them, for the search of similar pictures.

Both are derived data: they may be deleted at any time, and are made again.

- A job for each work describes the images that may be shown, in a sandbox, from their pyramids, and stores one object.
  Of a work that may not be shown it removes what is stored.
- One job compares the stored features with the catalogue, queues what is missing or superfluous, and writes the shards
  of the index whose works have changed, then the list that names them. A search reads the list, so that it finds either
  the old or the new shard.

A crash leaves objects that nothing names; the next run removes them. Memory is bounded by one shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from iiif_server.pyramid.grid import Box
from iiif_server.render.child_tiles import open_tiles
from iiif_server.similarity.functions import DESCRIBE_PAGE
from iiif_server.similarity.local_shards import read_list
from iiif_server.similarity.pages import describe
from iiif_server.similarity.records import DescribedPicture, Features, features_of
from iiif_server.similarity.shard_index import write_index
from iiif_server.similarity.shards import INDEX, PAGE, TABLE, ShardEntry, ShardList, prefix_length, shard_name
from iiif_server.similarity.work_features import PAGE_BYTES, is_current, pack, recipe, sections, unpack
from repository import paths
from repository.database.outbox import Job
from repository.errors import Busy, KeyNotFound, StagingFault
from repository.localized import LocalizedText
from repository.model.access import decide
from repository.model.work import Work
from repository.repository import Repository
from repository.sandbox.functions import Quota
from repository.sandbox.pool import SandboxPool
from repository.storage.content import MovableFile
from workers.execution.context import TaskContext
from workers.execution.scratch import scratch_directory
from workers.tasks.jobs import DESCRIBE_WORK, feature_index_job, features_job

_QUOTA: Final = Quota(seconds=60, memory=1 << 30, niceness=10, file_bytes=1 << 20)
_LOCK: Final = "feature-index"
_BUSY: Final = LocalizedText("页面特征索引", "the index of page features")
_WAIT_SECONDS: Final = 1.0
_BATCH: Final = 1000
_MOST_QUEUED: Final = 1000
"""Works that one run of the index queues for description; the last of them queues the next run."""


def describe_work(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``features`` for `work`.

    Raises `SandboxFailed`, `PyramidCorrupt`, `StoreFault`, `StagingFault`, `DatabaseFault`.
    """
    repository, identifier = context.repository, job.arguments["work"]
    wanted, described = None, 0
    if repository.settings.similar_pages and (work := _shown(repository, identifier)):
        wanted = _key(repository, work)
        if not repository.store.exists(wanted):
            described = _describe(repository, work, wanted)
    removed = [item.key for item in repository.store.list(paths.features_of_work(identifier)) if item.key != wanted]
    for key in removed:
        repository.store.delete(key)
    if (described or removed) and len(repository.jobs.active(DESCRIBE_WORK, 2)) < 2:
        repository.jobs.enqueue(feature_index_job())
    return {"described": described, "removed": len(removed)}


def _shown(repository: Repository, identifier: str) -> Work | None:
    work, held = repository.catalogue.work(identifier), repository.catalogue.access(identifier)
    if work is None or held is None:
        return None
    return work if decide(work.rights, held.access.state, repository.clock()).shows_pixels else None


def _key(repository: Repository, work: Work) -> str:
    pyramids = repository.catalogue.pyramids(work.identifier)
    shown = [
        (image.identifier, pyramids[image.identifier].fingerprint, str(image.redactions)) for image in work.images()
    ]
    return paths.page_features(work.identifier, recipe(shown))


def _describe(repository: Repository, work: Work, key: str) -> int:
    """Describe all images of a work, and store the features under `key`. Return the number of pages and sections."""
    pyramids = repository.catalogue.pyramids(work.identifier)
    pages: list[tuple[str, Box, DescribedPicture]] = []
    with (
        scratch_directory(repository.settings.staging) as scratch,
        SandboxPool([DESCRIBE_PAGE], 1, scratch, _QUOTA) as pool,
    ):
        for image in work.images():
            grid, read = open_tiles(repository.store, pyramids[image.identifier])
            pages += [
                (image.identifier, box, describe(pool, grid, read, box, image.redactions))
                for box in sections(image.width, image.height)
            ]
    repository.store.put(key, b"".join(pack(pages)))
    return len(pages)


def index_features(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``feature-index``. Raises `Busy`, `StoreFault`, `StagingFault`, `DatabaseFault`."""
    repository = context.repository
    if not repository.settings.similar_pages:
        return {"shards": 0, "pages": 0}
    with repository.locks.hold(_LOCK, _WAIT_SECONDS, Busy(what=_BUSY)):
        for work in _differing(repository):
            repository.jobs.enqueue(features_job(work))
        old = read_list(repository.store)
        new = ShardList(shards=list(_shards(repository, {shard.key: shard for shard in old.shards})))
        if new != old:
            repository.store.put(paths.SIMILAR_SHARDS, new.to_json())
        _remove_unlisted(repository, new)
    return {"shards": len(new.shards), "pages": sum(shard.pages for shard in new.shards)}


def _differing(repository: Repository) -> list[str]:
    """Return works, at most `_MOST_QUEUED`, that are shown and have no features, or have some and are not shown."""
    shown, described = _works_shown(repository), _works_described(repository)
    one, other = next(shown, None), next(described, None)
    found: list[str] = []
    while (one or other) and len(found) < _MOST_QUEUED:
        if one == other:
            one, other = next(shown, None), next(described, None)
        elif other is None or (one is not None and one < other):
            found.append(one or "")
            one = next(shown, None)
        else:
            found.append(other)
            other = next(described, None)
    return found


def _works_shown(repository: Repository) -> Iterator[str]:
    last = ""
    while works := repository.catalogue.identifiers_after(last, _BATCH, shown=True):
        yield from works
        last = works[-1]


def _works_described(repository: Repository) -> Iterator[str]:
    """Yield the works with features of this release, in their order, which is that of the keys."""
    yield from (work for work, _ in groupby(work for work, _, _ in _stored(repository)))


def _stored(repository: Repository) -> Iterator[tuple[str, str, int]]:
    """Yield work, recipe and size of all stored features of this release."""
    for item in repository.store.list(paths.SIMILAR_WORKS):
        parsed = paths.parse_page_features(item.key)
        if parsed and is_current(parsed[1]):
            yield *parsed, item.size


def _shards(repository: Repository, held: Mapping[str, ShardEntry]) -> Iterator[ShardEntry]:
    """Yield all shards; those that are not in `held` are written first."""
    length = 1 + prefix_length(sum(size for *_, size in _stored(repository)) // PAGE_BYTES)
    for prefix, stored in groupby(_stored(repository), key=lambda features: features[0][:length]):
        keys = [(work, recipe) for work, recipe, _ in stored]
        name = shard_name(prefix, (paths.page_features(*key) for key in keys))
        key = paths.similar_shard(name)
        yield held.get(key) or _write_shard(repository, key, keys)


def _write_shard(repository: Repository, key: str, works: Sequence[tuple[str, str]]) -> ShardEntry:
    rows, features = [], []
    for work, recipe_name in works:
        for row, page in _read(repository, work, recipe_name):
            rows.append(row)
            features.append(page)
    with scratch_directory(repository.settings.staging) as scratch:
        table, index = scratch / "table", scratch / "index"
        try:
            with table.open("wb") as file:
                np.save(file, np.array(rows, PAGE), allow_pickle=False)
            write_index(features, index)
        except OSError as fault:
            raise StagingFault(reason=fault.strerror) from fault
        size = table.stat().st_size + index.stat().st_size
        for suffix, path in ((TABLE, table), (INDEX, index)):
            repository.store.put(f"{key}{suffix}", MovableFile(Path(path)))
    return ShardEntry(key, len({row[0] for row in rows}), len(rows), size)


def _read(repository: Repository, work: str, recipe_name: str) -> Iterator[tuple[tuple[object, ...], Features]]:
    """Yield the rows of the table and the features of a work's pages; none if they are gone.

    Damaged ones are deleted, so that the next run has them made again.
    """
    key = paths.page_features(work, recipe_name)
    try:
        data = repository.store.read(key)
        pages, start = unpack(data)
    except KeyNotFound:
        return
    except ValueError:
        repository.store.delete(key)
        return
    for page in pages:
        features = features_of(data[start : start + page.bytes])
        yield (page.image, work, recipe_name, page.box, start, page.count, list(bytes.fromhex(page.hash))), features
        start += page.bytes


def _remove_unlisted(repository: Repository, listed: ShardList) -> None:
    kept = {f"{shard.key}{suffix}" for shard in listed.shards for suffix in (TABLE, INDEX)}
    for item in list(repository.store.list(paths.SIMILAR_SHARD_FILES)):
        if item.key not in kept:
            repository.store.delete(item.key)
