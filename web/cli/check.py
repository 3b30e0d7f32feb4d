"""`shanben check`: examines a deposit as an ingest would, and writes nothing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from repository.config import process_settings
from repository.localized import LocalizedText, counted
from web.cli.deposit_report import arrangement_json, show_arrangement, show_ignored
from web.cli.terminal import EXIT_CONTENT, Terminal, command
from workers.deposit.check import check as check_deposit
from workers.deposit.examiner import open_deposit_examiner


@click.command()
@click.argument("deposit", type=click.Path(path_type=Path))
@command
def check(terminal: Terminal, deposit: Path) -> int:
    """检查送存目录，列出次序与全部问题，不写入任何内容。 List the order and every fault; write nothing."""
    settings = process_settings()
    with TemporaryDirectory() as scratch, open_deposit_examiner(settings, Path(scratch)) as examiner:
        checked = check_deposit(deposit, examiner, terminal.progress())
    faults = checked.faults
    show_arrangement(checked.volumes, terminal)
    show_ignored(checked.ignored, terminal)
    terminal.faults(faults)
    terminal.notices(checked.notices)
    count = len(faults)
    terminal.write(
        LocalizedText(f"共 {count} 处问题", counted(count, "fault", "faults"))
        if faults
        else LocalizedText("没有问题", "No faults")
    )
    terminal.result(
        {
            "faults": [fault.to_localized_json(terminal.language) for fault in faults],
            "notices": [notice.to_localized_json(terminal.language) for notice in checked.notices],
            "volumes": arrangement_json(checked.volumes),
            "ignored": list(checked.ignored),
        }
    )
    return EXIT_CONTENT if faults else 0
