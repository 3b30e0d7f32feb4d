"""Preservation reports for tests: one in which all is well, to be changed by `dataclasses.replace`."""

from __future__ import annotations

from preservation.reporting.report import (
    DamagedOriginal,
    DueDay,
    GradeCount,
    PreservationReport,
    ReportedCadence,
    ReportedChecks,
    ReportedCondition,
    ReportedFinding,
    ReportedGroup,
    ReportedLog,
    ReportedPlace,
    ReportedSweep,
    ReportedWitness,
)

AT = "2026-11-30T06:00:00Z"
REPLICA = "/srv/copy"


def sweep_of(store: str, number: int = 1, *, missed: int = 0, failed: int = 0) -> ReportedSweep:
    state = "findings" if failed else "clean"
    started, ended = "2026-11-30T01:00:00Z", "2026-11-30T02:00:00Z"
    return ReportedSweep(
        number, store, "due", started, ended, state, 100, 100 - failed, failed, 0, 360_000_000, 6, missed, "ab" * 32
    )


def finding_of(store: str = "store", kind: str = "changed", state: str = "open", done: str = "") -> ReportedFinding:
    ended = "" if state in {"open", "lost"} else "2026-11-30T03:00:00Z"
    key, work = "ocfl/ab/cd/w1/v1/content/masters/0001.tif", "w23456789abcd"
    seen = "2026-11-30T01:30:00Z"
    return ReportedFinding(
        1, store, key, kind, work, "論語集解", "aa" * 32, "bb" * 32, "", seen, seen, state, ended, done
    )


def well() -> PreservationReport:
    """Return a report in which two stores hold 40 works, all checked, and nothing is open."""
    stores = ("store", REPLICA)
    sweeps = tuple(sweep_of(store, number) for number, store in enumerate(stores, start=1))
    severe = DamagedOriginal(
        "w23456789abcd", "論語集解", "卷二", "一级破损", ("虫蛀", "酸化"), "2024-05-03", 1, "2025-01"
    )
    return PreservationReport(
        at=AT,
        library="某图书馆",
        software="shanben 0.2",
        works=40,
        images=9000,
        bytes=3 * 10**12,
        cadence=ReportedCadence(90, 100_000),
        classes=(
            ReportedGroup("", 1, 1, 5),
            ReportedGroup("经部", 30, 8000, 2 * 10**12),
            ReportedGroup("史部", 9, 999, 7),
        ),
        formats=(ReportedGroup("image/jp2", 10, 1000, 10**12), ReportedGroup("image/tiff", 30, 8000, 2 * 10**12)),
        months=(ReportedGroup("2026-01", 20, 4000, 10**12), ReportedGroup("2026-10", 20, 5000, 2 * 10**12)),
        places=(
            ReportedPlace("store", 40, 0, "2026-01-02T00:00:00Z"),
            ReportedPlace(REPLICA, 40, 0, "2026-01-03T00:00:00Z"),
        ),
        checks=tuple(
            ReportedChecks(store, category, files, size, 0, 10, 1000, 0, 0, 0, "2026-09-15")
            for store in stores
            for category, files, size in (("masters", 9000, 3 * 10**12), ("metadata", 200, 10**6), ("log", 9, 10**5))
        ),
        sweeps=sweeps,
        last_sweeps=sweeps,
        last_canaries=sweeps,
        due=(DueDay("2026-11-30", 100, 10**9), DueDay("2026-12-01", 110, 2 * 10**9)),
        log=ReportedLog(9100, 0, (ReportedWitness("witness.example", 9100, "2026-11-30T05:00:00Z"),), 1, 9100),
        condition=ReportedCondition((GradeCount("二级乙等", 3),), (GradeCount("一级破损", 1),), 4, (severe,)),
    )
