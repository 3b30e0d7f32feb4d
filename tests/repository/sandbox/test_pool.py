from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sandbox_functions import (
    ADD,
    ALLOCATE,
    COMPLAIN,
    DIVIDE,
    FUNCTIONS,
    NICENESS,
    PROCESS,
    RAISE_SIGNAL,
    READ_FILE,
    READ_NULL,
    REFUSE,
    REFUSE_ACCESS,
    REQUEST_TWICE,
    REQUEST_WHILE_SENDING,
    SEND_AND_CRASH,
    SEND_AND_RAISE,
    SEND_CHUNKS,
    SHARE,
    SLEEP,
    WRITE_FILE,
)

from repository.errors import RenderingBusy, SandboxFailed, StagingFault, StoreFault
from repository.localized import LocalizedText
from repository.sandbox import seccomp
from repository.sandbox.frames import LARGEST_FRAME
from repository.sandbox.functions import Quota, SandboxNotStarted
from repository.sandbox.pool import SandboxPool

pytestmark = pytest.mark.slow


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[SandboxPool]:
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=20)) as pool:
        yield pool


def alive(process: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_calls_return_results_and_reuse_the_child(pool: SandboxPool) -> None:
    assert pool.call(ADD, 2, 3) == 5
    assert pool.call(PROCESS) == pool.call(PROCESS) != os.getpid()


def test_a_domain_error_is_raised_in_the_parent_and_the_child_survives(pool: SandboxPool) -> None:
    child = pool.call(PROCESS)
    with pytest.raises(StoreFault) as caught:
        pool.call(REFUSE, LocalizedText("满", "full"))
    assert caught.value.details["reason"] == LocalizedText("满", "full")
    assert pool.call(PROCESS) == child


@pytest.mark.parametrize("deadly", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_fails_only_its_call_and_the_child_is_replaced(pool: SandboxPool, deadly: signal.Signals) -> None:
    with pytest.raises(SandboxFailed, match=deadly.name):
        pool.call(RAISE_SIGNAL, deadly)
    assert pool.call(ADD, 1, 1) == 2


def test_a_crash_in_native_code_fails_only_its_call(pool: SandboxPool) -> None:
    with pytest.raises(SandboxFailed, match="SIGSEGV"):
        pool.call(READ_NULL)


def test_the_reason_of_a_failure_is_the_last_line_of_the_traceback(pool: SandboxPool) -> None:
    with pytest.raises(SandboxFailed, match="ZeroDivisionError"):
        pool.call(DIVIDE, 1, 0)


def test_a_call_that_exceeds_its_time_is_killed(tmp_path: Path) -> None:
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=0.5)) as pool:
        started = time.monotonic()
        with pytest.raises(SandboxFailed, match=r"0\.5 s"):
            pool.call(SLEEP, 60)
        assert time.monotonic() - started < 10


def test_a_call_cannot_exceed_its_memory(tmp_path: Path) -> None:
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=20, memory=256 << 20)) as pool:
        with pytest.raises(SandboxFailed, match="MemoryError"):
            pool.call(ALLOCATE, 512 << 20)
        assert pool.call(ALLOCATE, 1 << 20) == 1 << 20


def test_shared_memory_is_no_way_around_the_limit(tmp_path: Path) -> None:
    if not seccomp.is_offered():
        pytest.skip("the kernel does not count shared memory, and seccomp is not offered")
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=20, memory=256 << 20)) as pool:
        with pytest.raises(SandboxFailed, match="PermissionError"):
            pool.call(SHARE, 512 << 20)
        assert pool.call(ADD, 1, 1) == 2


def test_output_of_a_child_does_not_reach_the_terminal(pool: SandboxPool, capfd: pytest.CaptureFixture[str]) -> None:
    pool.call(COMPLAIN, "a decoder's complaint")
    assert capfd.readouterr() == ("", "")


