"""Follow-up jobs that a command could not finish: waiting for the log, messages, and the exit code that they give."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from repository.database.outbox import JobState
from repository.localized import Language, LocalizedText
from repository.repository import Repository
from web.cli.terminal import EXIT_SYSTEM, Terminal
from web.messages.interface import MESSAGES
from workers.service.local import BUSY_SECONDS, Unfinished, is_busy, unfinished_of
from workers.tasks.jobs import (
    INDEX_CHANGES,
    PUBLISH_COLLECTIONS,
    REPLICATE_LOG,
    REPLICATE_WORK,
    SEQUENCE_EVENTS,
    sequence_events_job,
)

_PAUSE_SECONDS: Final = 0.5
_NOT_DONE: Final = {
    SEQUENCE_EVENTS: LocalizedText("溯源日志尚未写入事件", "The provenance log does not hold the events yet"),
    PUBLISH_COLLECTIONS: LocalizedText("总目清单尚未更新", "The collections are not up to date yet"),
    INDEX_CHANGES: LocalizedText("检索索引尚未更新", "The search index is not up to date yet"),
}
"""What is not done while a follow-up job of a kind is not."""

_NOT_DONE_OF_OTHERS: Final = LocalizedText("任务未完成（{kind}）", "A job is not done ({kind})")
_NOT_YET: Final = LocalizedText("尚无持有日志密钥的工作进程处理", "no worker with the log's key has written them yet")


def await_log(repository: Repository, works: Sequence[str], seconds: float = BUSY_SECONDS) -> list[Unfinished]:
    """Wait until workers have logged the events of these works.

    Return the log's job when it failed or is postponed, or when events are not logged after `seconds`; else nothing.
    Raises `DatabaseFault`.
    """
    deadline = time.monotonic() + seconds
    while any(map(repository.log_sequence.has_unlogged_events, works)):
        job = repository.jobs.get(SEQUENCE_EVENTS)
        if job is None or job.state is JobState.DONE:
            repository.jobs.enqueue(sequence_events_job())
        elif job.state is not JobState.RUNNING and job.result and not is_busy(job):
            return [unfinished_of(job)]
        if job and time.monotonic() > deadline:
            return [Unfinished(job, _NOT_YET)]
        time.sleep(_PAUSE_SECONDS)
    return []


def show_unfinished(unfinished: Iterable[Unfinished], terminal: Terminal) -> int:
    """Show each reason once, with what to do. Return the exit code: 0 when only replicas are still to be written."""
    for text in dict.fromkeys(map(_text, unfinished)):
        terminal.warn(text)
    return 0 if all(map(_is_only_delayed, unfinished)) else EXIT_SYSTEM


def unfinished_json(unfinished: Unfinished, language: Language | None) -> dict[str, object]:
    """Return a follow-up job that is not done, for programs."""
    job = unfinished.job
    return {
        "key": job.key,
        "kind": job.kind,
        "state": job.state.value,
        "message": unfinished.reason.in_language(language),
    }


def _is_only_delayed(unfinished: Unfinished) -> bool:
    """Return whether the job is that of a replica and stays queued."""
    job = unfinished.job
    return job.kind in {REPLICATE_WORK, REPLICATE_LOG} and job.state is JobState.QUEUED


def _text(unfinished: Unfinished) -> LocalizedText:
    job, reason = unfinished.job, unfinished.reason
    if _is_only_delayed(unfinished):
        store = job.arguments["store"]
        zh = f"副本 {store} 暂时无法写入：{reason.zh}。任务已排队，由 shanben serve 自动重试；也可运行 shanben retry"
        en = f"The replica {store} cannot be written yet: {reason.en}. The job stays queued:"
        return LocalizedText(zh, f"{en} shanben serve retries it, or run shanben retry")
    if job.kind in {REPLICATE_WORK, REPLICATE_LOG}:
        store = job.arguments["store"]
        zh = f"副本 {store} 写入失败：{reason.zh}。请排除故障后运行 shanben retry"
        en = f"The replica {store} could not be written: {reason.en}. Correct the fault, then run shanben retry"
        return LocalizedText(zh, en)
    what = _NOT_DONE.get(job.kind) or _NOT_DONE_OF_OTHERS.format(kind=MESSAGES[f"kind.{job.kind}"])
    zh = f"{what.zh}：{reason.zh}。请排除故障后运行 shanben retry"
    return LocalizedText(zh, f"{what.en}: {reason.en}. Correct the fault, then run shanben retry")
