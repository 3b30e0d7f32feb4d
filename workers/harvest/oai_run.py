"""A run over an OAI-PMH provider: lists its records, all or those since the last run, part after part.

1. Identify, and choose the format: the richest that can be read.
2. Ask for the list, from the time of the provider's first answer of the last successful run.
3. Keep each part before the token of the next one is recorded.
4. After a complete run, follow what the provider no longer lists.

A provider that forgets a token (badResumptionToken) is asked from the beginning once: records that were kept already do
not change again. A token that comes again, parts without records and lists without end are faults.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from repository.clock import timestamp
from repository.localized import LocalizedText
from repository.model.harvest import HarvestRun, SourceState
from repository.network.guarded_http import PartnerFaulty
from workers.harvest.formats import read_record
from workers.harvest.keeping import ReceivedRecord
from workers.harvest.oai_pmh import (
    PREFERRED_FORMATS,
    ListedRecord,
    ProviderError,
    RecordList,
    read_formats,
    read_identity,
    read_records,
    request_url,
)
from workers.harvest.polite import PoliteClient
from workers.harvest.progress import RunRecorder
from workers.harvest.source_record import SourceRecord
from workers.harvest.xml_documents import DocumentRefused

ACCEPT: Final = "text/xml, application/xml"
MOST_EMPTY_PARTS: Final = 5
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_CLOCK_DIFFERENCE: Final = timedelta(days=1)
_BAD_TOKEN: Final = "badResumptionToken"  # noqa: S105 - a code of the protocol


class OaiHarvester:
    """Runs over one provider. `most` bounds the records of a run."""

    def __init__(self, client: PoliteClient, recorder: RunRecorder, most: int) -> None:
        self._client = client
        self._recorder = recorder
        self._most = most
        self._tokens: set[str] = set()
        self._empty = 0
        self._base = recorder.source.url

    def harvest(self, *, accept: bool) -> SourceState:
        """Run to the end. Raises `PartnerFaulty`, `PartnerUnavailable`, `DocumentRefused`, `SourceFull`."""
        identity = read_identity(self._get({"verb": "Identify"}))
        settings = self._recorder.source.settings
        prefix = settings.format or self._recorder.state.format or self._choose_format()
        self._recorder.note(format=prefix)
        arguments = {"verb": "ListRecords", "metadataPrefix": prefix, "set": settings.set}
        if not self._recorder.run.is_full:
            since = self._recorder.source.state.since
            arguments["from"] = since if identity.has_seconds else since[:10]
        try:
            self._list(arguments)
        except ProviderError as error:
            if error.details["name"] != _BAD_TOKEN or not self._recorder.run.token:
                raise
            self._tokens.clear()
            self._recorder.advance(token="", listed=0)
            self._list(arguments)
        if self._recorder.run.is_full:
            self._recorder.delete_vanished(accept=accept, is_doubtful=self._is_cut_short())
        return self._recorder.end(deletes=identity.deleted)

    def _choose_format(self) -> str:
        offered = read_formats(self._get({"verb": "ListMetadataFormats"}))
        for kind, _ in PREFERRED_FORMATS:
            if kind in offered:
                return offered[kind]
        reason = LocalizedText("不提供 mods、marcxml 或 oai_dc", "it offers none of mods, marcxml and oai_dc")
        raise PartnerFaulty(url=self._base, reason=reason)

    def _list(self, arguments: dict[str, str]) -> None:
        """List from the token of the run on, or from the beginning."""
        while True:
            token = self._recorder.run.token
            body = self._get({"verb": "ListRecords", "resumptionToken": token} if token else arguments)
            part = read_records(body)
            self._require_progress(part)
            self._keep(part)
            if not part.token:
                return

    def _require_progress(self, part: RecordList) -> None:
        """Raise `PartnerFaulty` for a list that does not come nearer to its end."""
        self._empty = 0 if part.records else self._empty + 1
        if part.token and part.token in self._tokens:
            self._fail(LocalizedText("续传标记重复出现", "it repeats a resumption token"))
        if part.token and self._empty >= MOST_EMPTY_PARTS:
            self._fail(LocalizedText("接连返回空的分页", "one part after another has no records"))
        if self._recorder.run.listed + len(part.records) > self._most:
            self._fail(LocalizedText(f"记录超过 {self._most} 条", f"it lists more than {self._most} records"))
        self._tokens.add(part.token)

    def _is_cut_short(self) -> bool:
        """Return whether the list ended before the size that it stated, which may be an estimate (section 3.5)."""
        run = self._recorder.run
        return run.size is not None and run.listed + run.totals.unreadable < run.size

    def _fail(self, reason: LocalizedText) -> None:
        """Forget the place of the run, because going on from there fails again."""
        self._recorder.advance(token="", listed=0)
        raise PartnerFaulty(url=self._base, reason=reason)

    def _keep(self, part: RecordList) -> None:
        run: HarvestRun = self._recorder.run
        received = [each for record in part.records if (each := self._received(record)) is not None]
        self._recorder.count(unreadable=part.unreadable + len(part.records) - len(received))
        self._recorder.record(
            received,
            token=part.token,
            listed=run.listed + len(part.records),
            size=part.size if part.size is not None else run.size,
            since=run.since or self._since(part.responded),
        )

    def _since(self, responded: str) -> str:
        """Return the time from which the next run asks: the provider's, or a day before this run if that is absurd.

        A time in the future would let every later run find nothing.
        """
        started = datetime.fromisoformat(self._recorder.run.started)
        is_time = _TIME.fullmatch(responded) is not None
        if is_time and responded <= timestamp(started + _CLOCK_DIFFERENCE):
            return responded
        return timestamp(started - _CLOCK_DIFFERENCE)

    def _received(self, record: ListedRecord) -> ReceivedRecord | None:
        """Return a listed record with what it says; None for one whose metadata cannot be read."""
        if record.element is None:
            return ReceivedRecord(record.identifier, record.datestamp, record.original, None)
        try:
            said = read_record(record.element)
        except DocumentRefused:
            return None
        if said == SourceRecord():
            return None
        return ReceivedRecord(record.identifier, record.datestamp, record.original, said)

    def _get(self, arguments: dict[str, str]) -> bytes:
        url = request_url(self._base, arguments)
        body = self._client.get(url, ACCEPT).body
        if body is None:
            reason = LocalizedText("未被询问即答“未变”", "it answers “not modified” without being asked")
            raise PartnerFaulty(url=url, reason=reason)
        return body


def new_run(state: SourceState, started: str, *, full: bool) -> HarvestRun:
    """Return the run that continues an interrupted one, or a new one."""
    if state.run is not None and state.run.is_full >= full:
        return replace(state.run)
    is_full = full or not state.since
    return HarvestRun(state.runs + 1, started, is_full)
