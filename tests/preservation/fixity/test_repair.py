"""Repairs of works and of the log: every planted fault is mended byte for byte from one good copy."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from planted_faults import FAULTS, MASTER, RECORD, flip, newest
from repairable_library import PLACES, FailingStore, RepairableLibrary, build_library, contents, copied

from preservation.fixity.findings import FindingKind, FixityFinding
from preservation.fixity.log_repair import LogRepair, LogRepairFacts
from preservation.fixity.logged_content import LoggedContent
from preservation.fixity.object_holding import RepairStore
from preservation.fixity.object_repair import (
    NEWER,
    NO_SECOND_WITNESS,
    READ_BACK,
    STORE_AWAY,
    ObjectRepair,
    RepairFacts,
)
from preservation.log import key_file
from preservation.log.log import ProvenanceLog
from preservation.log.writer_lock import FileWriterLock
from preservation.ocfl.inventory import parse_inventory
from preservation.ocfl.objects import write_version
from preservation.replication.transfer import NamedStore
from repository.database.log_sequence import LogSequence
from repository.errors import StoreDenied, StoreFault, StoreFull
from repository.paths import LOG_CHECKPOINT, ocfl_object
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore
from workers.deposit.examiner import ChildDepositExaminer

OTHER_MASTER = MASTER.replace("0002", "0001")
UNEXPECTED = {name for name in FAULTS if name.startswith(("unexpected", "unknown", "renamed", "several"))}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> RepairableLibrary:
    """The library that the tests copy: never changed."""
    return build_library(tmp_path_factory.mktemp("library"), examiner)


@pytest.fixture
def library(original: RepairableLibrary) -> RepairableLibrary:
    return original.on(memory_store)


@pytest.fixture
def root(library: RepairableLibrary) -> str:
    """The key of the first work's object."""
    return ocfl_object(library.works[0])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FAULTS)
def test_every_planted_fault_is_repaired_byte_for_byte(
    library: RepairableLibrary, root: str, place: str, name: str
) -> None:
    (other,) = {*PLACES} - {place}
    before = {each: contents(library.store(each)) for each in PLACES}
    FAULTS[name](library.store(place), root)
    outcome = library.repair()
    after = contents(library.store(place))
    assert {key: after.get(key) for key in before[place]} == before[place]
    assert contents(library.store(other)) == before[other]
    assert outcome.lost == []
    if name not in UNEXPECTED:
        assert outcome.left == []
        assert after == before[place]
        assert library.findings(place) == set()
        assert outcome.repaired


class Killed(BaseException):
    """Stands for the process that ends here."""


@pytest.mark.parametrize("moment", ["put", "was put"])
def test_repair_killed_at_any_write_harms_no_good_copy_and_ends_well_when_run_again(
    original: RepairableLibrary, moment: str
) -> None:
    whole = {place: contents(original.store(place)) for place in PLACES}
    for number in itertools.count():
        library = original.on(memory_store)
        root = ocfl_object(library.works[0])
        damage_differently(library, root)
        good = {place: intact(library.store(place), whole[place]) for place in PLACES}
        if not killed_at(library, moment, number):
            break
        for place in PLACES:
            assert good[place] <= intact(library.store(place), whole[place]), number
        assert library.repair().lost == []
        assert {place: contents(library.store(place)) for place in PLACES} == whole, number
    assert number == 8  # one put for each of the damaged files


def damage_differently(library: RepairableLibrary, root: str) -> None:
    primary, replica = (library.store(place) for place in PLACES)
    flip(primary, f"{root}/{MASTER}")
    primary.delete(f"{root}/inventory.json")
    flip(primary, f"{root}/v1/inventory.json.sha256")
    primary.delete(LOG_CHECKPOINT)
    flip(primary, newest(primary, "log/tile/0"))
    replica.delete(f"{root}/{RECORD}")
    flip(replica, f"{root}/v2/inventory.json")
    flip(replica, newest(replica, "log/tile/entries"))


def intact(store: ObjectStore, whole: dict[str, bytes]) -> set[str]:
    return {key for key, content in contents(store).items() if whole.get(key) == content}