def test_a_child_killed_during_a_call_fails_only_that_call(tmp_path: Path) -> None:
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=20)) as pool, ThreadPoolExecutor(1) as threads:
        child = pool.call(PROCESS)
        call = threads.submit(pool.call, SLEEP, 15)
        time.sleep(0.2)
        os.kill(child, signal.SIGKILL)
        with pytest.raises(SandboxFailed, match="SIGKILL"):
            call.result(5)
        assert pool.call(PROCESS) != child


def test_a_child_killed_between_calls_is_replaced(pool: SandboxPool) -> None:
    child = pool.call(PROCESS)
    os.kill(child, signal.SIGKILL)
    while alive(child):
        time.sleep(0.01)
    assert pool.call(ADD, 2, 3) == 5


def test_children_run_calls_in_parallel(tmp_path: Path) -> None:
    with SandboxPool(FUNCTIONS, 3, tmp_path, Quota(seconds=20)) as pool, ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: pool.call(SLEEP, 0.5), range(3)))
        started = time.monotonic()
        list(threads.map(lambda _: pool.call(SLEEP, 0.5), range(3)))
        assert time.monotonic() - started < 1.2


def test_closing_the_pool_ends_its_children(tmp_path: Path) -> None:
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=20)) as pool:
        child = pool.call(PROCESS)
        assert alive(child)
    assert not alive(child)
    pool.close()


PARENT = """
import os, sys, threading, time
from pathlib import Path
from sandbox_functions import FUNCTIONS, PROCESS, SLEEP
from repository.sandbox.frames import LARGEST_FRAME
from repository.sandbox.functions import Quota
from repository.sandbox.pool import SandboxPool
pool = SandboxPool(FUNCTIONS, 1, Path(sys.argv[1]), Quota(seconds=60))
print(pool.call(PROCESS), flush=True)
pool.call(SLEEP, 50)
"""


def test_a_busy_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
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
    thread = threading.Thread(target=lambda: children.append(pool.call(PROCESS)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert pool.call(PROCESS) == children[0]


def test_children_do_not_import_modules_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository/__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=20)) as pool:
        assert pool.call(ADD, 1, 2) == 3


@pytest.fixture
def session_pool(tmp_path: Path) -> Iterator[SandboxPool]:
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=10, niceness=5)) as pool:
        yield pool


def refuse(value: object) -> None:
    raise AssertionError(value)


def test_a_session_yields_chunks_in_order_and_the_child_is_reused(session_pool: SandboxPool) -> None:
    child = session_pool.call(PROCESS)
    session = session_pool.open_session(SEND_CHUNKS, 50, 100_000, 0, respond=refuse)
    assert [chunk[:1] for chunk in session] == [bytes([number]) for number in range(50)]
    assert session.result == 50
    assert list(session) == []
    assert session_pool.call(PROCESS) == child


def test_a_session_answers_requests_of_the_child(session_pool: SandboxPool) -> None:
    responses = {7: b"seven", 8: bytes(3 << 20)}
    session = session_pool.open_session(REQUEST_TWICE, 7, 8, respond=responses.__getitem__)
    assert list(session) == list(responses.values())


def test_a_call_answers_requests_of_the_child_and_takes_no_chunks(session_pool: SandboxPool) -> None:
    child = session_pool.call(PROCESS)
    with pytest.raises(SandboxFailed, match="chunk"):
        session_pool.call(REQUEST_TWICE, 7, 8, respond=lambda _: b"seven")
    assert not alive(child)
    assert session_pool.call(SEND_CHUNKS, 0, 1, 0, respond=refuse) == 0


def test_a_chunk_of_any_length_arrives(session_pool: SandboxPool) -> None:
    length = 2 * LARGEST_FRAME + 7
    session = session_pool.open_session(SEND_CHUNKS, 2, length, 0, respond=refuse)
    assert b"".join(session) == bytes(length) + b"\x01" * length


def test_a_channel_may_be_used_by_several_threads(session_pool: SandboxPool) -> None:
    session = session_pool.open_session(REQUEST_WHILE_SENDING, 100, respond=lambda _: bytes(500_000))
    assert sorted(chunk[0] for chunk in session) == list(range(100))
    assert session.result == 100 * 500_000


