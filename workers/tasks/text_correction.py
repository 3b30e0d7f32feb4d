"""The correction of a text of a page by a person. It preserves nothing: `workers/tasks/correct_text.py` does.

A person reads a text of a page and sends all of its lines. The digest of the text that was read goes with them, so that
nobody's correction replaces what they have not seen: it is compared before the job is enqueued, and again when the job
holds the work. A job keeps the lines that it was given, also when it fails, so that nothing that was typed is lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from repository.database.outbox import Job
from repository.errors import Busy, RequestInvalid
from repository.json_values import convert_json
from repository.localized import LocalizedText
from repository.model.accounts import Account
from repository.model.text import PageText, TextKind
from repository.model.work import Page
from repository.repository import Repository
from repository.texts import TextChanged, text_digest, texts_of_page
from workers.tasks.jobs import CORRECT_TEXT, correct_text_job
from workers.tasks.log_events import occasion
from workers.text.source import clean_line

MOST_LINES: Final = 500
MOST_LINE_CHARACTERS: Final = 1000
MOST_CHARACTERS: Final = 20_000
"""The most lines of a text that can be corrected here, the most characters of a line, and of all lines."""

_COUNT: Final = LocalizedText("行数与所校正的文本不符", "the text that is corrected has another number of lines")
_BLANK: Final = LocalizedText("不得清空所有的行", "not every line may be empty")
_LONG: Final = LocalizedText(
    f"一行不得超过 {MOST_LINE_CHARACTERS} 字，全页不得超过 {MOST_CHARACTERS} 字",
    f"a line may have {MOST_LINE_CHARACTERS} characters, and a page {MOST_CHARACTERS}",
)
_NONCHARACTER: Final = LocalizedText("文字中有 U+FFFE 或 U+FFFF，请删去", "there is a U+FFFE or U+FFFF; remove it")
_MOST_WAITING: Final = 100
"""The most waiting corrections among which one of the same text is sought; the job compares the text in any case."""


@dataclass(frozen=True, slots=True)
class TextCorrection:
    """A correction of the best text of a kind of a page.

    `page` is the page's key; `base` the digest of the text that was read (`text_digest`). `lines` are all of its lines;
    an empty one is removed. `account` is the sealed name of the person.
    """

    page: str
    kind: TextKind
    base: str
    lines: tuple[str, ...]
    account: str


@dataclass(frozen=True, slots=True)
class SentText:
    """What a person sends: the kind and the digest of the text that they read, and all of its lines."""

    kind: TextKind
    base: str
    lines: Sequence[str]


def correction_of(job: Job) -> TextCorrection:
    """Return the correction that a job was given."""
    return convert_json(json.loads(job.arguments["correction"]), TextCorrection)


def text_of_kind(texts: Sequence[PageText], kind: TextKind) -> PageText | None:
    """Return the first text of a kind: of the texts of one page, the best first, the one that is corrected."""
    return next((text for text in texts if text.kind is kind), None)


def can_be_corrected(text: PageText) -> bool:
    """Return whether a text is within the limits of corrections."""
    lengths = [len(line.text) for line in text.lines]
    fits = len(lengths) <= MOST_LINES and sum(lengths) <= MOST_CHARACTERS
    return fits and max(lengths, default=0) <= MOST_LINE_CHARACTERS


def changed_lines(text: PageText, lines: Sequence[str]) -> int:
    """Return how many lines of a text a correction changes."""
    return sum(line.text != new for line, new in zip(text.lines, lines, strict=True))


def request_correction(repository: Repository, work: str, page: Page, account: Account, sent: SentText) -> str | None:
    """Enqueue the job of a correction and return its key; None if the lines are as they were.

    Raises `TextChanged` if the text is not the one that was read, `Busy` while another correction of this text waits,
    `RequestInvalid`, `TextsDamaged`, `DependencyMissing`, `StoreFault`, `DatabaseFault`.
    """
    text = text_of_kind(texts_of_page(repository.store, work, page.key), sent.kind)
    if text is None or text_digest(text) != sent.base:
        raise TextChanged(page=page.label)
    lines = _cleaned(text, sent.lines)
    if not changed_lines(text, lines):
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


def _cleaned(text: PageText, lines: Sequence[str]) -> tuple[str, ...]:
    """Return lines as they are read back from a file. Raises `RequestInvalid`."""
    if len(lines) != len(text.lines):
        raise RequestInvalid(part="line", reason=_COUNT)
    if any(len(line) > MOST_LINE_CHARACTERS for line in lines) or sum(map(len, lines)) > MOST_CHARACTERS:
        raise RequestInvalid(part="line", reason=_LONG)
    if any("\ufffe" in line or "\uffff" in line for line in lines):
        raise RequestInvalid(part="line", reason=_NONCHARACTER)
    cleaned = tuple(map(clean_line, lines))
    if not any(cleaned):
        raise RequestInvalid(part="line", reason=_BLANK)
    return cleaned
