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
import sandbox_functions

from repository.config import read_settings
from repository.errors import RenderingBusy, SandboxFailed, SettingInvalid, StoreFault
from repository.sandbox import Quota, SandboxPool


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[SandboxPool]:
    with SandboxPool(1, tmp_path, Quota(seconds=20)) as pool:
        yield pool


def alive(process: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_calls_return_results_and_reuse_the_child(pool: SandboxPool) -> None:
    assert pool.call(operator.add, 2, 3) == 5
    assert pool.call(os.getpid) == pool.call(os.getpid) != os.getpid()


def test_a_domain_error_is_raised_in_the_parent_and_the_child_survives(pool: SandboxPool) -> None:
    child = pool.call(os.getpid)
    with pytest.raises(SettingInvalid) as caught:
        pool.call(read_settings, {"SHANBEN_TILE_SIZE": "none"}, None)
    assert caught.value.details["name"] == "tile_size"
    assert pool.call(os.getpid) == child


@pytest.mark.parametrize("deadly", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_fails_only_its_call_and_the_child_is_replaced(pool: SandboxPool, deadly: signal.Signals) -> None:
    with pytest.raises(SandboxFailed, match=deadly.name):
        pool.call(signal.raise_signal, deadly)
    assert pool.call(operator.add, 1, 1) == 2


def test_a_crash_in_native_code_fails_only_its_call(pool: SandboxPool) -> None:
    with pytest.raises(SandboxFailed, match="SIGSEGV"):
        pool.call(ctypes.string_at, 0)


def test_the_reason_of_a_failure_is_the_last_line_of_the_traceback(pool: SandboxPool) -> None:
    with pytest.raises(SandboxFailed, match="ZeroDivisionError"):
        pool.call(operator.truediv, 1, 0)


def test_a_call_that_exceeds_its_time_is_killed(tmp_path: Path) -> None:
    with SandboxPool(1, tmp_path, Quota(seconds=0.5)) as pool:
        started = time.monotonic()
        with pytest.raises(SandboxFailed, match=r"0\.5 s"):
            pool.call(time.sleep, 60)
        assert time.monotonic() - started < 10


def test_a_call_cannot_exceed_its_memory(tmp_path: Path) -> None:
    with SandboxPool(1, tmp_path, Quota(seconds=20, memory=256 << 20)) as pool:
        with pytest.raises(SandboxFailed, match="MemoryError"):
            pool.call(bytearray, 512 << 20)
        assert len(pool.call(bytes, 1 << 20)) == 1 << 20


def test_output_of_a_child_does_not_reach_the_terminal(pool: SandboxPool, capfd: pytest.CaptureFixture[str]) -> None:
    pool.call(os.write, 2, b"a decoder's complaint\n")
    pool.call(builtins.print, "and more")
    assert capfd.readouterr() == ("", "")


def test_a_child_killed_during_a_call_fails_only_that_call(tmp_path: Path) -> None:
    with SandboxPool(1, tmp_path, Quota(seconds=20)) as pool, ThreadPoolExecutor(1) as threads:
        child = pool.call(os.getpid)
        call = threads.submit(pool.call, time.sleep, 15)
        time.sleep(0.2)
        os.kill(child, signal.SIGKILL)
        with pytest.raises(SandboxFailed, match="SIGKILL"):
            call.result(5)
        assert pool.call(os.getpid) != child


def test_a_child_killed_between_calls_is_replaced(pool: SandboxPool) -> None:
    child = pool.call(os.getpid)
    os.kill(child, signal.SIGKILL)
    while alive(child):
        time.sleep(0.01)
    assert pool.call(operator.add, 2, 3) == 5


def test_children_run_calls_in_parallel(tmp_path: Path) -> None:
    with SandboxPool(3, tmp_path, Quota(seconds=20)) as pool, ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: pool.call(time.sleep, 0.5), range(3)))
        started = time.monotonic()
        list(threads.map(lambda _: pool.call(time.sleep, 0.5), range(3)))
        assert time.monotonic() - started < 1.2


