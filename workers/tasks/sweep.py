"""The task that sweeps a store: has its files checked in parts by any number of workers, and accounts for all of them.

1. *Begin*: check whose store this is, and begin a sweep. A sweep that was interrupted goes on; one of another scope is
   stopped, unless a command asked for it and this one begins by itself.
2. Record what is new in the store, and check the canaries.
3. *Hand out* the units of files in parts, those due for longest first. When all parts of a round have ended, hand out
   the next ones. A unit whose part failed is recorded as not checked, with the reason.
4. *End*: compute the Merkle root over the results, and stage the events of the sweep and of its findings for the log. A
   sweep that did not account for every file, that expected none, or that missed a canary has failed.

After a crash at any point the job goes on with the same sweep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from preservation.fixity.canaries import check_canaries, prepare_canaries
from preservation.fixity.findings import FixityIncomplete, FixityTotals
from preservation.fixity.results import SweepRoot
from preservation.log_events import Occasion, SweepTotals, finding_event, sweep_event
from preservation.store_identity import verify_replica
from repository.database.fixity_values import FixitySweep, FixityUnit, RecordedFinding, SweepState, day_of
from repository.database.outbox import ACTIVE, Job, JobState
from repository.errors import SystemFault
from repository.localized import LocalizedText
from repository.model.work import Event
from repository.repository import Repository
from repository.store_label import store_in_words
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut, Outcome, StepFailed
from workers.tasks.fixity_settings import may_check_now, object_store, store_label
from workers.tasks.fixity_units import UnitChecker, record_new_units, units_in_parts
from workers.tasks.jobs import ALL, DUE, SCHEDULED, check_files_job, sweep_job
from workers.tasks.log_events import occasion, stage
from workers.tasks.repair import repair_jobs

PARTS: Final = 200
"""The parts of one round: a sweep that is stopped ends after the units in progress, not after a million."""

PART_UNITS: Final = 64
LEAST_PART_BYTES: Final = 64 << 20
MOST_PART_BYTES: Final = 4 << 30
_SHARE: Final = 32
"""A part has this share of a round's bytes, within the two limits, so that many workers have something to do."""

_PAGE: Final = 1000
_DEFECT: Final = "defect"
_STOPPED: Final = LocalizedText("另一次检查已代替它", "another one has taken its place")
_UNEXPLAINED: Final = LocalizedText("检查任务失败", "the job that was to check it failed")


class CanaryMissed(SystemFault):
    """A sweep that did not find the faults that every sweep must find: its results prove nothing."""

    code = "fixity.canary"
    text = LocalizedText(
        "{store}的 {count} 处已知损坏未被查出或已不存在（canaries/）；检查结果不可信，请查明原因。"
        "存储是新换的，请运行 shanben store adopt",
        "In {store}, {count} known faults were not found, or are there no more (canaries/): the results of"
        " the check prove nothing. Find out why. If the store is a new one, run shanben store adopt",
    )


class NothingDue(FixityIncomplete):
    """A sweep of what is due for which nothing was: nobody may take it for a check that passed."""

    code = "fixity.nothing-due"
    text = LocalizedText(
        "没有到期的文件，未作校验；全部校验请加 --all", "No file is due, and none was checked; --all checks everything"
    )


def sweep_store(context: TaskContext, job: Job) -> Outcome:
    """Run a job of kind ``fixity``: sweep `store`, all of it, what is due, or one work, as `scope` says.

    The result has the identifier of the sweep. Raises `StoreNotRecognised`, `StoreFault`, `DatabaseFault`.
    """
    repository, store = context.repository, job.arguments["store"]
    if store and store not in repository.replicas:
        return {"sweep": None}
    sweep = _sweep_of(repository, job)
    if sweep is None or sweep.ended:
        return {"sweep": sweep.id if sweep else None}
    if job.plan is None:
        record_new_units(repository, store)
        _check_canaries(repository, sweep)
    else:
        _account_for_failures(repository, job, sweep)
    limit = int(job.arguments["limit"])
    is_paused = sweep.scope == SCHEDULED and not may_check_now(repository)
    units = [] if is_paused else _next_units(repository, sweep)
    if not units:
        return _end(repository, sweep)
    parts = [
        check_files_job(store, sweep.id, sweep.scope, part, limit)
        for part in units_in_parts(units, PART_UNITS, _part_bytes(units))[:PARTS]
    ]
    return FanOut(parts, {"sweep": sweep.id}, None)


def _sweep_of(repository: Repository, job: Job) -> FixitySweep | None:
    """Return the sweep of a job, begun if it is not; None when it must not begin now."""
    if job.plan is not None:
        return repository.sweeps.get(int(job.plan["sweep"]))
    store, scope = job.arguments["store"], job.arguments["scope"]
    if store:
        verify_replica(repository, store)
    running = repository.sweeps.running(store)
    if running is not None and running.scope != scope:
        if scope == SCHEDULED and _is_active(repository, running):
            return None
        repository.sweeps.end(running.id, SweepState.STOPPED, None, repository.clock())
    return repository.sweeps.begin(store, scope, repository.clock())


def _is_active(repository: Repository, sweep: FixitySweep) -> bool:
    job = repository.jobs.get(sweep_job(sweep.store, sweep.scope).key)
    return job is not None and job.state in ACTIVE


def _check_canaries(repository: Repository, sweep: FixitySweep) -> None:
    """Check the canaries of the store. A replica gets them at its first sweep; no store gets them again by itself."""
    prepare_canaries(repository, sweep.store)
    with ThreadPoolExecutor(1) as executor:
        check = check_canaries(object_store(repository, sweep.store), executor)
    repository.sweeps.record_canaries(sweep.id, check.planted, len(check.missed))


