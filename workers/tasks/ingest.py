"""One ingest: a deposit folder in, a preserved, tiled, described and published work out.

The order, and what a crash leaves after each step:

1. **Survey.** The folder is listed, its record read, the work named, its next version numbered. One transaction writes
   a job a page and claims the work, so that no other ingest touches it. A crash before it leaves nothing.
2. **Pages.** Any number of workers take pages (`tasks/ingest_page.py`): hash, decode, put the master ahead of the
   version and the pyramid under its key. A crash leaves some of both; they are put again.
3. **Conclude**, when every page has ended. A fault ends the ingest here: all faults are told, and what was put is
   deleted. So does a deposit that changed meanwhile: it begins anew.
4. **Preserve.** The version of the work's OCFL object is committed, unless its head already says the same. A crash
   before the commit point leaves files that the next run finds; after it, the next run finds the version.
5. **Describe.** The manifest is put in the store.
6. **Publish.** One transaction: rows, events and the jobs that follow. A crash before it leaves the work unseen.
7. **Follow up.** Jobs of their own (`tasks/registry.py`): events into the log, the work into its collections and
   replicas.

The times written are those of the survey, and are kept with the job: whoever concludes, and however often, writes the
same bytes. So a worker that was taken for dead and goes on does no harm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final

from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from preservation.premis import accession_event, events_bytes, ingestion_event, parse_events
from repository.clock import timestamp
from repository.database.catalogue import Publication
from repository.database.outbox import Job, JobState, NewJob
from repository.errors import DepositNotMounted, DepositRefused, Fault
from repository.localized import LocalizedText
from repository.model import Event, Pyramid, Work
from repository.repository import Repository
from repository.storage.store import ObjectStore
from repository.work_json import work_to_json
from workers.deposit.check import CheckedDeposit, Survey, assemble, image_identifier, survey, work_identifier
from workers.deposit.listing import PageFile
from workers.execution.context import TaskContext
from workers.execution.outcomes import FanOut, Restart, StepFailed
from workers.masters.duplicates import pyramid_key
from workers.masters.examine import Examined
from workers.tasks.ingest_page import PageOutcome, page_outcome, signature
from workers.tasks.jobs import collection_job, page_job, replicate_work_job, sequence_events_job
from workers.tasks.publish import publish_work

RECORD: Final = "metadata/work.json"
EVENTS: Final = "metadata/events.json"

_MOST_ATTEMPTS: Final = 10
_CHANGING: Final = Fault(
    "",
    "",
    "deposit.changing",
    LocalizedText("送存目录一再改动；请待其完整后再送存", "the folder keeps changing; wait until it is complete"),
)


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What a survey decided: the work ('' when the deposit has faults already), its next version's number, the time
    written everywhere, and a digest of the record and the other files kept as they are.
    """

    work: str
    version: int
    time: str
    kept: str


