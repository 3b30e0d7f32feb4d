"""What evidence is about: an image, a work, or a version of a work; and which entries of the log are its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from preservation.log.sequencer import open_log
from repository import identifiers
from repository.errors import NotFound
from repository.identifiers import Kind
from repository.model.work import Event
from repository.repository import Repository

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """An image, a work, or a version of a work (from 1)."""

    identifier: str
    kind: Kind
    version: int | None = None

    @property
    def name(self) -> str:
        """The name for files: the identifier, and the version if one is meant."""
        return self.identifier if self.version is None else f"{self.identifier}-v{self.version}"

    def has(self, event: Event) -> bool:
        """Return whether an event of the work or image is one of this version, if a version is meant."""
        return self.version is None or event.detail.get("version") == f"v{self.version}"


def parse_subject(identifier: str, version: int | None = None) -> Subject:
    """Return what an identifier names. Images have no versions. Raises `IdentifierInvalid`, `NotFound`."""
    kind = Kind.IMAGE if identifier.strip()[:1].lower() == Kind.IMAGE.value else Kind.WORK
    subject = Subject(identifiers.parse(identifier, kind), kind, version)
    if kind is Kind.IMAGE and version is not None:
        raise NotFound(what=subject.name)
    return subject


def events_of(
    repository: Repository, subject: Subject, after: int = -1, *, alone: bool = False, recoveries: bool = False
) -> Iterator[tuple[int, Event]]:
    """Yield the events of a subject in the order of the log after the index `after`, each with its index.

    Those of a work include those of its images, unless `alone`; with `recoveries`, they then include the recoveries of
    masters, since the damage that a check found is an event of the work. A version has the events that name it: its
    accession, a change of its record or access, the recovery of its files.
    """
    sequence = repository.log_sequence
    of_alone = sequence.logged_events_of_work_and_recoveries if recoveries else sequence.logged_events_of_work_alone
    of_work = of_alone if alone else sequence.logged_events
    read = sequence.logged_events_of_image if subject.kind is Kind.IMAGE else of_work
    while page := read(subject.identifier, after, _PAGE):
        yield from ((index, event) for index, event in page if subject.has(event))
        after = page[-1][0]


def evidence_of(repository: Repository, subject: Subject) -> bytes:
    """Return evidence of what the newest event says an image, a work itself or a version is. Raises `NotFound`."""
    index = (
        repository.log_sequence.newest_log_index(subject.identifier)
        if subject.kind is Kind.IMAGE
        else max(
            (index for index, event in events_of(repository, subject, alone=True) if _is_version(event)), default=None
        )
    )
    if index is None:
        raise NotFound(what=subject.name)
    return open_log(repository).evidence(index)


def _is_version(event: Event) -> bool:
    """Return whether an event is of a version, and not one that the log alone keeps, such as a check."""
    return not event.is_kept_in_log
