"""Fixity checks of the log: damage of each single file is found, in logs of every shape, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from memory_log import MemoryWriterLock, temporary_signer
from planted_faults import flip

from preservation.fixity.findings import FixityTotals
from preservation.fixity.log_check import LogCheck
from preservation.log.log import ProvenanceLog
from preservation.log.merkle import TreeHead
from repository.paths import LOG, LOG_CHECKPOINT, LOG_COSIGNED, log_timestamped, log_witness
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore

SIGNER = temporary_signer("library.example/log")
SIZES = [1, 2, 255, 256, 257, 600, 1024]


def log_of(size: int, word: str = "event") -> tuple[ObjectStore, TreeHead]:
    store = memory_store()
    log = ProvenanceLog(store, SIGNER, MemoryWriterLock(5))
    log.append([f'{{"{word}":{number}}}'.encode() for number in range(size)])
    return store, log.checkpoint().head


def check(store: ObjectStore, *remembered: TreeHead) -> tuple[dict[str, str], FixityTotals]:
    """Check a log; return the kinds of what was found by key, and the totals, which add up."""
    sweep, found = LogCheck(store, SIGNER.key, remembered), {}
    totals = FixityTotals(expected=sweep.expected)
    for each in sweep.run():
        totals.count(each)
        if each.finding:
            found[each.key] = each.finding.kind.value
    totals.require_complete()
    return found, totals


def delete(store: ObjectStore, key: str) -> None:
    store.delete(key)


def cut(store: ObjectStore, key: str) -> None:
    store.put(key, store.read(key)[:-1])


def extend(store: ObjectStore, key: str) -> None:
    store.put(key, store.read(key) + b"\0\0")


DAMAGES = [(flip, "changed"), (delete, "missing"), (cut, "changed"), (extend, "changed")]


@pytest.mark.parametrize("size", SIZES)
def test_sound_log_passes_and_every_file_counts_once(size: int) -> None:
    store, head = log_of(size)
    found, totals = check(store, head)
    assert found == {}
    assert totals.passed == len(list(store.list(LOG)))


@pytest.mark.parametrize(("damage", "kind"), DAMAGES)
@pytest.mark.parametrize("size", SIZES)
def test_damage_of_each_single_file_is_found_and_nothing_else(
    size: int, damage: Callable[[ObjectStore, str], None], kind: str
) -> None:
    store, head = log_of(size)
    for key in [stored.key for stored in store.list(LOG)]:
        content = store.read(key)
        damage(store, key)
        found, totals = check(store, head)
        assert found == {key: kind}
        assert totals.expected == totals.checked
        store.put(key, content)


def test_files_after_a_lost_bundle_and_tile_are_not_checked() -> None:
    store, head = log_of(600)
    for key in ("log/tile/entries/000", "log/tile/0/000"):
        store.delete(key)
    found, totals = check(store, head)
    assert set(found) == {"log/tile/entries/000", "log/tile/0/000"}
    assert (totals.not_checked, totals.checked) == (5, 3)


def test_log_rewritten_without_its_key_contradicts_its_checkpoint() -> None:
    store, _ = log_of(300)
    forged, _ = log_of(300, "forgery")
    for stored in forged.list(f"{LOG}/tile"):
        store.put(stored.key, forged.read(stored.key))
    assert check(store)[0] == {LOG_CHECKPOINT: "witnesses-disagree"}


def test_log_signed_twice_contradicts_the_remembered_head() -> None:
    store, _ = log_of(300)
    _, other = log_of(300, "forgery")
    assert check(store, other)[0] == {LOG_CHECKPOINT: "witnesses-disagree"}


def test_partial_tiles_that_were_replaced_are_neither_counted_nor_unexpected() -> None:
    store = memory_store()
    log = ProvenanceLog(store, SIGNER, MemoryWriterLock(5))
    for number in range(7):
        log.append([b"%d" % number])
    assert check(store)[1].expected == 3


def test_cosigned_checkpoints_are_verified_by_their_signatures() -> None:
    store, head = log_of(3)
    for key in (LOG_COSIGNED, log_witness("0a1b")):
        store.put(key, store.read(LOG_CHECKPOINT))
    sound, totals = check(store, head)
    assert (sound, totals.expected) == ({}, 5)
    flip(store, LOG_COSIGNED)
    store.put(log_timestamped(3), store.read(LOG_CHECKPOINT))
    store.put("log/timestamped/readme", b"a file")
    assert check(store, head)[0] == {
        LOG_COSIGNED: "changed",
        log_timestamped(3): "changed",
        "log/timestamped/readme": "unexpected",
    }


def test_store_without_a_log_has_nothing_to_check_unless_one_is_remembered() -> None:
    assert LogCheck(memory_store(), SIGNER.key, ()).expected == 0
    _, head = log_of(1)
    assert check(memory_store(), head)[0] == {
        LOG_CHECKPOINT: "missing",
        "log/tile/0/000.p/1": "missing",
        "log/tile/entries/000.p/1": "missing",
    }


def test_log_that_was_put_back_to_an_older_state_lacks_what_was_signed_later() -> None:
    """The old log is whole by itself. A replica may lag; the primary store must hold everything that was signed."""
    store = memory_store()
    log = ProvenanceLog(store, SIGNER, MemoryWriterLock(5))
    log.append([b"{}"] * 3)
    old = copied(store)
    log.append([b"{}"] * 2)
    newest = log.checkpoint().head
    assert kinds(LogCheck(old, SIGNER.key, [newest])) == {}
    found = kinds(LogCheck(old, SIGNER.key, [newest], holds_newest=True))
    assert found == {"log/tile/entries/000.p/5": "missing", "log/tile/0/000.p/5": "missing"}


def test_checkpoint_that_was_signed_and_not_published_yet_is_no_finding() -> None:
    store = memory_store()
    log = ProvenanceLog(store, SIGNER, MemoryWriterLock(5))
    log.append([b"{}"] * 3)
    checkpoint = store.read(LOG_CHECKPOINT)
    log.append([b"{}"] * 2)
    newest = log.checkpoint().head
    store.put(LOG_CHECKPOINT, checkpoint)
    assert kinds(LogCheck(store, SIGNER.key, [newest], holds_newest=True)) == {}


def kinds(check: LogCheck) -> dict[str, str]:
    return {each.key: each.finding.kind.value for each in check.run() if each.finding}


def copied(store: ObjectStore) -> ObjectStore:
    other = memory_store()
    for stored in store.list():
        other.put(stored.key, store.read(stored.key))
    return other
