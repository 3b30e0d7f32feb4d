"""A library in memory for tests of search: works with records and texts, indexed as a worker does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from publications import NOW, publication

from repository.database.outbox import Job, JobState
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Dating, Record, Rectangle, WorkAccess, WorkState
from repository.repository import Repository
from repository.texts import put_texts
from workers.execution.context import TaskContext
from workers.tasks.jobs import search_index_job
from workers.tasks.search_index import index_changes

Pages = Sequence[Sequence[str]]
"""The lines of each page."""


def add_work(
    repository: Repository,
    name: str,
    pages: Pages = (),
    record: Record | None = None,
    access: WorkAccess = WorkAccess(),  # noqa: B008 - it is frozen
    version: int = 1,
) -> str:
    """Publish a work with texts and without files, and return its identifier. The same name gives the same work."""
    made = publication(name, images=max(1, len(pages)))
    work = replace(made.work, record=record or Record(name))
    texts = [
        PageText(page.key, TextKind.TRANSCRIPTION, tuple(_line(place, text) for place, text in enumerate(lines)))
        for page, lines in zip(work.pages(), pages, strict=False)
    ]
    put_texts(repository.store, work.identifier, str(version), texts)
    repository.catalogue.publish(replace(made, work=work, access=access, version=version), [], NOW)
    return work.identifier


def _line(place: int, text: str) -> TextLine:
    return TextLine(text, Rectangle(250 - 20 * place, 10, 16, 20 * max(1, len(text))))


def index(repository: Repository) -> None:
    """Run the job of the index until it has every change."""
    context = TaskContext(repository, None)  # type: ignore[arg-type] - it examines nothing
    job = search_index_job()
    while repository.search.unindexed(1):
        index_changes(context, Job(job.key, job.kind, {}, JobState.RUNNING, 1, None, None, "", ""))


def dated(title: str, text: str = "", **fields: object) -> Record:
    """Return a record with a date as catalogued."""
    return replace(Record(title), date=Dating(text) if text else None, **fields)  # type: ignore[arg-type]


WITHDRAWN = WorkAccess(state=WorkState.WITHDRAWN)