def killed_at(library: RepairableLibrary, moment: str, number: int) -> bool:
    """Repair and be killed at the put with this number; return False if there is no such put."""
    numbers = itertools.count()

    def kill(action: str, _: str) -> None:
        if action == moment and next(numbers) == number:
            raise Killed

    stores = [FailingStore(library.store(place), kill) for place in PLACES]
    try:
        library.with_stores(*stores).repair()
    except Killed:
        return True
    return False


def test_file_damaged_differently_everywhere_is_lost_and_stays_as_it_is(library: RepairableLibrary, root: str) -> None:
    primary, replica = (library.store(place) for place in PLACES)
    flip(primary, f"{root}/{MASTER}")
    replica.put(f"{root}/{MASTER}", replica.read(f"{root}/{MASTER}")[:-1])
    primary.delete(f"{root}/{RECORD}")
    before = {place: library.store(place).read(f"{root}/{MASTER}") for place in PLACES}
    outcome = library.repair()
    assert [lost.key for lost in outcome.lost] == [f"{root}/{MASTER}"]
    assert {(each.kind.value, each.store) for each in outcome.lost[0].remains} == {
        ("damaged-copy", "store"),
        ("damaged-copy", library.replica),
        ("pyramid", "store"),
    }
    assert {place: library.store(place).read(f"{root}/{MASTER}") for place in PLACES} == before
    assert [each.key for each in outcome.repaired] == [f"{root}/{RECORD}"]


def test_renamed_file_is_found_by_its_content_where_no_store_has_it_under_its_name(
    library: RepairableLibrary, root: str
) -> None:
    whole = contents(library.store("store"))
    FAULTS["renamed_master"](library.store("store"), root)
    library.store("replica").delete(f"{root}/{MASTER}")
    outcome = library.repair(quarantine=True)
    assert (outcome.lost, outcome.left) == ([], [])
    assert contents(library.store("store")) == whole


@pytest.mark.parametrize("damaged", [(MASTER,), (OTHER_MASTER,), (MASTER, OTHER_MASTER)])
def test_exchanged_files_are_put_back_though_no_other_store_has_them_intact(
    library: RepairableLibrary, root: str, damaged: tuple[str, ...]
) -> None:
    whole = {place: contents(library.store(place)) for place in PLACES}
    exchange(library.store("store"), f"{root}/{MASTER}", f"{root}/{OTHER_MASTER}")
    for path in damaged:
        flip(library.store("replica"), f"{root}/{path}")
    outcome = library.repair()
    assert (outcome.lost, outcome.left) == ([], [])
    for place in PLACES:
        held = contents(library.store(place))
        assert {key: held[key] for key in held if not key.startswith("quarantine/")} == whole[place]


def test_exchanged_files_of_two_works_are_put_back_by_two_repairs(library: RepairableLibrary) -> None:
    whole = {place: contents(library.store(place)) for place in PLACES}
    keys = [f"{ocfl_object(work)}/v1/content/masters/0001.tif" for work in library.works]
    exchange(library.store("store"), *keys)
    flip(library.store("replica"), keys[0])
    first, second = library.repair(), library.repair()
    assert ([each.key for each in first.lost], second.lost) == ([keys[0]], [])
    for place in PLACES:
        held = contents(library.store(place))
        assert {key: held[key] for key in held if not key.startswith("quarantine/")} == whole[place]


def test_exchanged_files_that_another_store_has_intact_leave_nothing_in_the_quarantine(
    library: RepairableLibrary, root: str
) -> None:
    whole = contents(library.store("store"))
    exchange(library.store("store"), f"{root}/{MASTER}", f"{root}/{OTHER_MASTER}")
    library.repair()
    assert contents(library.store("store")) == whole


def exchange(store: ObjectStore, first: str, second: str) -> None:
    contents_of = store.read(first), store.read(second)
    store.put(second, contents_of[0])
    store.put(first, contents_of[1])


def test_source_that_changes_while_it_is_read_is_never_stored(library: RepairableLibrary, root: str) -> None:
    key = f"{root}/{MASTER}"
    flip(library.store("store"), key)
    before, reads = library.store("store").read(key), itertools.count()

    def change(action: str, changed: str) -> None:
        if (action, changed) == ("read", key) and next(reads) == 1:  # the first read is the check's
            flip(library.store("replica"), key)

    changing = library.with_stores(library.store("store"), FailingStore(library.store("replica"), change))
    outcome = changing.repair()
    assert [lost.key for lost in outcome.lost] == [key]
    assert library.store("store").read(key) == before