def test_closing_the_pool_ends_its_children(tmp_path: Path) -> None:
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
    children: list[int] = []
    thread = threading.Thread(target=lambda: children.append(pool.call(os.getpid)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert pool.call(os.getpid) == children[0]


def test_children_do_not_import_modules_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository/__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with SandboxPool(1, tmp_path, Quota(seconds=20)) as pool:
        assert pool.call(operator.add, 1, 2) == 3


@pytest.fixture
def session_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxPool]:
    """A pool of one child that can import `sandbox_functions`."""
    monkeypatch.setenv("PYTHONPATH", str(Path(sandbox_functions.__file__).parent))
    with SandboxPool(1, tmp_path, Quota(seconds=10, niceness=5)) as pool:
        yield pool


def refuse(value: object) -> None:
    raise AssertionError(value)


def test_a_session_yields_chunks_in_order_and_the_child_is_reused(session_pool: SandboxPool) -> None:
    child = session_pool.call(os.getpid)
    session = session_pool.open_session(sandbox_functions.send_chunks, 50, 100_000, respond=refuse)
    assert [chunk[:1] for chunk in session] == [bytes([number]) for number in range(50)]
    assert session.result == 50
    assert list(session) == []
    assert session_pool.call(os.getpid) == child


def test_a_session_answers_requests_of_the_child(session_pool: SandboxPool) -> None:
    responses = {7: b"seven", 8: bytes(3 << 20)}
    session = session_pool.open_session(sandbox_functions.request_twice, 7, 8, respond=responses.__getitem__)
    assert list(session) == list(responses.values())


def test_a_channel_may_be_used_by_several_threads(session_pool: SandboxPool) -> None:
    session = session_pool.open_session(sandbox_functions.request_while_sending, 100, respond=lambda _: bytes(500_000))
    assert sorted(chunk[0] for chunk in session) == list(range(100))
    assert session.result == 100 * 500_000


def test_an_error_of_the_responder_ends_the_session(session_pool: SandboxPool) -> None:
    def fail(value: object) -> None:
        raise StoreFault(key=str(value), reason="away")

    with pytest.raises(StoreFault):
        next(session_pool.open_session(sandbox_functions.request_twice, 1, 2, respond=fail))
    assert session_pool.call(operator.add, 1, 1) == 2


def test_closing_a_session_kills_its_child_and_starts_another(session_pool: SandboxPool) -> None:
    child = session_pool.call(os.getpid)
    with session_pool.open_session(sandbox_functions.send_chunks, 1000, 1 << 20, respond=refuse) as session:
        next(session)
    assert not alive(child)
    assert list(session) == []
    assert session_pool.call(operator.add, 1, 1) == 2


def test_errors_after_the_first_chunk_are_raised_by_the_iteration(session_pool: SandboxPool) -> None:
    for function, error in (
        (sandbox_functions.send_and_raise_domain_error, RenderingBusy),
        (sandbox_functions.send_and_crash, SandboxFailed),
    ):
        session = session_pool.open_session(function, respond=refuse)
        assert next(session) == b"first"
        with pytest.raises(error):
            next(session)


@pytest.mark.slow
def test_time_that_the_parent_takes_is_not_counted(session_pool: SandboxPool) -> None:
    session_pool.call(os.getpid)
    session = session_pool.open_session(sandbox_functions.send_chunks, 4, 1 << 20, 0.1, respond=refuse)
    for _ in session:
        time.sleep(1)
    with pytest.raises(SandboxFailed, match="10 s"):
        list(session_pool.open_session(sandbox_functions.send_chunks, 200, 1, 0.1, respond=refuse))


def test_a_child_runs_with_the_niceness_of_its_quota(session_pool: SandboxPool) -> None:
    assert session_pool.call(os.getpriority, os.PRIO_PROCESS, 0) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
