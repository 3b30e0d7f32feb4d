"""Messages about follow-up jobs that a command could not finish, and the exit code that they give."""

from __future__ import annotations

from collections.abc import Iterable

from repository.database.outbox import JobState
from repository.localized import Language, LocalizedText
from web.cli.terminal import EXIT_SYSTEM, Terminal
from workers.service.local import Unfinished
from workers.tasks.jobs import REPLICATE_LOG, REPLICATE_WORK, SEQUENCE_EVENTS


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
    if job.kind == SEQUENCE_EVENTS:
        what = LocalizedText("其事件尚未写入溯源日志", "the provenance log does not hold their events yet")
    else:
        what = LocalizedText("总目清单尚未更新", "the collections do not list them yet")
    zh = f"著作已保存并发布，但{what.zh}：{reason.zh}。请排除故障后运行 shanben retry"
    en = f"The works are preserved and published, but {what.en}: {reason.en}. Correct the fault, then run shanben retry"
    return LocalizedText(zh, en)
