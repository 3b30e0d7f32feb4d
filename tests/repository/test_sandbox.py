from __future__ import annotations

import builtins
import ctypes
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sandbox_functions as functions

from repository.config import read_settings
from repository.errors import RenderingBusy, SandboxFailed, SettingInvalid, StoreFault
from repository.sandbox import Quota, SandboxPool


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[SandboxPool]:
    with SandboxPool(1, tmp_path, Quota(seconds=20)) as pool:
        yield pool


def alive(process: int) -> bool:
    """Whether a process lives; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_answers_and_is_used_again(pool: SandboxPool) -> None:
    assert pool.call(operator.add, 2, 3) == 5
    assert pool.call(os.getpid) == pool.call(os.getpid) != os.getpid()


def test_a_domain_error_comes_back_as_itself_and_the_child_lives(pool: SandboxPool) -> None:
    child = pool.call(os.getpid)
    with pytest.raises(SettingInvalid) as caught:
        pool.call(read_settings, {"SHANBEN_TILE_SIZE": "none"}, None)
    assert caught.value.details["name"] == "tile_size"
    assert pool.call(os.getpid) == child


@pytest.mark.parametrize("deadly", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_child_that_dies_fails_its_call_alone_and_is_replaced(pool: SandboxPool, deadly: signal.Signals) -> None:
    with pytest.raises(SandboxFailed, match=deadly.name):
        pool.call(signal.raise_signal, deadly)
    assert pool.call(operator.add, 1, 1) == 2


def test_a_crash_inside_native_code_is_survived(pool: SandboxPool) -> None:
    with pytest.raises(SandboxFailed, match="SIGSEGV"):
        pool.call(ctypes.string_at, 0)


def test_a_defect_is_told_by_its_last_line(pool: SandboxPool) -> None:
    with pytest.raises(SandboxFailed, match="ZeroDivisionError"):
        pool.call(operator.truediv, 1, 0)


def test_a_child_that_overstays_is_ended(tmp_path: Path) -> None:
    with SandboxPool(1, tmp_path, Quota(seconds=0.5)) as pool:
        started = time.monotonic()
        with pytest.raises(SandboxFailed, match=r"0\.5 s"):
            pool.call(time.sleep, 60)
        assert time.monotonic() - started < 10


def test_memory_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with SandboxPool(1, tmp_path, Quota(seconds=20, memory=256 << 20)) as pool:
        with pytest.raises(SandboxFailed, match="MemoryError"):
            pool.call(bytearray, 512 << 20)
        assert len(pool.call(bytes, 1 << 20)) == 1 << 20


def test_what_a_child_prints_stays_off_the_terminal(pool: SandboxPool, capfd: pytest.CaptureFixture[str]) -> None:
    pool.call(os.write, 2, b"a decoder's complaint\n")
    pool.call(builtins.print, "and more")
    assert capfd.readouterr() == ("", "")


def test_a_child_that_is_killed_from_outside_in_mid_call_fails_only_that_call(tmp_path: Path) -> None:
    with SandboxPool(1, tmp_path, Quota(seconds=20)) as pool, ThreadPoolExecutor(1) as threads:
        child = pool.call(os.getpid)
        call = threads.submit(pool.call, time.sleep, 15)
        time.sleep(0.2)
        os.kill(child, signal.SIGKILL)
        with pytest.raises(SandboxFailed, match="SIGKILL"):
            call.result(5)
        assert pool.call(os.getpid) != child


def test_a_child_that_ended_between_two_calls_is_replaced(pool: SandboxPool) -> None:
    child = pool.call(os.getpid)
    os.kill(child, signal.SIGKILL)
    while alive(child):
        time.sleep(0.01)
    assert pool.call(operator.add, 2, 3) == 5


def test_several_children_work_at_once(tmp_path: Path) -> None:
    with SandboxPool(3, tmp_path, Quota(seconds=20)) as pool, ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: pool.call(time.sleep, 0.5), range(3)))
        started = time.monotonic()
        list(threads.map(lambda _: pool.call(time.sleep, 0.5), range(3)))
        assert time.monotonic() - started < 1.2


def test_children_end_with_the_pool(tmp_path: Path) -> None:
    with SandboxPool(1, tmp_path, Quota(seconds=20)) as pool:
        child = pool.call(os.getpid)
        assert alive(child)
    assert not alive(child)
    pool.close()


PARENT = """
import os, sys, threading, time
from pathlib import Path
from repository.sandbox import SandboxPool, Quota, Channel
pool = SandboxPool(1, Path(sys.argv[1]), Quota(seconds=60))
print(pool.call(os.getpid), flush=True)
pool.call(time.sleep, 50)
"""


def test_a_busy_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


def test_children_outlive_the_thread_that_started_them(pool: SandboxPool) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(pool.call(os.getpid)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert pool.call(os.getpid) == found[0]


def test_the_current_folder_cannot_lend_a_child_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository/__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with SandboxPool(1, tmp_path, Quota(seconds=20)) as pool:
        assert pool.call(operator.add, 1, 2) == 3


@pytest.fixture
def talking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxPool]:
    """A pool of one child, which can import the functions that talk."""
    monkeypatch.setenv("PYTHONPATH", str(Path(functions.__file__).parent))
    with SandboxPool(1, tmp_path, Quota(seconds=10, niceness=5)) as pool:
        yield pool


def no_reply(question: object) -> None:
    raise AssertionError(question)


def test_parts_come_as_they_are_made_and_the_child_is_used_again(talking: SandboxPool) -> None:
    child = talking.call(os.getpid)
    talk = talking.talk(functions.give_parts, 50, 100_000, reply=no_reply)
    assert [part[:1] for part in talk] == [bytes([number]) for number in range(50)]
    assert talk.result == 50
    assert list(talk) == []
    assert talking.call(os.getpid) == child


def test_a_child_asks_its_parent(talking: SandboxPool) -> None:
    replies = {7: b"seven", 8: bytes(3 << 20)}
    assert list(talking.talk(functions.ask_twice, 7, 8, reply=replies.__getitem__)) == list(replies.values())


def test_a_child_may_ask_and_give_from_several_threads(talking: SandboxPool) -> None:
    talk = talking.talk(functions.ask_and_give_at_once, 100, reply=lambda _: bytes(500_000))
    assert sorted(part[0] for part in talk) == list(range(100))
    assert talk.result == 100 * 500_000


def test_a_parent_that_cannot_reply_ends_the_talk(talking: SandboxPool) -> None:
    def fail(question: object) -> None:
        raise StoreFault(key=str(question), reason="away")

    with pytest.raises(StoreFault):
        next(talking.talk(functions.ask_twice, 1, 2, reply=fail))
    assert talking.call(operator.add, 1, 1) == 2


def test_a_talk_that_is_closed_ends_its_child_and_frees_its_place(talking: SandboxPool) -> None:
    child = talking.call(os.getpid)
    with talking.talk(functions.give_parts, 1000, 1 << 20, reply=no_reply) as talk:
        next(talk)
    assert not alive(child)
    assert list(talk) == []
    assert talking.call(operator.add, 1, 1) == 2


def test_errors_after_the_first_part_are_raised_where_the_parts_are_taken(talking: SandboxPool) -> None:
    for function, error in (
        (functions.give_and_fail, RenderingBusy),
        (functions.give_and_break, SandboxFailed),
    ):
        talk = talking.talk(function, reply=no_reply)
        assert next(talk) == b"first"
        with pytest.raises(error):
            next(talk)


def test_only_the_time_that_a_child_takes_is_counted(talking: SandboxPool) -> None:
    talking.call(os.getpid)
    talk = talking.talk(functions.give_parts, 4, 1 << 20, 0.1, reply=no_reply)
    for _ in talk:
        time.sleep(1)
    with pytest.raises(SandboxFailed, match="10 s"):
        list(talking.talk(functions.give_parts, 200, 1, 0.1, reply=no_reply))


def test_a_child_stands_back_for_others(talking: SandboxPool) -> None:
    assert talking.call(os.getpriority, os.PRIO_PROCESS, 0) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
