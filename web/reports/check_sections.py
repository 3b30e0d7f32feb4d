"""Builds the sections of a report about checks and findings. (pure)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode

from iiif_server.urls import PRESERVATION_FINDINGS, proof_path, staff_work_path
from preservation.reporting.report import PreservationReport, ReportedChecks, ReportedFinding, ReportedSweep
from repository.localized import Language, LocalizedText
from repository.store_label import store_label
from web.messages.interface import MESSAGES, translate
from web.operations.formatting import byte_size, grouped
from web.reports.document import Cell, ReportSection, ReportTable

_DUE_DAYS: Final = 30
_DIGEST: Final = 16
_HOUR: Final = 3600
_GRAVE: Final = {"findings", "incomplete"}


def findings_section(report: PreservationReport, language: Language) -> ReportSection:
    """Return what is wrong, and what was done about it."""
    sentences = [translate(language, "finding.none-open")]
    tables = []
    if report.open:
        sentences = [translate(language, "finding.open", count=grouped(report.open))]
        tables += [_by_kind(report, language), findings_table("open", report.open_findings, language)]
        if report.open > len(report.open_findings):
            sentences.append(translate(language, "finding.listed", count=len(report.open_findings)))
    if report.losses:
        tables.append(_losses(report, language))
    if report.ended_findings:
        tables.append(findings_table("ended", report.ended_findings, language))
    return ReportSection("findings", translate(language, "section.findings"), tuple(sentences), tuple(tables))


def _losses(report: PreservationReport, language: Language) -> ReportTable:
    headings = tuple(translate(language, f"lost.{name}") for name in ("work", "logged", "stored", "seen"))
    rows = tuple(
        (
            Cell(loss.work, loss.work, alert=True),
            _number(loss.logged),
            _number(loss.stored),
            Cell(_time(loss.first_seen), loss.first_seen),
        )
        for loss in report.losses
    )
    return ReportTable(translate(language, "lost.table"), headings, rows)


def findings_table(name: str, findings: Iterable[ReportedFinding], language: Language) -> ReportTable:
    """Return findings, open or ended, with what was done about each."""
    keys = ("finding.kind", "finding.where", "finding.work", "finding.seen", "finding.done", "finding.digests")
    rows = tuple(_finding_row(finding, language) for finding in findings)
    return ReportTable(
        translate(language, f"finding.list-{name}"), tuple(translate(language, key) for key in keys), rows
    )


def _finding_row(finding: ReportedFinding, language: Language) -> tuple[Cell, ...]:
    is_open = finding.state in {"open", "lost"}
    state = translate(language, f"finding-state.{finding.state}")
    done = _done(finding, language)
    ended = finding.ended[:10]
    parts = (f"{state} {ended}".strip(), done)
    digests = " / ".join(f"{digest[:_DIGEST]}…" if digest else "–" for digest in (finding.expected, finding.found))
    has_digest = finding.expected or finding.found
    return (
        Cell(_kind(finding.kind, language), finding.kind, alert=is_open),
        Cell(f"{store_label(finding.store)}: {finding.key}", f"{finding.store} {finding.key}"),
        Cell(
            finding.title or finding.work,
            finding.work,
            staff_work_path(finding.work) if finding.title else "",
            lang="zh",
        ),
        Cell(f"{_time(finding.first_seen)} / {_time(finding.last_seen)}", finding.first_seen),
        Cell(
            "；".join(filter(None, parts)) if language is Language.CHINESE else "; ".join(filter(None, parts)),
            finding.state,
        ),
        Cell(
            digests if has_digest else finding.detail,
            f"{finding.expected} {finding.found}".strip(),
            proof_path(finding.work) if finding.title and has_digest else "",
        ),
    )


def _done(finding: ReportedFinding, language: Language) -> str:
    """Return what was done about a finding; a repair records the store that the good bytes are from."""
    if finding.state == "repaired":
        return translate(language, "finding.repaired-from", store=store_label(finding.done))
    return translate(language, "finding.nothing-done") if finding.state == "open" else finding.done


def _by_kind(report: PreservationReport, language: Language) -> ReportTable:
    headings = tuple(translate(language, key) for key in ("checks.store", "finding.kind", "finding.count"))
    rows = tuple(
        (
            Cell(store_label(found.store), found.store),
            Cell(_kind(found.kind, language), found.kind),
            _number(found.count, _findings_path(found.store), alert=True),
        )
        for found in report.open_counts
    )
    return ReportTable(translate(language, "finding.by-kind"), headings, rows)


def checks_section(report: PreservationReport, language: Language) -> ReportSection:
    """Return what was checked, is due and is late, by store and class, with the forecast and the last sweeps."""
    sentences = [translate(language, "checks.cadence", days=report.cadence.days)]
    if rate := report.cadence.bytes_per_second:
        sentences.append(translate(language, "checks.rate", rate=byte_size(rate)))
        if waiting := sum(check.due_bytes for check in report.checks):
            time = _duration(waiting / rate)
            sentences.append(translate(language, "checks.forecast", bytes=byte_size(waiting), time=time))
    tables = [_by_class(report.checks, language)]
    if report.sweeps:
        tables.append(_sweeps(report.sweeps, language))
    if report.due:
        tables.append(_due(report, language))
    charts = tuple(name for name, shown in (("checked", report.preserved_checks), ("due", report.due)) if shown)
    return ReportSection("checks", translate(language, "section.checks"), tuple(sentences), tuple(tables), charts)


def _duration(seconds: float) -> LocalizedText:
    """Return a length of time in its unit for people: minutes, hours or days."""
    hours = seconds / _HOUR
    if hours < 1:
        minutes = max(1, round(seconds / 60))
        return LocalizedText(f"{minutes} 分钟", f"{minutes} min")
    if hours < 48:
        return LocalizedText(f"{hours:.1f} 小时", f"{hours:.1f} h")
    return LocalizedText(f"{hours / 24:.1f} 天", f"{hours / 24:.1f} d")


def _by_class(checks: Iterable[ReportedChecks], language: Language) -> ReportTable:
    names = ("store", "class", "files", "bytes", "oldest", "never", "due", "late", "failed", "not-checked")
    rows = tuple(
        (
            Cell(store_label(check.store), check.store),
            Cell(translate(language, f"class.{check.category}"), check.category),
            _number(check.files),
            Cell(byte_size(check.bytes), check.bytes, is_number=True),
            Cell(check.oldest or translate(language, "report.never"), check.oldest),
            _number(check.never, alert=True),
            _number(check.due),
            _number(check.late, alert=True),
            _number(check.failed, _findings_path(check.store), alert=True),
            _number(check.not_checked, alert=True),
        )
        for check in checks
    )
    headings = tuple(translate(language, f"checks.{name}") for name in names)
    return ReportTable(translate(language, "checks.table"), headings, rows)


def _sweeps(sweeps: Iterable[ReportedSweep], language: Language) -> ReportTable:
    names = ("number", "store", "started", "ended", "result", "expected", "passed", "failed", "not-checked", "canaries")
    rows = tuple(
        (
            _number(sweep.number),
            Cell(store_label(sweep.store), sweep.store),
            Cell(_time(sweep.started), sweep.started),
            Cell(_time(sweep.ended), sweep.ended),
            _result(sweep, language),
            _number(sweep.expected),
            _number(sweep.passed),
            _number(sweep.failed, _findings_path(sweep.store), alert=True),
            _number(sweep.not_checked, alert=True),
            Cell(f"{sweep.canaries} ({sweep.canaries_missed})", sweep.canaries_missed, alert=sweep.canaries_missed > 0),
        )
        for sweep in sweeps
    )
    return ReportTable(
        translate(language, "checks.sweeps"), tuple(translate(language, f"checks.{name}") for name in names), rows
    )


def _result(sweep: ReportedSweep, language: Language) -> Cell:
    if sweep.found_nothing_due:
        return Cell(translate(language, "sweep.nothing-due"), sweep.state)
    is_alert = sweep.state in {"findings", "incomplete"}
    return Cell(translate(language, f"sweep.{sweep.state}"), sweep.state, alert=is_alert)


def _due(report: PreservationReport, language: Language) -> ReportTable:
    headings = tuple(translate(language, f"checks.{name}") for name in ("day", "files", "bytes"))
    rows = tuple(
        (Cell(day.day, day.day), _number(day.files), Cell(byte_size(day.bytes), day.bytes, is_number=True))
        for day in report.due[:_DUE_DAYS]
    )
    return ReportTable(translate(language, "checks.due-table"), headings, rows)


def _number(value: int, path: str = "", *, alert: bool = False) -> Cell:
    return Cell(grouped(value), value, path if value else "", is_number=True, alert=alert and value > 0)


def _findings_path(store: str) -> str:
    return f"{PRESERVATION_FINDINGS}?{urlencode({'store': store})}"


def _kind(kind: str, language: Language) -> str:
    key = f"finding.{kind}"
    return translate(language, key) if key in MESSAGES else kind


def _time(time: str) -> str:
    return time[:16].replace("T", " ")
