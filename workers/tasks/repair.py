"""The tasks that repair works and the log in all stores, and close the findings of what they repaired.

A work is claimed first, as by an ingest, so that no version is written while it is repaired. Whatever is put back has
been read back, and the work checked again, before a finding is closed. A task that is killed runs again and continues.
Before a file of a work is put back, its finding notes the source: what a killed task put back is still logged.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from preservation.fixity.findings import FindingKind
from preservation.fixity.repair import StoreRepair
from preservation.fixity.repair_outcome import RepairedFile, RepairOutcome
from preservation.log_events import Occasion, repair_event
from repository import paths
from repository.database.fixity_values import OPEN_STATES, FindingState, RecordedFinding, day_of
from repository.database.outbox import Job, NewJob
from repository.database.store_registry import PRIMARY
from repository.errors import IntegrityError, KeyNotFound, MasterUnreadable
from repository.model.work import Event, Work
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut
from workers.tasks.jobs import NO_WORK, pyramid_job, repair_stores_job, repair_work_job, sweep_job
from workers.tasks.log_events import occasion, stage
from workers.tasks.outdated import publish_head
from workers.tasks.publish import publish_work
from workers.tasks.pyramids import remake_if_damaged
from workers.tasks.texts import publish_texts

_LOG: Final = logging.getLogger("shanben.repair")
_PAGE: Final = 1000
_DERIVED: Final = (f"{paths.PYRAMIDS}/", f"{paths.PUBLISHED}/")


def repair_work(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut:
    """Run a job of kind ``repair``: check `work` in every store and repair it. The result is that of the repair.

    Raises `Busy` while an ingest of the work is active, `DatabaseFault`.
    """
    repository, work = context.repository, job.arguments["work"]
    if repository.deletions.is_decided(work):
        return {"identifier": work, **RepairOutcome().to_json()}
    if job.plan is None:
        return FanOut((), {}, work)
    found = [each for each in repository.findings.findings_of_work(work) if each.state in OPEN_STATES]
    note = partial(_note_source, repository, found)
    repair = StoreRepair(repository, quarantine=bool(job.arguments["quarantine"]), before_put=note)
    outcome = repair.work(work)
    outcome.repaired += _repaired_before(found, outcome)
    _forget_sources(repository, found, outcome)
    _publish_head(context, work)
    if job.arguments["derived"]:
        outcome.repaired += _remake_derived(context, work)
    else:
        for new_job in _pyramids_of_repaired(repository, work, outcome):
            repository.jobs.enqueue(new_job)
    findings = repository.findings.findings_of_work(work)
    _record(repository, outcome, findings, repository.catalogue.work(work))
    _close(repository, outcome, findings)
    _enqueue_checks(repository, outcome)
    return {"identifier": work, **outcome.to_json()}


def _publish_head(context: TaskContext, work: str) -> None:
    """Publish the version that a catalogue restored from a backup does not know, unless it cannot be read."""
    try:
        publish_head(context, work)
    except (IntegrityError, KeyNotFound) as fault:
        _LOG.warning("%s", fault)


def _note_source(
    repository: Repository, findings: Sequence[RecordedFinding], store: str, key: str, source: str
) -> None:
    for finding in findings:
        if _label(finding) == store and (key == finding.key or key.startswith(f"{finding.key}/")):
            repository.findings.note_source(finding.id, source)


def _forget_sources(repository: Repository, findings: Sequence[RecordedFinding], outcome: RepairOutcome) -> None:
    """Take the note of a source back where nothing could be put."""
    left = {(each.store, each.key) for each in outcome.left}
    for finding in findings:
        if {(_label(finding), finding.key), (_label(finding), "")} & left:
            repository.findings.note_source(finding.id, "")


def _repaired_before(findings: Sequence[RecordedFinding], outcome: RepairOutcome) -> Iterator[RepairedFile]:
    """Yield what an earlier run put back before it was killed: its source is noted, and the fault is gone."""
    left, lost = {(each.store, each.key) for each in outcome.left}, {each.key for each in outcome.lost}
    for finding in findings:
        store, key = _label(finding), finding.key
        is_gone = not {(store, key), (store, "")} & left and key not in lost and not outcome.is_unchecked(store, key)
        is_repaired_now = any(_repairs(each, store, key) for each in outcome.repaired)
        if _is_put_back(finding) and is_gone and not is_repaired_now:
            yield RepairedFile(store, key, finding.done, finding.kind, finding.expected or "", finding.work or "")


def repair_stores(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``repair-stores``: repair the log and the OCFL storage root's own files in every store.

    Raises `LogBusy`, `StoreFault`, `DatabaseFault`.
    """
    repository = context.repository
    repair = StoreRepair(repository, quarantine=bool(job.arguments["quarantine"]))
    outcome = repair.storage_root()
    outcome.add(repair.log())
    findings = [finding for finding in _open_findings(repository) if not finding.work]
    if any(finding.kind == FindingKind.UNEXPECTED for finding in findings):
        outcome.add(repair.strays())
    _record(repository, outcome, findings, None)
    _close(repository, outcome, findings)
    if outcome.repaired:
        repository.fixity.make_due("", day_of(repository.clock()))
    _enqueue_checks(repository, outcome)
    return outcome.to_json()


