"""`shanben ingest`: its messages, its JSON document and its exit codes."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any, cast

import pytest
from deposits import write_deposit
from ports import reserve_port
from rich.console import Console
from silent_progress import SilentProgress

from preservation.log.sequencer import exclusive_writer
from preservation.replication.status import replication_status_of
from repository.config import Settings
from repository.database.outbox import Jobs, JobState, NewJob
from repository.database.publication import Publication
from repository.errors import (
    Busy,
    DatabaseFault,
    DependencyMissing,
    DepositNotMounted,
    IdentifierInvalid,
    KeyNotFound,
    NotFound,
    RequestInvalid,
    SettingInvalid,
    ShanbenError,
    StagingFault,
    StoreFault,
    StoreFull,
    SystemFault,
)
from repository.identifiers import Kind, mint
from repository.paths import collection
from repository.repository import Repository, memory_repository
from repository.storage.content import Content
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore
from web.cli.ingest import _IngestDisplay, ingest_by_workers, ingest_job, ingest_locally, revised_work
from web.cli.retry import retry_locally
from web.cli.terminal import Terminal
from workers.bootstrap import prepare_repository
from workers.deposit.check import check
from workers.deposit.checksums import ReadChecksums
from workers.deposit.examiner import DepositExaminer
from workers.deposit.record import ReadRecord
from workers.execution.context import TaskContext
from workers.masters.examine import Examined
from workers.service.local import local_runner
from workers.tasks.access import withdraw
from workers.tasks.jobs import DESCRIBE_WORK, sequence_events_job
from workers.text.read import ReadText


class RecordingTerminal(Terminal):
    """A terminal that records its standard error."""

    def __init__(self) -> None:
        super().__init__(None, as_json=True, console=Console(file=io.StringIO(), soft_wrap=True))

    @property
    def output(self) -> str:
        file = self.console.file
        assert isinstance(file, io.StringIO)
        return file.getvalue()


def repository_with_broker(folder: Path, broker: str) -> Repository:
    return prepare_repository(memory_repository(Settings(data=folder / "var", broker=broker)))


@pytest.fixture
def deposits(tmp_path: Path) -> list[Path]:
    """Three deposits that hold nothing but a record."""
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
        (folder / "work.toml").write_text('title = "試"', "utf-8")
    return folders


def states(jobs: Jobs, deposits: list[Path]) -> list[JobState | None]:
    queued = [jobs.get(ingest_job(deposit).key) for deposit in deposits]
    return [job.state if job else None for job in queued]


@pytest.mark.slow
def test_ingest_queues_and_lists_every_deposit_while_the_broker_is_away(tmp_path: Path, deposits: list[Path]) -> None:
    repository, terminal = (
        repository_with_broker(tmp_path, f"redis://127.0.0.1:{reserve_port()}/0"),
        RecordingTerminal(),
    )
    with pytest.raises(DependencyMissing) as absence:
        ingest_by_workers(repository, deposits, terminal)
    assert all("SHANBEN_BROKER" in words for words in (absence.value.message.zh, absence.value.message.en))
    assert states(repository.jobs, deposits) == [JobState.QUEUED] * 3
    (line,) = terminal.output.splitlines()
    assert "已登记" in line
    assert "Queued" in line
    assert all(line.count(str(deposit)) == 2 for deposit in deposits)


def test_ingest_lists_deposits_that_could_not_be_queued_apart_from_those_that_were(
    tmp_path: Path, deposits: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, terminal = (
        repository_with_broker(tmp_path, f"redis://127.0.0.1:{reserve_port()}/0"),
        RecordingTerminal(),
    )
    enqueue = repository.jobs.enqueue

    def fail_later(order: NewJob) -> None:
        if order == ingest_job(deposits[1]):
            raise DatabaseFault(reason="gone")
        enqueue(order)

    monkeypatch.setattr(repository.jobs, "enqueue", fail_later)
    with pytest.raises(DatabaseFault):
        ingest_by_workers(repository, deposits, terminal)
    queued, others = terminal.output.splitlines()
    assert [str(deposit) in queued for deposit in deposits] == [True, False, False]
    assert [str(deposit) in others for deposit in deposits] == [False, True, True]
    assert "Not submitted" in others


def test_ingest_queues_nothing_when_the_broker_setting_is_invalid(tmp_path: Path, deposits: list[Path]) -> None:
    repository = repository_with_broker(tmp_path, "http://127.0.0.1")
    with pytest.raises(SettingInvalid):
        ingest_by_workers(repository, deposits, RecordingTerminal())
    assert states(repository.jobs, deposits) == [None] * 3


def test_ingest_shows_an_absent_folder_with_its_fault_and_queues_nothing(
    tmp_path: Path, deposits: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    repository, terminal = (
        repository_with_broker(tmp_path, f"redis://127.0.0.1:{reserve_port()}/0"),
        RecordingTerminal(),
    )
    absent = tmp_path / "none"
    assert ingest_by_workers(repository, [deposits[0], absent], terminal) == 1
    assert f"✗ {absent}: there is no such folder" in terminal.output
    assert f"Not submitted: {deposits[0]}\n" in terminal.output
    assert states(repository.jobs, deposits) == [None] * 3
    (refused,) = json.loads(capsys.readouterr().out)["refused"]
    assert (refused["deposit"], refused["code"], refused["branch"]) == (str(absent), "deposit.refused", "content")
    assert [fault["file"] for fault in refused["faults"]] == [str(absent)]


def claim_work(context: TaskContext, deposit: Path) -> str:
    """Start the ingest of a deposit on another machine, which holds its only page. Return the work."""
    work = check(deposit, context.examiner, SilentProgress()).work
    assert work
    jobs, order, page = context.repository.jobs, ingest_job(deposit), NewJob("page", "page", {})
    jobs.enqueue(order)
    assert jobs.start(order.key, "elsewhere", 60)
    assert jobs.fan_out(order.key, "elsewhere", [page], {"work": work.identifier}, work.identifier)
    assert jobs.start(page.key, "elsewhere", 60)
    return work.identifier


def test_ingest_names_the_deposit_of_the_same_work_that_makes_it_fail(context: TaskContext, deposit: Path) -> None:
    work, again, terminal = (
        claim_work(context, deposit),
        copytree(deposit, deposit.with_name("again")),
        RecordingTerminal(),
    )
    assert ingest_locally(context, [again], terminal) == 3
    for words in (f"送存 {deposit} 属同一著作（{work}）", f"The deposit {deposit} is of the same work ({work})"):
        assert words in terminal.output
    assert terminal.output.count("shanben status") == 2


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ingest_names_the_deposit_of_the_same_work_that_it_waits_for_once(context: TaskContext, deposit: Path) -> None:
    work, again, terminal = (
        claim_work(context, deposit),
        copytree(deposit, deposit.with_name("again")),
        RecordingTerminal(),
    )
    repository = replace(context.repository, settings=replace(context.repository.settings, broker="memory://"))
    jobs, key = repository.jobs, ingest_job(again).key
    done = {"identifier": work, "images": 3, "changed": False}

    def work_elsewhere() -> None:
        wait_until(lambda: jobs.start(key, "worker", 60))
        jobs.postpone(key, "worker", Busy(what=work).to_json(), 0)
        wait_until(lambda: terminal.output)
        time.sleep(1.2)  # looked at twice more
        jobs.start(key, "worker", 60)
        jobs.finish(key, "worker", done)

    worker = threading.Thread(target=work_elsewhere)
    worker.start()
    assert ingest_by_workers(repository, [again], terminal) == 0
    worker.join()
    assert terminal.output.count(f"The deposit {deposit} is of the same work ({work})") == 1
    assert "Another process" not in terminal.output


def with_replica(context: TaskContext, store: ObjectStore) -> TaskContext:
    return replace(context, repository=replace(context.repository, replicas={"replica": store}))


class BrokenStore:
    """A store whose every method raises a fault."""

    def __init__(self, fault: StoreFault) -> None:
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        def refuse(*_arguments: object, **_options: object) -> Any:
            raise self._fault

        return refuse


def ingest_and_read(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, Any], str]:
    """Ingest a deposit. Return the exit code, the JSON document and the messages."""
    terminal = RecordingTerminal()
    code = ingest_locally(context, [deposit], terminal)
    return code, json.loads(capsys.readouterr().out), terminal.output


def test_ingest_finishes_its_follow_up_jobs_before_it_returns(
    context: TaskContext, deposit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = with_replica(context, FolderStore(tmp_path / "replica"))
    code, document, _ = ingest_and_read(context, deposit, capsys)
    (work,) = document["works"]
    repository = context.repository
    assert (code, document["unfinished"]) == (0, [])
    assert {job.kind for job in repository.jobs.due(100)} <= {DESCRIBE_WORK}  # left for the workers
    assert not repository.log_sequence.has_unlogged_events()
    assert replication_status_of(repository, work["identifier"]).preserved
    assert repository.store.exists(collection("top"))
    assert (tmp_path / "replica" / "log" / "checkpoint").is_file()


def test_ingest_tells_where_readers_find_a_work_if_the_public_address_is_known(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = context.repository
    known = replace(repository.settings, base_url="https://books.example")
    for settings, is_shown in ((repository.settings, False), (known, True)):
        code, document, told = ingest_and_read(
            replace(context, repository=replace(repository, settings=settings)), deposit, capsys
        )
        page = f"https://books.example/works/{document['works'][0]['identifier']}\n"
        assert (code, page in told) == (0, is_shown)
    withdraw(repository, document["works"][0]["identifier"], "試驗")
    context = replace(context, repository=replace(repository, settings=known))
    assert "books.example/works/" not in ingest_and_read(context, deposit, capsys)[2]


def test_ingest_warns_of_a_replica_that_is_away_and_leaves_its_jobs_queued(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = BrokenStore(StoreFault(key="ocfl", reason="connection refused"))
    context = with_replica(context, cast(ObjectStore, away))
    code, document, messages = ingest_and_read(context, deposit, capsys)
    assert code == 0
    assert [work["state"] for work in document["works"]] == ["published"]
    assert {job["kind"]: job["state"] for job in document["unfinished"]} == {
        "replicate": "queued",
        "replicate-log": "queued",
    }
    assert messages.count("The replica replica cannot be written yet") == 1
    assert "connection refused" in messages
    assert "shanben retry" in messages


def test_ingest_fails_when_a_replica_refuses_for_good(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    denied = BrokenStore(KeyNotFound(key="ocfl"))
    context = with_replica(context, cast(ObjectStore, denied))
    code, document, messages = ingest_and_read(context, deposit, capsys)
    assert code == 3
    assert [work["state"] for work in document["works"]] == ["published"]
    assert {job["state"] for job in document["unfinished"]} == {"failed"}
    assert "could not be written" in messages


def test_ingest_fails_when_its_events_cannot_be_logged(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, put = context.repository.store, context.repository.store.put

    def refuse_log(key: str, content: Content) -> None:
        if key.startswith("log/"):
            raise StoreFull(key=key, reason="quota")
        put(key, content)

    with monkeypatch.context() as full:
        full.setattr(store, "put", refuse_log)
        full.setattr(store, "put_new", refuse_log)
        code, document, messages = ingest_and_read(context, deposit, capsys)
    assert code == 3
    assert [work["state"] for work in document["works"]] == ["published"]
    assert [job["kind"] for job in document["unfinished"]] == ["journal"]
    assert "The provenance log does not hold the events yet" in messages
    assert "quota" in messages
    code, document, _ = ingest_and_read(context, deposit, capsys)
    assert (code, document["unfinished"]) == (0, [])
    assert not context.repository.log_sequence.has_unlogged_events()


def test_ingest_waits_for_a_follow_up_job_that_another_process_holds(
    context: TaskContext, deposit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another process took the replication job before this one could, and ends it some time later."""
    context = with_replica(context, FolderStore(tmp_path / "replica"))
    jobs, publish = context.repository.jobs, context.repository.catalogue.publish
    ended = threading.Event()

    def publish_and_lose(publication: Publication, orders: list[NewJob], now: str) -> None:
        publish(publication, orders, now)
        (order,) = [order for order in orders if order.kind == "replicate"]
        assert jobs.start(order.key, "elsewhere", 60)
        threading.Timer(1.5, lambda: (ended.set(), jobs.finish(order.key, "elsewhere", {}))).start()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.repository.catalogue, "publish", publish_and_lose)
        code, document, _ = ingest_and_read(context, deposit, capsys)
    assert ended.is_set()
    assert (code, document["unfinished"]) == (0, [])


