"""Ingests a deposit folder: a job that preserves, tiles and publishes a work.

The steps, and what a crash leaves after each of them:

1. **Survey.** List the folder, read the record, choose the work (`tasks/identity.py`) and its next version. One
   transaction enqueues a job per page and claims the work, so that no other ingest changes it. A crash before the
   transaction leaves nothing.
2. **Pages.** Any number of workers run the page jobs (`tasks/ingest_page.py`): hash and decode the master, store it
   ahead of the version, store its pyramid. A crash leaves some of these objects, which are written again. The stored
   bytes of a master that the work holds already are verified. The first page records the version as unfinished
   (`preservation/ocfl/unfinished.py`): of the work's object, an ingest overwrites and deletes only files in the folder
   of that version. Elsewhere it only puts back damaged files.
3. **Conclude**, when all page jobs have finished. A fault ends the ingest here: all faults are reported and the stored
   objects of the unfinished version are deleted. If the deposit was changed meanwhile, the ingest restarts.
4. **Preserve.** Put back what is damaged or missing in the store. Commit the version of the work's OCFL object, unless
   its head has the same files already and nothing was put back. A crash before the commit leaves files that the next
   run uses; after it, the next run finds the version.
5. **Publish the manifest** in the store.
6. **Publish the work** in one transaction: rows, events and follow-up jobs. A crash before it leaves the work
   invisible.
7. **Follow up** in jobs of their own (`tasks/registry.py`): write the events into the log, publish the collections,
   copy the work to the replicas.

All times that are written are the time of the survey, which the job keeps: repeated conclusions write the same bytes.
A worker that continues after its lease has expired therefore does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from preservation.ocfl import objects
from preservation.ocfl.restoration import Damage
from preservation.premis import version_of_event
from repository.clock import timestamp
from repository.database.catalogue import HeldAccess
from repository.database.outbox import Job, JobState, NewJob
from repository.database.publication import Publication
from repository.errors import DepositNotMounted, DepositRefused
from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.access import after_deposit, deposited_access, is_less_than_deposited, lesser_access
from repository.model.work import Event, EventType, Pyramid, Work, WorkAccess
from repository.repository import Repository
from workers.deposit.assemble import AssembledDeposit, assemble, image_identifier
from workers.deposit.comparison import compare, find_other_book
from workers.deposit.equal_pixels import compare_pixels
from workers.deposit.exported import ExportedWork, read_exported
from workers.deposit.protection import keep_protection
from workers.deposit.survey import Survey, file_digest, file_signature, survey
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut, Restart, StepFailed
from workers.masters.duplicates import pyramid_key
from workers.masters.examine import Examined
from workers.tasks.identity import Identity, identify, previous_work, refuse_deleted
from workers.tasks.ingest_page import IngestedPage
from workers.tasks.jobs import (
    collection_job,
    features_job,
    page_job,
    replicate_work_job,
    search_index_job,
    sequence_events_job,
)
from workers.tasks.preserve import access_unknown_to_catalogue, next_version, preserve
from workers.tasks.publish import publication_of, publish_work
from workers.tasks.texts import added_texts, publish_texts

_MOST_ATTEMPTS: Final = 10
_CHANGING: Final = Fault(
    "",
    "",
    "deposit.changing",
    LocalizedText(
        "送存目录在处理期间一再变动；请待内容完整后重新送存",
        "the folder keeps changing during the ingest; deposit it again when it is complete",
    ),
)


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """The decisions of the survey.

    `work` is the identifier of the work, '' if the survey found faults; `version` the number of its next version;
    `time` the RFC 3339 time that is written everywhere; `documents_digest` identifies the record and the other files
    that are not images; `is_revision` is whether the deposit revises a work that it does not name itself.
    """

    work: str
    version: int
    time: str
    documents_digest: str
    is_revision: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the plan as the job stores it."""
        plan = {"work": self.work, "version": self.version, "time": self.time, "kept": self.documents_digest}
        return plan | ({"revision": True} if self.is_revision else {})

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> IngestPlan:
        """Return the plan that `to_json` gave `document`."""
        is_revision = document.get("revision", False)
        return cls(document["work"], document["version"], document["time"], document["kept"], is_revision)


