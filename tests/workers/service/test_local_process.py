"""The process of the local worker, as `shanben serve` supervises it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import pytest
from server_process import is_alive

from workers.service.local_process import FIRST_PAUSE, LONGEST_PAUSE, LocalWorkerProcess

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")
ENDS = (sys.executable, "-c", "")
WATCHES = (sys.executable, "-c", "import os; os.read(0, 1)")
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)",
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervised(clock: Clock) -> Iterator[Callable[[tuple[str, ...]], LocalWorkerProcess]]:
    started: list[LocalWorkerProcess] = []

    def start(command: tuple[str, ...]) -> LocalWorkerProcess:
        process = LocalWorkerProcess(command, clock)
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.stop(0.1)


def wait_for_end(process: LocalWorkerProcess) -> None:
    deadline = time.monotonic() + 30
    while process.pid is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_start_starts_one_process(supervised) -> None:
    process = supervised(SLEEPS)
    pid = process.pid
    process.start()
    process.ensure_running()
    assert process.pid == pid is not None


def test_stop_ends_the_process(supervised) -> None:
    process = supervised(SLEEPS)
    pid = process.pid
    process.stop()
    assert process.pid is None
    assert not is_alive(pid)
    process.stop()


def test_stop_kills_a_process_that_ignores_it(supervised) -> None:
    process = supervised(DEAF)
    pid = process.pid
    time.sleep(0.5)
    process.stop(0.2)
    assert not is_alive(pid)


def test_the_standard_input_of_the_process_is_open_while_its_parent_lives(supervised) -> None:
    process = supervised(WATCHES)
    time.sleep(0.5)
    assert process.pid is not None
    process._process.stdin.close()
    wait_for_end(process)


def test_a_process_that_ended_is_restarted_after_a_pause_that_doubles(supervised, clock: Clock) -> None:
    process = supervised(ENDS)
    pauses = []
    for _ in range(9):
        wait_for_end(process)
        process.ensure_running()
        began = clock.now
        while process._restart_at is not None:
            assert process.pid is None
            clock.now += 0.25
            process.ensure_running()
        pauses.append(clock.now - began)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_the_pause_is_short_again_after_a_process_that_lasted(supervised, clock: Clock) -> None:
    process = supervised(ENDS)
    for pause in (2 * FIRST_PAUSE, FIRST_PAUSE):
        wait_for_end(process)
        process.ensure_running()
        assert process._restart_at == clock.now + pause
        clock.now += pause
        process.ensure_running()
        assert process._restart_at is None
        clock.now += LONGEST_PAUSE + 1