def repair_jobs(repository: Repository, *, quarantine: bool = False, only_repairable: bool = False) -> list[NewJob]:
    """Return the jobs that repair what open findings name: first the log, then each work once. Raises `DatabaseFault`.

    `only_repairable` leaves out unexpected files, which wait for a person. Memory: one job for each damaged work.
    """
    works: dict[str, bool] = {}
    is_store_damaged = False
    for finding in _open_findings(repository):
        if only_repairable and finding.kind == FindingKind.UNEXPECTED:
            continue
        if finding.work:
            works[finding.work] = works.get(finding.work, False) or finding.key.startswith(_DERIVED)
        else:
            is_store_damaged = True
    jobs = [repair_work_job(work, quarantine=quarantine, derived=derived) for work, derived in sorted(works.items())]
    return [repair_stores_job(quarantine=quarantine), *jobs] if is_store_damaged else jobs


def repaired_since(
    repository: Repository, start: str, known: RepairOutcome, works: Collection[str] = ()
) -> Iterator[RepairedFile]:
    """Yield what was put back since the time `start` and is not in `known`, by the findings that ended with it.

    If `works` are given, only theirs. Jobs do not tell: the result of one that was run again is that of its last run.
    """
    last, reported = 0, {(each.store, each.key) for each in known.repaired}
    while found := repository.findings.repaired_findings(start, after=last, limit=_PAGE):
        for finding in found:
            store, key = _label(finding), finding.key
            is_known = (store, key) in reported or any(_repairs(each, store, key) for each in known.repaired)
            if not is_known and (not works or finding.work in works):
                yield RepairedFile(store, key, finding.done, finding.kind, finding.expected or "", finding.work or "")
        last = found[-1].id


def verification_jobs(repository: Repository, outcome: RepairOutcome) -> list[NewJob]:
    """Return the sweeps that check again what a repair changed and record it, one for each store and work.

    Until they have ended, the numbers of files still count what was repaired, or moved away, as failed.
    """
    names = {PRIMARY_LABEL: PRIMARY} | {name: name for name in repository.replicas}
    changed = outcome.changed | {(each.store, each.work) for each in outcome.repaired}
    checks = sorted((names[store], work or NO_WORK) for store, work in changed if store in names)
    return [sweep_job(store, scope, repository.settings.fixity_limit) for store, scope in checks]


def _enqueue_checks(repository: Repository, outcome: RepairOutcome) -> None:
    for check in verification_jobs(repository, outcome):
        repository.jobs.enqueue(check)


def _remake_derived(context: TaskContext, work: str) -> list[RepairedFile]:
    """Make damaged pyramids and the manifest of a work again. An image whose master is damaged stays as it is."""
    repository = context.repository
    repaired = []
    for image, pyramid in sorted(repository.catalogue.pyramids(work).items()):
        is_there = repository.store.exists(pyramid.key)
        try:
            key = remake_if_damaged(context, work, image)
        except (IntegrityError, KeyNotFound, MasterUnreadable) as fault:
            _LOG.warning("%s", fault)
            continue
        if key is not None:
            state = "changed" if is_there else "missing"
            repaired.append(RepairedFile(PRIMARY_LABEL, key, PRIMARY_LABEL, state, work=work))
    return repaired + _publish_again(context, work)


def _publish_again(context: TaskContext, work: str) -> list[RepairedFile]:
    repository = context.repository
    held, catalogued = repository.catalogue.access(work), repository.catalogue.work(work)
    if held is None or catalogued is None:
        return []
    key = paths.manifest(work)
    before = repository.store.read(key) if repository.store.exists(key) else None
    try:
        publish_texts(repository, catalogued, context.examiner.read_text)
    except (IntegrityError, KeyNotFound) as fault:
        _LOG.warning("%s", fault)
    publish_work(repository, catalogued, held.access, repository.catalogue.pyramids(work))
    if not repository.store.exists(key) or repository.store.read(key) == before:
        return []
    return [RepairedFile(PRIMARY_LABEL, key, PRIMARY_LABEL, "missing" if before is None else "changed", work=work)]