def ingest(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut | Restart:
    """Run a job of kind ``ingest`` for the folder `deposit`. A repeated ingest changes nothing.

    Raises `DepositRefused`, which keeps nothing of the deposit, `StepFailed` when a page job failed for good, and
    `DepositNotMounted`, `StoreFault`, `DatabaseFault`, `Busy`.
    """
    repository, folder = context.repository, Path(job.arguments["deposit"])
    if repository.settings.broker:
        file_signature(folder)  # raises `DepositNotMounted`: another machine may have the folder
    deposit = survey(folder, context.examiner)
    if job.plan is None:
        return _plan(context, job, deposit)  # 1, followed by 2
    plan = IngestPlan.of_json(job.plan)
    refuse_deleted(repository, plan.work, str(folder))
    pages = _finished_pages(repository, job, plan)
    if _has_changed(deposit, pages, plan):
        return _restart(repository, job, folder, plan, pages)
    before, exported = previous_work(repository, plan.work, plan.version), _exported(job, plan)
    model = before or (exported.work if exported else None)
    deposit = _with_statements(deposit, exported)
    results = compare_pixels(folder, {page.file: page.result for page in pages}, context.examiner)
    assembled = assemble(deposit, results, context.examiner.is_blank, model if plan.is_revision else None)
    if assembled.work and assembled.work.identifier != plan.work:
        return _restart(repository, job, folder, plan, pages)  # a master could not be read at first
    work, notices = _accepted_work(repository, deposit, assembled, plan, pages, held=model)  # 3
    held = repository.catalogue.access(work.identifier)
    access = _access_after(repository, work, held, plan, exported)
    added = added_texts(repository.store, work.identifier)
    inventory, events = preserve(  # 4
        repository.store,
        work,
        {**added.files, **assembled.files},
        plan.time,
        access,
        version=plan.version,
        damaged=_damaged(pages),
        sm3=_sm3_digests(pages),
        captured=assembled.captured,
        statements=tuple(dict.fromkeys((*assembled.statements, *added.statements))),
    )
    publish_texts(repository, work, context.examiner.read_text)
    pyramids = _pyramids(repository, assembled)
    publish_work(repository, work, access, pyramids)  # 5
    publication = publication_of(
        work, pyramids, events, inventory, {}, access=access, access_before=held.access if held else None
    )
    follow_up = follow_up_jobs(repository, publication)  # 7
    repository.catalogue.publish(publication, follow_up, timestamp(repository.clock()))  # 6
    outcome = _outcome(events, plan.version)
    kept = is_less_than_deposited(access, work.rights, repository.clock())
    result = {"identifier": work.identifier, "images": len(pyramids), **outcome}
    result |= {"state": access.state.value, "access": access.access.value, "access_kept": kept}
    result |= {"version": len(inventory.versions), "ignored": list(assembled.ignored)}
    result |= {"notices": [notice.to_json() for notice in (*notices, *assembled.notices)]}
    if before and outcome["changed"]:
        # As deposited: a change of access that the staff made is no change of the record.
        deposited = replace(before, rights=held.deposited) if held else before
        result["changes"] = compare(deposited, work).to_json()
    return result


def _exported(job: Job, plan: IngestPlan) -> ExportedWork | None:
    """Return the work that the deposit's bag describes, if it was chosen as the work of the deposit."""
    bag = job.arguments.get("bag")
    exported = read_exported(Path(bag)) if bag and plan.is_revision else None
    return exported if exported and exported.work.identifier == plan.work else None


def _with_statements(deposit: Survey, exported: ExportedWork | None) -> Survey:
    """Return a deposit with the statements of texts that were added to its work where it was exported."""
    if exported is None or deposit.description is None:
        return deposit
    texts = (*deposit.description.texts, *exported.texts)
    return replace(deposit, description=replace(deposit.description, texts=texts))


def _access_after(
    repository: Repository, work: Work, held: HeldAccess | None, plan: IngestPlan, exported: ExportedWork | None
) -> WorkAccess:
    """Return the access to a work after its deposit: that of a held work is never opened.

    The catalogue decides. If it lacks versions of the work's object, because it was lost or restored from a backup, the
    work's access before the deposit is the lesser of the two. A work that the last rebuild did not find keeps the
    access that it had. A work that is not held and comes from an export has the access that it had there.
    """
    time = datetime.fromisoformat(plan.time)
    stored = access_unknown_to_catalogue(repository, work.identifier)
    lost = None if held else repository.catalogue.lost_access(work.identifier)
    if held and stored:
        held = HeldAccess(lesser_access(held.access, stored.access, time), stored.deposited)
    held = held or stored
    stated = exported.access if exported else deposited_access(work.rights)
    access = after_deposit(held.access, held.deposited, work.rights, time) if held else stated
    return lesser_access(access, lost, time) if lost else access


def follow_up_jobs(repository: Repository, publication: Publication) -> list[NewJob]:
    """Return the jobs that every publication needs: log, collections, search index, features, copies in replicas."""
    work = publication.work.identifier
    return [
        sequence_events_job(),
        collection_job(publication.accessioned),
        search_index_job(),
        *([features_job(work)] if repository.settings.similar_pages else []),
        *(replicate_work_job(store, work) for store in repository.replicas),
    ]


def _outcome(events: Sequence[Event], version: int) -> dict[str, object]:
    """Return whether the deposit changed the work, and how many files it restored, by the events since `version`."""
    counted = [event for event in events if event.type in {EventType.ACCESSION, EventType.RECOVERY}]
    types = [event.type for event in counted if version_of_event(event) >= version]
    return {"changed": EventType.ACCESSION in types, "restored": types.count(EventType.RECOVERY)}


def _damaged(pages: Sequence[IngestedPage]) -> dict[str, Damage]:
    """Return the masters whose stored bytes page jobs found damaged, by digest."""
    return {page.result.sha256: page.damage for page in pages if page.damage and isinstance(page.result, Examined)}


def _sm3_digests(pages: Sequence[IngestedPage]) -> dict[str, str]:
    """Return the SM3 digests of masters by their SHA-256."""
    examined = [page.result for page in pages if isinstance(page.result, Examined)]
    return {result.sha256: result.sm3 for result in examined if result.sm3}


def _plan(context: TaskContext, job: Job, deposit: Survey) -> FanOut:
    """Return the page jobs. Masters are examined but not stored if the survey has faults."""
    repository = context.repository
    identity = _identity(context, job, deposit)
    work, time = identity.work, timestamp(repository.clock())
    version = next_version(repository, work) if work else 0
    plan = IngestPlan(work, version, time, deposit.documents_digest(), identity.is_revision)
    algorithms = deposit.capture_algorithms
    pages = [
        page_job(job.key, number, deposit.folder, page.name, work=work, version=version, algorithms=algorithms)
        for number, page in enumerate(deposit.readable_pages)
    ]
    return FanOut(pages, plan.to_json(), work or None)


def _identity(context: TaskContext, job: Job, deposit: Survey) -> Identity:
    """Return the work of a deposit; none ('') if the survey has faults, or a master cannot be read.

    The page job of such a master reports the fault. Raises what `identify` raises.
    """
    if deposit.description is None or deposit.faults:
        return Identity("")
    revises, bag = job.arguments.get("revises"), job.arguments.get("bag")
    exported = read_exported(Path(bag)) if bag else None
    has_identifier = bool(deposit.description.record.identifier)
    try:
        needed = not revises and (exported is not None or not has_identifier)
        digests = _master_digests(deposit, context.examiner.concurrency) if needed else ()
    except DepositNotMounted:
        return Identity("")
    identity = identify(context.repository, deposit, digests, revises, exported)
    refuse_deleted(context.repository, identity.work, str(deposit.folder))
    return identity


def _master_digests(deposit: Survey, concurrency: int) -> Sequence[str]:
    """Return the sha256 of every master."""
    with ThreadPoolExecutor(concurrency) as executor:
        return list(executor.map(lambda page: file_digest(page.path), deposit.readable_pages))


def _finished_pages(repository: Repository, job: Job, plan: IngestPlan) -> list[IngestedPage]:
    """Return the results of the page jobs. Raises `StepFailed` for the first that failed."""
    children = repository.jobs.children(job.key)
    pages = [IngestedPage.of_json(child.result or {}) for child in children if child.state is JobState.DONE]
    for child in children:
        if child.state is JobState.FAILED and child.result:
            _discard(repository, plan.work, pages)
            raise StepFailed(child.result)
    return pages


def _has_changed(deposit: Survey, pages: Sequence[IngestedPage], plan: IngestPlan) -> bool:
    """Return whether the folder differs from what the survey and the page jobs read."""
    current = {page.name: file_signature(page.path) for page in deposit.readable_pages}
    read = {page.file: page.signature for page in pages}
    return current != read or deposit.documents_digest() != plan.documents_digest


def _restart(
    repository: Repository, job: Job, folder: Path, plan: IngestPlan, pages: Sequence[IngestedPage]
) -> Restart:
    _discard(repository, plan.work, pages)
    if job.attempts < _MOST_ATTEMPTS:
        return Restart()
    raise DepositRefused(str(folder), (_CHANGING,))


def _accepted_work(
    repository: Repository,
    deposit: Survey,
    assembled: AssembledDeposit,
    plan: IngestPlan,
    pages: Sequence[IngestedPage],
    *,
    held: Work | None,
) -> tuple[Work, Sequence[Fault]]:
    """Return the work, a version of the held work if there is one, and the notices of what it keeps of that.

    Raises as `ingest`.
    """
    work, faults = assembled.work, assembled.faults
    notices: Sequence[Fault] = ()
    if work and held:
        if not plan.is_revision and (other := find_other_book(held, work, str(assembled.folder))):
            faults = (other,)
        else:
            work, notices, faults = keep_protection(held, work, deposit)
    if work is None or faults:
        _discard(repository, plan.work, pages)
        raise DepositRefused(str(assembled.folder), faults)
    return work, notices


def discard_ingest(repository: Repository, job: Job) -> None:
    """Delete what the page jobs of an ingest stored that will not be concluded. The caller holds the job."""
    if job.plan is not None:
        results = [child.result for child in repository.jobs.children(job.key) if child.state is JobState.DONE]
        pages = [IngestedPage.of_json(result) for result in results if result]
        _discard(repository, IngestPlan.of_json(job.plan).work, pages)


def _discard(repository: Repository, work: str, pages: Sequence[IngestedPage]) -> None:
    """Delete the masters and pyramids that page jobs stored for a deposit that is not ingested."""
    if not work:
        return
    objects.discard_content(repository.store, work)
    for page in pages:
        if isinstance(page.result, Examined):
            image = image_identifier(work, page.result.sha256)
            if repository.catalogue.image(image) is None:
                repository.store.delete(pyramid_key(repository.settings, image))


def _pyramids(repository: Repository, assembled: AssembledDeposit) -> dict[str, Pyramid]:
    settings = repository.settings
    return {
        image: Pyramid(pyramid_key(settings, image), summary.fingerprint, summary.bytes, settings.tile_size)
        for image, summary in assembled.pyramids.items()
    }
