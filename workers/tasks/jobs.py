"""The kinds and keys of all jobs, importable without loading their tasks.

The web process, the dispatcher and the tasks enqueue jobs through this module. It must not import a task: some decode
masters, which the web process never does. Kinds and keys are stored in the database and must not change: an outbox
written by an earlier release is still run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from iiif_server.presentation.collections import smallest_period
from repository.database.outbox import NewJob

INGEST: Final = "ingest"
PAGE: Final = "page"
SEQUENCE_EVENTS: Final = "journal"
PUBLISH_COLLECTIONS: Final = "collection"
REPUBLISH: Final = "republish"
PUBLISH_MANIFEST: Final = "manifest"
REPLICATE_WORK: Final = "replicate"
REPLICATE_LOG: Final = "replicate-log"
REPAIR_PYRAMID: Final = "pyramid"
PRESERVE_ACCESS: Final = "access"
ASK_WITNESSES: Final = "witness"
ADD_TEXTS: Final = "text"
CORRECT_TEXT: Final = "text-correction"
RECOGNISE_WORK: Final = "ocr"
RECOGNISE_PAGES: Final = "ocr-pages"
DELETE_WORK: Final = "delete"
DELETE_COPY: Final = "delete-copy"
REQUEST_TIMESTAMP: Final = "timestamp"
REPAIR_WORK: Final = "repair"
REPAIR_STORES: Final = "repair-stores"
DESCRIBE_WORK: Final = "features"
INDEX_FEATURES: Final = "feature-index"
INDEX_CHANGES: Final = "search"
SWEEP_STORE: Final = "fixity"
CHECK_FILES: Final = "fixity-part"
HARVEST: Final = "harvest"

ALL: Final = "all"
DUE: Final = "due"
SCHEDULED: Final = "scheduled"
"""Scopes of sweeps: everything; what is due; what is due, without being asked for. Any other scope is a work, or
`NO_WORK`."""

NO_WORK: Final = ""
"""The scope of sweeps of what belongs to no work: the log, the storage root, documents about all works."""
WATCH: Final = "alarms"


def ingest_job(deposit: Path, revises: str | None = None, bag: Path | None = None) -> NewJob:
    """Return the job that ingests a deposit folder, as a revision of the work `revises` if that is given.

    `bag` is the folder of the verified bag whose payload the deposit is. The job's key is derived from the deposit's
    absolute path.
    """
    path = str(deposit.resolve())
    arguments = {"deposit": path} | ({"revises": revises} if revises else {})
    arguments |= {"bag": str(bag.resolve())} if bag else {}
    return NewJob(f"{INGEST}:{hashlib.sha256(path.encode()).hexdigest()[:32]}", INGEST, arguments)


def page_job(
    parent: str,
    number: int,
    deposit: Path,
    file: str,
    *,
    work: str,
    version: int,
    algorithms: Iterable[str] = (),
) -> NewJob:
    """Return the job of the `number`-th page of the ingest job `parent`; keys sort in reading order.

    The master `file` of the folder `deposit` is stored for version `version` of `work`. Without a work ('') it is only
    examined. `algorithms` are the digests of it that checksum manifests give.
    """
    arguments = {"deposit": str(deposit), "file": file, "work": work, "version": str(version)}
    arguments |= {"algorithms": " ".join(sorted(algorithms))} if algorithms else {}
    return NewJob(f"{PAGE}:{parent}:{number:06d}", PAGE, arguments)


def sequence_events_job() -> NewJob:
    """Return the job that writes staged events into the provenance log."""
    return NewJob(SEQUENCE_EVENTS, SEQUENCE_EVENTS, {})


def collection_job(accessioned: str) -> NewJob:
    """Return the job that publishes the collections which contain a work accessioned at this time."""
    period = smallest_period(accessioned)
    return NewJob(f"{PUBLISH_COLLECTIONS}:{period.name}", PUBLISH_COLLECTIONS, {"part": period.name})


def republish_job(edition: str) -> NewJob:
    """Return the job that publishes again the manifests of the next works that are not of this edition."""
    return NewJob(f"{REPUBLISH}:{edition}", REPUBLISH, {"edition": edition})


def manifest_job(work: str) -> NewJob:
    """Return the job that publishes the manifest of a work again."""
    return NewJob(f"{PUBLISH_MANIFEST}:{work}", PUBLISH_MANIFEST, {"work": work})


def replicate_work_job(store: str, work: str) -> NewJob:
    """Return the job that copies a work to the replica named `store`."""
    return NewJob(f"{REPLICATE_WORK}:{store}:{work}", REPLICATE_WORK, {"work": work, "store": store})


def replicate_log_job(store: str) -> NewJob:
    """Return the job that brings the log of the replica named `store` up to date."""
    return NewJob(f"{REPLICATE_LOG}:{store}", REPLICATE_LOG, {"store": store})


def witness_job() -> NewJob:
    """Return the job that asks the witnesses to cosign the log's newest checkpoint."""
    return NewJob(ASK_WITNESSES, ASK_WITNESSES, {})


def timestamp_job() -> NewJob:
    """Return the job that has the log timestamped, if that is due."""
    return NewJob(REQUEST_TIMESTAMP, REQUEST_TIMESTAMP, {})


def access_job(work: str) -> NewJob:
    """Return the job that preserves the access to a work which the catalogue holds, and publishes the work by it."""
    return NewJob(f"{PRESERVE_ACCESS}:{work}", PRESERVE_ACCESS, {"work": work})