def test_an_error_of_the_responder_ends_the_session(session_pool: SandboxPool) -> None:
    def fail(value: object) -> None:
        raise StoreFault(key=str(value), reason="away")

    with pytest.raises(StoreFault):
        next(session_pool.open_session(REQUEST_TWICE, 1, 2, respond=fail))
    assert session_pool.call(ADD, 1, 1) == 2


def test_closing_a_session_kills_its_child_and_starts_another(session_pool: SandboxPool) -> None:
    child = session_pool.call(PROCESS)
    with session_pool.open_session(SEND_CHUNKS, 1000, 1 << 20, 0, respond=refuse) as session:
        next(session)
    assert not alive(child)
    assert list(session) == []
    assert session_pool.call(ADD, 1, 1) == 2


def test_errors_after_the_first_chunk_are_raised_by_the_iteration(session_pool: SandboxPool) -> None:
    for function, error in (
        (SEND_AND_RAISE, RenderingBusy),
        (SEND_AND_CRASH, SandboxFailed),
    ):
        session = session_pool.open_session(function, respond=refuse)
        assert next(session) == b"first"
        with pytest.raises(error):
            next(session)


@pytest.mark.slow
def test_time_that_the_parent_takes_is_not_counted(session_pool: SandboxPool) -> None:
    session_pool.call(PROCESS)
    session = session_pool.open_session(SEND_CHUNKS, 4, 1 << 20, 0.1, respond=refuse)
    for _ in session:
        time.sleep(1)
    with pytest.raises(SandboxFailed, match="10 s"):
        list(session_pool.open_session(SEND_CHUNKS, 200, 1, 0.1, respond=refuse))


def test_a_child_runs_with_the_niceness_of_its_quota(session_pool: SandboxPool) -> None:
    assert session_pool.call(NICENESS) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)


def test_a_call_passes_descriptors_that_the_child_reads_and_writes(pool: SandboxPool, tmp_path: Path) -> None:
    (tmp_path / "master").write_bytes(b"the master")
    with (tmp_path / "master").open("rb") as master, (tmp_path / "written").open("w+b") as written:
        for _ in range(100):  # more than a child may hold open if it did not close them
            assert pool.call(READ_FILE, 20, files=[master.fileno()]) == b"the master"
        assert pool.call(WRITE_FILE, b"a pyramid", files=[written.fileno()]) == 9
    assert (tmp_path / "written").read_bytes() == b"a pyramid"


def test_an_error_that_the_function_does_not_declare_is_a_failure(pool: SandboxPool) -> None:
    with pytest.raises(SandboxFailed, match="AccessRefused"):
        pool.call(REFUSE_ACCESS)
    assert pool.call(ADD, 1, 1) == 2


def test_a_child_that_cannot_be_started_is_no_fault_of_its_call_and_leaks_nothing(tmp_path: Path) -> None:
    outcomes: set[object] = set()
    with SandboxPool(FUNCTIONS, 1, tmp_path, Quota(seconds=20)) as pool, ExitStack() as stack:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        held, spare = open_files(), 0
        while max(held) >= len(held):  # no number is free below the largest
            stack.callback(os.close, os.open(tmp_path, os.O_RDONLY))
            held = open_files()
        while 2 not in outcomes:
            assert open_files() == held
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(held) + spare, limits[1]))
            try:
                outcomes.add(pool.call(ADD, 1, 1))
            except (SandboxNotStarted, StagingFault) as fault:
                outcomes.add(type(fault))
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            spare += 1
    assert outcomes == {SandboxNotStarted, StagingFault, 2}


def open_files() -> set[int]:
    """Return the numbers of the open descriptors."""
    return {number for number in map(int, os.listdir("/proc/self/fd")) if Path(f"/proc/self/fd/{number}").exists()}


def test_a_file_that_a_child_writes_cannot_exceed_its_quota(tmp_path: Path) -> None:
    limits = Quota(seconds=20, file_bytes=1000)
    with SandboxPool(FUNCTIONS, 1, tmp_path, limits) as pool, (tmp_path / "written").open("w+b") as written:
        assert pool.call(WRITE_FILE, bytes(5000), files=[written.fileno()]) == 1000