@pytest.mark.parametrize("kind", [StoreFull, StoreDenied, StoreFault])
def test_store_that_cannot_be_written_is_named_and_the_others_are_repaired(
    library: RepairableLibrary, root: str, kind: type[StoreFault]
) -> None:
    for place in PLACES:
        store = library.store(place)
        flip(store, f"{root}/{MASTER if place == 'store' else RECORD}")
    before = contents(library.store("store"))

    def refuse(action: str, key: str) -> None:
        if action == "put":
            raise kind(key=key, reason="no")

    outcome = library.with_stores(FailingStore(library.store("store"), refuse), library.store("replica")).repair()
    assert {each.store for each in outcome.repaired} == {library.replica}
    assert {(each.store, each.key) for each in outcome.left} == {("store", f"{root}/{MASTER}")}
    assert contents(library.store("store")) == before
    assert outcome.lost == []


def test_nothing_is_called_lost_while_a_store_is_out_of_reach(library: RepairableLibrary, root: str) -> None:
    flip(library.store("store"), f"{root}/{MASTER}")

    def away(*_: str) -> None:
        raise StoreFault(key="", reason="connection refused")

    outcome = library.with_stores(library.store("store"), FailingStore(library.store("replica"), away)).repair()
    assert outcome.lost == []
    assert (f"{root}/{MASTER}", STORE_AWAY) in {(each.key, each.reason) for each in outcome.left}
    assert (library.replica, "") in {(each.store, each.key) for each in outcome.left}


def test_store_that_returns_other_bytes_than_were_written_is_named(library: RepairableLibrary, root: str) -> None:
    key = f"{root}/{MASTER}"
    flip(library.store("store"), key)

    def corrupt(action: str, put: str) -> None:
        if (action, put) == ("was put", key):
            flip(library.store("store"), key)

    outcome = library.with_stores(FailingStore(library.store("store"), corrupt), library.store("replica")).repair()
    assert READ_BACK.en in {each.reason.en.rpartition(": ")[2] for each in outcome.left}


def test_replica_with_a_longer_history_is_not_changed(library: RepairableLibrary, root: str) -> None:
    replica = library.store("replica")
    state = {path: path.encode() for path in ("metadata/work.json", "metadata/events.json")}
    write_version(replica, library.works[0], state, message="m", created="2026-01-02T03:04:05Z")
    flip(replica, f"{root}/{MASTER}")
    flip(library.store("store"), f"{root}/{RECORD}")
    replica.put(f"{root}/v3/notes.txt", b"x")
    before = contents(replica)
    outcome = library.repair(quarantine=True)
    assert {key: content for key, content in contents(replica).items() if key.startswith("ocfl/")} == {
        key: content for key, content in before.items() if key.startswith("ocfl/")
    }
    assert NEWER in {each.reason for each in outcome.left if each.store == library.replica}
    assert (f"{root}/{RECORD}", library.replica) in {(each.key, each.source) for each in outcome.repaired}


def test_old_inventory_that_satisfies_itself_and_not_the_log_is_not_taken(
    library: RepairableLibrary, root: str
) -> None:
    for place in PLACES:
        FAULTS["newest_version_undone"](library.store(place), root)
    flip(library.store("store"), f"{root}/{MASTER}")
    before = contents(library.store("store"))
    outcome = library.repair()
    after = contents(library.store("store"))
    assert {key for key in before if before[key] != after[key]} == {f"{root}/{MASTER}"}
    assert [each.key for each in outcome.repaired] == [f"{root}/{MASTER}"]
    assert f"{root}/v2" in {each.key for each in outcome.left}