def _next_units(repository: Repository, sweep: FixitySweep) -> list[FixityUnit]:
    """Return units that the sweep has not checked, at most as many as one round hands out."""
    most, records = PARTS * PART_UNITS, repository.fixity
    if sweep.scope == ALL:
        return records.units_before_sweep(sweep.store, sweep.id, most)
    if sweep.scope in {DUE, SCHEDULED}:
        started = day_of(datetime.fromisoformat(sweep.started))
        return records.due_units(sweep.store, started, most, sweep=sweep.id)
    return [unit for unit in records.units_of_work(sweep.scope, sweep.store) if unit.sweep < sweep.id]


def _part_bytes(units: Sequence[FixityUnit]) -> int:
    share = sum(unit.bytes for unit in units) // _SHARE
    return max(LEAST_PART_BYTES, min(share, MOST_PART_BYTES))


def _account_for_failures(repository: Repository, job: Job, sweep: FixitySweep) -> None:
    """Record the units of failed parts as not checked. When the store is away, the sweep itself fails."""
    failed = [child for child in repository.jobs.children(job.key) if child.state is JobState.FAILED]
    for child in failed:
        result: Mapping[str, Any] = child.result or {}
        if result.get("code") != _DEFECT:
            repository.sweeps.end(sweep.id, SweepState.INCOMPLETE, None, repository.clock())
            raise StepFailed(result)
    with ThreadPoolExecutor(1) as executor:
        for child in failed:
            checker = UnitChecker(repository, sweep.store, executor, lambda _: None)
            words = (child.result or {}).get("message")
            reason = LocalizedText.of_json(words) if isinstance(words, dict) else _UNEXPLAINED
            units = repository.fixity.units([int(number) for number in child.arguments["units"].split(",")])
            waiting = [unit for unit in units if unit.sweep < sweep.id]
            repository.fixity.record_checks([checker.unchecked(unit, sweep.id, reason) for unit in waiting])


def _end(repository: Repository, begun: FixitySweep) -> Mapping[str, object]:
    """End a sweep, and have done what follows from its findings."""
    sweep = repository.sweeps.get(begun.id) or begun
    root = SweepRoot()
    for unit_root in _roots(repository, sweep):
        root.add(unit_root)
    state = _state_of(sweep)
    if sweep.expected:
        _follow_up(repository, sweep, root.hexdigest())
    repository.sweeps.end(sweep.id, state, root.hexdigest(), repository.clock())
    return {"sweep": sweep.id, "state": state.value}


def _state_of(sweep: FixitySweep) -> SweepState:
    is_complete = sweep.expected == sweep.checked + sweep.not_checked and sweep.expected > 0
    if not is_complete or sweep.canaries_missed:
        return SweepState.INCOMPLETE
    return SweepState.FINDINGS if sweep.failed else SweepState.CLEAN


def _roots(repository: Repository, sweep: FixitySweep) -> Iterator[str]:
    last = 0
    while page := repository.fixity.roots_of_sweep(sweep.store, sweep.id, last, _PAGE):
        for last, root in page:  # noqa: B007 - the last one is where the next page begins
            yield root


def _follow_up(repository: Repository, sweep: FixitySweep, root: str) -> None:
    """Do what follows from a sweep before it is recorded as ended; after a crash it is repeated without effect.

    The provenance log gets one event for the sweep and one for each finding. Jobs are enqueued that repair what can be
    repaired; the check of one work follows a repair, and is not followed by another.
    """
    now, store = occasion(repository), store_label(sweep.store)
    totals = SweepTotals(
        expected=sweep.expected,
        checked=sweep.checked,
        passed=sweep.passed,
        failed=sweep.failed,
        not_checked=sweep.not_checked,
        canaries=sweep.canaries,
        canaries_found=max(0, sweep.canaries - sweep.canaries_missed),
        root=root,
    )
    last = 0
    while page := repository.findings.findings_of_sweep(sweep.id, after=last, limit=_PAGE):
        stage(repository, [_finding_event(now, store, finding) for finding in page])
        last = page[-1].id
    stage(repository, [sweep_event(now, store, totals, started=sweep.started)])
    if repository.settings.autorepair and sweep.failed and sweep.scope in {ALL, DUE, SCHEDULED}:
        for new_job in repair_jobs(repository, only_repairable=True):
            repository.jobs.enqueue(new_job)


def _finding_event(now: Occasion, store: str, finding: RecordedFinding) -> Event:
    return finding_event(
        now,
        store,
        finding.key,
        finding.work,
        kind=finding.kind,
        expected=finding.expected,
        found=finding.found,
        first_seen=finding.first_seen,
    )


def failure_of(sweep: FixitySweep) -> CanaryMissed | FixityIncomplete | None:
    """Return why an ended sweep proves nothing; None for one that is clean or has findings."""
    if sweep.canaries_missed:
        return CanaryMissed(store=store_in_words(store_label(sweep.store)), count=sweep.canaries_missed)
    if sweep.state is SweepState.STOPPED:
        return FixityIncomplete(reason=_STOPPED)
    if sweep.scope == DUE and sweep.root and not sweep.expected:  # one that broke off has no root
        return NothingDue()
    try:
        FixityTotals(sweep.expected, sweep.passed, sweep.failed, sweep.not_checked).require_complete()
    except FixityIncomplete as failure:
        return failure
    return None
