"""The first sentence of a report and its alarms say what is known, and nothing is called well that was not checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from reports import REPLICA, finding_of, sweep_of, well

from preservation.reporting.growth import check_rate, forecast_of, growth_of
from preservation.reporting.ndsa import complete_copies, ndsa_levels
from preservation.reporting.report import (
    FindingCount,
    PreservationReport,
    ReportedGroup,
    ReportedKey,
    ReportedLoss,
    ReportedPlace,
    ReportedWitness,
    report_of_json,
    report_to_json,
)
from preservation.reporting.requirements import Fulfilment
from preservation.reporting.trustseal import core_trust_seal
from preservation.reporting.verdict import State, verdict_of

Change = Callable[[PreservationReport], dict[str, Any]]


def changed_check(index: int, **values: Any) -> Change:
    def change(report: PreservationReport) -> dict[str, Any]:
        checks = list(report.checks)
        checks[index] = replace(checks[index], **values)
        return {"checks": tuple(checks)}

    return change


def test_report_in_which_all_is_well_says_so_with_the_day_of_the_oldest_check() -> None:
    verdict = verdict_of(well())
    assert verdict.state is State.WELL
    assert verdict.sentence.zh == "一切正常。每一个保存的文件都在 2026-09-15 当天或之后校验过。没有需要决定的事项。"
    assert verdict.sentence.en == (
        "All is well. Every preserved file was checked on or after 2026-09-15. Nothing needs a decision."
    )


def test_report_without_holdings_says_so() -> None:
    empty = replace(
        well(), works=0, images=0, bytes=0, checks=(), classes=(), months=(), formats=(), condition=well().condition
    )
    assert verdict_of(empty).state is State.EMPTY


@pytest.mark.parametrize(
    "change",
    [
        changed_check(0, never=1),
        changed_check(5, never=2, oldest=""),
        changed_check(1, not_checked=1),
        changed_check(1, failed=1),
        lambda _: {"checks": ()},
        lambda _: {"unrecorded": 2},
    ],
)
def test_unchecked_files_are_never_called_well(change: Change) -> None:
    report = replace(well(), **change(well()))
    assert verdict_of(report).state is State.UNKNOWN


def test_works_that_were_added_since_the_last_sweep_are_not_said_to_be_checked() -> None:
    assert verdict_of(replace(well(), unrecorded=2)).sentence.en == (
        "No fault is known, but not everything was checked. 2 copies of works that were added since were not checked"
        " yet; every other preserved file was checked on or after 2026-09-15. Nothing needs a decision."
    )


def test_damaged_store_is_no_complete_copy_and_one_with_files_too_many_is() -> None:
    report = well()
    counts = [complete_copies(report)]
    for kind in ("changed", "unexpected"):
        damage = {"open_counts": (FindingCount(REPLICA, kind, 1),)} | changed_check(3, failed=1)(report)
        counts.append(complete_copies(replace(report, **damage)))
    assert counts == [2, 1, 2]


def test_store_written_today_whose_first_sweep_has_not_ended_raises_no_alarm() -> None:
    written = tuple(replace(place, since="2026-11-30T06:00:00Z") for place in well().places)
    months = (ReportedGroup("2026-11", 40, 9000, 3 * 10**12),)
    assert verdict_of(replace(well(), last_sweeps=(), places=written, months=months)).alarms == ()


def test_unchecked_files_that_can_be_made_again_are_no_matter() -> None:
    report = well()
    derived = replace(report.checks[0], category="pyramids", never=9, oldest="")
    assert verdict_of(replace(report, checks=(*report.checks, derived))).state is State.WELL


ALARMS: dict[str, Change] = {
    "damage:store": lambda _: {"open_counts": (FindingCount("store", "changed", 1),), "open_findings": (finding_of(),)},
    f"damage:{REPLICA}": lambda _: {"open_counts": (FindingCount(REPLICA, "missing", 2),)},
    "lost:": lambda _: {"lost": 1},
    "lost:works": lambda _: {"lost_works": 1, "losses": (ReportedLoss("w1", 2, 0, "2026-01-01T00:00:00Z"),)},
    "canary:store": lambda _: {"last_canaries": (sweep_of("store", missed=1),)},
    "unchecked:store": changed_check(0, late=3),
    f"unchecked:{REPLICA}": lambda report: {"last_sweeps": report.last_sweeps[:1]},
    f"replica:{REPLICA}": lambda report: {
        "places": (report.places[0], ReportedPlace(REPLICA, 30, 10, "", "2026-11-28T00:00:00Z"))
    },
    "witness:": lambda report: {
        "log": replace(report.log, witnesses=(ReportedWitness("w", 9000, "2026-11-28T00:00:00Z"),))
    },
    "key:TLS": lambda _: {"keys": (ReportedKey("TLS", "2026-12-20T00:00:00Z"),)},
}


@pytest.mark.parametrize("key", ALARMS)
def test_each_cause_raises_its_own_alarm_in_both_languages(key: str) -> None:
    verdict = verdict_of(replace(well(), **ALARMS[key](well())))
    assert verdict.state is State.ALARM
    assert [alarm.key for alarm in verdict.alarms] == [key]
    message = verdict.alarms[0].message
    assert message.zh != message.en
    assert "有 1 项需要处理" in verdict.sentence.zh


@pytest.mark.parametrize(
    "change",
    [
        lambda report: {"places": (report.places[0], ReportedPlace(REPLICA, 30, 10, "", "2026-11-30T00:00:00Z"))},
        lambda _: {"keys": (ReportedKey("TLS", "2027-12-20T00:00:00Z"),)},
        lambda report: {"log": replace(report.log, witnesses=(), quorum=0)},
    ],
)
def test_what_will_soon_be_done_raises_no_alarm(change: Change) -> None:
    assert verdict_of(replace(well(), **change(well()))).alarms == ()


def test_report_survives_its_document_which_holds_every_key() -> None:
    report = replace(well(), open_findings=(finding_of(),), keys=(ReportedKey("TLS", "2027-01-01T00:00:00Z"),))
    document = report_to_json(report)
    assert report_of_json(document) == report
    assert report_to_json(report_of_json(document)) == document
    assert b'"ended_findings":[]' in document
    with pytest.raises(ValueError, match="format"):
        report_of_json(document.replace(b"report 1", b"report 9"))


def test_growth_has_every_month_and_the_forecast_continues_the_last_year() -> None:
    months = growth_of(well())
    assert [month.month for month in months[:2]] == ["2026-01", "2026-02"]
    assert (months[-1].month, len(months), months[-1].total) == ("2026-11", 11, 3 * 10**12)
    forecast = forecast_of(well())
    assert forecast.bytes_per_year == 3 * 10**12 * 365 // 333
    assert forecast.year == 2026 + (10**15 - 3 * 10**12) // forecast.bytes_per_year
    assert forecast_of(replace(well(), months=(ReportedGroup("2020-01", 1, 1, 5),))).year is None
    assert growth_of(replace(well(), months=())) == ()


def test_rate_of_checks_is_that_of_all_sweeps_together() -> None:
    times = "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z"
    assert check_rate([(*times, 100), (*times, 300)]) == 20
    assert check_rate([]) == 0
    assert check_rate([(times[0], times[0], 5)]) == 0


def test_standards_are_judged_by_facts_and_never_answer_for_people() -> None:
    levels = {each.number: each for each in ndsa_levels(well())}
    assert {number[0] for number in levels} == set("SICMT")
    assert levels["S1.1"].fulfilment is Fulfilment.MET
    assert levels["S2.1"].fulfilment is Fulfilment.UNMET
    assert levels["S3.1"].fulfilment is Fulfilment.UNKNOWN
    assert levels["I3.1"].fulfilment is Fulfilment.MET
    damaged = replace(well(), open_counts=(FindingCount("store", "changed", 1),))
    assert {each.number: each for each in ndsa_levels(damaged)}["I4.2"].fulfilment is Fulfilment.UNMET
    seal = {each.number: each for each in core_trust_seal(well())}
    assert list(seal) == [f"R{number:02d}" for number in range(1, 17)]
    assert seal["R14"].fulfilment is Fulfilment.MET
    assert seal["R01"].fulfilment is Fulfilment.UNKNOWN
    assert {each.number: each for each in core_trust_seal(damaged)}["R14"].fulfilment is Fulfilment.UNMET


@pytest.mark.parametrize(
    ("ends", "words"),
    [("2026-12-20T00:00:00Z", "TLS ends on 2026-12-20"), ("2026-11-20T00:00:00Z", "TLS ended on 2026")],
)
def test_a_key_that_has_ended_is_not_said_to_end_in_future(ends: str, words: str) -> None:
    (alarm,) = verdict_of(replace(well(), keys=(ReportedKey("TLS", ends),))).alarms
    assert words in alarm.message.en
