"""The facts of a certificate: what a work or an image is, what the log proves of it, and what checks recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from preservation.log import notes
from preservation.log.evidence import parse
from preservation.log.sequencer import open_log
from preservation.log.subject import Subject, events_of, parse_subject
from preservation.log.timestamp import Timestamp, read_roots, verify_timestamp
from preservation.log.witnesses import witness_policy
from repository.database.store_registry import PRIMARY
from repository.errors import NotFound, Withdrawn
from repository.identifiers import Kind
from repository.model.access import Decision, day_of_withdrawal, decide
from repository.model.work import Event, EventType, Image, Page, Volume, Work, WorkState
from repository.repository import Repository
from web.site.view_models import WorkFixityView, work_fixity_view


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The entry in the log: its event and index, and the signed head that proves it.

    `cosigners` are the witnesses with the times of their cosignatures (POSIX seconds). `timestamp` is None without one.
    """

    event: Event
    index: int
    origin: str
    size: int
    root: str
    cosigners: Mapping[str, int]
    timestamp: Timestamp | None


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """An image in its work: the page that shows it, numbered from 1 over all volumes, and the page's volume."""

    image: Image
    number: int
    page: Page
    volume: Volume


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Everything that a certificate states. `placed` is None for that of a work."""

    subject: Subject
    work: Work
    decision: Decision
    placed: PlacedImage | None
    log: LogFacts
    fixity: WorkFixityView


def read_facts(repository: Repository, identifier: str) -> CertificateFacts:
    """Return the facts of a work or an image.

    Raises `IdentifierInvalid`, `Withdrawn`, `LogInvalid`, `StoreFault`, and `NotFound` when the work is not held or the
    log has no entry of it yet.
    """
    subject = parse_subject(identifier)
    work, decision = _held_work(repository, subject)
    placed = _placed(work, subject.identifier) if subject.kind is Kind.IMAGE else None
    return CertificateFacts(
        subject, work, decision, placed, _log_facts(repository, subject), _fixity(repository, work.identifier)
    )


def _held_work(repository: Repository, subject: Subject) -> tuple[Work, Decision]:
    catalogue, name = repository.catalogue, subject.identifier
    if subject.kind is Kind.IMAGE:
        image = catalogue.image(name)
        name = image.work if image else ""
    work, held = catalogue.work(name), catalogue.access(name)
    if work is None or held is None:
        raise NotFound(what=subject.identifier)
    if held.access.state is WorkState.WITHDRAWN:
        raise Withdrawn(what=subject.identifier, when=day_of_withdrawal(held.access))
    return work, decide(work.rights, held.access.state, repository.clock())


def _placed(work: Work, identifier: str) -> PlacedImage:
    number = 0
    for volume in work.volumes:
        for page in volume.pages:
            number += 1
            for image in page.images:
                if image.identifier == identifier:
                    return PlacedImage(image, number, page, volume)
    raise NotFound(what=identifier)


def _log_facts(repository: Repository, subject: Subject) -> LogFacts:
    """Return the entry that brought in the image, or the newest version of the work."""
    wanted = EventType.INGESTION if subject.kind is Kind.IMAGE else EventType.ACCESSION
    entries = [
        (index, event)
        for index, event in events_of(repository, subject, alone=True)
        if event.type == wanted and not event.is_kept_in_log
    ]
    if not entries:
        raise NotFound(what=subject.identifier)
    index, event = entries[-1]
    settings = repository.settings
    file = parse(open_log(repository).evidence(index))
    note = notes.parse_note(file.checkpoint)
    head = notes.parse_checkpoint(note.text)
    keys = [witness.key for witness in witness_policy(settings).witnesses]
    stamp = verify_timestamp(note, read_roots(settings.tsa_certificates))
    cosigners = notes.cosigners(file.checkpoint, keys)
    return LogFacts(event, index, head.origin, head.size, head.root_text, cosigners, stamp)


def _fixity(repository: Repository, work: str) -> WorkFixityView:
    """Return what the work's page says of its stored files, too."""
    stores = (PRIMARY, *repository.replicas)
    found = [each for each in repository.fixity.verifications(work) if each.store in stores]
    return work_fixity_view(found, repository.catalogue.version(work), len(stores))
