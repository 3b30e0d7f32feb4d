"""Runs over an OAI-PMH provider: changes are followed, an interrupted run goes on, hostile answers do no harm."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from partner_server import Answer, OaiProvider, dublin_core

from repository import paths
from repository.errors import ShanbenError
from repository.model.harvest import RecordState, record_key
from repository.network.guarded_http import FetchLimits, GuardedClient, PartnerUnavailable
from workers.harvest import polite
from workers.harvest.keeping import clean_again, cleaning_of, forget_source, read_original, restore_sources
from workers.harvest.progress import SourceFull
from workers.tasks import harvest
from workers.tasks.jobs import harvest_job


@pytest.fixture
def provider(harvesting: Any) -> OaiProvider:
    """Return a provider of five books, whose source is added."""
    provider = OaiProvider()
    for number in range(5):
        record = dublin_core(f"書{number}", creator="〔清〕某人撰", date="清乾隆四十七年")
        provider.put(f"oai:x:{number}", f"2025-01-0{number + 1}T00:00:00Z", record)
    harvesting.partner.answer = provider
    harvesting.add()
    return provider


def test_a_second_run_changes_nothing_and_asks_only_for_what_is_new(harvesting: Any, provider: OaiProvider) -> None:
    assert harvesting.run() == {"added": 5}
    before = harvesting.live()
    harvesting.partner.asked.clear()
    assert harvesting.run() == {}
    assert harvesting.live() == before
    listing = [query for _, query, _ in harvesting.partner.asked if query["verb"] == "ListRecords"]
    assert [query["from"] for query in listing] == [provider.now]


def test_changes_and_deletions_are_followed(harvesting: Any, provider: OaiProvider) -> None:
    harvesting.run()
    provider.put("oai:x:1", "2026-02-01T00:00:00Z", dublin_core("新題"))
    provider.put("oai:x:2", "2026-02-01T00:00:00Z", None)
    provider.now = "2026-02-02T00:00:00Z"
    assert harvesting.run() == {"changed": 1, "deleted": 1}
    assert sorted(harvesting.titles()) == ["新題", "書0", "書3", "書4"]
    gone = harvesting.repository.harvests.record("partner", record_key("oai:x:2"))
    assert gone.state is RecordState.DELETED
    provider.put("oai:x:2", "2026-03-01T00:00:00Z", dublin_core("書2"))
    assert harvesting.run() == {"added": 1}


def test_originals_are_kept_as_they_came_and_records_cleaned(harvesting: Any, provider: OaiProvider) -> None:
    harvesting.run()
    record = harvesting.live()[0]
    envelope, original = read_original(harvesting.repository, "partner", record.key)
    assert (envelope.identifier, envelope.datestamp) == ("oai:x:0", "2025-01-01T00:00:00Z")
    assert "〔清〕某人撰".encode() in original
    assert (record.creator, record.earliest, record.latest) == ("（清）某人撰", 1782, 1782)
    assert {change.rule for change in cleaning_of(record).changes} == {"names", "dates", "duplicates"}


def test_a_rebuilt_database_has_the_same_records(harvesting: Any, provider: OaiProvider) -> None:
    harvesting.run()
    before = harvesting.live()
    harvesting.repository.harvests.remove("partner")
    assert restore_sources(harvesting.repository) == 5
    assert harvesting.live() == before
    assert restore_sources(harvesting.repository) == 0
    assert harvesting.run() == {"unchanged": 5}


def test_a_damaged_original_is_left_out_and_fetched_again(harvesting: Any, provider: OaiProvider) -> None:
    harvesting.run()
    store, key = harvesting.repository.store, paths.harvested_record("partner", record_key("oai:x:3"))
    store.put(key, store.read(key) + b"x")
    assert clean_again(harvesting.repository, "partner") == 4


def test_a_removed_source_leaves_nothing(harvesting: Any, provider: OaiProvider) -> None:
    harvesting.run()
    forget_source(harvesting.repository, "partner")
    assert harvesting.repository.harvests.sources() == []
    assert list(harvesting.repository.store.list(paths.HARVESTED)) == []


def test_a_run_that_was_interrupted_goes_on_from_its_last_part(harvesting: Any, provider: OaiProvider) -> None:
    def fails_at_the_second_part(path: str, query: dict[str, str]) -> Answer:
        return Answer(status=418) if query.get("resumptionToken", "").endswith("|4") else provider(path, query)

    harvesting.partner.answer = fails_at_the_second_part
    with pytest.raises(ShanbenError):
        harvesting.run()
    state = harvesting.repository.harvests.source("partner").state
    assert (state.failing != "", state.run.listed, len(harvesting.live())) == (True, 4, 4)
    harvesting.partner.answer = provider
    harvesting.partner.asked.clear()
    assert harvesting.run() == {"added": 5}
    assert [query.get("resumptionToken") for _, query, _ in harvesting.partner.asked] == [None, "|4"]
    assert harvesting.repository.harvests.source("partner").state.failing == ""


def test_a_forgotten_token_begins_the_list_again(harvesting: Any, provider: OaiProvider) -> None:
    asked: list[str] = []

    def forgets(path: str, query: dict[str, str]) -> Answer:
        token = query.get("resumptionToken", "")
        if token and not asked:
            asked.append(token)
            return provider.answer('<error code="badResumptionToken">expired</error>')
        return provider(path, query)

    harvesting.partner.answer = forgets
    assert harvesting.run() == {"added": 5, "unchanged": 2}


def test_vanished_records_are_deleted_by_a_complete_run(harvesting: Any, provider: OaiProvider) -> None:
    provider.deleted = "no"
    harvesting.run()
    del provider.records["oai:x:0"]
    assert harvesting.run(full=True) == {"unchanged": 4, "deleted": 1}


@pytest.mark.parametrize("damage", ["damaged", "missing"])
def test_a_vanished_record_is_deleted_even_if_its_original_is_damaged(
    harvesting: Any, provider: OaiProvider, damage: str
) -> None:
    provider.deleted = "no"
    harvesting.run()
    store, key = harvesting.repository.store, paths.harvested_record("partner", record_key("oai:x:0"))
    if damage == "missing":
        store.delete(key)
    else:
        store.put(key, store.read(key) + b"x")
    del provider.records["oai:x:0"]
    assert harvesting.run(full=True) == {"unchanged": 4, "deleted": 1}
    gone = harvesting.repository.harvests.record("partner", record_key("oai:x:0"))
    assert gone.state is RecordState.DELETED
    assert harvesting.run(full=True) == {"unchanged": 4}
    harvesting.repository.harvests.remove("partner")
    assert restore_sources(harvesting.repository) == 4


@pytest.mark.parametrize("left", ["nothing", "less than stated"])
def test_an_empty_or_truncated_answer_deletes_nothing(harvesting: Any, provider: OaiProvider, left: str) -> None:
    harvesting.run()
    for identifier in list(provider.records)[: 5 if left == "nothing" else 1]:
        del provider.records[identifier]
    provider.size = 5
    totals = harvesting.run(full=True)
    assert (totals["held_back"], len(harvesting.live())) == (5 if left == "nothing" else 1, 5)
    assert list(harvest.harvest_alarms(harvesting.repository)) == ["harvest:partner"]
    assert harvesting.run(full=True, accept=True)["deleted"] == totals["held_back"]


def test_records_that_share_an_identifier_are_counted_and_the_newest_kept(
    harvesting: Any, provider: OaiProvider
) -> None:
    def collides(path: str, query: dict[str, str]) -> Answer:
        answer = provider(path, query)
        return Answer(answer.body.replace(b"oai:x:1", b"oai:x:0"))

    harvesting.partner.answer = collides
    assert harvesting.run() == {"added": 4, "collisions": 1}
    assert "書1" in harvesting.titles()
    assert "書0" not in harvesting.titles()


OAI = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(200):
        handler.wfile.write(b"x")
        time.sleep(0.02)


def raw(content: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: handler.wfile.write(content) and None


def listed(content: str) -> Answer:
    return Answer(f"{OAI}<responseDate>2026-01-01T00:00:00Z</responseDate>{content}</OAI-PMH>".encode())


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HOSTILE = {
    "too long": Answer(b" " * 400_000),
    "a bomb of gzip": Answer(gzip.compress(b" " * 40_000_000), headers={"Content-Encoding": "gzip"}),
    "damaged gzip": Answer(gzip.compress(b"x" * 1000)[:40], headers={"Content-Encoding": "gzip"}),
    "another encoding": Answer(b"x", headers={"Content-Encoding": "br"}),
    "a slow head": Answer(send=drip),
    "no HTTP": Answer(send=raw(b"\x00\x01\x02\r\n\r\n")),
    "ends early": Answer(send=raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")),
    "entities": Answer(f"{ENTITIES}{OAI}&b;</OAI-PMH>".encode()),
    "an external entity": Answer(
        f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>{OAI}<ListRecords>&a;</ListRecords></OAI-PMH>'.encode()
    ),
    "deep nesting": listed("<ListRecords>" + "<a>" * 200 + "</a>" * 200 + "</ListRecords>"),
    "very deep nesting": listed("<a>" * 20_000),
    "no XML": Answer(b"<html><p>down"),
    "no OAI-PMH": Answer(b"<x/>"),
    "UTF-16 that it is not": Answer(b'<?xml version="1.0" encoding="UTF-16"?><x/>'),
    "a redirect to itself": Answer(status=302, headers={"Location": "/oai?verb=ListRecords"}),
    "a redirect to a private address": Answer(status=302, headers={"Location": "http://10.0.0.1/"}),
    "a redirect to no address": Answer(status=302, headers={"Location": "http://[::1"}),
    "a redirect to a file": Answer(status=302, headers={"Location": "file:///etc/passwd"}),
    "the same token for ever": listed("<ListRecords><resumptionToken>t</resumptionToken></ListRecords>"),
    "a giant token": listed(f"<ListRecords><resumptionToken>{'t' * 9000}</resumptionToken></ListRecords>"),
    "an error": listed('<error code="badArgument">no</error>'),
    "forbidden": Answer(status=403),
    "unavailable": Answer(status=503, headers={"Retry-After": "100000"}),
    "unavailable until no date": Answer(status=503, headers={"Retry-After": f"Mon, 01 Jan {9**30} 00:00:00 GMT"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_answer_ends_the_run_and_harms_nothing(
    harvesting: Any, provider: OaiProvider, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "TRIES", 1)
    harvesting.run()
    seconds = 0.3 if what == "a slow head" else 30.0  # a busy machine must not fail a test
    limits = FetchLimits(largest=300_000, seconds=seconds)
    client = GuardedClient("test", limits, ["127.0.0.1"])
    before = harvesting.live()

    def hostile(path: str, query: dict[str, str]) -> Answer:
        return HOSTILE[what] if query.get("verb") == "ListRecords" else provider(path, query)

    harvesting.partner.answer = hostile
    started = time.monotonic()
    with monkeypatch.context() as limited:
        limited.setattr(harvest, "guarded_client", lambda _: client)
        with pytest.raises(ShanbenError) as caught:
            harvesting.run(full=True)
    assert caught.value.message.zh
    assert time.monotonic() - started < 20
    assert harvesting.live() == before
    harvesting.partner.answer = provider
    assert harvesting.run(full=True) == {"unchanged": 5}


def test_tokens_without_end_and_without_records_end_the_run(harvesting: Any, provider: OaiProvider) -> None:
    numbers = iter(range(10_000))

    def endless(path: str, query: dict[str, str]) -> Answer:
        if query.get("verb") != "ListRecords":
            return provider(path, query)
        return listed(f"<ListRecords><resumptionToken>{next(numbers)}</resumptionToken></ListRecords>")

    harvesting.partner.answer = endless
    with pytest.raises(ShanbenError, match="no records"):
        harvesting.run()


def test_records_without_end_end_the_run_at_the_limit(harvesting: Any, provider: OaiProvider) -> None:
    provider.page = 100
    for number in range(600):
        provider.put(f"oai:y:{number}", "2025-03-01T00:00:00Z", dublin_core("多"))
    with pytest.raises(ShanbenError, match="more than 500"):
        harvesting.run()


@pytest.mark.parametrize("limit", ["harvest_records", "harvest_bytes"])
def test_a_partner_whose_identifiers_change_in_every_run_does_not_fill_the_store(
    harvesting: Any, provider: OaiProvider, limit: str
) -> None:
    provider.deleted = "no"

    def run_with_others(number: int) -> dict[str, Any]:
        renamed = {f"oai:{number}:{at}": each for at, each in enumerate(provider.records.values())}
        provider.records = renamed
        return harvesting.run(full=True, accept=True)

    def held() -> tuple[int, int]:
        found = list(harvesting.repository.store.list(paths.harvested_records("partner")))
        return len(found), sum(each.size for each in found)

    run_with_others(1)
    count, size = held()
    most = 12 if limit == "harvest_records" else size * 25 // (2 * count)
    unlimited = harvesting.repository
    harvesting.repository = replace(unlimited, settings=replace(unlimited.settings, **{limit: most}))
    assert run_with_others(2) == {"added": 5, "deleted": 5}
    shown = harvesting.live()
    for _ in range(3):  # the next runs keep nothing more either
        with pytest.raises(SourceFull, match="remove partner") as caught:
            run_with_others(3)
    counts = harvesting.repository.harvests.counts("partner")
    assert (counts.live, counts.deleted) == (7, 5), "one part of two records had room, the next one not"
    assert held() == (12, harvesting.repository.harvests.held("partner").bytes)
    assert (limit.upper() in caught.value.message.zh, "上限" in caught.value.message.zh) == (True, True)
    assert harvesting.repository.harvests.source("partner").state.fault == caught.value.message.to_json()
    live = harvesting.live()
    assert all(record in live for record in shown)
    assert all(read_original(unlimited, "partner", record.key) for record in live)
    unlimited.harvests.remove("partner")
    assert restore_sources(unlimited) == 12
    assert held()[1] == unlimited.harvests.held("partner").bytes
    harvesting.repository = unlimited
    assert harvesting.run(full=True, accept=True) == {"added": 3, "unchanged": 2, "deleted": 5}


def test_a_busy_partner_is_asked_again_after_the_time_that_it_names(harvesting: Any, provider: OaiProvider) -> None:
    waited: list[float] = []
    busy = [Answer(status=503, headers={"Retry-After": "7"}), Answer(status=429), Answer(status=500)]

    def overloaded(path: str, query: dict[str, str]) -> Answer:
        return busy.pop(0) if busy else provider(path, query)

    harvesting.partner.answer = overloaded
    client = polite.PoliteClient(harvest.guarded_client(harvesting.repository), 1000.0, waited.append)
    client.get(f"{harvesting.partner.url}/oai?verb=Identify", "text/xml")
    long = [seconds for seconds in waited if seconds > 0.5]
    assert 7 <= long[0] <= 8.5
    assert 4 <= long[1] <= 5
    assert 8 <= long[2] <= 10


@pytest.mark.parametrize("absurd", ["9999-01-01T00:00:00Z", "yesterday", "", "2026-99"])
def test_a_provider_whose_clock_is_absurd_is_asked_from_the_day_before_the_run(
    harvesting: Any, provider: OaiProvider, absurd: str
) -> None:
    provider.now = absurd
    harvesting.run()
    since = datetime.fromisoformat(harvesting.repository.harvests.source("partner").state.since)
    assert timedelta(hours=23) < datetime.now(UTC) - since < timedelta(hours=25)


def test_requests_are_not_more_frequent_than_the_rate(harvesting: Any, provider: OaiProvider) -> None:
    waited: list[float] = []
    client = polite.PoliteClient(harvest.guarded_client(harvesting.repository), 0.01, waited.append)
    for _ in range(3):
        client.get(f"{harvesting.partner.url}/oai?verb=Identify", "text/xml")
    assert len(waited) == 2
    assert all(50 < seconds <= 100 for seconds in waited)


def test_a_partner_that_stays_away_fails_the_run_for_a_while(
    harvesting: Any, provider: OaiProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "TRIES", 1)
    harvesting.partner.answer = lambda path, query: Answer(status=502)
    with pytest.raises(PartnerUnavailable):
        harvesting.run()
    assert harvesting.repository.harvests.source("partner").state.fault["zh"]


def test_a_source_is_due_after_its_hours_sooner_after_a_failure_and_never_without_hours(
    harvesting: Any, provider: OaiProvider
) -> None:
    def due(hours: float) -> list[str]:
        later = datetime.now(UTC) + timedelta(hours=hours)
        return list(harvest.due_harvests(replace(harvesting.repository, clock=lambda: later)))

    assert due(0) == ["partner"]
    harvesting.run()
    assert (due(23), due(25)) == ([], ["partner"])
    harvesting.partner.answer = lambda path, query: Answer(status=403)
    with pytest.raises(ShanbenError):
        harvesting.run()
    assert (due(5), due(7)) == ([], ["partner"])
    later = datetime.now(UTC) + timedelta(days=harvest.FAILING_DAYS, hours=1)
    alarms = harvest.harvest_alarms(replace(harvesting.repository, clock=lambda: later))
    assert "403" in alarms["harvest:partner"].en
    assert harvest.harvest_alarms(harvesting.repository) == {}
    harvesting.repository.jobs.enqueue(harvest_job("partner"))
    assert due(25) == []
    harvesting.name = "manual"
    harvesting.add(hours=0)
    assert due(25) == []
