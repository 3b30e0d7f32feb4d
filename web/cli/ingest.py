"""`shanben ingest`: a job for each deposit, run in this process or by workers, watched until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import click

from iiif_server.urls import manifest_path, work_path
from repository import identifiers
from repository.config import process_settings
from repository.database.outbox import FINISHED, Job, Jobs, JobState, NewJob
from repository.errors import (
    Busy,
    DatabaseFault,
    DepositNotMounted,
    DepositRefused,
    NotFound,
    RequestInvalid,
    StagingFault,
    StoreDenied,
    StoreFull,
    SystemFault,
)
from repository.faults import Fault
from repository.identifiers import Kind
from repository.localized import LocalizedText, counted
from repository.model.work import WorkState
from repository.repository import Repository
from web.cli.deposit_report import show_changes, show_ignored
from web.cli.examiner import opened_examiner
from web.cli.follow_up import await_log, show_unfinished, unfinished_json
from web.cli.terminal import EXIT_CODES, Terminal, TerminalProgress, command
from workers.bootstrap import bootstrap
from workers.deposit.comparison import Changes
from workers.deposit.listing import list_deposit
from workers.execution.context import TaskContext
from workers.service.local import LocalRunner, Unfinished, local_runner
from workers.tasks.jobs import ingest_job

_NEEDING_ACTION: Final = frozenset({StoreFull.code, StoreDenied.code, DepositNotMounted.code, StagingFault.code})
"""The codes of faults that a retry alone does not correct: somebody must act first."""

_PAUSE: Final = 0.5
DEFAULT_ADDRESS: Final = "http://127.0.0.1:8000"


@click.command()
@click.argument("deposits", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--revises", metavar="WORK", help="收为此著作的新版本。 Ingest as a new version of this work.")
@command
def ingest(terminal: Terminal, deposits: tuple[Path, ...], revises: str | None) -> int:
    """收入送存：检查、保存、切片、发布；重复执行，结果不变。 Check, preserve, tile and publish; safe to repeat."""
    repository = bootstrap(process_settings())
    work = revised_work(repository, deposits, revises) if revises else None
    if repository.settings.broker:
        return ingest_by_workers(repository, deposits, terminal, work)
    with opened_examiner(repository.settings) as examiner:
        return ingest_locally(TaskContext(repository, examiner), deposits, terminal, work)


def revised_work(repository: Repository, deposits: Sequence[Path], revises: str) -> str:
    """Return the work that the only deposit is declared to revise.

    Raises `RequestInvalid` for several deposits, `IdentifierInvalid`, `NotFound`, `DatabaseFault`.
    """
    if len(deposits) != 1:
        reason = LocalizedText("一次只能修订一部著作，请只给一个送存目录", "it takes one deposit at a time")
        raise RequestInvalid(part="--revises", reason=reason)
    work = identifiers.parse(revises, Kind.WORK)
    if repository.catalogue.state(work) is None:
        raise NotFound(what=work)
    return work


def ingest_locally(
    context: TaskContext,
    deposits: Sequence[Path],
    terminal: Terminal,
    revises: str | None = None,
    bag: Path | None = None,
) -> int:
    """Ingest each deposit in this process, with its follow-up jobs. Return the gravest exit code.

    `revises` is the work that the only deposit is declared to revise, `bag` the folder of the bag whose payload it is.
    A refused deposit does not stop the others, and
    the job of a folder that does not exist is forgotten, because its name is probably mistyped. Events that could not
    be logged, collections that could not be published and a replica that failed for good give 3; a replica that is away
    is a warning, for its job stays queued.
    """
    jobs, absent = context.repository.jobs, _absent(deposits)
    for deposit in absent:
        jobs.forget(ingest_job(deposit).key)
    new_jobs = [ingest_job(deposit, revises, bag) for deposit in deposits if deposit not in absent]
    with local_runner(context) as runner:
        ended = [_run(runner, jobs, job, terminal) for job in new_jobs]
        unfinished = runner.unfinished()
    return _report(context.repository, ended, unfinished, terminal, absent)


def _run(runner: LocalRunner, jobs: Jobs, job: NewJob, terminal: Terminal) -> Job:
    """Run an ingest to its end. After Ctrl+C it is given up, so that nothing of it remains in progress."""
    try:
        with _IngestDisplay(jobs, job, terminal) as display:
            return runner.run(job, display.update)
    except KeyboardInterrupt:
        runner.abandon_ingest(job.key)
        raise


def ingest_by_workers(
    repository: Repository,
    deposits: Sequence[Path],
    terminal: Terminal,
    revises: str | None = None,
    bag: Path | None = None,
) -> int:
    """Have all deposits ingested by workers, and wait for them and for their events. Return the gravest exit code.

    `revises` and `bag` are those of `ingest_locally`. Events that are not logged within a minute, or
    cannot be, give 3. If a folder does not exist, its name is probably mistyped, and no deposit is queued. Raises
    `SettingInvalid`, and `DependencyMissing` when the broker is away.
    """
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import create_celery  # noqa: PLC0415
    from workers.service.dispatch import send_due  # noqa: PLC0415

    celery = create_celery(repository.settings)
    if absent := _absent(deposits):
        code = _report(repository, (), (), terminal, absent)
        others = [deposit for deposit in deposits if deposit not in absent]
        _list_deposits(terminal, LocalizedText("未提交", "Not submitted"), others)
        return code
    new_jobs = [ingest_job(deposit, revises, bag) for deposit in deposits]
    _submit(lambda: send_due(celery, repository), repository, new_jobs, terminal)
    ended = [_await(repository.jobs, job, terminal) for job in new_jobs]
    works = [str(job.result["identifier"]) for job in ended if job.state is JobState.DONE and job.result]
    return _report(repository, ended, await_log(repository, works), terminal)


def _absent(deposits: Sequence[Path]) -> dict[Path, DepositRefused]:
    """Return the refusals of folders that do not exist."""
    found = {}
    for deposit in deposits:
        if faults := tuple(fault for fault in list_deposit(deposit).faults if fault.code == "deposit.absent"):
            found[deposit] = DepositRefused(str(deposit), faults)
    return found


def _submit(send: Callable[[], object], repository: Repository, new_jobs: Sequence[NewJob], terminal: Terminal) -> None:
    """Queue all deposits, then dispatch them: what is queued will be ingested, even if the broker is away now.

    A fault lists the deposits that are queued and those that are not. Raises `DatabaseFault`, `DependencyMissing`.
    """
    count = 0
    try:
        for job in new_jobs:
            repository.jobs.enqueue(job)
            count += 1
        send()
    except SystemFault:
        deposits = [Path(job.arguments["deposit"]) for job in new_jobs]
        queued = LocalizedText(
            "已登记，故障排除后由工作进程收入", "Queued; workers ingest these when the fault is corrected"
        )
        _list_deposits(terminal, queued, deposits[:count])
        others = LocalizedText("未提交，请稍后重新送存", "Not submitted; ingest these again later")
        _list_deposits(terminal, others, deposits[count:])
        raise


def _list_deposits(terminal: Terminal, what: LocalizedText, deposits: Sequence[Path]) -> None:
    """List the deposits of which `what` holds, if there are any."""
    names = ", ".join(map(str, deposits))
    if names:
        terminal.warn(LocalizedText(f"{what.zh}：{names}", f"{what.en}: {names}"))


def _await(jobs: Jobs, new_job: NewJob, terminal: Terminal) -> Job:
    """Return the job as it ended. A database that is away is waited for, as the workers do."""
    with _IngestDisplay(jobs, new_job, terminal) as display:
        while True:
            try:
                job = _job(jobs, new_job)
                if job.state in FINISHED:
                    return job
                display.update()
            except DatabaseFault as fault:
                display.warn_once(fault.message)
            time.sleep(_PAUSE)


def _job(jobs: Jobs, new_job: NewJob) -> Job:
    job = jobs.get(new_job.key)
    assert job is not None  # noqa: S101 - the caller queued it, and jobs that have not ended are never deleted
    return job


class _IngestDisplay:
    """Shows the progress of one ingest as a bar of pages, and each fault that delays it once."""

    def __init__(self, jobs: Jobs, new_job: NewJob, terminal: Terminal) -> None:
        self._jobs = jobs
        self._job = new_job
        self._terminal = terminal
        self._bar: TerminalProgress = terminal.progress()
        self._total = 0
        self._reported: set[LocalizedText] = set()

    def __enter__(self) -> _IngestDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.finish()

    def update(self) -> None:
        """Show what changed since the last call."""
        progress = self._jobs.progress(self._job.key)
        if progress.total != self._total:
            self._total = progress.total
            name = _name(self._job)
            if progress.total:
                self._bar.start(
                    LocalizedText(
                        f"{name}：{progress.total} 幅", f"{name}: {counted(progress.total, 'image', 'images')}"
                    ),
                    progress.total,
                )
        self._bar.advance_to(progress.finished)
        self._show_delays()

    def _show_delays(self) -> None:
        for job in self._jobs.delayed_within(self._job.key):
            if "message" in (job.result or {}) and self._is_new(_message(job)):
                self._warn(_reason(self._jobs, job), str((job.result or {}).get("code")))

    def warn_once(self, reason: LocalizedText) -> None:
        """Show why the ingest is delayed, unless this reason was shown before."""
        if self._is_new(reason):
            self._warn(reason, DatabaseFault.code)

    def _is_new(self, reason: LocalizedText) -> bool:
        is_new = reason not in self._reported
        self._reported.add(reason)
        return is_new

    def _warn(self, reason: LocalizedText, code: str) -> None:
        if code in _NEEDING_ACTION:
            next_step = LocalizedText("请先排除，然后收入自动继续", "correct this first; the ingest then continues")
        else:
            next_step = LocalizedText("将自动重试", "it is retried automatically")
        self._terminal.warn(LocalizedText(f"{reason.zh}（{next_step.zh}）", f"{reason.en} ({next_step.en})"))


def _report(
    repository: Repository,
    ended: Sequence[Job],
    unfinished: Sequence[Unfinished],
    terminal: Terminal,
    absent: Mapping[Path, DepositRefused] = MappingProxyType({}),
) -> int:
    works = [_show_work(repository, job, terminal) for job in ended if job.state is JobState.DONE]
    refused = [
        _show_refused(job.arguments["deposit"], job.result or {}, _reason(repository.jobs, job), terminal)
        for job in ended
        if job.state is JobState.FAILED
    ]
    refused += [
        _show_refused(str(deposit), refusal.to_json(), refusal.message, terminal) for deposit, refusal in absent.items()
    ]
    follow_up_code = show_unfinished(unfinished, terminal)
    document: dict[str, object] = {"works": works, "refused": refused}
    terminal.result(document | {"unfinished": [unfinished_json(each, terminal.language) for each in unfinished]})
    return max([follow_up_code, *(EXIT_CODES[cast(str, entry["branch"])] for entry in refused)])


def _show_work(repository: Repository, job: Job, terminal: Terminal) -> Mapping[str, object]:
    result: Mapping[str, Any] = job.result or {}
    identifier, images = result["identifier"], result["images"]
    version, changes = result.get("version", 1), result.get("changes")
    base = repository.settings.base_url or DEFAULT_ADDRESS
    manifest = f"{base}{manifest_path(identifier)}"
    if not result["changed"]:
        news = LocalizedText("已在馆藏，未变", "already held, unchanged")
    elif version > 1:
        news = LocalizedText(f"已收为第 {version} 版", f"ingested as version {version}")
    else:
        news = LocalizedText("已收入", "ingested")
    folder, restored = _name(job), result.get("restored", 0)
    terminal.write(
        LocalizedText(
            f"✓ {folder}：{news.zh}，{images} 幅图像", f"✓ {folder}: {news.en}, {counted(images, 'image', 'images')}"
        )
    )
    if result.get("access_kept"):
        terminal.warn(_access_kept(identifier, result))
    if restored:
        zh = f"  存储中有 {restored} 个文件损坏或缺失，已用送存恢复；请检查存储"
        files = counted(restored, "file was", "files were")
        en = f"  {files} damaged or missing in the store, and restored from the deposit; check the store"
        terminal.warn(LocalizedText(zh, en))
    terminal.write_value(LocalizedText("编号", "identifier"), identifier)
    terminal.write_value(LocalizedText("清单", "manifest"), manifest)
    if repository.settings.base_url and result["state"] == WorkState.PUBLISHED.value:
        terminal.write_value(LocalizedText("网页", "page"), f"{base}{work_path(identifier)}")
    notices = [Fault.of_json(notice) for notice in result.get("notices", ())]
    if changes:
        show_changes(Changes.of_json(changes), terminal)
    show_ignored(result.get("ignored", ()), terminal)
    terminal.notices(notices)
    texts = {"notices": [notice.to_localized_json(terminal.language) for notice in notices]}
    return {"identifier": identifier, "manifest": manifest, "images": images, "state": "published", **result, **texts}


def _name(job: Job | NewJob) -> str:
    """Return the name of the deposit's folder, or of the bag that it is the payload of."""
    return Path(job.arguments.get("bag") or job.arguments["deposit"]).name


