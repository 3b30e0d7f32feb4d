from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_log import MemoryWriterLock, temporary_signer
from pymerkle import InmemoryTree

from preservation.log import evidence, key_file, merkle, notes
from preservation.log.heads import RememberedCheckpointInvalid
from preservation.log.log import ProvenanceLog
from preservation.log.merkle import TreeHead
from preservation.log.tiles import StoredTree
from preservation.log.writer_lock import FileWriterLock
from repository.errors import DatabaseFault, LogBusy, LogInvalid, NotFound, RequestInvalid, StoreFault
from repository.paths import LOG_CHECKPOINT, parse_log_path
from repository.storage.folder import FolderStore
from repository.storage.lock_files import hold_lock_file
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore

pytestmark = pytest.mark.slow

SIGNER = temporary_signer("library.example/log")


def entries(count: int, start: int = 0) -> list[bytes]:
    return [f'{{"event":{number}}}'.encode() for number in range(start, start + count)]


def open_log(folder: Path, store: ObjectStore | None = None, seconds: float = 30.0) -> ProvenanceLog:
    return ProvenanceLog(store or FolderStore(folder / "store"), SIGNER, FileWriterLock(folder / "log.lock", seconds))


def contents(log: ProvenanceLog) -> list[bytes]:
    return list(log.entries(0, log.size))


class FailingStore:
    """A store that loses power at the n-th call and fails from then on; with `late` that call still takes effect."""

    def __init__(self, store: ObjectStore, calls: int, late: bool) -> None:
        self._store = store
        self._late = late
        self.left = calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.left -= 1
            if self.left < 0 or (self.left == 0 and not self._late):
                raise StoreFault(key=str(arguments[0]), reason="power cut")
            result = getattr(self._store, name)(*arguments)
            if self.left == 0:
                raise StoreFault(key=str(arguments[0]), reason="power cut")
            return list(result) if name == "list" else result

        return call


