"""Keeps the correction of a text of a page (`workers/tasks/text_correction.py`) as text that is added to the work.

1. **Claim** the work, so that nothing else changes it.
2. **Compare**: the text must still be the one that the person read. If the corrected file is preserved already, an
   earlier run of this job did it.
3. **Add** one ALTO file with the corrected lines and their places, as `tasks/texts.py` adds files. The file of an
   earlier correction stays in its version; the text that was corrected first stays where it is. The first lines of a
   page without text are kept in the same way, as a transcription that is not marked as corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from iiif_server.presentation.alto import alto_document
from preservation.ocfl import objects
from preservation.premis import CorrectedLines
from repository.clock import timestamp
from repository.database.outbox import Job
from repository.errors import NotFound
from repository.model.text import PageText
from repository.model.work import Page, Work
from repository.texts import texts_of_page
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut
from workers.tasks.preserve import next_version
from workers.tasks.text_correction import TextCorrection, correction_of, text_as_read, text_to_correct
from workers.tasks.texts import AddedTexts, keep_texts, preserved_texts, require_work
from workers.text.correction import changed_lines
from workers.text.statement import TEXT_FOLDER, TextStatement

FOLDER: Final = f"{TEXT_FOLDER}/shanben-corrected"
"""Where an object has the files: apart from those of its deposits and from those that were added."""


def correct_text(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut:
    """Run a job of kind ``text-correction`` for `work`; `correction` is a `TextCorrection` as JSON.

    Raises `TextChanged`, `NotFound`, `Busy`, `ObjectInvalid`, `DigestMismatch`, `TextsDamaged`, `StoreFault`,
    `DatabaseFault`.
    """
    repository, correction = context.repository, correction_of(job)
    work = require_work(repository, job.arguments["work"])
    page = _page(work, correction.page)
    if job.plan is None:
        plan = {"time": timestamp(repository.clock()), "version": next_version(repository, work.identifier)}
        return FanOut((), plan, work.identifier)  # 1
    added = _added(context, work, page, correction, job.plan)
    return keep_texts(context, work, added, job.plan)  # 3


def _page(work: Work, key: str) -> Page:
    page = next((page for page in work.pages() if page.key == key), None)
    if page is None:
        raise NotFound(what=f"{work.identifier}/{key}")
    return page


def _added(
    context: TaskContext, work: Work, page: Page, correction: TextCorrection, plan: Mapping[str, object]
) -> AddedTexts:
    """Return the file with the corrected lines and the statements of the work. Raises `TextChanged`."""
    store, identifier, time = context.repository.store, work.identifier, str(plan["time"])
    inventory = objects.read_inventory(store, identifier)
    preserved = preserved_texts(store, identifier, inventory)
    statements = {each.files: each for each in preserved.statements}
    path = f"{FOLDER}/{correction.kind.value}/{page.key}.xml"
    known = statements.get(path)
    if inventory and known and known.added == time and len(inventory.versions) >= int(str(plan["version"])):
        content = objects.read_file(store, identifier, path, inventory)
        if _lines_of(context, content, path) == [line.text for line in correction.lines]:
            return AddedTexts({path: content}, preserved.statements)
    present = text_to_correct(page, texts_of_page(store, identifier, page.key), correction.kind)
    text = text_as_read(page, present, correction.base)  # 2
    statements[path] = TextStatement(
        path, correction.kind, text.source, language=text.language, corrected=bool(text.lines), added=time
    )
    changed = CorrectedLines(changed_lines(text.lines, correction.lines), correction.account)
    return AddedTexts({path: _alto(text, page, correction)}, tuple(statements.values()), changed)


def _lines_of(context: TaskContext, content: bytes, path: str) -> list[str]:
    read = context.examiner.read_text(content, path).text
    return [line.text for page in read.pages for line in page.lines] if read else []


def _alto(text: PageText, page: Page, correction: TextCorrection) -> bytes:
    """Return a text with the corrected lines as ALTO."""
    corrected = replace(text, lines=correction.lines, quality=None, is_corrected=True)
    if not page.images:
        return alto_document(corrected, 1, 1)
    image = page.images[0]
    return alto_document(corrected, image.width, image.height, image.identifier)