def _pyramids_of_repaired(repository: Repository, work: str, outcome: RepairOutcome) -> Iterator[NewJob]:
    """Yield jobs for the pyramids of masters that are good again: a pyramid may have waited for its master."""
    restored = {each.sha256 for each in outcome.repaired if each.store == PRIMARY_LABEL}
    catalogued = repository.catalogue.work(work) if restored else None
    for image in catalogued.images() if catalogued else ():
        if image.master.sha256 in restored:
            yield pyramid_job(image.identifier, work)


def _open_findings(repository: Repository) -> Iterator[RecordedFinding]:
    last = 0
    while found := repository.findings.open_findings(after=last, limit=_PAGE):
        yield from found
        last = found[-1].id


def _record(
    repository: Repository, outcome: RepairOutcome, findings: Sequence[RecordedFinding], work: Work | None
) -> None:
    """Stage an event of recovery for every file that was put back. What is made again from masters has none.

    Those of earlier repairs of the findings are staged again: a repair may have been killed before it staged them, and
    a sweep may have ended the finding since.
    """
    preserved = [each for each in outcome.repaired if not each.key.startswith(_DERIVED)]
    ended = [each for each in findings if each.state is FindingState.REPAIRED and _is_put_back(each)]
    if not (preserved or ended):
        return
    when = occasion(repository)
    images = {image.master.sha256: image.identifier for image in work.images()} if work else {}
    seen = {(_label(each), each.key): each.first_seen for each in findings if each.state in OPEN_STATES}
    events = [
        repair_event(
            when,
            each.store,
            each.key,
            each.work or None,
            sha256=each.sha256,
            source=each.source,
            first_seen=seen.get((each.store, each.key), when.time),
            image=images.get(each.sha256),
        )
        for each in preserved
    ]
    stage(repository, [*events, *(_event_of(when, each, images) for each in ended)])


def _event_of(when: Occasion, finding: RecordedFinding, images: Mapping[str, str]) -> Event:
    """Return the event of a repair whose finding has ended: the same again, unless the repair was killed before it."""
    digest = finding.expected or ""
    return repair_event(
        when,
        _label(finding),
        finding.key,
        finding.work or None,
        sha256=digest,
        source=finding.done,
        first_seen=finding.first_seen,
        image=images.get(digest),
    )


def _is_put_back(finding: RecordedFinding) -> bool:
    """Return whether a finding about one preserved file, whose digest it states, has the source of its repair."""
    is_of_file = finding.kind in {FindingKind.CHANGED, FindingKind.MISSING} and bool(finding.expected)
    return is_of_file and bool(finding.done) and not finding.key.startswith(_DERIVED)


def _close(repository: Repository, outcome: RepairOutcome, findings: Sequence[RecordedFinding]) -> None:
    """End the findings whose faults the check after the repair did not find again, and say which are lost.

    The outcome notes where one has ended, and where one of the log or the storage root may have: an event that was
    logged meanwhile has replaced a damaged partial tile. The check that follows decides.
    """
    lost = {each.key for each in outcome.lost}
    left = {(each.store, each.key) for each in outcome.left}
    now = repository.clock()
    for finding in findings:
        store = _label(finding)
        is_unknown = (store, "") in left or outcome.is_unchecked(store, finding.key)
        if finding.state not in OPEN_STATES or is_unknown:
            continue
        source = next((each.source for each in outcome.repaired if _repairs(each, store, finding.key)), None)
        if finding.key in lost:
            repository.findings.end(finding.id, FindingState.LOST, "", now)
            continue
        if (store, finding.key) in left:
            continue
        if source is not None:
            repository.findings.end(finding.id, FindingState.REPAIRED, source, now)
        elif (finding.work or finding.kind == FindingKind.UNEXPECTED) and not finding.key.startswith(_DERIVED):
            repository.findings.end(finding.id, FindingState.CLOSED, "", now)
        elif finding.work:
            continue
        outcome.changed.add((store, finding.work or ""))


def _label(finding: RecordedFinding) -> str:
    """Return what repairs call the store of a finding."""
    return PRIMARY_LABEL if finding.store == PRIMARY else finding.store


def _repairs(repaired: RepairedFile, store: str, key: str) -> bool:
    """Return whether a repair concerns the finding at a key of a store, which may be that of a folder."""
    if repaired.store != store:
        return False
    return repaired.key == key or repaired.key.startswith(f"{key}/") or bool(repaired.work and key in repaired.key)
