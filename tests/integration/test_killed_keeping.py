"""Processes that check, repair and log are killed at a durable write; the next process loses nothing and ends well.

The process dies by SIGKILL, and is started again as an operator would: with the same command. `make test` tries some
writes, `make chaos` every one (``KILLED_WRITES=all``) and prints how many there were.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from killed_keeping import keep_until_killed, settings_of
from planted_faults import MASTER, RECORD, flip, newest
from repairable_library import PLACES, RepairableLibrary, build_library, contents

from preservation.log.audit import audit
from preservation.log.sequencer import open_log, remembered_heads
from preservation.premis import parse_event
from repository.database.fixity_values import FindingState, RecordedFinding, SweepState
from repository.model.work import Event
from repository.paths import ocfl_object
from repository.repository import open_repository
from repository.storage.store import ObjectStore
from workers.deposit.examiner import ChildDepositExaminer

pytestmark = [pytest.mark.integration]

SOME_WRITES = (60, 150, 230, 310)
"""In sweeps, in the log and in repairs."""

MOST_DIFFERENCE = 120
"""How far the numbers of writes of two runs differ at most: an event may be logged before or after a sweep."""

LASTING_FAULTS = 4
"""Faults that stay until they are repaired; the next event may replace that of the log before a sweep sees it."""


@dataclass(frozen=True)
class DamagedLibrary:
    """A library whose stores are damaged in different places, and everything preserved in it before that."""

    folder: Path
    works: list[str]
    whole: dict[str, dict[str, bytes]]

    def renewed(self) -> RepairableLibrary:
        """Return the library as it was after the damage."""
        for name in ("var", "replica"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            shutil.copytree(self.folder / "damaged" / name, self.folder / name)
        return self.opened()

    def opened(self) -> RepairableLibrary:
        return RepairableLibrary(open_repository(settings_of(self.folder)), self.works)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> DamagedLibrary:
    folder = tmp_path_factory.mktemp("library")
    library = build_library(folder, examiner)
    whole = {place: contents(library.store(place)) for place in PLACES}
    root = ocfl_object(library.works[0])
    primary, replica = (library.store(place) for place in PLACES)
    flip(primary, f"{root}/{MASTER}")
    primary.delete(f"{root}/v1/inventory.json.sha256")
    replica.delete(f"{root}/{RECORD}")
    flip(replica, f"{root}/inventory.json")
    flip(replica, newest(replica, "log/tile/entries"))
    for name in ("var", "replica"):
        shutil.copytree(folder / name, folder / "damaged" / name)
    return DamagedLibrary(folder, library.works, whole)


def test_killed_at_a_write_of_sweep_repair_or_log_nothing_is_lost(damaged: DamagedLibrary) -> None:
    started, tried = time.monotonic(), 0
    for number in chosen_writes():
        before = damaged.renewed()
        good = {place: intact(before.store(place), damaged.whole[place]) for place in PLACES}
        if (writes := keep_until_killed(damaged.folder, number)) is not None:
            if number > writes + MOST_DIFFERENCE:
                break
            continue
        tried += 1
        after = damaged.opened()
        for place in PLACES:
            assert good[place] <= intact(after.store(place), damaged.whole[place]), number
        acknowledged = Acknowledged.of(after)
        assert keep_until_killed(damaged.folder, 0)
        assert_kept(damaged, acknowledged, number)
    assert tried > 1
    print(f"killed at {tried} writes in {time.monotonic() - started:.0f} s; nothing acknowledged was lost")


def chosen_writes() -> Iterator[int]:
    """Yield the numbers of the writes at which a process is killed: all without an end, those asked for, or a few."""
    chosen = os.environ.get("KILLED_WRITES", "")
    if chosen == "all":
        return itertools.count(1)
    return iter([int(number) for number in chosen.split(",")] if chosen else SOME_WRITES)


@dataclass(frozen=True)
class Acknowledged:
    """What a library has promised to keep: sweeps that ended, findings, events, and the entries of its log."""

    sweeps: set[tuple[int, str, str | None]]
    findings: set[tuple[int, str, str]]
    events: set[str]
    entries: list[bytes]

    @classmethod
    def of(cls, library: RepairableLibrary) -> Acknowledged:
        """Read it, and assert that the log is whole."""
        repository = library.repository
        assert audit(repository.store, remembered_heads(repository)).ok
        ended = [each for each in repository.sweeps.newest(100) if each.state is not SweepState.RUNNING]
        return cls(
            {(each.id, each.state.value, each.root) for each in ended},
            {(each.id, each.key, each.kind) for each in findings_of(library)},
            set(recorded_events(library)),
            log_entries(library, "store"),
        )


def assert_kept(damaged: DamagedLibrary, before: Acknowledged, number: int) -> None:
    """Assert that nothing acknowledged is lost, both stores are whole, and everything found is closed and logged."""
    library = damaged.opened()
    repository = library.repository
    after = Acknowledged.of(library)
    assert before.sweeps <= after.sweeps, number
    assert before.findings <= after.findings, number
    assert after.entries[: len(before.entries)] == before.entries, number
    events = [parse_event(entry) for entry in after.entries]
    identifiers = Counter(event.identifier for event in events)
    assert set(identifiers.values()) == {1}, number
    assert before.events <= identifiers.keys(), number
    for place in PLACES:
        held = contents(library.store(place))
        whole = {key: content for key, content in damaged.whole[place].items() if key.startswith("ocfl/")}
        assert {key: held[key] for key in held if key.startswith("ocfl/")} == whole, number
        assert library.findings(place) == set(), number
    assert log_entries(library, "replica") == after.entries, number
    assert_findings_are_logged(library, events, number)
    left = [path for path in damaged.folder.rglob("*") if {".incoming", "staging"} & {*path.parts} and path.is_file()]
    assert {path.name for path in left} <= {"lock", "held"}, (number, left)
    assert repository.sweeps.newest(1)[0].state is SweepState.CLEAN, number
    assert repository.jobs.failed() == [], number


def assert_findings_are_logged(library: RepairableLibrary, events: list[Event], number: int) -> None:
    """Assert that every finding has ended and that the log has it, and that each repair has its event."""
    findings = findings_of(library)
    assert {each.state for each in findings} <= {FindingState.REPAIRED, FindingState.CLOSED}, number
    acts = Counter(event.detail.get("act") for event in events)
    assert acts["finding"] == len(findings) >= LASTING_FAULTS, number
    assert acts["repair"] >= LASTING_FAULTS, number
    assert sum(each.state is FindingState.REPAIRED for each in findings) >= LASTING_FAULTS, number


def findings_of(library: RepairableLibrary) -> list[RecordedFinding]:
    records = library.repository.findings
    return [*records.open_findings(limit=100), *records.ended_findings(limit=100)]


def recorded_events(library: RepairableLibrary) -> set[str]:
    """Return the identifiers of all events that the database holds."""
    with closing(sqlite3.connect(library.repository.settings.data / "shanben.sqlite")) as connection:
        return {identifier for (identifier,) in connection.execute("SELECT identifier FROM events")}


def log_entries(library: RepairableLibrary, place: str) -> list[bytes]:
    log = replace(library.repository, store=library.store(place))
    return list(open_log(log).entries(0, open_log(log).size))


def intact(store: ObjectStore, whole: dict[str, bytes]) -> set[str]:
    """Return the keys of objects of works that are as they were."""
    held = contents(store)
    return {key for key, content in held.items() if whole.get(key) == content and key.startswith("ocfl/")}
