"""The command ``shanben lint-manifest``: check a IIIF Presentation 3.0 document, in a file or at an address."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from iiif_server.presentation.linting.findings import LintFinding
from iiif_server.presentation.linting.linter import LARGEST_DOCUMENT, lint
from repository.errors import RequestInvalid
from repository.localized import LocalizedText, counted
from repository.network.guarded_http import FetchLimits, GuardedClient, PartnerUnavailable
from repository.network.http_client import is_service_url
from web.cli.terminal import EXIT_CONTENT, Terminal, command

_SECONDS: Final = 30.0


@click.command(name="lint-manifest")
@click.argument("source", metavar="URL|FILE")
@command
def lint_manifest(terminal: Terminal, source: str) -> int:
    """检查 IIIF Presentation 3.0 文件；无须数据目录。 Check a IIIF Presentation 3.0 document; needs no data folder."""
    report = lint(_read(source))
    _show(terminal, "✗", report.errors)
    _show(terminal, "⚠", report.warnings)
    errors, warnings = len(report.errors), len(report.warnings)
    terminal.write(
        LocalizedText(
            f"错误 {errors} 处，建议 {warnings} 处",
            f"{counted(errors, 'error', 'errors')}, {counted(warnings, 'warning', 'warnings')}",
        )
        if errors or warnings
        else LocalizedText("没有问题", "No faults")
    )
    terminal.result(
        {"errors": _to_json(terminal, report.errors), "warnings": _to_json(terminal, report.warnings)},
    )
    return EXIT_CONTENT if report.errors else 0


def _read(source: str) -> bytes:
    if is_service_url(source):
        return _fetched(source)
    try:
        with Path(source).open("rb") as file:
            content = file.read(LARGEST_DOCUMENT + 1)
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise RequestInvalid(part=source, reason=reason) from fault
    if len(content) > LARGEST_DOCUMENT:
        reason = LocalizedText("文件过大", "the file is too large")
        raise RequestInvalid(part=source, reason=reason)
    return content


def _fetched(url: str) -> bytes:
    """Return the document at an address. The person who runs the command may name a host in a private network."""
    client = GuardedClient("Shanben/1.0", FetchLimits(LARGEST_DOCUMENT, _SECONDS), (urlsplit(url).hostname or "",))
    answer = client.get(url, {"Accept": "application/ld+json, application/json"})
    if answer.status != HTTPStatus.OK:
        raise PartnerUnavailable(url=answer.url, reason=f"HTTP {answer.status}", seconds=0)
    return answer.body


def _show(terminal: Terminal, mark: str, findings: Iterable[LintFinding]) -> None:
    for finding in findings:
        where = f"{mark} {finding.path}  {finding.code}"
        terminal.write(LocalizedText(f"{where}：{finding.message.zh}", f"{where}: {finding.message.en}"))


def _to_json(terminal: Terminal, findings: Iterable[LintFinding]) -> list[dict[str, str]]:
    return [
        {"path": finding.path, "code": finding.code, "message": finding.message.in_language(terminal.language)}
        for finding in findings
    ]
