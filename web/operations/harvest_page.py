"""The pages of staff about harvesting: sources and rules, the records of a source, and a record beside its source."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

from iiif_server import urls
from repository.errors import IntegrityError, KeyNotFound
from repository.localized import LocalizedText
from repository.model.harvest import HarvestedRecord, HarvestSource, RecordState
from repository.printable import printable_lines
from repository.repository import Repository
from web.accounts.staff import current_account, login_redirect, staff_response
from web.messages.interface import translate
from web.site.language import current_language
from web.site.partners import find_record, permit_pictures, same_works, shown_picture
from workers.harvest.clean_record import CleanRecord
from workers.harvest.keeping import cleaning_of, read_original, source_record_of
from workers.harvest.rules import RULES
from workers.harvest.source_record import FIELDS, SourceRecord
from workers.harvest.xml_documents import DocumentRefused

MOST_RECORDS: Final = 200
MOST_ORIGINAL: Final = 20_000
"""The most characters of an original that a page shows."""


def blueprint(repository: Repository) -> Blueprint:
    """Return the routes of the pages."""
    routes = Blueprint("harvest", __name__)
    page = _HarvestPages(repository)
    routes.get(urls.STAFF_HARVEST, endpoint="sources")(page.sources)
    routes.get(f"{urls.STAFF_HARVEST}/<name>", endpoint="source")(page.source)
    routes.get(f"{urls.STAFF_HARVEST}/<name>/<key>", endpoint="record")(page.record)
    return routes


class _HarvestPages:
    """The views of the pages; every account of staff may see them."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._harvests = repository.harvests

    def sources(self) -> Response:
        if current_account(self._repository.account_sessions) is None:
            return login_redirect()
        sources = self._harvests.sources()
        rows = [(source, self._harvests.counts(source.name), state_text(source)) for source in sources]
        return staff_response("harvest.html", rows=rows, rules=RULES)

    def source(self, name: str) -> Response:
        if current_account(self._repository.account_sessions) is None:
            return login_redirect()
        source = self._harvests.source(name)
        lists = {state: self._harvests.records(name, state, 0, MOST_RECORDS) for state in RecordState}
        return staff_response(
            "harvest_source.html",
            source=source,
            counts=self._harvests.counts(name),
            state=state_text(source),
            lists=(("live", lists[RecordState.LIVE]), ("gone", lists[RecordState.DELETED])),
            most=MOST_RECORDS,
        )

    def record(self, name: str, key: str) -> Response:
        if current_account(self._repository.account_sessions) is None:
            return login_redirect()
        source, record = self._harvests.source(name), find_record(self._repository, name, key)
        cleaning = cleaning_of(record)
        original, said, fault = self._original(source, record)
        permit_pictures(source)
        return staff_response(
            "harvest_record.html",
            source=source,
            record=record,
            rows=compared(said, cleaning.record),
            changes=cleaning.changes,
            rules={rule.name: rule for rule in RULES},
            original=printable_lines(original[:MOST_ORIGINAL]),
            is_cut=len(original) > MOST_ORIGINAL,
            fault=fault.in_language(current_language()) if fault else "",
            picture=shown_picture(source, record.thumbnail),
            same=same_works(self._repository, record),
            is_live=record.state is RecordState.LIVE,
        )

    def _original(
        self, source: HarvestSource, record: HarvestedRecord
    ) -> tuple[str, SourceRecord, LocalizedText | None]:
        """Return the original as text, what it says, and why it cannot be shown."""
        try:
            original = read_original(self._repository, source.name, record.key)[1]
        except (IntegrityError, KeyNotFound) as fault:
            return "", SourceRecord(), fault.message
        try:
            said = source_record_of(source.settings.kind, original) or SourceRecord()
        except DocumentRefused as fault:
            return original.decode("utf-8", "replace"), SourceRecord(), fault.message
        return original.decode("utf-8", "replace"), said, None


def state_text(source: HarvestSource) -> str:
    """Return the state of a source in words."""
    language, state = current_language(), source.state
    if state.failing:
        reason = LocalizedText.of_json(state.fault).in_language(language)
        return translate(language, "harvest.failing", date=state.failing[:10], reason=reason)
    if state.run:
        return translate(language, "harvest.running", listed=state.run.listed)
    if state.totals.held_back:
        return translate(language, "harvest.held-back", count=state.totals.held_back)
    return translate(language, "harvest.well" if state.succeeded else "harvest.never")


def compared(said: SourceRecord, cleaned: CleanRecord) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return the fields of a record, with what the source says and what became of it."""
    date = cleaned.date
    dates = (date.text, "/".join(dict.fromkeys(year for year in (date.earliest, date.latest) if year))) if date else ()
    after: dict[str, tuple[str, ...]] = {
        "title": (cleaned.title, *cleaned.alternatives),
        "creator": tuple(name.shown for name in cleaned.names),
        "date": dates,
        "edition": (cleaned.edition,),
        "place": cleaned.place,
        "language": cleaned.language,
        "classification": cleaned.classification,
        "holder": (cleaned.holder,),
        "call_number": cleaned.call_number,
        "dimensions": (cleaned.dimensions,),
        "summary": (cleaned.summary,),
        "rights": (cleaned.rights, *cleaned.rights_texts),
        "page": (cleaned.page,),
        "manifest": (cleaned.manifest,),
        "thumbnail": (cleaned.thumbnail,),
    }
    rows = [(name, getattr(said, name), tuple(filter(None, after[name]))) for name in FIELDS]
    return [row for row in rows if row[1] or row[2]]
