"""The correction of a text of a page by a person. It preserves nothing: `workers/tasks/correct_text.py` does.

A person reads a text of a page and sends all lines that it is to have, in reading order, with their places. The digest
of the text that was read goes with them, so that nobody's correction replaces what they have not seen: it is compared
before the job is enqueued, and again when the job holds the work. A job keeps the lines that it was given, also when it
fails, so that nothing that was typed is lost.

A page without any text is corrected as well: it has an empty transcription, to which a person adds lines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from repository.database.outbox import Job
from repository.errors import Busy
from repository.json_values import convert_json
from repository.localized import LocalizedText
from repository.model.accounts import Account
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Page
from repository.repository import Repository
from repository.texts import TextChanged, text_digest, texts_of_page
from workers.tasks.jobs import CORRECT_TEXT, correct_text_job
from workers.tasks.log_events import occasion
from workers.text.correction import checked_lines

_MOST_WAITING: Final = 100
"""The most waiting corrections among which one of the same text is sought; the job compares the text in any case."""


@dataclass(frozen=True, slots=True)
class TextCorrection:
    """A correction of the best text of a kind of a page.

    `page` is the page's key; `base` the digest of the text that was read (`text_digest`). `lines` are all lines that
    the text is to have. `account` is the sealed name of the person.
    """

    page: str
    kind: TextKind
    base: str
    lines: tuple[TextLine, ...]
    account: str


@dataclass(frozen=True, slots=True)
class SentText:
    """What a person sends: the kind and the digest of the text that they read, and all lines that it is to have.

    A line without text is removed.
    """

    kind: TextKind
    base: str
    lines: Sequence[TextLine]


def correction_of(job: Job) -> TextCorrection:
    """Return the correction that a job was given."""
    return convert_json(json.loads(job.arguments["correction"]), TextCorrection)


def text_of_kind(texts: Sequence[PageText], kind: TextKind) -> PageText | None:
    """Return the first text of a kind: of the texts of one page, the best first, the one that is corrected."""
    return next((text for text in texts if text.kind is kind), None)


def text_to_correct(page: Page, texts: Sequence[PageText], kind: TextKind) -> PageText | None:
    """Return the text of a kind of a page, all of whose texts are `texts`; an empty transcription if it has none."""
    if not texts and kind is TextKind.TRANSCRIPTION:
        return PageText(page.key, kind, ())
    return text_of_kind(texts, kind)


def text_as_read(page: Page, text: PageText | None, base: str) -> PageText:
    """Return the text of a page. Raises `TextChanged` if it is not the one with the digest `base`."""
    if text is None or text_digest(text) != base:
        raise TextChanged(page=page.label)
    return text


def request_correction(repository: Repository, work: str, page: Page, account: Account, sent: SentText) -> str | None:
    """Enqueue the job of a correction and return its key; None if the lines are as they were.

    Raises `TextChanged` if the text is not the one that was read, `Busy` while another correction of this text waits,
    `CorrectionInvalid`, `TextsDamaged`, `DependencyMissing`, `StoreFault`, `DatabaseFault`.
    """
    texts = texts_of_page(repository.store, work, page.key)
    text = text_as_read(page, text_to_correct(page, texts, sent.kind), sent.base)
    lines = checked_lines(page, sent.lines)
    if lines == text.lines:
        return None
    sealed = occasion(repository).seal.of("account", account.name)
    correction = TextCorrection(page.key, sent.kind, sent.base, lines, sealed)
    job = correct_text_job(work, asdict(correction))
    waiting = waiting_correction(repository, work, page.key, sent.kind)
    if waiting and waiting.key != job.key:
        raise Busy(what=LocalizedText(f"书页 {page.label} 的另一次校正", f"another correction of page {page.label}"))
    repository.jobs.enqueue(job)
    return job.key


def waiting_correction(repository: Repository, work: str, page: str, kind: TextKind) -> Job | None:
    """Return a job with a correction of this text that has not ended. Raises `DatabaseFault`."""
    for job, _ in repository.jobs.active(CORRECT_TEXT, _MOST_WAITING):
        if job.arguments["work"] == work:
            correction = correction_of(job)
            if (correction.page, correction.kind) == (page, kind):
                return job
    return None
