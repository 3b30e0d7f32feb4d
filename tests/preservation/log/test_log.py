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
from pymerkle import InmemoryTree

from preservation.log import evidence, merkle, notes, signing_key
from preservation.log.log import ProvenanceLog
from preservation.log.merkle import TreeHead
from preservation.log.tiles import StoredTree
from preservation.log.writer_lock import FileWriterLock, MemoryWriterLock
from repository.database.locks import hold_lock_file
from repository.errors import LogBusy, LogInvalid, NotFound, RequestInvalid, StoreFault
from repository.paths import LOG_CHECKPOINT, parse_log_path
from repository.storage.folder import FolderStore
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore

SIGNER = signing_key.generate("library.example/log")


def entries(count: int, start: int = 0) -> list[bytes]:
    return [f'{{"event":{number}}}'.encode() for number in range(start, start + count)]


def open_log(folder: Path, store: ObjectStore | None = None, seconds: float = 30.0) -> ProvenanceLog:
    return ProvenanceLog(store or FolderStore(folder / "store"), SIGNER, FileWriterLock(folder / "log.lock", seconds))


def contents(log: ProvenanceLog) -> list[bytes]:
    return list(log.entries(0, log.size))


class FailingStore:
    """A store whose power goes at the n-th call: nothing answers from then on. `late`: what that call does is done."""

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


