"""What `shanben ingest` tells whoever waits for it."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from ports import reserve_port
from rich.console import Console

from repository.config import Settings
from repository.database.outbox import Jobs, JobState, NewJob
from repository.errors import Busy, DatabaseFault, DependencyMissing, SettingInvalid
from repository.repository import Repository, memory_repository
from web.cli.ingest import ingest_by_workers, ingest_here, ingest_job
from web.cli.terminal import Terminal
from workers.bootstrap import make_ready
from workers.deposit.check import check
from workers.execution.context import TaskContext
from workers.progress import SilentProgress


class Heard(Terminal):
    """A terminal whose standard error is kept."""

    def __init__(self) -> None:
        super().__init__(None, as_json=True, console=Console(file=io.StringIO(), soft_wrap=True))

    @property
    def words(self) -> str:
        file = self.console.file
        assert isinstance(file, io.StringIO)
        return file.getvalue()


def with_broker(folder: Path, broker: str) -> Repository:
    return make_ready(memory_repository(Settings(data=folder / "var", broker=broker)))


@pytest.fixture
def deposits(tmp_path: Path) -> list[Path]:
    """Three deposits that hold nothing but a record."""
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
        (folder / "work.toml").write_text('title = "試"', "utf-8")
    return folders


def states(jobs: Jobs, deposits: list[Path]) -> list[JobState | None]:
    found = [jobs.get(ingest_job(deposit).key) for deposit in deposits]
    return [job.state if job else None for job in found]


def test_while_the_broker_is_away_every_deposit_is_recorded_and_named(tmp_path: Path, deposits: list[Path]) -> None:
    repository, terminal = with_broker(tmp_path, f"redis://127.0.0.1:{reserve_port()}/0"), Heard()
    with pytest.raises(DependencyMissing) as absence:
        ingest_by_workers(repository, deposits, terminal)
    assert all("SHANBEN_BROKER" in words for words in (absence.value.message.zh, absence.value.message.en))
    assert states(repository.jobs, deposits) == [JobState.QUEUED] * 3
    (line,) = terminal.words.splitlines()
    assert "已登记" in line
    assert "Recorded" in line
    assert all(line.count(str(deposit)) == 2 for deposit in deposits)


def test_deposits_that_could_not_be_recorded_are_told_from_those_that_were(
    tmp_path: Path, deposits: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, terminal = with_broker(tmp_path, f"redis://127.0.0.1:{reserve_port()}/0"), Heard()
    enqueue = repository.jobs.enqueue

    def fail_later(order: NewJob) -> None:
        if order == ingest_job(deposits[1]):
            raise DatabaseFault(reason="gone")
        enqueue(order)

    monkeypatch.setattr(repository.jobs, "enqueue", fail_later)
    with pytest.raises(DatabaseFault):
        ingest_by_workers(repository, deposits, terminal)
    recorded, left = terminal.words.splitlines()
    assert [str(deposit) in recorded for deposit in deposits] == [True, False, False]
    assert [str(deposit) in left for deposit in deposits] == [False, True, True]
    assert "Not handed in" in left


def test_with_a_broker_that_is_none_nothing_is_asked_for(tmp_path: Path, deposits: list[Path]) -> None:
    repository = with_broker(tmp_path, "http://127.0.0.1")
    with pytest.raises(SettingInvalid):
        ingest_by_workers(repository, deposits, Heard())
    assert states(repository.jobs, deposits) == [None] * 3


def test_a_folder_that_is_not_there_is_shown_with_its_fault(
    tmp_path: Path, deposits: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    repository, terminal = with_broker(tmp_path, f"redis://127.0.0.1:{reserve_port()}/0"), Heard()
    none = tmp_path / "none"
    assert ingest_by_workers(repository, [deposits[0], none], terminal) == 1
    assert f"✗ {none}: there is no such folder" in terminal.words
    assert f"Not handed in: {deposits[0]}\n" in terminal.words
    assert states(repository.jobs, deposits) == [None] * 3
    (refused,) = json.loads(capsys.readouterr().out)["refused"]
    assert (refused["deposit"], refused["code"], refused["branch"]) == (str(none), "deposit.refused", "content")
    assert [fault["file"] for fault in refused["faults"]] == [str(none)]


def claimed(context: TaskContext, deposit: Path) -> str:
    """The work of a deposit whose ingest waits for a page that a worker elsewhere has."""
    work = check(deposit, context.examiner, SilentProgress()).work
    assert work
    jobs, order, page = context.repository.jobs, ingest_job(deposit), NewJob("page", "page", {})
    jobs.enqueue(order)
    assert jobs.start(order.key, "elsewhere", 60)
    assert jobs.fan_out(order.key, "elsewhere", [page], {"work": work.identifier}, work.identifier)
    assert jobs.start(page.key, "elsewhere", 60)
    return work.identifier


def test_a_deposit_refused_for_another_of_the_same_work_names_it(context: TaskContext, deposit: Path) -> None:
    work, again, terminal = claimed(context, deposit), copytree(deposit, deposit.with_name("again")), Heard()
    assert ingest_here(context, [again], terminal) == 3
    for words in (f"送存 {deposit} 属同一著作（{work}）", f"The deposit {deposit} is of the same work ({work})"):
        assert words in terminal.words
    assert terminal.words.count("shanben status") == 2


def wait_for(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_deposit_that_waits_for_another_of_the_same_work_names_it_once(context: TaskContext, deposit: Path) -> None:
    work, again, terminal = claimed(context, deposit), copytree(deposit, deposit.with_name("again")), Heard()
    repository = replace(context.repository, settings=replace(context.repository.settings, broker="memory://"))
    jobs, key = repository.jobs, ingest_job(again).key
    done = {"identifier": work, "images": 3, "changed": False}

    def work_elsewhere() -> None:
        wait_for(lambda: jobs.start(key, "worker", 60))
        jobs.postpone(key, "worker", Busy(what=work).to_json(), 0)
        wait_for(lambda: terminal.words)
        time.sleep(1.2)  # looked at twice more
        jobs.start(key, "worker", 60)
        jobs.finish(key, "worker", done)

    worker = threading.Thread(target=work_elsewhere)
    worker.start()
    assert ingest_by_workers(repository, [again], terminal) == 0
    worker.join()
    assert terminal.words.count(f"The deposit {deposit} is of the same work ({work})") == 1
    assert "Another process" not in terminal.words