def text_job(work: str, files: Iterable[Path], statement: Mapping[str, object]) -> NewJob:
    """Return the job that adds files of text to a work; `statement` has fields of `TextStatement`."""
    arguments = {
        "work": work,
        "files": json.dumps(sorted(str(file.resolve()) for file in files), ensure_ascii=False),
        "statement": json.dumps(statement, ensure_ascii=False, sort_keys=True),
    }
    digest = hashlib.sha256("\0".join(arguments.values()).encode()).hexdigest()[:32]
    return NewJob(f"{ADD_TEXTS}:{digest}", ADD_TEXTS, arguments)


def correct_text_job(work: str, correction: Mapping[str, object]) -> NewJob:
    """Return the job that corrects a text of a page of a work; `correction` has the fields of `TextCorrection`.

    Other lines are another job, so that no correction takes the place of another one that waits.
    """
    arguments = {"work": work, "correction": json.dumps(correction, ensure_ascii=False, sort_keys=True)}
    digest = hashlib.sha256(arguments["correction"].encode()).hexdigest()[:32]
    return NewJob(correction_key(work, digest), CORRECT_TEXT, arguments)


def correction_key(work: str, digest: str) -> str:
    """Return the key of the job with a correction; `digest` is that of the correction."""
    return f"{CORRECT_TEXT}:{work}:{digest}"


def recognise_work_job(work: str) -> NewJob:
    """Return the job that recognises the text of a work's pages and adds it to the work."""
    return NewJob(f"{RECOGNISE_WORK}:{work}", RECOGNISE_WORK, {"work": work})


def recognise_pages_job(parent: str, number: int, work: str, pages: Sequence[str]) -> NewJob:
    """Return the `number`-th job of the job `parent`: it recognises the text of the pages with these keys."""
    arguments = {"work": work, "pages": json.dumps(pages, ensure_ascii=False)}
    return NewJob(f"{RECOGNISE_PAGES}:{parent}:{number:06d}", RECOGNISE_PAGES, arguments)


def delete_work_job(work: str) -> NewJob:
    """Return the job that carries out the confirmed deletion of a work in the primary store."""
    return NewJob(f"{DELETE_WORK}:{work}", DELETE_WORK, {"work": work})


def delete_copy_job(store: str, work: str) -> NewJob:
    """Return the job that deletes the copy of a deleted work in the replica named `store`."""
    return NewJob(f"{DELETE_COPY}:{store}:{work}", DELETE_COPY, {"work": work, "store": store})


def pyramid_job(image: str, work: str) -> NewJob:
    """Return the job that checks the pyramid of an image of a work and remakes it if it is damaged or absent."""
    return NewJob(f"{REPAIR_PYRAMID}:{image}", REPAIR_PYRAMID, {"image": image, "work": work})


def repair_work_job(work: str, *, quarantine: bool = False, derived: bool = False) -> NewJob:
    """Return the job that repairs a work in every store.

    With `quarantine` it moves unexpected files away; with `derived` it also remakes damaged pyramids and the manifest.
    """
    flags = "".join(letter for letter, is_set in (("d", derived), ("q", quarantine)) if is_set)
    arguments = {"work": work, "quarantine": _flag(quarantine), "derived": _flag(derived)}
    return NewJob(f"{REPAIR_WORK}{flags}:{work}", REPAIR_WORK, arguments)


def repair_stores_job(*, quarantine: bool = False) -> NewJob:
    """Return the job that repairs, in every store, the log and the files of the OCFL storage root.

    With `quarantine` it moves away what belongs to neither.
    """
    key = f"{REPAIR_STORES}q" if quarantine else REPAIR_STORES
    return NewJob(key, REPAIR_STORES, {"quarantine": _flag(quarantine)})


def _flag(value: bool) -> str:
    return "1" if value else ""


def features_job(work: str) -> NewJob:
    """Return the job that computes the features of a work's pages, or removes them if the work is not shown."""
    return NewJob(f"{DESCRIBE_WORK}:{work}", DESCRIBE_WORK, {"work": work})


def feature_index_job() -> NewJob:
    """Return the job that brings the index of features up to date."""
    return NewJob(INDEX_FEATURES, INDEX_FEATURES, {})


def search_index_job() -> NewJob:
    """Return the job that writes the works which have changed into the search index."""
    return NewJob(INDEX_CHANGES, INDEX_CHANGES, {})


def search_check_job() -> NewJob:
    """Return the job that compares the search index with the catalogue."""
    return NewJob(f"{INDEX_CHANGES}-check", INDEX_CHANGES, {"check": _flag(True)})


def sweep_job(store: str, scope: str, limit: int = 0) -> NewJob:
    """Return the job of a fixity sweep of a store, '' for the primary.

    `scope` is `ALL`, `DUE`, `SCHEDULED`, `NO_WORK` or a work. Each process reads at most `limit` bytes a second;
    0 is no limit.
    """
    arguments = {"store": store, "scope": scope, "limit": str(limit)}
    return NewJob(f"{SWEEP_STORE}:{store}:{scope}", SWEEP_STORE, arguments)


def check_files_job(store: str, sweep: int, scope: str, units: Sequence[int], limit: int) -> NewJob:
    """Return the job that checks some units of files (`repository/database/fixity.py`) for a sweep."""
    arguments = {"store": store, "sweep": str(sweep), "scope": scope, "limit": str(limit)}
    key = f"{CHECK_FILES}:{sweep}:{units[0]}"
    return NewJob(key, CHECK_FILES, arguments | {"units": ",".join(map(str, units))})


def harvest_job(source: str, *, full: bool = False, accept: bool = False) -> NewJob:
    """Return the job that harvests a source: all of it if `full`, following any deletions if `accept`."""
    return NewJob(f"{HARVEST}:{source}", HARVEST, {"source": source, "full": _flag(full), "accept": _flag(accept)})


def watch_job() -> NewJob:
    """Return the job that decides alarms, sends mail about new ones and stores the report of the day."""
    return NewJob(WATCH, WATCH, {})
