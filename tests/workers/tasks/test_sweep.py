"""Fixity sweeps as jobs: every stored file is accounted for in every store, and what is wrong is found once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import pytest
from deposits import write_deposit
from planted_faults import FAULTS, MASTER, flip

from preservation.fixity.findings import FixityIncomplete
from preservation.log.audit import audit
from preservation.log.sequencer import open_log
from preservation.premis import parse_event
from preservation.reporting.reader import ReportReader
from preservation.reporting.verdict import State, verdict_of
from repository.clock import Clock, system_clock
from repository.config import Settings
from repository.database.fixity_values import FindingState, FixitySweep, RecordedFinding, SweepState, UnitKind, day_of
from repository.database.outbox import Job, JobState
from repository.errors import StoreFault
from repository.identifiers import Kind, mint
from repository.paths import LOG_CHECKPOINT, ocfl_object
from repository.repository import Repository, open_repository
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.service.schedule import FIRST_SWEEP_SECONDS, Schedule
from workers.tasks import check_files, sweep
from workers.tasks.fixity_plan import read_plan
from workers.tasks.fixity_state import read_fixity_state
from workers.tasks.fixity_units import UnitChecker, record_new_units, stores_with_due_files
from workers.tasks.jobs import ALL, DUE, SCHEDULED, SWEEP_STORE, ingest_job, sweep_job
from workers.tasks.sweep import CanaryMissed, failure_of


@dataclass(frozen=True)
class Library:
    """A repository with one replica and two works, and what runs its jobs."""

    context: TaskContext
    works: list[str]

    @property
    def repository(self) -> Repository:
        return self.context.repository

    @property
    def replica(self) -> str:
        return next(iter(self.repository.replicas))

    def root(self, number: int = 0) -> str:
        return ocfl_object(self.works[number])

    def run(self, store: str = "", scope: str = ALL) -> Job:
        with local_runner(self.context) as runner:
            return runner.run(sweep_job(store, scope))

    def sweep(self, store: str = "", scope: str = ALL) -> FixitySweep:
        job = self.run(store, scope)
        assert job.state is JobState.DONE, job.result
        done = self.repository.sweeps.get(cast(int, (job.result or {})["sweep"]))
        assert done is not None
        return done

    def found(self, store: str = "", scope: str = ALL) -> set[tuple[str, str]]:
        found = self.findings(self.sweep(store, scope))
        return {(finding.key, finding.kind) for finding in found}

    def findings(self, done: FixitySweep) -> list[RecordedFinding]:
        return self.repository.findings.findings_of_sweep(done.id, limit=100)

    def with_store(self, store: Any) -> Library:
        return Library(replace(self.context, repository=replace(self.repository, store=store)), self.works)

    def at(self, clock: Clock) -> Library:
        return Library(replace(self.context, repository=replace(self.repository, clock=clock)), self.works)

    def with_settings(self, **settings: Any) -> Library:
        changed = replace(self.repository, settings=replace(self.repository.settings, **settings))
        return Library(replace(self.context, repository=changed), self.works)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> Library:
    """The library that the tests copy, its first work in two versions: never changed."""
    folder = tmp_path_factory.mktemp("library")
    settings = Settings(data=folder / "var", replicas=(str(folder / "replica"),))
    context = TaskContext(prepare_repository(open_repository(settings)), examiner)
    deposits = write_deposit(folder / "first", 2), write_deposit(folder / "second", 1, "另書", seed=50)
    works = []
    with local_runner(context) as runner:
        for deposit in deposits:
            job = runner.run(ingest_job(deposit))
            works.append(str((job.result or {})["identifier"]))
        record = deposits[0] / "work.toml"
        record.write_text(record.read_text("utf-8").replace("試書", "試書二"), "utf-8")
        assert runner.run(ingest_job(deposits[0])).state is JobState.DONE
        assert runner.unfinished() == []
    return Library(context, works)


@pytest.fixture
def library(original: Library, tmp_path: Path) -> Library:
    return copy_of(original, tmp_path)


def copy_of(original: Library, folder: Path) -> Library:
    """Return the library with a database of its own, its stores in memory."""
    repository = original.repository
    settings = replace(repository.settings, data=folder / "var", store=repository.settings.store_url)
    shutil.copytree(repository.settings.data, settings.data, ignore=shutil.ignore_patterns("store"))
    copied_stores = {name: copied(store) for name, store in repository.replicas.items()}
    fresh = replace(open_repository(settings), store=copied(repository.store), replicas=copied_stores)
    return Library(replace(original.context, repository=fresh), original.works)


def copied(source: ObjectStore) -> ObjectStore:
    target = memory_store()
    for stored in source.list():
        target.put(stored.key, source.read(stored.key))
    return target


def files(store: ObjectStore) -> int:
    """Count the files that a sweep must account for: of partial tiles of the log only the newest, no derived index."""
    left_out = ("canaries/", "unfinished/", "search/", "published/edition.json")
    keys = [stored.key for stored in store.list() if not stored.key.startswith(left_out)]
    return len({key.rpartition(".p/")[0] or key for key in keys})


def test_every_file_of_every_store_is_checked_and_counts_once(library: Library) -> None:
    places = {"": library.repository.store, **library.repository.replicas}
    for store, place in places.items():
        done = library.sweep(store)

        assert (done.state, done.expected, done.passed) == (SweepState.CLEAN, files(place), files(place))
        assert done.root
        assert failure_of(done) is None
        assert (done.canaries > 0, done.canaries_missed) == (True, 0)
    totals = library.repository.fixity.totals([""], 0, 0)
    assert sum(each.files for each in totals) == files(library.repository.store)
    assert sum(each.never for each in totals) == 0


def test_a_flipped_byte_is_found_in_each_kind_of_file(library: Library) -> None:
    store, work = library.repository.store, library.works[0]
    (image, pyramid), *_ = library.repository.catalogue.pyramids(work).items()
    manifest = f"published/works/{work[1:4]}/{work}/manifest.json"
    for key in (f"{library.root()}/{MASTER}", pyramid.key, manifest, LOG_CHECKPOINT, "shanben-store.json"):
        before = store.read(key)
        if key == "shanben-store.json":
            store.put(key, before + b"\n")
        else:
            flip(store, key)
        assert library.found() == {(key, "changed")}, image
        store.put(key, before)
    assert library.found() == set()


def test_a_finding_is_closed_when_the_fault_is_gone(library: Library) -> None:
    place, key = library.repository.replicas[library.replica], f"{library.root()}/{MASTER}"
    content = place.read(key)
    place.delete(key)
    done = library.sweep(library.replica)
    (finding,) = library.findings(done)
    assert (finding.key, finding.kind, finding.state) == (key, "missing", FindingState.OPEN)
    assert (done.state, done.failed) == (SweepState.FINDINGS, 1)

    place.put(key, content)
    assert library.found(library.replica) == set()
    closed = library.repository.findings.get(finding.id)
    assert closed is not None
    assert closed.state is FindingState.CLOSED


def test_an_object_that_nothing_records_is_found(library: Library) -> None:
    store, replica = library.repository.store, library.repository.replicas[library.replica]
    library.sweep()
    stray = ocfl_object(mint(Kind.WORK))
    for stored in list(replica.list(library.root())):
        store.put(stored.key.replace(library.root(), stray), replica.read(stored.key))
    assert library.found() == {(stray, "unexpected")}


def test_what_was_checked_is_due_again_within_the_period_and_not_before(library: Library) -> None:
    assert library.sweep(scope=DUE).expected == files(library.repository.store)

    again = library.sweep(scope=DUE)
    assert again.expected == 0
    assert isinstance(failure_of(again), FixityIncomplete)

    later = system_clock() + timedelta(days=91)
    assert library.at(lambda: later).sweep(scope=DUE).expected == files(library.repository.store)
    days = {day for day, _, _ in library.repository.fixity.due_by_day([""], 1 << 30)}
    assert len(days) > 1


def test_one_work_is_checked_alone(library: Library) -> None:
    flip(library.repository.store, f"{library.root(0)}/{MASTER}")
    assert library.found(scope=library.works[1]) == set()
    assert library.found(scope=library.works[0]) == {(f"{library.root(0)}/{MASTER}", "changed")}


class FailingStore:
    """A store that fails while `fails` says so."""

    def __init__(self, store: ObjectStore, fails: Callable[[str], bool]) -> None:
        self._store, self._fails = store, fails

    def __getattr__(self, name: str) -> Any:
        action = getattr(self._store, name)

        def attempt(*arguments: Any) -> Any:
            if self._fails(str(arguments[0]) if arguments else ""):
                raise StoreFault(key="", reason="connection refused")
            return action(*arguments)

        return attempt


def test_a_store_that_goes_away_fails_the_sweep_and_is_no_finding(library: Library) -> None:
    is_away = False
    fails: Callable[[str], bool] = lambda key: is_away and key != "shanben-store.json"  # noqa: E731 - of one use
    away = library.with_store(FailingStore(library.repository.store, fails))
    record_new_units(away.repository, "")
    original_check = check_files.UnitChecker.check

    def check(self: Any, unit: Any, number: int) -> Any:
        nonlocal is_away
        is_away = True
        return original_check(self, unit, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check_files.UnitChecker, "check", check)
        job = away.run()
    assert job.state is JobState.FAILED
    (ended,) = library.repository.sweeps.newest(1)
    assert ended.state is SweepState.INCOMPLETE
    assert library.repository.findings.open_findings(limit=1) == []


def test_a_defect_stops_one_part_and_its_files_are_not_checked_for_that_reason(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    original_check = check_files.UnitChecker.check

    def check(self: Any, unit: Any, number: int) -> Any:
        if unit.name == library.works[0]:
            raise ZeroDivisionError
        return original_check(self, unit, number)

    monkeypatch.setattr(check_files.UnitChecker, "check", check)
    monkeypatch.setattr(sweep, "PART_UNITS", 1)
    done = library.sweep()
    assert done.expected == done.passed + done.not_checked == files(library.repository.store)
    assert done.not_checked > 0
    assert "ZeroDivisionError" in library.repository.fixity.reasons("", done.id, 5)[0]


class Killed(BaseException):
    """The end of a process in the middle of its work."""


@pytest.mark.slow
def test_a_sweep_that_is_killed_at_any_write_reaches_the_same_end(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(library.repository.store, f"{library.root()}/{MASTER}")
    monkeypatch.setattr(sweep, "PART_UNITS", 2)
    expected = {(f"{library.root()}/{MASTER}", "changed")}
    for number in range(1, 60):
        writes = Writes(library.repository, number)
        with local_runner(replace(library.context, repository=writes.repository)) as runner:
            try:
                runner.run(sweep_job("", ALL))
            except Killed:
                library.repository.jobs.release(runner._holder)
        done = library.sweep()
        assert done.expected == done.checked == files(library.repository.store), number
        assert {(each.key, each.kind) for each in library.findings(done)} == expected, number
        if not writes.killed:
            break
    assert number > 5


class Writes:
    """A repository whose process ends at the write of the given number, of those of a sweep to its tables."""

    def __init__(self, repository: Repository, number: int) -> None:
        self._left = number
        self.killed = False
        parts = {name: self._counting(getattr(repository, name)) for name in ("fixity", "sweeps")}
        self.repository = replace(repository, **parts)

    def _counting(self, part: Any) -> Any:
        writes = self

        class Counting:
            def __getattr__(self, name: str) -> Any:
                action = getattr(part, name)
                if name not in {"record_listed", "record_checks", "hold", "release", "begin", "end", "record_canaries"}:
                    return action

                def attempt(*arguments: Any, **options: Any) -> Any:
                    writes._left -= 1
                    if writes._left == 0:
                        writes.killed = True
                        raise Killed
                    return action(*arguments, **options)

                return attempt

        return Counting()


def test_a_canary_that_was_removed_fails_the_sweep(library: Library) -> None:
    library.sweep()
    store = library.repository.store
    for stored in list(store.list("canaries")):
        store.delete(stored.key)
    done = library.sweep()
    assert done.state is SweepState.INCOMPLETE
    assert isinstance(failure_of(done), CanaryMissed)


def test_a_check_that_finds_nothing_misses_the_canaries(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preservation.fixity.canaries.check_object", lambda *_: type("Nothing", (), {"checks": ()}))
    assert library.sweep().canaries_missed > 0


def test_a_sweep_that_was_asked_for_takes_the_place_of_a_scheduled_one(library: Library) -> None:
    repository = library.repository
    scheduled = repository.sweeps.begin("", SCHEDULED, repository.clock())
    assert library.sweep().state is SweepState.CLEAN
    stopped = repository.sweeps.get(scheduled.id)
    assert stopped is not None
    assert stopped.state is SweepState.STOPPED
    assert isinstance(failure_of(stopped), FixityIncomplete)


def test_the_schedule_sweeps_stores_with_due_files_in_its_hours(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = library.repository
    now = datetime(2026, 1, 1, 12).astimezone()
    night = library.with_settings(fixity_hours="22-6").at(lambda: now)
    schedules = (
        Schedule(night.repository),
        Schedule(library.with_settings(fixity_hours="9-17").at(lambda: now).repository),
    )
    schedules[1]._queue_sweeps()
    assert repository.jobs.active(SWEEP_STORE) == []
    monkeypatch.setattr("workers.service.schedule.monotonic", lambda: time.monotonic() + FIRST_SWEEP_SECONDS)
    schedules[0]._queue_sweeps()
    assert repository.jobs.active(SWEEP_STORE) == []
    schedules[1]._queue_sweeps()
    assert {job.arguments["store"] for job, _ in repository.jobs.active(SWEEP_STORE)} == {"", library.replica}


def test_the_plan_states_what_is_due_and_when_it_ends(library: Library) -> None:
    repository = library.repository
    assert stores_with_due_files(repository) == ["", library.replica]
    for store in ("", library.replica):
        record_new_units(repository, store)
    before = read_plan(repository)
    assert before.due == before.files > 30
    for store in ("", library.replica):
        library.sweep(store)
    after = read_plan(repository)
    assert (after.due, after.late) == (0, 0)
    assert after.ends is not None
    last = max(day for day, _, _ in repository.fixity.due_by_day(["", library.replica], 1 << 30))
    wait = timedelta(days=last - day_of(repository.clock()))
    assert timedelta(0) < wait <= timedelta(days=90)
    assert abs(after.ends - repository.clock() - wait) < timedelta(hours=1)
    assert stores_with_due_files(repository) == []
    slow = library.with_settings(fixity_limit=1, fixity_days=10).at(lambda: system_clock() + timedelta(days=200))
    late = read_plan(slow.repository)
    assert (late.late, late.ends) == (late.files, None)


def test_the_end_of_a_sweep_is_an_event_of_the_log_and_so_is_each_finding_once(library: Library) -> None:
    flip(library.repository.store, f"{library.root()}/{MASTER}")
    done, again = library.sweep(), library.sweep()
    log = open_log(library.repository)
    events = [parse_event(entry) for entry in log.entries(0, log.size)]
    sweeps = [event for event in events if event.detail.get("act") == "sweep"]
    assert [(event.detail["root"], event.outcome) for event in sweeps] == [
        (done.root, "failure"),
        (again.root, "failure"),
    ]
    assert sweeps[0].detail["expected"] == str(done.expected)
    findings = [event for event in events if event.detail.get("act") == "finding"]
    assert [event.work for event in findings] == [library.works[0]]
    assert audit(library.repository.store, [log.checkpoint().head]).ok


def test_what_is_said_of_stored_files_is_true_of_them(library: Library) -> None:
    repository = library.repository
    state = read_fixity_state(repository)
    assert (state.checked, state.verified, state.since) == (0, 0, "")
    library.sweep()
    state = read_fixity_state(repository)
    assert (state.verified, state.stores, state.since) == (1, 2, repository.clock().date().isoformat())
    assert state.checked == state.files
    library.sweep(library.replica)
    assert read_fixity_state(repository).verified == 2
    assert verdict_of(ReportReader(repository).read()).state is State.WELL
    (added,) = (each for each in repository.fixity.units_of_work(library.works[1], "") if each.kind is UnitKind.WORK)
    repository.fixity.forget([added.id])
    report = ReportReader(repository).read()
    assert (report.unrecorded, verdict_of(report).state) == (1, State.UNKNOWN)

    flip(repository.store, f"{library.root()}/{MASTER}")
    library.sweep()
    state = read_fixity_state(repository)
    assert (state.verified, state.findings) == (1, 1)
    damaged, sound = (repository.fixity.verifications(work) for work in library.works)
    assert [each.is_verified for each in damaged] == [False, True]
    assert [each.is_verified for each in sound] == [True, True]


def test_a_check_has_the_time_at_which_it_began(library: Library) -> None:
    repository, moments = library.repository, [library.repository.clock()]
    watched = replace(repository, clock=lambda: moments[-1])
    record_new_units(watched, "")
    (unit,) = (each for each in repository.fixity.units_of_work(library.works[0], "") if each.kind is UnitKind.WORK)

    def on_progress(_: int) -> None:
        moments.append(moments[-1] + timedelta(hours=1))

    with check_files.CallingThread() as executor:
        done = UnitChecker(watched, "", executor, on_progress).check(unit, 1)
    assert done is not None
    assert (done.at, len(moments) > len(done.files)) == (moments[0], True)


@pytest.mark.slow
def test_a_sweep_finds_planted_faults_in_both_stores_and_nothing_else(original: Library, tmp_path: Path) -> None:
    # Every other fault: the tests of checks of a store plant them all.
    for (fault, plant), place in zip(list(FAULTS.items())[::2], cycle(["store", "replica"]), strict=False):
        library = copy_of(original, tmp_path / fault)
        stores = {"store": "", "replica": library.replica}
        damaged = library.repository.replicas[library.replica] if place == "replica" else library.repository.store
        expected = plant(damaged, library.root())
        assert library.found(stores.pop(place)) == expected, fault
        (other,) = stores.values()
        assert library.found(other) == set(), fault
