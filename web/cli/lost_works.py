"""What ``shanben store lost`` does: list the works that the log names and no store has, and accept a loss."""

from __future__ import annotations

from typing import Final

from preservation.log_events import loss_event
from repository import identifiers
from repository.clock import timestamp
from repository.errors import NotFound, RequestInvalid
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.repository import Repository
from web.cli.examiner import opened_examiner
from web.cli.follow_up import show_unfinished
from web.cli.terminal import EXIT_CONTENT, Terminal
from web.messages.interface import MESSAGES
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import sequence_events_job
from workers.tasks.log_events import occasion

_MOST: Final = 10_000
_NO_REASON: Final = LocalizedText("须写明理由，不得含控制字符", "give a reason, without control characters")


def list_lost(terminal: Terminal, repository: Repository) -> int:
    """List the works whose loss nobody has accepted. Return the exit code: 1 when there are any."""
    lost = repository.lost_works.undecided(_MOST)
    for each in lost:
        numbers = {"logged": each.logged, "stored": each.stored, "date": each.first_seen[:10]}
        terminal.write(MESSAGES["lost.listed"].format(work=each.work, **numbers))
    if not lost:
        terminal.write(MESSAGES["lost.none"])
    terminal.result(
        {
            "lost": [
                {"work": each.work, "logged": each.logged, "stored": each.stored, "first_seen": each.first_seen}
                for each in lost
            ]
        }
    )
    return EXIT_CONTENT if lost else 0


def accept_loss(terminal: Terminal, repository: Repository, work: str, reason: str) -> int:
    """Accept that a work is lost, and log that. Return the exit code. Raises `NotFound`, `RequestInvalid`."""
    identifier, reason = identifiers.parse(work, Kind.WORK), reason.strip()
    if not reason or not reason.isprintable():
        raise RequestInvalid(part="--reason", reason=_NO_REASON)
    lost = repository.lost_works.get(identifier)
    if lost is None:
        raise NotFound(what=LocalizedText(f"丢失的著作 {identifier}", f"lost work {identifier}"))
    event = loss_event(occasion(repository), identifier, logged=lost.logged, stored=lost.stored, reason=reason)
    now = timestamp(repository.clock())
    repository.lost_works.accept(identifier, reason, event, sequence_events_job(), now)
    code = 0 if repository.settings.broker else _log(repository, terminal)
    terminal.write(MESSAGES["lost.accepted"].format(work=identifier))
    terminal.result({"identifier": identifier, "logged": lost.logged, "stored": lost.stored, "decided": now})
    return code


def _log(repository: Repository, terminal: Terminal) -> int:
    """Write the event into the log. Return the exit code."""
    examiner = opened_examiner(repository.settings, 1)
    with examiner as opened, local_runner(TaskContext(repository, opened)) as runner:
        runner.attempt([sequence_events_job()])
        return show_unfinished(runner.unfinished(), terminal)
