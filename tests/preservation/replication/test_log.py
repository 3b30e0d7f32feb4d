"""Copies of the log: never backwards, never of another history, interrupted at every change of the store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from memory_log import MemoryWriterLock, temporary_signer

from preservation.log.heads import checkpoint_outdated
from preservation.log.log import ProvenanceLog
from preservation.replication.log import replicate_log
from preservation.replication.transfer import NamedStore
from repository.errors import EvidenceInvalid, LogInvalid
from repository.paths import LOG, LOG_CHECKPOINT, log_entries, log_tile
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore

SIGNER = temporary_signer("library.example/log")
STEPS = [0, 1, 2, 255, 1, 300, 256, 7, 1000]


def entries(count: int, start: int = 0, word: str = "event") -> list[bytes]:
    return [f'{{"{word}":{number}}}'.encode() for number in range(start, start + count)]


def log_of(size: int, word: str = "event") -> tuple[ProvenanceLog, NamedStore]:
    store = memory_store()
    log = ProvenanceLog(store, SIGNER, MemoryWriterLock(5))
    log.append(entries(size, 0, word))
    return log, NamedStore("main", store)


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {found.key: store.read(found.key) for found in store.list(LOG)}


def assert_same(source: NamedStore, target: NamedStore) -> None:
    """Assert that the target has every object of the newest tree and verifies."""
    log = ProvenanceLog(target.store, SIGNER, MemoryWriterLock(5))
    assert target.store.read(LOG_CHECKPOINT) == source.store.read(LOG_CHECKPOINT)
    assert log.verify().ok
    full = {key: body for key, body in contents(source.store).items() if ".p/" not in key}
    assert full.items() <= contents(target.store).items()


@pytest.mark.parametrize("whole", [True, False])
def test_log_copy_updated_after_every_batch_equals_the_source(whole: bool) -> None:
    log, source = log_of(0)
    target = NamedStore("copy", memory_store())
    size = 0
    for step in STEPS:
        log.append(entries(step, size))
        size += step
        copy = replicate_log(source, target, SIGNER.key, whole=whole)
        assert copy is not None
        assert (copy.size, copy.root) == (size, log.root)
        assert_same(source, target)
    stale = {
        key for key in contents(target.store) if key.partition(".p/")[0] in contents(target.store) and ".p/" in key
    }
    assert stale == set()


def test_log_copy_started_late_is_complete_and_a_second_run_puts_nothing() -> None:
    _, source = log_of(1100)
    target = NamedStore("copy", memory_store())
    amounts: list[int] = []
    assert replicate_log(source, target, None, on_progress=amounts.append) is not None
    assert sum(amounts) > 0
    assert_same(source, target)
    again = replicate_log(source, target, None, whole=True)
    assert again is not None
    assert again.totals.objects_put == 0


def test_log_copy_puts_only_new_objects() -> None:
    log, source = log_of(256 * 40)
    target = NamedStore("copy", memory_store())
    replicate_log(source, target, SIGNER.key)
    log.append(entries(3, log.size))
    copy = replicate_log(source, target, SIGNER.key)
    assert copy is not None
    assert copy.totals.objects_put == 4  # a bundle, the tiles of two levels, the checkpoint


def test_log_copy_from_a_store_without_a_log_is_none() -> None:
    assert replicate_log(NamedStore("a", memory_store()), NamedStore("b", memory_store()), SIGNER.key) is None


@pytest.mark.parametrize("whole", [True, False])
def test_log_copy_ahead_of_its_source_is_kept(whole: bool) -> None:
    log, source = log_of(300)
    target = NamedStore("copy", memory_store())
    old = contents(source.store)
    log.append(entries(400, 300))
    replicate_log(source, target, SIGNER.key)
    before = contents(target.store)
    for key in contents(source.store):
        source.store.delete(key)
    for key, body in old.items():
        source.store.put(key, body)
    copy = replicate_log(source, target, SIGNER.key, whole=whole)
    assert copy is not None
    assert copy.size == 700
    assert contents(target.store) == before


@pytest.mark.parametrize(("ours", "theirs"), [(300, 300), (300, 10), (10, 300)])
def test_log_of_another_history_is_refused_and_nothing_is_written(ours: int, theirs: int) -> None:
    _, source = log_of(ours)
    _, target = log_of(theirs, "other")
    before = contents(target.store)
    with pytest.raises(LogInvalid, match="main"):
        replicate_log(source, NamedStore("copy", target.store), SIGNER.key)
    assert contents(target.store) == before


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("ours", "theirs"), [(300, 300), (300, 10), (10, 300), (300, 600), (600, 300), (20, 20)])
@pytest.mark.parametrize("common", [0, 5])
def test_log_of_another_history_without_its_newest_checkpoint_is_refused_and_nothing_is_written(
    ours: int, theirs: int, common: int, whole: bool
) -> None:
    stores = []
    for name, size, word in (("main", ours, "event"), ("copy", theirs, "other")):
        log, named = log_of(common)
        outdated = named.store.read(LOG_CHECKPOINT)
        log.append(entries(size, common, word))
        stores.append(NamedStore(name, named.store))
    source, target = stores
    target.store.put(LOG_CHECKPOINT, outdated) if common else target.store.delete(LOG_CHECKPOINT)
    before = contents(target.store)
    with pytest.raises(LogInvalid, match="copy has log entries"):
        replicate_log(source, target, SIGNER.key, whole=whole)
    assert contents(target.store) == before


@pytest.mark.parametrize("key", [log_entries(0), log_entries(1), log_tile(0, 1), log_tile(1, 0, 2), LOG_CHECKPOINT])
@pytest.mark.parametrize("updating", [True, False])
def test_log_damaged_at_the_source_never_reaches_the_target(key: str, updating: bool) -> None:
    log, source = log_of(300)
    target = NamedStore("copy", memory_store())
    if updating:
        replicate_log(source, target, SIGNER.key)
    log.append(entries(300, 300))
    before = contents(target.store).get(LOG_CHECKPOINT)
    body = source.store.read(key)
    source.store.put(key, body[:40] + bytes([body[40] ^ 1]) + body[41:])
    try:
        replicate_log(source, target, SIGNER.key)
    except LogInvalid:
        assert contents(target.store).get(LOG_CHECKPOINT) == before
    else:
        assert updating  # an update reads no old entries, and recomputes tiles from the new ones
        assert ProvenanceLog(target.store, SIGNER, MemoryWriterLock(5)).verify().ok


@pytest.mark.parametrize("key", [log_entries(0), log_tile(0, 0)])
def test_whole_log_copy_replaces_damaged_objects_at_the_target(key: str) -> None:
    _, source = log_of(600)
    target = NamedStore("copy", memory_store())
    replicate_log(source, target, SIGNER.key)
    target.store.put(key, b"damaged")
    replicate_log(source, target, SIGNER.key, whole=True)
    assert_same(source, target)


def test_log_copy_refuses_a_checkpoint_signed_by_another_key() -> None:
    _, source = log_of(5)
    with pytest.raises(EvidenceInvalid, match="main → log/checkpoint: it is not signed by the key given"):
        replicate_log(source, NamedStore("copy", memory_store()), temporary_signer("library.example/log").key)


def test_damaged_checkpoint_is_named_with_its_store() -> None:
    _, source = log_of(5)
    target = NamedStore("copy {1}", memory_store())
    target.store.put(LOG_CHECKPOINT, b"damaged")
    with pytest.raises(EvidenceInvalid, match=r"copy \{1\} → log/checkpoint: it is not a signed note"):
        replicate_log(source, target, SIGNER.key)


class KilledError(BaseException):
    """Stands for the death of the process: no handler may catch it."""


class DyingStore:
    """A store whose process dies before change number `allowed`."""

    def __init__(self, store: ObjectStore, allowed: int) -> None:
        self._store = store
        self._allowed = allowed

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name in {"put", "delete"}:
            if self._allowed <= 0:
                raise KilledError
            self._allowed -= 1
        found: Callable[..., object] = getattr(self._store, name)
        return found


def test_log_copy_killed_before_any_change_verifies_and_the_next_run_completes_it() -> None:
    log, source = log_of(250)
    base = NamedStore("copy", memory_store())
    replicate_log(source, base, SIGNER.key)
    initial = contents(base.store)
    log.append(entries(600, 250))
    allowed, killed = 0, True
    while killed:
        store = memory_store()
        for key, body in initial.items():
            store.put(key, body)
        try:
            replicate_log(source, NamedStore("copy", DyingStore(store, allowed)), SIGNER.key)  # type: ignore[arg-type]
            killed = False
        except KilledError:
            allowed += 1
        # All that the copy's checkpoint covers is intact; entries may follow it until the copy is repeated.
        problems = ProvenanceLog(store, SIGNER, MemoryWriterLock(5)).verify().problems
        assert problems in ((), (checkpoint_outdated(250).message,))
        replicate_log(source, NamedStore("copy", store), SIGNER.key)
        assert_same(source, NamedStore("copy", store))
        assert ProvenanceLog(store, SIGNER, MemoryWriterLock(5)).verify().ok
    assert allowed > 8
