"""OCR of a work's pages, by the engine of `workers/ocr`, as text that is added to the work.

1. **Choose** the pages: those that have a picture and no text from elsewhere, unless this version of the engine has
   read this picture. Claim the work, and enqueue a job for every few pages.
2. **Recognise**: each of these jobs reads its pages from their pyramids in a sandbox, and keeps the text in its result.
3. **Add** the text of all pages to the work as `tasks/texts.py` adds files: one ALTO file for each page, also for one
   on which there is nothing, so that it is not read again. With nothing to do, the work stays as it is.

A page that cannot be read is named in the result; the text of the others is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from iiif_server.presentation.alto import alto_document
from preservation.ocfl import objects
from repository.clock import timestamp
from repository.database.outbox import Job, JobState
from repository.errors import PyramidCorrupt, SandboxFailed
from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.text import TextKind
from repository.model.work import Page, Work
from repository.repository import Repository
from repository.texts import pages_with_text
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut, StepFailed
from workers.execution.scratch import scratch_directory
from workers.ocr.pages import recognise, recognition_pool, required_engine
from workers.tasks.jobs import recognise_pages_job
from workers.tasks.preserve import next_version
from workers.tasks.texts import AddedTexts, keep_texts, preserved_texts, require_work
from workers.text.statement import TEXT_FOLDER, TextStatement

FOLDER: Final = f"{TEXT_FOLDER}/shanben-ocr"
"""Where an object has the files: apart from OCR that was imported."""

PAGES_OF_JOB: Final = 8
"""Pages of one job: about fifteen seconds of work, of which the start of the sandbox is a tenth."""


def recognise_work(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut:
    """Run a job of kind ``ocr`` for `work`.

    Raises `StepFailed`, `DependencyMissing`, `NotFound`, `Busy`, `ObjectInvalid`, `DigestMismatch`, `TextsDamaged`,
    `StoreFault`, `DatabaseFault`.
    """
    repository, work = context.repository, require_work(context.repository, job.arguments["work"])
    if job.plan is None:
        return _plan(repository, job, work)  # 1
    pages: dict[str, Mapping[str, Any]] = {}
    for child in repository.jobs.children(job.key):  # 2
        if child.state is JobState.FAILED and child.result:
            raise StepFailed(child.result)
        result: Mapping[str, Any] = child.result or {}
        pages |= result.get("pages", {})
    added = _added(repository, work, pages, job.plan)
    kept = dict(keep_texts(context, work, added, job.plan))  # 3
    faults = [
        Fault(key, "", "ocr.page", LocalizedText.of_json(page["fault"]))
        for key, page in pages.items()
        if "fault" in page
    ]
    del kept["files"]
    return kept | {"read": len(added.files), "faults": [fault.to_json() for fault in faults]}


def recognise_pages(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``ocr-pages`` for the `pages` of `work`, a JSON list of keys.

    Raises `DependencyMissing`, `NotFound`, `StagingFault`, `SandboxNotStarted`, `StoreFault`, `DatabaseFault`.
    """
    repository, engine = context.repository, required_engine()
    work, keys = require_work(repository, job.arguments["work"]), set(json.loads(job.arguments["pages"]))
    pyramids = repository.catalogue.pyramids(work.identifier)
    pages: dict[str, object] = {}
    with scratch_directory(repository.settings.staging) as scratch, recognition_pool(scratch) as pool:
        for page in (page for page in work.pages() if page.key in keys and page.images):
            image = page.images[0]
            try:
                found = recognise(pool, repository.store, pyramids[image.identifier])
            except (SandboxFailed, PyramidCorrupt) as fault:
                pages[page.key] = {"fault": fault.message.to_json()}
                continue
            text = found.text(page.key, engine)
            alto = alto_document(text, image.width, image.height, image.identifier).decode()
            pages[page.key] = {"alto": alto, "quality": text.quality, "engine": engine}
    return {"pages": pages}


def _plan(repository: Repository, job: Job, work: Work) -> FanOut:
    engine = required_engine()
    keys = [page.key for page in _unread_pages(repository, work, engine)]
    batches = [keys[start : start + PAGES_OF_JOB] for start in range(0, len(keys), PAGES_OF_JOB)]
    version = next_version(repository, work.identifier)
    children = [recognise_pages_job(job.key, at, work.identifier, batch) for at, batch in enumerate(batches)]
    return FanOut(children, {"time": timestamp(repository.clock()), "version": version}, work.identifier)


def _unread_pages(repository: Repository, work: Work, engine: str) -> Sequence[Page]:
    """Return the pages that this engine has to read."""
    store, identifier = repository.store, work.identifier
    inventory = objects.read_inventory(store, identifier)
    preserved = preserved_texts(store, identifier, inventory)
    sources = {statement.files: statement.source for statement in preserved.statements}
    kinds = pages_with_text(store, identifier)

    def is_unread(page: Page) -> bool:
        path, found = _path(page.key), kinds.get(page.key, frozenset())
        if not page.images or TextKind.TRANSCRIPTION in found:
            return False
        if inventory is None or path not in preserved.files:
            return TextKind.OCR not in found
        if sources.get(path) != engine:
            return True
        return f"<fileName>{page.images[0].identifier}</fileName>".encode() not in objects.read_file(
            store, identifier, path, inventory
        )

    return [page for page in work.pages() if is_unread(page)]


def _added(
    repository: Repository, work: Work, pages: Mapping[str, Mapping[str, Any]], plan: Mapping[str, object]
) -> AddedTexts:
    """Return the files of the pages that were read, and the statements of the work with one for each of them."""
    preserved = preserved_texts(repository.store, work.identifier)
    statements = {each.files: each for each in preserved.statements}
    files: dict[str, bytes] = {}
    for key, page in pages.items():
        if "alto" in page:
            path = _path(key)
            files[path] = page["alto"].encode()
            stated = TextStatement(path, TextKind.OCR, page["engine"], page["quality"], added=str(plan["time"]))
            statements[path] = stated
    return AddedTexts(files, tuple(statements.values()))


def _path(key: str) -> str:
    """Return the path in the object of the text of the page with this key."""
    return f"{FOLDER}/{key}.xml"
