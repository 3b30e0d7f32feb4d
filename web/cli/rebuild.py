"""`shanben rebuild`: makes the catalogue again; reports its works, those it lacks, and what is wrong with the log."""

from __future__ import annotations

import click

from repository.config import process_settings
from repository.database.lost_works import LostWork
from repository.localized import LocalizedText, counted
from web.cli.examiner import opened_examiner
from web.cli.terminal import EXIT_CONTENT, Terminal, command
from workers.bootstrap import bootstrap_to_rebuild
from workers.maintenance.rebuild import Rebuilt
from workers.maintenance.rebuild import rebuild as rebuild_catalogue


@click.command()
@command
def rebuild(terminal: Terminal) -> int:
    """仅凭存储重建目录数据库；损坏的著作跳过并列出。 Rebuild the catalogue from storage alone; name what is damaged."""
    repository = bootstrap_to_rebuild(process_settings())
    with opened_examiner(repository.settings) as examiner:
        done = rebuild_catalogue(repository, examiner, terminal.progress())
    return report_rebuilt(terminal, done)


def report_rebuilt(terminal: Terminal, done: Rebuilt) -> int:
    """Report a rebuild. Return the exit code: 1 when a work is missing or the log is damaged."""
    for each in done.skipped:
        message = each.fault.message
        zh, en = f"✗ {each.work}：未列入目录：{message.zh}", f"✗ {each.work}: not in the catalogue: {message.en}"
        terminal.write(LocalizedText(zh, en))
    for lost in done.lost:
        terminal.write(_lost_text(lost))
    for problem in done.log_problems:
        zh, en = f"✗ 日志（只读取，未改动）：{problem.zh}", f"✗ The log, which was only read: {problem.en}"
        terminal.write(LocalizedText(zh, en))
    zh = f"已重建：著作 {done.works} 种，图像 {done.images} 幅，重制浏览图 {done.pyramids_made} 幅"
    works, images = counted(done.works, "work", "works"), counted(done.images, "image", "images")
    en = f"Rebuilt: {works}, {images}; {counted(done.pyramids_made, 'pyramid', 'pyramids')} remade"
    terminal.write(LocalizedText(zh, en))
    terminal.result(_document(terminal, done))
    return EXIT_CONTENT if done.skipped or done.lost or done.log_problems else 0


def _lost_text(lost: LostWork) -> LocalizedText:
    zh = f"只到 v{lost.stored}" if lost.stored else "没有此著作"
    en = f"ends at v{lost.stored}" if lost.stored else "is not in the store"
    return LocalizedText(
        f"✗ {lost.work}：日志记有 v{lost.logged}，存储中{zh}；请从副本恢复，或以 shanben store lost 作出决定",
        f"✗ {lost.work}: the log names v{lost.logged}, and the work {en}; restore it from a replica, or decide by"
        " shanben store lost",
    )


def _document(terminal: Terminal, done: Rebuilt) -> dict[str, object]:
    return {
        "works": done.works,
        "images": done.images,
        "pyramids_made": done.pyramids_made,
        "skipped": [
            {"work": each.work, "code": each.fault.code, "message": each.fault.in_language(terminal.language)}
            for each in done.skipped
        ],
        "lost": [{"work": lost.work, "logged": lost.logged, "stored": lost.stored} for lost in done.lost],
        "log_problems": [problem.in_language(terminal.language) for problem in done.log_problems],
    }
