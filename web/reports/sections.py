"""Builds the sections of a report about what is held, and the whole document. (pure)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode

from iiif_server.urls import PRESERVATION_CONDITION, work_path
from preservation.reporting.formats import FormatRisk, facts_of, facts_of_version
from preservation.reporting.growth import forecast_of, growth_of
from preservation.reporting.ndsa import complete_copies, ndsa_levels
from preservation.reporting.report import DamagedOriginal, PreservationReport, ReportedVersion, version_unknown
from preservation.reporting.requirements import Fulfilment, Requirement
from preservation.reporting.trustseal import core_trust_seal
from preservation.reporting.verdict import verdict_of
from repository.localized import Language
from repository.model.condition import CAUSES, DAMAGE_GRADES, GRADES
from repository.store_label import store_label
from web.messages.interface import translate
from web.operations.formatting import byte_size, grouped
from web.reports.check_sections import checks_section, findings_section
from web.reports.document import Cell, Notice, ReportDocument, ReportSection, ReportTable

GROWTH_MONTHS: Final = 24

_ANCHORS: Final = {
    "damage": "findings",
    "lost": "findings",
    "canary": "checks",
    "unchecked": "checks",
    "replica": "places",
    "witness": "log",
    "key": "log",
}


def report_document(report: PreservationReport, language: Language) -> ReportDocument:
    """Return the document of a report in one language."""
    verdict = verdict_of(report)
    library = report.library or translate(language, "report.library")
    time = report.at.replace("T", " ").removesuffix("Z")
    return ReportDocument(
        title=translate(language, "report.title"),
        state=verdict.state.value,
        lead=verdict.sentence.in_language(language),
        about=translate(language, "report.about", library=library, time=time, software=report.software),
        notices=tuple(
            Notice(alarm.message.in_language(language), _ANCHORS[alarm.kind.value]) for alarm in verdict.alarms
        ),
        sections=(
            findings_section(report, language),
            checks_section(report, language),
            _holdings(report, language),
            _formats(report, language),
            _places(report, language),
            _growth(report, language),
            _condition(report, language),
            _log(report, language),
            _standard("ndsa", ndsa_levels(report), language),
            _standard("trust", core_trust_seal(report), language),
        ),
    )


def number_cell(value: int, path: str = "", *, alert: bool = False) -> Cell:
    """Return a cell with a number, grouped."""
    return Cell(grouped(value), value, path, is_number=True, alert=alert and value > 0)


def size_cell(value: int) -> Cell:
    """Return a cell with a number of bytes in decimal units."""
    return Cell(byte_size(value), value, is_number=True)


def _headings(language: Language, *keys: str) -> tuple[str, ...]:
    return tuple(translate(language, key) for key in keys)


def _holdings(report: PreservationReport, language: Language) -> ReportSection:
    sentence = translate(
        language,
        "holdings.sentence",
        works=grouped(report.works),
        images=grouped(report.images),
        bytes=byte_size(report.bytes),
    )
    headings = _headings(language, "holdings.class", "holdings.works", "holdings.images", "checks.bytes")
    rows = tuple(
        (
            Cell(group.name or translate(language, "report.unstated"), group.name, lang="zh" if group.name else ""),
            number_cell(group.works),
            number_cell(group.images),
            size_cell(group.bytes),
        )
        for group in report.classes
    )
    table = ReportTable(translate(language, "holdings.by-class"), headings, rows)
    return ReportSection("holdings", translate(language, "section.holdings"), (sentence,), (table,))


def _formats(report: PreservationReport, language: Language) -> ReportSection:
    rows, watched = [], 0
    for each in report.versions or map(version_unknown, report.formats):
        facts = facts_of_version(each.puid) if each.puid else facts_of(each.media_type)
        is_watched = each.risk != FormatRisk.LOW.value
        watched += is_watched
        rows.append(
            (
                Cell(each.name, each.name),
                Cell(_version_words(each, language), each.version),
                Cell(each.puid, each.puid),
                number_cell(each.works),
                number_cell(each.images),
                size_cell(each.bytes),
                Cell(translate(language, f"risk.{each.risk}"), each.risk, alert=is_watched),
                Cell(facts.reason.in_language(language)),
            )
        )
    headings = _headings(
        language,
        "formats.format",
        "formats.version",
        "formats.puid",
        "holdings.works",
        "holdings.images",
        "checks.bytes",
        "formats.risk",
        "formats.reason",
    )
    key = "formats.watch" if watched else "formats.none-watched"
    table = ReportTable(translate(language, "formats.table"), headings, tuple(rows))
    sentences = [translate(language, key, count=watched)]
    if any(not each.puid for each in report.versions):
        sentences.append(translate(language, "formats.unidentified"))
    return ReportSection("formats", translate(language, "section.formats"), tuple(sentences), (table,))


def _version_words(held: ReportedVersion, language: Language) -> str:
    if held.puid:
        return held.version or translate(language, "formats.no-version")
    return translate(language, "formats.unknown-version")


def _places(report: PreservationReport, language: Language) -> ReportSection:
    rows = tuple(
        (
            Cell(store_label(place.store), place.store),
            number_cell(place.works),
            number_cell(place.behind, alert=True),
            Cell(place.since[:10], place.since),
            Cell(place.failing[:10], place.failing, alert=bool(place.failing)),
        )
        for place in report.places
    )
    headings = _headings(language, "checks.store", "places.works", "places.behind", "places.since", "places.failing")
    sentences = (
        translate(language, "places.complete", copies=complete_copies(report)),
        translate(language, "places.where"),
    )
    table = ReportTable(translate(language, "places.table"), headings, rows)
    return ReportSection("places", translate(language, "section.places"), sentences, (table,))


def _growth(report: PreservationReport, language: Language) -> ReportSection:
    forecast = forecast_of(report)
    sentences = [translate(language, "growth.rate", rate=byte_size(forecast.bytes_per_year))]
    if forecast.year is None:
        sentences.append(translate(language, "growth.no-petabyte"))
    else:
        sentences.append(translate(language, "growth.petabyte", year=forecast.year))
    rows = tuple(
        (
            Cell(month.month, month.month),
            number_cell(month.works),
            size_cell(month.bytes),
            size_cell(month.total),
        )
        for month in growth_of(report)[-GROWTH_MONTHS:]
    )
    headings = _headings(language, "growth.month", "holdings.works", "growth.added", "growth.total")
    table = ReportTable(translate(language, "growth.table"), headings, rows)
    return ReportSection(
        "growth", translate(language, "section.growth"), tuple(sentences), (table,), ("growth",) if rows else ()
    )


def _condition(report: PreservationReport, language: Language) -> ReportSection:
    condition = report.condition
    title, what = translate(language, "section.condition"), translate(language, "condition.what")
    if condition == type(condition)():
        return ReportSection("condition", title, (translate(language, "condition.none"),), ())
    counted = _headings(language, "condition.grade", "condition.count")
    tables = [
        ReportTable(
            translate(language, key),
            counted,
            tuple(
                (
                    Cell(names[each.grade].in_language(language), each.grade),
                    number_cell(each.count, f"{PRESERVATION_CONDITION}?{urlencode({kind: each.grade})}"),
                )
                for each in counts
            ),
        )
        for key, kind, names, counts in (
            ("condition.damage", "damage", DAMAGE_GRADES, condition.damage),
            ("condition.grades", "grade", GRADES, condition.grades),
        )
        if counts
    ]
    if condition.severe:
        tables.append(conditions_table(translate(language, "condition.severe"), condition.severe, language))
    repairs = translate(language, "condition.repairs", count=condition.repairs)
    charts = ("damage",) if condition.damage else ()
    return ReportSection("condition", title, (what, repairs), tuple(tables), charts)


def conditions_table(caption: str, originals: Iterable[DamagedOriginal], language: Language) -> ReportTable:
    """Return works and volumes with their recorded condition."""
    names = ("finding.work", "condition.volume", "condition.grade", "condition.causes")
    headings = _headings(language, *names, "condition.assessed", "condition.repaired")
    rows = tuple(
        (
            Cell(each.title, each.work, work_path(each.work), lang="zh"),
            Cell(each.volume, each.volume, lang="zh"),
            Cell(_grade_name(each.damage, language), each.damage),
            Cell(_causes(each.causes, language), "、".join(each.causes)),
            Cell(each.assessed, each.assessed),
            Cell(each.repaired or translate(language, "report.none"), each.repaired),
        )
        for each in originals
    )
    return ReportTable(caption, headings, rows)


def _grade_name(damage: str, language: Language) -> str:
    return DAMAGE_GRADES[damage].in_language(language) if damage else translate(language, "report.unstated")


def _causes(causes: Iterable[str], language: Language) -> str:
    named = [CAUSES[cause].in_language(language) if cause in CAUSES else cause for cause in causes]
    return ("、" if language is Language.CHINESE else ", ").join(named)


def _log(report: PreservationReport, language: Language) -> ReportSection:
    log, title = report.log, translate(language, "section.log")
    sentence = translate(
        language,
        "log.sentence",
        size=grouped(log.size),
        staged=grouped(log.staged),
        timestamped=grouped(log.timestamped),
    )
    if not log.witnesses:
        missing = "log.witnesses-unread" if log.quorum else "log.no-witness"
        return ReportSection("log", title, (sentence, translate(language, missing)), ())
    rows = tuple(
        (Cell(witness.name, witness.name), number_cell(witness.size), Cell(_time(witness.time), witness.time))
        for witness in log.witnesses
    )
    caption = translate(language, "log.witnesses", quorum=log.quorum)
    table = ReportTable(caption, _headings(language, "log.witness", "log.cosigned", "log.time"), rows)
    return ReportSection("log", title, (sentence,), (table,))


def _time(time: str) -> str:
    return time.replace("T", " ").removesuffix("Z")


def _standard(name: str, requirements: tuple[Requirement, ...], language: Language) -> ReportSection:
    counts = {state.value: sum(each.fulfilment is state for each in requirements) for state in Fulfilment}
    title = translate(language, f"section.{name}")
    rows = tuple(
        (
            Cell(each.number, each.number),
            Cell(each.asks.in_language(language)),
            Cell(
                translate(language, f"fulfilment.{each.fulfilment.value}"),
                each.fulfilment.value,
                alert=each.fulfilment is Fulfilment.UNMET,
            ),
            Cell(each.evidence.in_language(language)),
        )
        for each in requirements
    )
    headings = _headings(language, "standard.number", "standard.asks", "standard.state", "standard.evidence")
    sentence = translate(language, "standard.counted", all=len(requirements), **counts)
    caption = translate(language, "standard.table", standard=title)
    return ReportSection(name, title, (sentence,), (ReportTable(caption, headings, rows),))
