"""What a command says of follow-up jobs that it could not finish: what is not done, and what to do."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from repository.database.job_rows import Job, JobState
from repository.localized import Language, LocalizedText
from web.cli.follow_up import show_unfinished
from web.cli.terminal import Terminal
from workers.service.local import Unfinished
from workers.tasks.jobs import INDEX_CHANGES, PUBLISH_COLLECTIONS, SEQUENCE_EVENTS, WATCH


@pytest.mark.parametrize(
    ("kind", "chinese", "english"),
    [
        (
            SEQUENCE_EVENTS,
            "溯源日志尚未写入事件：磁盘已满。",
            "The provenance log does not hold the events yet: disk full. ",
        ),
        (PUBLISH_COLLECTIONS, "总目清单尚未更新：磁盘已满。", "The collections are not up to date yet: disk full. "),
        (INDEX_CHANGES, "检索索引尚未更新：磁盘已满。", "The search index is not up to date yet: disk full. "),
        (WATCH, "任务未完成（检查警报）：磁盘已满。", "A job is not done (alarm check): disk full. "),
    ],
)
def test_message_names_what_is_not_done(kind: str, chinese: str, english: str) -> None:
    job = Job(kind, kind, {}, JobState.FAILED, 1, None, None, "2026-01-31T08:00:00Z", "")
    for language, text in ((Language.CHINESE, chinese), (Language.ENGLISH, english)):
        written = io.StringIO()
        terminal = Terminal(language, False, Console(file=written, soft_wrap=True, width=500))
        assert show_unfinished([Unfinished(job, LocalizedText("磁盘已满", "disk full"))], terminal) == 3
        assert written.getvalue().startswith(text)
        assert "shanben retry" in written.getvalue()