def _access_kept(work: str, result: Mapping[str, Any]) -> LocalizedText:
    """Return that a held work shows less than its new deposit states, and how to change that."""
    if result["state"] == WorkState.WITHDRAWN.value:
        zh = f"此著作已撤下，重新送存不会恢复公开；如需恢复，请运行 shanben restore {work}"
        en = "The work is withdrawn and stays so, whatever its deposit states; to return it to public view, run"
        return LocalizedText(zh, f"{en} shanben restore {work}")
    zh = f"此著作的利用限制（{result['access']}）维持不变，重新送存不会放宽；如需更改，请运行 shanben access {work}"
    en = f"Access to the work stays {result['access']}, although its deposit states more; to change it, run"
    return LocalizedText(zh, f"{en} shanben access {work}")


def _reason(jobs: Jobs, job: Job) -> LocalizedText:
    """Return why a job was postponed or has failed; names the deposit it waits for when both are of one work."""
    reason = _message(job)
    if job.result and job.result["code"] != Busy.code:
        return reason
    for other, _ in jobs.active("ingest"):
        work, place = (other.plan or {}).get("work"), other.arguments["deposit"]
        if other.key != job.key and work and Busy(what=work).message == reason:
            zh = f"送存 {place} 属同一著作（{work}），尚未结束；其进度见 shanben status，请待其结束后重试"
            en = f"The deposit {place} is of the same work ({work}) and has not ended; see it in shanben status,"
            return LocalizedText(zh, f"{en} and retry when it has")
    return reason


def _message(job: Job) -> LocalizedText:
    """Return the message of the fault that postponed the job or made it fail."""
    result: Mapping[str, Any] = job.result or {}
    return LocalizedText.of_json(result["message"])


def _show_refused(
    deposit: str, result: Mapping[str, Any], reason: LocalizedText, terminal: Terminal
) -> Mapping[str, object]:
    terminal.warn(reason)
    faults = [Fault.of_json(fault) for fault in result["faults"]]
    terminal.faults(faults)
    return {
        "deposit": deposit,
        "code": result["code"],
        "branch": result["branch"],
        "faults": [fault.to_localized_json(terminal.language) for fault in faults],
    }
