"""What the library knows of a digest or an identifier: works and images, and their entries in the log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from preservation.log.subject import Subject, events_of, parse_subject
from repository.errors import IdentifierInvalid, RequestInvalid
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.model.access import decide
from repository.model.work import Event, Work, WorkState
from repository.repository import Repository

MOST_EVENTS: Final = 50
"""The most entries of one work or image that the page lists; the archive of evidence has all."""

_MOST_FOUND: Final = 20
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class EntryInLog:
    """An event and its index in the log."""

    index: int
    event: Event


@dataclass(frozen=True, slots=True)
class KnownSubject:
    """A work or an image that is known, held or not.

    `work` is None when it is not in public view; `page` is the number of the image's page, `is_readable` whether its
    pictures are shown, `is_current` whether an image or work with this identifier is held.
    """

    subject: Subject
    work: Work | None
    page: int | None
    is_readable: bool
    is_current: bool
    is_withdrawn: bool
    events: Sequence[EntryInLog]
    has_more: bool


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a query: `digest` is the digest that was asked for, '' for an identifier.

    `issued` are the entries of certificates and reports whose file has this digest.
    """

    digest: str
    found: Sequence[KnownSubject]
    issued: Sequence[EntryInLog] = ()


def look_up(repository: Repository, query: str) -> History:
    """Return what is known of a SHA-256 or SM3 digest (64 hexadecimal digits) or an identifier.

    Raises `RequestInvalid` for anything else.
    """
    text = re.sub(r"[\s:]", "", query).lower()
    if _DIGEST.fullmatch(text):
        return _history_of(repository, text)
    try:
        subject = parse_subject(text)
    except IdentifierInvalid as fault:
        reason = LocalizedText(
            "应为 64 位十六进制的 SHA-256 或 SM3，或编号", "it must be a SHA-256, an SM3 or an identifier"
        )
        raise RequestInvalid(part=LocalizedText("摘要或编号", "digest or identifier"), reason=reason) from fault
    known = _known(repository, subject)
    return History("", [known] if known.events or known.is_current else [])


def _history_of(repository: Repository, digest: str) -> History:
    """Return the images whose masters have this digest, and what else the log says it of, each once."""
    images = [image.identifier for image, _ in repository.catalogue.images_of_master(digest)]
    naming = repository.log_sequence.logged_events_naming(digest, _MOST_FOUND)
    logged = [*repository.log_sequence.logged_events_of_digest(digest, _MOST_FOUND), *naming]
    names: Iterable[str | None] = (*images, *(event.image or event.work for _, event in logged))
    subjects = [parse_subject(name) for name in list(dict.fromkeys(filter(None, names)))[:_MOST_FOUND]]
    issued = [EntryInLog(index, event) for index, event in naming if event.is_kept_in_log]
    return History(digest, [_known(repository, subject) for subject in subjects], issued)


def _known(repository: Repository, subject: Subject) -> KnownSubject:
    name = subject.identifier
    image = repository.catalogue.image(name) if subject.kind is Kind.IMAGE else None
    work_name = image.work if image else name
    work = repository.catalogue.work(work_name)
    held = repository.catalogue.access(work_name)
    is_withdrawn = held is not None and held.access.state is WorkState.WITHDRAWN
    shown = None if is_withdrawn else work
    readable = bool(shown and held and decide(shown.rights, held.access.state, repository.clock()).shows_pixels)
    events = list(islice(events_of(repository, subject, alone=True, recoveries=True), MOST_EVENTS + 1))
    return KnownSubject(
        subject=subject,
        work=shown,
        page=_page_number(shown, name) if shown and image else None,
        is_readable=readable,
        is_current=work is not None,
        is_withdrawn=is_withdrawn,
        events=[EntryInLog(index, event) for index, event in events[:MOST_EVENTS]],
        has_more=len(events) > MOST_EVENTS,
    )


def _page_number(work: Work, image: str) -> int | None:
    pages = enumerate(work.pages(), start=1)
    return next((number for number, page in pages if any(held.identifier == image for held in page.images)), None)