@pytest.mark.slow
def test_ingest_waits_for_another_process_that_writes_the_log(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log's job ends without the events then, because their writer usually logs them; here it does not."""
    with ExitStack() as held:
        held.enter_context(exclusive_writer(context.repository))
        threading.Timer(7, held.pop_all().close).start()
        code, document, _ = ingest_and_read(context, deposit, capsys)
    assert (code, document["unfinished"]) == (0, [])
    assert not context.repository.log_sequence.has_unlogged_events()


def test_ingest_leaves_jobs_that_it_did_not_cause(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = NewJob("replicate:elsewhere:w1", "replicate", {"work": "w1", "store": "elsewhere"})
    context.repository.jobs.enqueue(other)
    assert ingest_and_read(context, deposit, capsys)[0] == 0
    left = [job.key for job in context.repository.jobs.due(10) if job.kind != DESCRIBE_WORK]
    assert left == [other.key]


def test_retry_fails_when_a_follow_up_job_fails(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_and_read(context, deposit, capsys)
    denied = with_replica(context, cast(ObjectStore, BrokenStore(KeyNotFound(key="ocfl"))))
    terminal = RecordingTerminal()
    with local_runner(denied) as runner:
        code = retry_locally(runner, [sequence_events_job()], terminal)
    document = json.loads(capsys.readouterr().out)
    assert (code, document["queued"], document["failed"]) == (3, ["journal"], [])
    assert [(job["kind"], job["state"]) for job in document["unfinished"]] == [("replicate-log", "failed")]
    assert "could not be written" in terminal.output


class InterruptingExaminer:
    """The real examiner, which sends Ctrl+C to this process during its call number `number`."""

    def __init__(self, examiner: DepositExaminer, number: int) -> None:
        self._examiner, self._left, self.concurrency = examiner, number, 1

    def __call__(self, path: Path, pyramid: Path | None, algorithms: frozenset[str] = frozenset()) -> Examined:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGINT)
        return self._examiner(path, pyramid, algorithms)

    def is_blank(self, path: Path) -> bool:
        return self._examiner.is_blank(path)

    def read_record(self, content: bytes) -> ReadRecord:
        return self._examiner.read_record(content)

    def read_checksums(self, content: bytes, manifest: str) -> ReadChecksums:
        return self._examiner.read_checksums(content, manifest)

    def read_text(self, content: bytes, name: str) -> ReadText:
        return self._examiner.read_text(content, name)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_nothing_is_in_progress_after_an_interruption(number: int, context: TaskContext, deposit: Path) -> None:
    repository = context.repository
    before = {item.key for item in repository.store.list()}
    interrupted = replace(context, examiner=InterruptingExaminer(context.examiner, number))
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ingest_locally(interrupted, [deposit], RecordingTerminal())
    finally:
        signal.signal(signal.SIGINT, previous)
    assert sum(repository.jobs.counts().values()) == 0
    assert {item.key for item in repository.store.list()} == before
    assert ingest_locally(context, [deposit], RecordingTerminal()) == 0


def test_mistyped_folder_is_forgotten_and_the_others_are_ingested(
    context: TaskContext, deposit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, absent = context.repository, deposit.with_name("none")
    with local_runner(context) as runner:
        assert runner.run(ingest_job(absent)).state is JobState.FAILED  # of an earlier release
    assert ingest_locally(context, [absent, deposit], RecordingTerminal()) == 1
    document = json.loads(capsys.readouterr().out)
    assert [refused["deposit"] for refused in document["refused"]] == [str(absent)]
    assert [work["state"] for work in document["works"]] == ["published"]
    assert repository.jobs.failed() == []


@pytest.mark.parametrize(
    ("fault", "is_retried"),
    [
        (DatabaseFault(reason="gone"), True),
        (Busy(what="w"), True),
        (StoreFull(key="k", reason="full"), False),
        (StagingFault(reason="full"), False),
        (DepositNotMounted(path="/p", reason="absent"), False),
    ],
)
def test_retry_is_announced_only_where_it_suffices(
    fault: SystemFault, is_retried: bool, tmp_path: Path, deposits: list[Path]
) -> None:
    jobs, terminal, job = (
        repository_with_broker(tmp_path, "memory://").jobs,
        RecordingTerminal(),
        ingest_job(deposits[0]),
    )
    jobs.enqueue(job)
    assert jobs.start(job.key, "worker", 60)
    jobs.postpone(job.key, "worker", fault.to_json(), 60)
    with _IngestDisplay(jobs, job, terminal) as display:
        display.update()
    assert ("retried automatically" in terminal.output) == is_retried
    assert ("correct this first" in terminal.output) != is_retried


@pytest.mark.parametrize(
    ("count", "revises", "error"),
    [(2, "", RequestInvalid), (1, "nonsense", IdentifierInvalid), (1, mint(Kind.WORK, "x"), NotFound)],
)
def test_revised_work_must_be_one_that_is_held(
    count: int, revises: str, error: type[ShanbenError], context: TaskContext, deposits: list[Path]
) -> None:
    with pytest.raises(error):
        revised_work(context.repository, deposits[:count], revises or mint(Kind.WORK, "x"))
    assert sum(context.repository.jobs.counts().values()) == 0


def test_revision_reports_its_version_and_what_changed(
    context: TaskContext, deposit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest_locally(context, [deposit], RecordingTerminal()) == 0
    work = json.loads(capsys.readouterr().out)["works"][0]["identifier"]
    write_deposit(tmp_path / "other", 1, seed=50).joinpath("0001.tif").replace(deposit / "0002.tif")
    (deposit / ".DS_Store").write_bytes(b"x")
    refused = RecordingTerminal()
    assert ingest_locally(context, [deposit], refused) == 1
    assert f"--revises {work}" in refused.output
    capsys.readouterr()
    terminal = RecordingTerminal()
    assert ingest_locally(context, [deposit], terminal, work) == 0
    (reported,) = json.loads(capsys.readouterr().out)["works"]
    assert (reported["identifier"], reported["version"], reported["ignored"]) == (work, 2, [".DS_Store"])
    assert reported["changes"] == {"added": [], "removed": [], "replaced": ["0002"], "moved": [], "record": False}
    assert "已收为第 2 版" in terminal.output
    assert "0002" in terminal.output
    assert ".DS_Store" in terminal.output
