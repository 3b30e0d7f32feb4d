"""Records of fixity checks: units, files, totals, findings and sweeps, in each kind of database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from repository.database.engine import sessions_of
from repository.database.fixity import FixityRecords
from repository.database.fixity_findings import FixityFindings
from repository.database.fixity_sweeps import FixitySweeps
from repository.database.fixity_tables import FixityTallyRow
from repository.database.fixity_values import (
    CheckedFile,
    FileClass,
    FileResult,
    FindingState,
    FixityUnit,
    FoundFault,
    ListedFile,
    SweepState,
    UnitCheck,
    UnitKind,
    day_of,
)
from repository.paths import ocfl_object

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TODAY = day_of(NOON)
WORK = "w" + "2" * 25
LISTED = (
    ListedFile("v1/content/masters/1.tif", FileClass.MASTERS, 1000),
    ListedFile("v1/content/masters/2.tif", FileClass.MASTERS, 500),
    ListedFile("inventory.json", FileClass.METADATA, 10),
)
FAULT = FoundFault(f"{ocfl_object(WORK)}/v1/content/masters/1.tif", "changed", WORK, "a" * 64, "b" * 64)


@pytest.fixture
def records(engine: Engine) -> FixityRecords:
    return FixityRecords(sessions_of(engine))


@pytest.fixture
def findings(engine: Engine) -> FixityFindings:
    return FixityFindings(sessions_of(engine))


@pytest.fixture
def sweeps(engine: Engine) -> FixitySweeps:
    return FixitySweeps(sessions_of(engine))


def listed(records: FixityRecords, store: str = "", work: str = WORK) -> FixityUnit:
    return records.record_listed(store, UnitKind.WORK, work, LISTED, version=1, due=TODAY)


def check_of(
    unit: FixityUnit,
    sweep: int,
    failed: Sequence[str] = (),
    not_checked: Sequence[str] = (),
    findings: Sequence[FoundFault] = (),
    at: datetime = NOON,
) -> UnitCheck:
    results = dict.fromkeys(failed, FileResult.FAILED) | dict.fromkeys(not_checked, FileResult.NOT_CHECKED)
    files = [
        CheckedFile(file.path, file.category, file.bytes, results.get(file.path, FileResult.PASSED)) for file in LISTED
    ]
    return UnitCheck(unit.id, sweep, 1, at, day_of(at) + 90, len(files), files, findings, 1510, "c" * 64)


def test_files_that_are_listed_count_as_never_checked_and_due(records: FixityRecords) -> None:
    unit = listed(records)

    masters, metadata = records.totals([""], TODAY, TODAY)

    assert (unit.files, unit.bytes, unit.checked) == (3, 1510, 0)
    assert (masters.category, masters.files, masters.bytes, masters.never) == (FileClass.MASTERS, 2, 1500, 2)
    assert (masters.due, masters.due_bytes, masters.late, masters.oldest) == (2, 1500, 0, None)
    assert (metadata.category, metadata.files) == (FileClass.METADATA, 1)


def test_a_check_moves_files_to_the_day_of_the_next_one(records: FixityRecords, sweeps: FixitySweeps) -> None:
    unit, sweep = listed(records), sweeps.begin("", "all", NOON)

    records.record_checks([check_of(unit, sweep.id)])

    masters = records.totals([""], TODAY, TODAY)[0]
    assert (masters.files, masters.never, masters.due, masters.oldest) == (2, 0, 0, "2026-01-01")
    assert records.totals([""], TODAY + 90, TODAY + 91)[0].late == 2
    assert records.due_by_day([""], TODAY + 91) == [(TODAY + 90, 3, 1510)]
    assert records.due_units("", TODAY, 10, sweep=9) == []
    assert records.units_before_sweep("", sweep.id, 10) == []


def test_a_sweep_counts_a_unit_once_however_often_it_is_recorded(
    records: FixityRecords, sweeps: FixitySweeps, findings: FixityFindings
) -> None:
    unit, sweep = listed(records), sweeps.begin("", "all", NOON)
    check = check_of(unit, sweep.id, failed=["v1/content/masters/1.tif"], findings=[FAULT])

    records.record_checks([check])
    records.record_checks([check])

    done = sweeps.get(sweep.id)
    assert done is not None
    assert (done.expected, done.passed, done.failed, done.not_checked, done.bytes) == (3, 2, 1, 0, 1510)
    assert len(findings.open_findings(limit=10)) == 1
    assert records.roots_of_sweep("", sweep.id, 0, 10) == [(unit.id, "c" * 64)]


def test_a_finding_keeps_its_identity_and_is_closed_by_a_clean_check(
    records: FixityRecords, sweeps: FixitySweeps, findings: FixityFindings
) -> None:
    unit, later = listed(records), NOON + timedelta(days=1)
    failed = ["v1/content/masters/1.tif"]
    records.record_checks([check_of(unit, 1, failed=failed, findings=[FAULT])])
    records.record_checks([check_of(unit, 2, failed=failed, findings=[FAULT], at=later)])

    (finding,) = findings.open_findings([""], limit=10)
    assert (finding.first_seen, finding.last_seen) == ("2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z")
    assert findings.counts([""]) == {("", "changed"): 1}
    assert findings.findings_of_sweep(2, limit=10) == [finding]

    records.record_checks([check_of(unit, 3, at=later)])

    closed = findings.get(finding.id)
    assert closed == replace(finding, state=FindingState.CLOSED, ended="2026-01-02T12:00:00Z")
    assert findings.counts([""]) == {}
    assert records.totals([""], TODAY, TODAY)[0].failed == 0


def test_a_file_that_was_not_checked_keeps_its_finding_and_its_last_check(
    records: FixityRecords, findings: FixityFindings
) -> None:
    unit, path = listed(records), "v1/content/masters/1.tif"
    records.record_checks([check_of(unit, 1, failed=[path], findings=[FAULT])])

    records.record_checks([check_of(unit, 2, not_checked=[path], at=NOON + timedelta(days=9))])

    assert len(findings.open_findings(limit=10)) == 1
    (verification,) = records.verifications(WORK)
    assert (verification.oldest, verification.not_checked, verification.findings) == ("2026-01-01T12:00:00Z", 1, 1)
    assert not verification.is_verified


def test_a_lost_object_of_which_no_file_was_checked_keeps_its_finding(
    records: FixityRecords, findings: FixityFindings
) -> None:
    unit, paths = listed(records), [file.path for file in LISTED]
    lost = FoundFault(ocfl_object(WORK), "missing", WORK)
    records.record_checks([check_of(unit, 1, failed=paths, findings=[lost])])

    records.record_checks([check_of(unit, 2, not_checked=paths)])

    assert [finding.kind for finding in findings.open_findings(limit=10)] == ["missing"]
    records.record_checks([check_of(unit, 3)])
    assert findings.open_findings(limit=10) == []


def test_a_finding_that_was_ended_is_not_ended_twice(records: FixityRecords, findings: FixityFindings) -> None:
    unit = listed(records)
    records.record_checks([check_of(unit, 1, failed=["v1/content/masters/1.tif"], findings=[FAULT])])
    (finding,) = findings.open_findings(limit=10)

    assert findings.end(finding.id, FindingState.LOST, "no good copy", NOON)
    assert findings.end(finding.id, FindingState.REPAIRED, "from replica", NOON)
    assert not findings.end(finding.id, FindingState.REPAIRED, "again", NOON)
    assert findings.ended_findings(limit=10)[0].done == "from replica"


def test_a_work_is_verified_when_every_file_passed(records: FixityRecords) -> None:
    records.record_checks([check_of(listed(records), 1)])
    listed(records, "copy")

    primary, copy = records.verifications(WORK)

    assert (primary.store, primary.is_verified, primary.oldest) == ("", True, "2026-01-01T12:00:00Z")
    assert (copy.store, copy.is_verified, copy.oldest) == ("copy", False, None)


def test_a_unit_is_held_by_one_at_a_time(records: FixityRecords) -> None:
    unit = listed(records)

    assert records.hold([unit.id], "one", NOON, 60) == {unit.id}
    assert records.hold([unit.id], "two", NOON, 60) == set()
    assert records.hold([unit.id], "one", NOON, 60) == {unit.id}
    assert records.hold([unit.id], "two", NOON + timedelta(seconds=61), 60) == {unit.id}
    records.release([unit.id], "two")
    assert records.hold([unit.id], "one", NOON, 60) == {unit.id}


def test_a_store_has_one_sweep_at_a_time(sweeps: FixitySweeps) -> None:
    first = sweeps.begin("", "due", NOON)

    assert sweeps.begin("", "all", NOON) == first
    assert sweeps.begin("copy", "all", NOON).id != first.id
    assert sweeps.end(first.id, SweepState.CLEAN, "d" * 64, NOON)
    assert not sweeps.end(first.id, SweepState.CLEAN, None, NOON)
    assert sweeps.running("") is None
    assert sweeps.last_ended("") == sweeps.get(first.id)
    assert sweeps.last_completed("") == sweeps.get(first.id)
    broken = sweeps.begin("", "scheduled", NOON)
    sweeps.end(broken.id, SweepState.INCOMPLETE, None, NOON)
    assert sweeps.last_completed("") == sweeps.get(first.id)
    assert sweeps.begin("", "all", NOON).id != first.id


def test_totals_are_empty_again_when_every_unit_is_forgotten(engine: Engine, records: FixityRecords) -> None:
    unit = listed(records)
    records.record_checks([check_of(unit, 1, failed=["inventory.json"])])
    records.make_due(WORK, TODAY)
    listed(records)

    records.forget([unit.id])

    with sessions_of(engine)() as session:
        assert session.scalar(select(func.count()).select_from(FixityTallyRow)) == 0
