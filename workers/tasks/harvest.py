"""The task that harvests one source, and what recurring work and alarms ask about sources.

A run that fails is recorded with its reason, and goes on from its last part when it is tried again. After a run that
changed records, those that may be of a work of this library are found again, and searches find what has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from repository.clock import timestamp
from repository.database.outbox import ACTIVE, Job
from repository.errors import ShanbenError
from repository.localized import LocalizedText
from repository.model.harvest import HarvestSource, SourceKind, SourceState
from repository.network.guarded_http import FetchLimits, GuardedClient, PartnerFaulty
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.harvest.iiif_documents import read_document
from workers.harvest.iiif_run import IiifHarvester
from workers.harvest.keeping import clean_again
from workers.harvest.names import read_names
from workers.harvest.oai_pmh import read_identity, request_url
from workers.harvest.oai_run import OaiHarvester, new_run
from workers.harvest.polite import PoliteClient
from workers.harvest.progress import RunRecorder
from workers.harvest.rules import RULES_VERSION, work_key
from workers.harvest.xml_documents import DocumentRefused
from workers.tasks.jobs import harvest_job, search_index_job

FULL_DAYS: Final = 7
"""The days between complete runs over a provider that does not keep its deletions (deletedRecord, OAI-PMH 2.5.1)."""

FAILING_DAYS: Final = 3
"""The days for which runs of a source may fail before that raises an alarm."""

LIMITS: Final = FetchLimits()
"""The bounds of each request to a partner."""

_RETRY_HOURS: Final = 6
_BATCH: Final = 500


def harvest_source(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``harvest``. The result has the totals of the run and whether it changed anything.

    Raises `NotFound`, `PartnerUnavailable`, `PartnerFaulty`, `DocumentRefused`, `AddressRefused`, `SourceFull`,
    `StoreFault`, `DatabaseFault`.
    """
    repository, name = context.repository, job.arguments["source"]
    source = repository.harvests.source(name)
    if source.state.rules != RULES_VERSION:
        clean_again(repository, name)
        source = repository.harvests.source(name)
    try:
        state = _run(repository, source, full=job.arguments["full"] == "1", accept=job.arguments["accept"] == "1")
    except ShanbenError as fault:
        _record_fault(repository, name, fault)
        raise
    if state.totals.has_changed:
        find_own_works(repository)
        repository.jobs.enqueue(search_index_job())
    return {"source": name, **msgspec.to_builtins(state.totals), "has_changed": state.totals.has_changed}


def _run(repository: Repository, source: HarvestSource, *, full: bool, accept: bool) -> SourceState:
    client = PoliteClient(guarded_client(repository), source.settings.rate)
    is_iiif = source.settings.kind is SourceKind.IIIF
    run = new_run(source.state, timestamp(repository.clock()), full=full or is_iiif or _is_full_due(repository, source))
    recorder = RunRecorder(repository, source, run)
    kind = IiifHarvester if is_iiif else OaiHarvester
    return kind(client, recorder, repository.settings.harvest_records).harvest(accept=accept)


def kind_of_source(client: GuardedClient, url: str) -> SourceKind:
    """Return the protocol that an address speaks, from its answer to Identify or to a plain request.

    Raises `PartnerFaulty` for any other answer, `PartnerUnavailable`, `AddressRefused`.
    """
    polite = PoliteClient(client, 1.0)
    for kind, address in ((SourceKind.OAI_PMH, request_url(url, {"verb": "Identify"})), (SourceKind.IIIF, url)):
        try:
            body = polite.get(address, "application/ld+json, application/json, text/xml").body or b""
            if kind is SourceKind.IIIF:
                read_document(body)
            else:
                read_identity(body)
        except (PartnerFaulty, DocumentRefused):
            continue
        return kind
    raise PartnerFaulty(url=url, reason=_NEITHER)


def guarded_client(repository: Repository) -> GuardedClient:
    """Return the client for requests to partners, which tells them whose it is."""
    settings = repository.settings
    agent = f"Shanben/1.0 (+{settings.base_url})" if settings.base_url else "Shanben/1.0"
    return GuardedClient(agent, LIMITS, settings.harvest_private)


def _is_full_due(repository: Repository, source: HarvestSource) -> bool:
    state = source.state
    if state.run is not None:
        return state.run.is_full
    if state.deletes == "persistent" or not state.completed:
        return not state.completed
    return repository.clock() - datetime.fromisoformat(state.completed) >= timedelta(days=FULL_DAYS)


def _record_fault(repository: Repository, name: str, fault: ShanbenError) -> None:
    now = timestamp(repository.clock())
    state = repository.harvests.source(name).state
    failed = replace(state, ended=now, failing=state.failing or now, fault=fault.message.to_json())
    repository.harvests.save_state(name, failed)


def due_harvests(repository: Repository) -> Iterator[str]:
    """Yield the names of sources whose next run is due and does not run yet."""
    now = repository.clock()
    for source in repository.harvests.sources():
        state, hours = source.state, source.settings.hours
        wait = timedelta(hours=min(hours, _RETRY_HOURS) if state.failing else hours)
        if hours and (not state.ended or now - datetime.fromisoformat(state.ended) >= wait):
            job = repository.jobs.get(harvest_job(source.name).key)
            if job is None or job.state not in ACTIVE:
                yield source.name


def harvest_alarms(repository: Repository) -> dict[str, LocalizedText]:
    """Return the alarms about sources by key: runs that fail for long, and records that many are missing of."""
    now, alarms = repository.clock(), {}
    for source in repository.harvests.sources():
        state = source.state
        if state.failing and now - datetime.fromisoformat(state.failing) >= timedelta(days=FAILING_DAYS):
            reason = LocalizedText.of_json(state.fault)
            alarms[f"harvest:{source.name}"] = _FAILING.format(name=source.name, day=state.failing[:10], reason=reason)
        elif state.totals.held_back:
            alarms[f"harvest:{source.name}"] = _HELD_BACK.format(name=source.name, count=state.totals.held_back)
    return alarms


def find_own_works(repository: Repository) -> None:
    """Find for all partners' records the works of this library that they may be of."""
    keys = _own_keys(repository)
    while works := dict(islice(keys, _BATCH)):
        repository.harvests.set_ours(works)


def _own_keys(repository: Repository) -> Iterator[tuple[str, str]]:
    """Yield the key of each published work with its identifier."""
    offset = 0
    while page := repository.catalogue.works(offset, _BATCH):
        for work in page:
            names = [name for creator in work.creator for name in read_names(creator)]
            yield work_key(work.title, names[0].name if names else ""), work.identifier
        offset += len(page)


_NEITHER: Final = LocalizedText(
    "既不是 OAI-PMH 服务，也不是 IIIF 集合或清单", "it is neither an OAI-PMH provider nor a IIIF collection or manifest"
)
_FAILING: Final = LocalizedText(
    "来源 {name} 自 {day} 起收割失败：{reason}",
    "harvesting from {name} has failed since {day}: {reason}",
)
_HELD_BACK: Final = LocalizedText(
    "来源 {name} 有 {count} 条记录忽然不再列出，已予保留；确属删除的，请运行"
    " shanben harvest run {name} --accept-deletions",
    "{count} {count:record|records} of {name} {count:is|are} suddenly no longer listed, and {count:was|were} kept; if"
    " the partner has deleted {count:it|them}, run shanben harvest run {name} --accept-deletions",
)