def test_new_log_is_empty_and_valid(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    audit = log.verify()
    assert (log.size, log.root, contents(log)) == (0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", [])
    assert (audit.ok, audit.size, audit.root) == (True, 0, log.root)
    assert log.checkpoint().size == 0
    with pytest.raises(NotFound):
        log.evidence(0)


@pytest.mark.parametrize("batches", [[0], [1], [1, 1, 1], [255, 1, 1], [256], [257], [0, 3, 600, 255], [100] * 9])
def test_log_keeps_appended_entries_in_order_and_verifies(tmp_path: Path, batches: list[int]) -> None:
    log = open_log(tmp_path)
    appended: list[bytes] = []
    for count in batches:
        assert log.append(entries(count, len(appended))) == len(appended)
        appended += entries(count, len(appended))
        audit = log.verify()
        assert (audit.problems, audit.size) == ((), len(appended))
    assert contents(log) == contents(open_log(tmp_path)) == appended
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(appended)
    assert log.checkpoint().root == (tree.get_root() if appended else merkle.EMPTY_ROOT)


def test_log_stores_exactly_the_tiles_of_the_specification(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for count in (5, 250, 300, 69_445):
        log.append(entries(count))
    names = {key.key.removeprefix("log/") for key in FolderStore(tmp_path / "store").list("log")}
    kinds: dict[str, list[int]] = {}
    for name in names - {"checkpoint"}:
        parsed = parse_log_path(name)
        assert parsed, name
        kinds.setdefault(parsed[0], []).append(parsed[2])
    # tlog-tiles, "Partial Tiles": the tiles of a tree of 70,000, without partial tiles that full ones replaced.
    assert log.size == 70_000
    assert sorted(kinds["0"]) == sorted(kinds["entries"]) == [112] + [256] * 273
    assert (sorted(kinds["1"]), kinds["2"]) == ([1, 2, 17, 256][-2:], [1])


def test_log_accepts_entries_up_to_65535_bytes(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    appended = [b"", b"x", bytes(65_535)]
    log.append(appended)
    with pytest.raises(RequestInvalid, match="65535"):
        log.append([b"fine", bytes(65_536)])
    assert contents(log) == appended
    assert log.verify().size == 3


def test_log_in_memory_works_the_same() -> None:
    log = ProvenanceLog(memory_store(), SIGNER, MemoryWriterLock(1))
    log.append(entries(300))
    log.append(entries(300, 300))
    assert contents(log) == entries(600)
    assert log.verify().ok


def test_log_evidence_of_every_entry_verifies_with_the_public_key(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(600))
    for index in (0, 1, 255, 256, 511, 512, 599):
        checked = evidence.verify(log.evidence(index), SIGNER.verifier_key)
        assert (checked.entry, checked.index, checked.size) == (log.entry(index), index, 600)
        assert notes.encode_base64(checked.root) == log.root
    for index in (-1, 600):
        with pytest.raises(NotFound):
            log.evidence(index)
        with pytest.raises(NotFound):
            log.entry(index)


def test_log_proves_its_extension_and_old_evidence_stays_valid(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(270))
    old, proof = log.checkpoint(), log.evidence(7)
    log.append(entries(700, 270))
    new = log.checkpoint()
    assert evidence.verify(proof, SIGNER.verifier_key).size == 270
    assert merkle.extends(old.head, new.head, log.consistency(270))
    assert not merkle.extends(TreeHead(270, new.root), new.head, log.consistency(270))
    with pytest.raises(NotFound):
        log.consistency(0)
    # A reader of the old checkpoint finds its partial tiles as prefixes of the full ones.
    assert StoredTree(FolderStore(tmp_path / "store"), 270).hash_of(0, 270) == old.root


@pytest.mark.parametrize("before", [0, 3, 300])
@pytest.mark.parametrize("late", [False, True])
def test_log_survives_a_power_cut_at_any_store_call(tmp_path: Path, before: int, late: bool) -> None:
    calls, finished, outcomes = 0, False, set()
    while not finished:
        calls += 1
        folder = tmp_path / str(calls)
        store = memory_store()
        folder.mkdir()
        if before:
            open_log(folder, store).append(entries(before))
        failing = FailingStore(store, calls, late)
        with suppress(StoreFault):
            open_log(folder, failing).append([b"lost?"] * 260)
        finished = failing.left > 0
        after = open_log(folder, store)
        assert after.verify().problems == (), calls
        kept = contents(after)
        assert kept in (entries(before), entries(before) + [b"lost?"] * 260), calls
        # The next batch has other entries: it overwrites objects that were never signed and keeps signed ones.
        assert after.append([b"next"] * 5) == len(kept)
        assert contents(after) == kept + [b"next"] * 5
        assert after.verify().problems == (), calls
        outcomes.add(len(kept))
    assert outcomes == {before, before + 260}
    assert calls > 10


def test_log_publishes_a_signed_unpublished_checkpoint_with_the_next_append(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(10))
    checkpoint = (tmp_path / "store" / LOG_CHECKPOINT).read_bytes()
    log.append(entries(300, 10))
    (tmp_path / "store" / LOG_CHECKPOINT).write_bytes(checkpoint)
    again = open_log(tmp_path)
    assert (again.size, contents(again)) == (310, entries(310))
    assert again.verify().ok
    assert again.append([]) == 310
    assert notes.parse_note((tmp_path / "store" / LOG_CHECKPOINT).read_bytes()).text.split("\n")[1] == "310"


def test_log_refuses_to_sign_over_a_rolled_back_store(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(10))
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    log.append(entries(10, 10))
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "backup").rename(tmp_path / "store")
    again = open_log(tmp_path)
    assert not again.verify().ok
    before = {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    with pytest.raises(LogInvalid, match="rolled back"):
        again.append([b"another history"])
    assert before == {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}


def test_log_refuses_another_history_signed_by_the_same_key(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(10))
    shutil.rmtree(tmp_path / "store")
    other = tmp_path / "other"
    other.mkdir()
    open_log(other).append([b"forged"] * 10)
    (other / "store").rename(tmp_path / "store")
    assert not open_log(tmp_path).verify().ok
    with pytest.raises(LogInvalid, match="rolled back"):
        open_log(tmp_path).append([b"more"])


def test_log_continues_from_the_store_without_a_remembered_checkpoint(tmp_path: Path) -> None:
    open_log(tmp_path).append(entries(10))
    older = (tmp_path / "log.signed").read_bytes()
    open_log(tmp_path).append(entries(300, 10))
    (tmp_path / "log.signed").write_bytes(older)
    assert open_log(tmp_path).append(entries(1, 310)) == 310
    (tmp_path / "log.signed").unlink()
    assert open_log(tmp_path).append(entries(1, 311)) == 311
    assert contents(open_log(tmp_path)) == entries(312)


@pytest.mark.parametrize("counts", [(10, 5), (10, 246), (10, 300), (256, 1), (256, 300), (300, 10)])
def test_log_with_an_outdated_checkpoint_overwrites_no_entry_when_none_is_remembered(
    tmp_path: Path, counts: tuple[int, int]
) -> None:
    store, (first, second) = tmp_path / "store", counts
    open_log(tmp_path).append(entries(first))
    outdated = (store / LOG_CHECKPOINT).read_bytes()
    open_log(tmp_path).append(entries(second, first))
    newest = (store / LOG_CHECKPOINT).read_bytes()
    (store / LOG_CHECKPOINT).write_bytes(outdated)
    (tmp_path / "log.signed").unlink()
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    [problem] = open_log(tmp_path).verify().problems
    assert f"entries after the {first} of its checkpoint" in problem.en
    with pytest.raises(LogInvalid, match=f"entries after the {first} of its checkpoint"):
        open_log(tmp_path).append([b"another history"] * second)
    assert before == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    (store / LOG_CHECKPOINT).write_bytes(newest)
    assert open_log(tmp_path).append([b"next"]) == first + second
    assert contents(open_log(tmp_path)) == [*entries(first + second), b"next"]


@pytest.mark.parametrize("content", [b"\0\0\0", b"", temporary_signer(SIGNER.origin).sign_note("another key\n")])
def test_damaged_memory_of_the_checkpoint_is_named_with_its_remedy(tmp_path: Path, content: bytes) -> None:
    open_log(tmp_path).append(entries(10))
    (tmp_path / "log.signed").write_bytes(content)
    [problem] = open_log(tmp_path).verify().problems
    assert "log.signed" in problem.zh
    with pytest.raises(RememberedCheckpointInvalid, match="log.signed in the data folder"):
        open_log(tmp_path).append(entries(1, 10))
    bundle = next((tmp_path / "store" / "log" / "tile" / "entries").rglob("10"))
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[:-1])
    assert len(open_log(tmp_path).verify().problems) > 1
    bundle.write_bytes(whole)
    (tmp_path / "log.signed").rename(tmp_path / "log.signed.damaged")
    assert open_log(tmp_path).verify().ok
    assert open_log(tmp_path).append(entries(1, 10)) == 10
    assert contents(open_log(tmp_path)) == entries(11)


@pytest.mark.parametrize("remembered", [True, False])
def test_log_with_a_lost_checkpoint_never_starts_again(tmp_path: Path, remembered: bool) -> None:
    open_log(tmp_path).append(entries(10))
    (tmp_path / "store" / LOG_CHECKPOINT).unlink()
    if not remembered:
        (tmp_path / "log.signed").unlink()
    assert not open_log(tmp_path).verify().ok
    with pytest.raises(LogInvalid, match="lost"):
        open_log(tmp_path).append([b"first again"])
    (tmp_path / "store" / "log" / "tile").rename(tmp_path / "gone")
    if remembered:
        assert not open_log(tmp_path).verify().ok


def test_log_does_not_sign_a_batch_that_the_store_damaged(tmp_path: Path) -> None:
    class Damaging:
        """Inverts one bit of the n-th object put."""

        def __init__(self, store: ObjectStore, put: int) -> None:
            self._store, self._left = store, put

        def put(self, key: str, content: bytes) -> None:
            self._left -= 1
            self._store.put(key, content[:-1] + bytes([content[-1] ^ 1]) if self._left == 0 else content)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

    for put in (1, 2, 3, 4, 5, 6, 7):  # two bundles, two leaf tiles, a tile of level 1, the checkpoint
        folder = tmp_path / str(put)
        store = memory_store()
        folder.mkdir()
        open_log(folder, store).append(entries(3))
        damaged = put <= 6
        try:
            open_log(folder, Damaging(store, put)).append(entries(300))
        except LogInvalid:
            assert damaged
        else:
            assert not damaged
        if put < 6:
            assert (open_log(folder, store).size, open_log(folder, store).verify().problems) == (3, ())


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a bit of an entry": ("tile/entries/000", lambda path: flip(path, 700)),
    "a bit of a length": ("tile/entries/001", lambda path: flip(path, 1)),
    "a bit of an entry in the last bundle": ("tile/entries/002.p/88", lambda path: flip(path, -1)),
    "a truncated bundle": ("tile/entries/001", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "a bundle too long": ("tile/entries/001", lambda path: path.write_bytes(path.read_bytes() + b"\0\0")),
    "an empty bundle": ("tile/entries/001", lambda path: path.write_bytes(b"")),
    "a missing bundle": ("tile/entries/000", Path.unlink),
    "a bit of a leaf tile": ("tile/0/001", lambda path: flip(path, 4000)),
    "a truncated tile": ("tile/0/000", lambda path: path.write_bytes(path.read_bytes()[:-32])),
    "a tile cut within a hash": ("tile/0/000", lambda path: path.write_bytes(path.read_bytes()[:-3])),
    "a missing tile": ("tile/0/001", Path.unlink),
    "a missing partial tile": ("tile/0/002.p/88", Path.unlink),
    "a bit of a tile of level 1": ("tile/1/000.p/2", lambda path: flip(path, 40)),
    "a missing tile of level 1": ("tile/1/000.p/2", Path.unlink),
    "the checkpoint's size": ("checkpoint", lambda path: path.write_bytes(path.read_bytes().replace(b"600", b"500"))),
    "the checkpoint's signature": ("checkpoint", lambda path: flip(path, -10)),
    "an empty checkpoint": ("checkpoint", lambda path: path.write_bytes(b"")),
    "no checkpoint": ("checkpoint", Path.unlink),
}


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("name", DAMAGES)
def test_audit_reports_every_kind_of_damage(tmp_path: Path, name: str, remembered: bool) -> None:
    open_log(tmp_path).append(entries(600))
    if not remembered:
        (tmp_path / "log.signed").unlink()
    assert open_log(tmp_path).verify().ok
    file, damage = DAMAGES[name]
    damage(tmp_path / "store" / "log" / file)
    audit = open_log(tmp_path).verify()
    assert not audit.ok
    assert all(problem.zh and problem.en for problem in audit.problems)


def test_audit_names_the_changed_entry(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(600))
    path = tmp_path / "store" / "log" / "tile" / "entries" / "001"
    path.write_bytes(path.read_bytes().replace(b'{"event":300}', b'{"event":301}'))
    assert any("entry 300 " in problem.en for problem in log.verify().problems)
    for damaged in (lambda: log.entry(300), lambda: contents(log), lambda: log.evidence(300)):
        with pytest.raises(LogInvalid):
            damaged()


def test_audit_reports_an_entry_changed_together_with_its_tiles(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(600))
    forged_folder = tmp_path / "forged"
    forged_folder.mkdir()
    forged = [*entries(300), b"forged", *entries(299, 301)]
    open_log(forged_folder).append(forged)
    shutil.rmtree(tmp_path / "store" / "log" / "tile")
    (forged_folder / "store" / "log" / "tile").rename(tmp_path / "store" / "log" / "tile")
    assert [problem.en for problem in log.verify().problems] == ["the first 600 entries do not give the signed root"]
    with pytest.raises(LogInvalid):
        log.evidence(300)
    with pytest.raises(LogInvalid):
        log.append([b"more"])


def test_log_does_not_sign_over_a_damaged_right_edge(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(600))
    tile = tmp_path / "store" / "log" / "tile" / "1" / "000.p" / "2"
    flip(tile, 3)
    with pytest.raises(LogInvalid, match="the stored hashes do not give the signed root"):
        log.append([b"more"])
    flip(tile, 3)
    flip(tmp_path / "store" / "log" / "tile" / "entries" / "002.p" / "88", 3)
    with pytest.raises(LogInvalid, match="the stored entries do not give the signed root"):
        log.append([b"more"])


def test_audit_of_a_wrecked_log_stops_after_100_problems(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append([b"x"] * 256 * 120)
    for path in (tmp_path / "store" / "log" / "tile" / "entries").iterdir():
        path.write_bytes(b"\xff")
    assert 100 <= len(log.verify().problems) <= 102


def test_file_writer_lock_admits_one_writer_and_limits_the_wait(tmp_path: Path) -> None:
    log = open_log(tmp_path, seconds=0.2)
    with hold_lock_file(tmp_path / "log.lock", 1.0, LogBusy()):
        started = time.monotonic()
        with pytest.raises(LogBusy):
            log.append([b"entry"])
        assert 0.15 < time.monotonic() - started < 5
    assert log.append([b"entry"]) == 0


def test_writer_whose_lock_file_was_deleted_signs_nothing_more(tmp_path: Path) -> None:
    """Another process could create the file and hold its lock at the same time."""
    log = open_log(tmp_path)
    with log.writing() as append:
        append(entries(1))
        (tmp_path / "log.lock").unlink()
        with pytest.raises(DatabaseFault):
            append(entries(1, 1))
    assert log.size == 1


def test_log_signed_by_another_key_is_not_extended(tmp_path: Path) -> None:
    open_log(tmp_path).append(entries(3))
    lock = FileWriterLock(tmp_path / "other.lock", 1)
    other_log = ProvenanceLog(FolderStore(tmp_path / "store"), temporary_signer(SIGNER.origin), lock)
    assert not other_log.verify().ok
    with pytest.raises(LogInvalid):
        other_log.append([b"mine"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=6))
def test_log_root_does_not_depend_on_batch_sizes(counts: list[int]) -> None:
    batched, single = (ProvenanceLog(memory_store(), SIGNER, MemoryWriterLock(1)) for _ in range(2))
    for count in counts:
        batched.append(entries(count, batched.size))
    single.append(entries(sum(counts)))
    assert batched.root == single.root
    assert batched.verify().ok


WRITER = """
import sys
from pathlib import Path
from preservation.log import key_file
from preservation.log.log import ProvenanceLog
from preservation.log.writer_lock import FileWriterLock
from repository.storage.folder import FolderStore

folder = Path(sys.argv[1])
lock = FileWriterLock(folder / "log.lock", 30)
log = ProvenanceLog(FolderStore(folder / "store"), key_file.load(folder / "keys"), lock)
for batch in range(100_000):
    first = log.append([b"%s %d %d" % (sys.argv[2].encode(), batch, place) for place in range(150)])
    print(first, batch, flush=True)
"""


@pytest.mark.slow
def test_log_keeps_every_confirmed_batch_of_writers_killed_repeatedly(tmp_path: Path) -> None:
    signer = key_file.create(tmp_path / "keys", SIGNER.origin)
    log = ProvenanceLog(FolderStore(tmp_path / "store"), signer, FileWriterLock(tmp_path / "log.lock", 30))
    chance = random.Random(7)
    confirmed: dict[int, bytes] = {}
    for run in range(12):
        output = tmp_path / f"{run}.txt"
        with output.open("wb") as file:
            command = [sys.executable, "-c", WRITER, str(tmp_path), str(run)]
            writer = subprocess.Popen(command, stdout=file, cwd=Path(__file__).parents[3])
            while not output.stat().st_size and writer.poll() is None:
                time.sleep(0.005)
            time.sleep(chance.random() * 0.15)
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
        for line in output.read_text().split("\n")[:-1]:
            first, batch = line.split()
            confirmed[int(first)] = f"{run} {batch} 0".encode()
        audit = log.verify()
        assert audit.problems == ()
        assert audit.size % 150 == 0
    kept = contents(log)
    assert len(confirmed) >= 12
    assert all(kept[index] == entry for index, entry in confirmed.items())
    assert len(set(kept)) == len(kept)