def ingest(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut | Restart:
    """Kind ``ingest``: the deposit folder at `deposit`. Done again, it changes nothing.

    Raises `DepositRefused`, and keeps nothing of a faulty deposit; `StepFailed` when a page could not be done.
    """
    folder = Path(job.arguments["deposit"])
    if context.repository.settings.broker:
        signature(folder)  # which a machine cannot tell that does not see it: raises `DepositNotMounted`
    found = survey(folder)
    if job.plan is None:
        return _spread(context, job, found)
    return _conclude(context.repository, job, found, IngestPlan(**job.plan))


def _spread(context: TaskContext, job: Job, found: Survey) -> FanOut:
    """The pages' jobs. Masters of a deposit with faults in its record or names are looked at, and not kept."""
    repository = context.repository
    work, version = "", 0
    if found.description and not found.faults:
        work = work_identifier(found.description, _digests_of(found, context.examiner.concurrency))
        before = objects.read_inventory(repository.store, work)
        version = 1 + (len(before.versions) if before else 0)
    plan = IngestPlan(work, version, timestamp(repository.clock()), _kept_digest(found))
    pages = [
        page_job(job.key, number, found.folder, page.name, work=work, version=version)
        for number, page in enumerate(found.readable)
    ]
    return FanOut(pages, asdict(plan), work or None)


def _digests_of(found: Survey, concurrency: int) -> Sequence[str]:
    """The sha256 of every master, needed beforehand only for a work that has no identifier of the library's own."""
    if found.description is None or found.description.record.identifier:
        return ()
    with ThreadPoolExecutor(concurrency) as executor:
        return list(executor.map(_digest_of, found.readable))


def _digest_of(page: PageFile) -> str:
    try:
        with page.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise DepositNotMounted(path=page.path, reason=fault.strerror) from fault


def _kept_digest(found: Survey) -> str:
    digest = sha256()
    for name, path in sorted(found.kept.items()):
        digest.update(f"{name}\0{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _conclude(repository: Repository, job: Job, found: Survey, plan: IngestPlan) -> Mapping[str, object] | Restart:
    children = repository.jobs.children(job.key)
    outcomes = [page_outcome(child.result or {}) for child in children if child.state is JobState.DONE]
    for child in children:
        if child.state is JobState.FAILED and child.result:
            _discard(repository, plan.work, outcomes)
            raise StepFailed(child.result)
    if _has_changed(found, outcomes, plan):
        _discard(repository, plan.work, outcomes)
        if job.attempts < _MOST_ATTEMPTS:
            return Restart()
        raise DepositRefused(str(found.folder), (_CHANGING,))
    checked = assemble(found, {outcome.file: outcome.outcome for outcome in outcomes})
    if checked.work is None or checked.work.identifier != plan.work or checked.faults:
        _discard(repository, plan.work, outcomes)
        raise DepositRefused(str(found.folder), checked.faults)
    return _take_in(repository, checked.work, checked, plan)


def _has_changed(found: Survey, outcomes: Sequence[PageOutcome], plan: IngestPlan) -> bool:
    """Whether the folder holds anything else than what was surveyed and read."""
    now = {page.name: signature(page.path) for page in found.readable}
    read = {outcome.file: outcome.signature for outcome in outcomes}
    return now != read or _kept_digest(found) != plan.kept


def _discard(repository: Repository, work: str, outcomes: Sequence[PageOutcome]) -> None:
    """Take away what was put for a deposit that is not taken in."""
    if not work:
        return
    objects.discard_content(repository.store, work)
    for outcome in outcomes:
        if isinstance(outcome.outcome, Examined):
            image = image_identifier(work, outcome.outcome.sha256)
            if repository.catalogue.image(image) is None:
                repository.store.delete(pyramid_key(repository.settings, image))


def _take_in(repository: Repository, work: Work, checked: CheckedDeposit, plan: IngestPlan) -> Mapping[str, object]:
    before = objects.read_inventory(repository.store, work.identifier)
    inventory, events = _preserve(repository, work, checked.files, before, plan)
    settings = repository.settings
    pyramids = {
        image: Pyramid(pyramid_key(settings, image), summary.fingerprint, summary.bytes, settings.tile_size)
        for image, summary in checked.pyramids.items()
    }
    publish_work(repository, work, pyramids)
    publication = publication_of(work, pyramids, events, inventory, {})
    repository.catalogue.publish(publication, follow_up(repository, publication), timestamp(repository.clock()))
    changed = len(inventory.versions) == plan.version
    return {"identifier": work.identifier, "images": len(pyramids), "changed": changed}


def follow_up(repository: Repository, publication: Publication) -> list[NewJob]:
    """What every publication asks for: events into the log, the work into its collections and every replica."""
    return [
        sequence_events_job(),
        collection_job(publication.accessioned),
        *(replicate_work_job(store, publication.work.identifier) for store in repository.replicas),
    ]


def _preserve(
    repository: Repository, work: Work, files: Mapping[str, Path], before: Inventory | None, plan: IngestPlan
) -> tuple[Inventory, Sequence[Event]]:
    """The work's OCFL object with these files at its head, and its events from the first version on.

    The events of a version are preserved in it, so that a run after a crash tells the same events and not new ones.
    """
    document = work_to_json(work)
    digests = _digests(work, files, document)
    events = read_events(repository.store, work.identifier) if before else ()
    if before is None or {path: digest for path, digest in before.state.items() if path != EVENTS} != digests:
        number = 1 + (len(before.versions) if before else 0)
        events = [*events, *_new_events(work, digests[RECORD], number, plan.time, {event.image for event in events})]
    content: dict[str, Path | bytes] = {**files, RECORD: document, EVENTS: events_bytes(events)}
    written = objects.write_version(
        repository.store,
        work.identifier,
        content,
        message=f"Ingest of {work.identifier}",
        created=plan.time,
        digests=digests,
        staged=[image.master.path for image in work.images()],
    )
    return written, events


def _digests(work: Work, files: Mapping[str, Path], document: bytes) -> dict[str, str]:
    """The sha256 of all that is preserved but the events; masters were hashed when they were examined."""
    masters = {image.master.path: image.master.sha256 for image in work.images()}
    others = {path: sha256(file.read_bytes()).hexdigest() for path, file in files.items() if path not in masters}
    return {**masters, **others, RECORD: sha256(document).hexdigest()}


def _new_events(work: Work, record: str, version: int, now: str, known: set[str | None]) -> Iterator[Event]:
    software = f"shanben {metadata.version('shanben')}"
    for image in work.images():
        if image.identifier not in known:
            master = image.master
            yield ingestion_event(
                work.identifier,
                image.identifier,
                master.sha256,
                bytes=master.bytes,
                time=now,
                software=software,
            )
    yield accession_event(work.identifier, version, record, time=now, software=software)


def read_events(store: ObjectStore, work: str) -> Sequence[Event]:
    """The events preserved with a work."""
    return parse_events(objects.read_file(store, work, EVENTS))


def publication_of(
    work: Work,
    pyramids: Mapping[str, Pyramid],
    events: Sequence[Event],
    inventory: Inventory,
    log_indexes: Mapping[str, int],
) -> Publication:
    """What the catalogue keeps of a work, the same after an ingest and after a rebuild."""
    versions = inventory.versions
    return Publication(work, pyramids, events, len(versions), versions[0].created, log_indexes)