def test_works_wait_while_the_log_that_must_confirm_them_is_lost(
    library: RepairableLibrary, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(library.store("store"), f"{root}/{MASTER}")
    for place in PLACES:
        for stored in list(library.store(place).list("log/tile")):
            library.store(place).delete(stored.key)
    before = contents(library.store("store"))
    # The catalogue's own events would give the log back.
    monkeypatch.setattr(LogSequence, "numbered_events", lambda *_: [])
    outcome = library.repair()
    assert contents(library.store("store")) == before
    assert NO_SECOND_WITNESS in {each.reason for each in outcome.left}


def test_log_lost_in_every_store_is_written_again_from_the_catalogue(library: RepairableLibrary) -> None:
    whole = {place: contents(library.store(place)) for place in PLACES}
    for place in PLACES:
        for stored in list(library.store(place).list("log")):
            library.store(place).delete(stored.key)
    outcome = library.repair()
    assert (outcome.lost, outcome.left) == ([], [])
    sources = {(each.store, each.source) for each in outcome.repaired if "/entries/" in each.key}
    assert ("store", "catalogue") in sources
    for place in PLACES:
        assert library.findings(place) == set()
        assert contents(library.store(place))[LOG_CHECKPOINT] == whole[place][LOG_CHECKPOINT]


def test_repair_of_the_log_reads_what_is_good_once_and_what_differs_twice(tmp_path: Path) -> None:
    key = key_file.create(tmp_path, "library.example/log")
    stores = {"store": memory_store()}
    log = ProvenanceLog(stores["store"], key, FileWriterLock(tmp_path / "lock", 1))
    log.append([b"%d" % number for number in range(600)])
    older = stores["store"].read(LOG_CHECKPOINT)
    log.append([b"%d" % number for number in range(600, 700)])
    stores["replica"] = copied(stores["store"], memory_store())
    whole = contents(stores["store"])
    stores["replica"].put(LOG_CHECKPOINT, older)
    damaged = {"log/tile/entries/001", "log/tile/0/000", "log/tile/1/000.p/2"}
    for each in damaged:
        flip(stores["replica"], each)
    reads: Counter[tuple[str, str]] = Counter()

    def count(name: str, what: str, key: str) -> None:
        if what == "read" and key.startswith("log/tile/"):
            reads[name, key] += 1

    watched = [NamedStore(name, FailingStore(store, partial(count, name))) for name, store in stores.items()]
    outcome = LogRepair(watched, LogRepairFacts(log.key, [], lambda *_: [], lambda *_: False)).run()
    assert {each.key for each in outcome.repaired} == {*damaged, LOG_CHECKPOINT}
    assert contents(stores["replica"]) == whole
    good = [number for (_, key), number in reads.items() if "/002.p/" in key]
    assert (len(good), max(good)) == (4, 1)
    assert max(number for (name, _), number in reads.items() if name == "store") <= 3


def test_repair_leaves_a_newer_version_that_is_copied_meanwhile(library: RepairableLibrary, root: str) -> None:
    primary, replica = (library.store(place) for place in PLACES)
    whole, work = contents(replica), library.works[0]
    inventory = parse_inventory(primary.read(f"{root}/inventory.json"), root)
    for stored in list(replica.list(f"{root}/v2")):
        replica.delete(stored.key)
    for name in ("inventory.json", "inventory.json.sha256"):
        replica.put(f"{root}/{name}", primary.read(f"{root}/v1/{name}"))
    replica.delete(f"{root}/{MASTER}")

    def copy(what: str, key: str) -> None:
        if (what, key) == ("was put", f"{root}/{MASTER}"):
            for each, content in whole.items():
                replica.put(each, content)

    lost = FixityFinding(f"{root}/{MASTER}", FindingKind.MISSING, work)
    target = RepairStore("replica", cast(Any, FailingStore(replica, copy)), held=1, findings=[lost])
    facts = RepairFacts(LoggedContent(frozenset(inventory.manifest)), 2, {})
    outcome = ObjectRepair(work, [RepairStore("store", primary), target], facts).run()
    assert [each.key for each in outcome.repaired] == [lost.key]
    assert contents(replica) == whole


def test_forged_bytes_are_kept_in_the_quarantine_when_they_are_replaced(library: RepairableLibrary, root: str) -> None:
    store = library.store("store")
    FAULTS["master_replaced_with_its_inventories"](store, root)
    library.repair()
    kept = {stored.key.partition("/ocfl/")[2]: store.read(stored.key) for stored in store.list("quarantine")}
    assert kept[f"{root}/{MASTER}".removeprefix("ocfl/")] == b"forged"
    assert f"{root}/inventory.json".removeprefix("ocfl/") in kept