def test_a_log_never_written_to_is_empty_and_sound(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    verdict = log.verify()
    assert (log.size, log.root, contents(log)) == (0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", [])
    assert (verdict.ok, verdict.size, verdict.root) == (True, 0, log.root)
    assert log.checkpoint().size == 0
    with pytest.raises(NotFound):
        log.evidence(0)


@pytest.mark.parametrize("batches", [[0], [1], [1, 1, 1], [255, 1, 1], [256], [257], [0, 3, 600, 255], [100] * 9])
def test_what_is_appended_is_there_in_order_and_verifies(tmp_path: Path, batches: list[int]) -> None:
    log = open_log(tmp_path)
    told: list[bytes] = []
    for count in batches:
        assert log.append(entries(count, len(told))) == len(told)
        told += entries(count, len(told))
        verdict = log.verify()
        assert (verdict.problems, verdict.size) == ((), len(told))
    assert contents(log) == contents(open_log(tmp_path)) == told
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(told)
    assert log.checkpoint().root == (tree.get_root() if told else merkle.EMPTY_ROOT)


def test_the_store_holds_the_tiles_of_the_specification_and_no_others(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for count in (5, 250, 300, 69_445):
        log.append(entries(count))
    names = {key.key.removeprefix("log/") for key in FolderStore(tmp_path / "store").list("log")}
    kinds: dict[str, list[int]] = {}
    for name in names - {"checkpoint"}:
        parsed = parse_log_path(name)
        assert parsed, name
        kinds.setdefault(parsed[0], []).append(parsed[2])
    # tlog-tiles, "Partial Tiles": the tree of 70,000, and nothing that full tiles have replaced.
    assert log.size == 70_000
    assert sorted(kinds["0"]) == sorted(kinds["entries"]) == [112] + [256] * 273
    assert (sorted(kinds["1"]), kinds["2"]) == ([1, 2, 17, 256][-2:], [1])


def test_entries_of_every_allowed_length_are_kept_and_longer_ones_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    told = [b"", b"x", bytes(65_535)]
    log.append(told)
    with pytest.raises(RequestInvalid, match="65535"):
        log.append([b"fine", bytes(65_536)])
    assert contents(log) == told
    assert log.verify().size == 3


def test_a_memory_log_works_the_same() -> None:
    log = ProvenanceLog(memory_store(), SIGNER, MemoryWriterLock(1))
    log.append(entries(300))
    log.append(entries(300, 300))
    assert contents(log) == entries(600)
    assert log.verify().ok


def test_evidence_of_every_entry_convinces_an_outsider(tmp_path: Path) -> None:
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


def test_old_evidence_still_holds_and_the_log_proves_that_it_only_grew(tmp_path: Path) -> None:
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
    # An outsider who still holds the old checkpoint finds its partial tiles in the full ones.
    assert StoredTree(FolderStore(tmp_path / "store"), 270).hash_of(0, 270) == old.root


@pytest.mark.parametrize("before", [0, 3, 300])
@pytest.mark.parametrize("late", [False, True])
def test_a_power_cut_at_any_call_leaves_a_log_that_verifies_and_goes_on(
    tmp_path: Path, before: int, late: bool
) -> None:
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
        # The next batch is another one: it overwrites what was never signed, and keeps what was.
        assert after.append([b"next"] * 5) == len(kept)
        assert contents(after) == kept + [b"next"] * 5
        assert after.verify().problems == (), calls
        outcomes.add(len(kept))
    assert outcomes == {before, before + 260}
    assert calls > 10


def test_what_was_signed_but_not_published_is_seen_here_and_published_next(tmp_path: Path) -> None:
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


def test_a_store_rolled_back_is_noticed_and_nothing_more_is_signed(tmp_path: Path) -> None:
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


def test_another_history_under_the_same_key_is_refused(tmp_path: Path) -> None:
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


def test_a_machine_that_lost_its_memory_goes_on_from_the_store(tmp_path: Path) -> None:
    open_log(tmp_path).append(entries(10))
    older = (tmp_path / "log.signed").read_bytes()
    open_log(tmp_path).append(entries(300, 10))
    (tmp_path / "log.signed").write_bytes(older)
    assert open_log(tmp_path).append(entries(1, 310)) == 310
    (tmp_path / "log.signed").unlink()
    assert open_log(tmp_path).append(entries(1, 311)) == 311
    assert contents(open_log(tmp_path)) == entries(312)


@pytest.mark.parametrize("remembered", [True, False])
def test_a_lost_checkpoint_never_begins_the_log_anew(tmp_path: Path, remembered: bool) -> None:
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


def test_a_batch_damaged_on_its_way_to_the_disk_is_not_signed(tmp_path: Path) -> None:
    class Damaging:
        """Turns one bit of the n-th object put."""

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
def test_the_audit_sees_every_damage(tmp_path: Path, name: str, remembered: bool) -> None:
    open_log(tmp_path).append(entries(600))
    if not remembered:
        (tmp_path / "log.signed").unlink()
    assert open_log(tmp_path).verify().ok
    file, damage = DAMAGES[name]
    damage(tmp_path / "store" / "log" / file)
    verdict = open_log(tmp_path).verify()
    assert not verdict.ok
    assert all(problem.zh and problem.en for problem in verdict.problems)


def test_the_audit_names_the_entry_that_was_changed(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(entries(600))
    path = tmp_path / "store" / "log" / "tile" / "entries" / "001"
    path.write_bytes(path.read_bytes().replace(b'{"event":300}', b'{"event":301}'))
    assert any("entry 300 " in problem.en for problem in log.verify().problems)
    for damaged in (lambda: log.entry(300), lambda: contents(log), lambda: log.evidence(300)):
        with pytest.raises(LogInvalid):
            damaged()


def test_an_entry_changed_together_with_its_tiles_is_still_found(tmp_path: Path) -> None:
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


def test_damage_at_the_edge_stops_the_signing(tmp_path: Path) -> None:
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


def test_a_wrecked_log_is_reported_without_end_to_the_report_being_reached(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append([b"x"] * 256 * 120)
    for path in (tmp_path / "store" / "log" / "tile" / "entries").iterdir():
        path.write_bytes(b"\xff")
    assert 100 <= len(log.verify().problems) <= 102


def test_only_one_writes_and_the_others_wait_a_bounded_time(tmp_path: Path) -> None:
    log = open_log(tmp_path, seconds=0.2)
    with hold_lock_file(tmp_path / "log.lock", 1.0, LogBusy()):
        started = time.monotonic()
        with pytest.raises(LogBusy):
            log.append([b"entry"])
        assert 0.15 < time.monotonic() - started < 5
    assert log.append([b"entry"]) == 0


def test_in_memory_too_only_one_writes() -> None:
    guard = MemoryWriterLock(0.05)
    with guard.hold(), pytest.raises(LogBusy), guard.hold():
        pass
    with guard.hold():
        pass


def test_a_log_of_another_key_is_not_continued(tmp_path: Path) -> None:
    open_log(tmp_path).append(entries(3))
    guard = FileWriterLock(tmp_path / "other.lock", 1)
    stranger = ProvenanceLog(FolderStore(tmp_path / "store"), signing_key.generate(SIGNER.origin), guard)
    assert not stranger.verify().ok
    with pytest.raises(LogInvalid):
        stranger.append([b"mine"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=6))
def test_however_it_is_batched_the_log_is_the_same(counts: list[int]) -> None:
    batched, at_once = (ProvenanceLog(memory_store(), SIGNER, MemoryWriterLock(1)) for _ in range(2))
    for count in counts:
        batched.append(entries(count, batched.size))
    at_once.append(entries(sum(counts)))
    assert batched.root == at_once.root
    assert batched.verify().ok


WRITER = """
import sys
from pathlib import Path
from preservation.log import signing_key
from preservation.log.log import ProvenanceLog
from preservation.log.writer_lock import FileWriterLock
from repository.storage.folder import FolderStore

folder = Path(sys.argv[1])
lock = FileWriterLock(folder / "log.lock", 30)
log = ProvenanceLog(FolderStore(folder / "store"), signing_key.load(folder / "keys"), lock)
for batch in range(100_000):
    first = log.append([b"%s %d %d" % (sys.argv[2].encode(), batch, place) for place in range(150)])
    print(first, batch, flush=True)
"""


def test_a_writer_killed_again_and_again_loses_nothing_it_was_told_is_kept(tmp_path: Path) -> None:
    signer = signing_key.create(tmp_path / "keys", SIGNER.origin)
    log = ProvenanceLog(FolderStore(tmp_path / "store"), signer, FileWriterLock(tmp_path / "log.lock", 30))
    chance = random.Random(7)
    promised: dict[int, bytes] = {}
    for life in range(12):
        output = tmp_path / f"{life}.txt"
        with output.open("wb") as file:
            command = [sys.executable, "-c", WRITER, str(tmp_path), str(life)]
            writer = subprocess.Popen(command, stdout=file, cwd=Path(__file__).parents[3])
            while not output.stat().st_size and writer.poll() is None:
                time.sleep(0.005)
            time.sleep(chance.random() * 0.15)
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
        for line in output.read_text().split("\n")[:-1]:
            first, batch = line.split()
            promised[int(first)] = f"{life} {batch} 0".encode()
        verdict = log.verify()
        assert verdict.problems == ()
        assert verdict.size % 150 == 0
    kept = contents(log)
    assert len(promised) >= 12
    assert all(kept[index] == entry for index, entry in promised.items())
    assert len(set(kept)) == len(kept)
