"""The results of ``shanben store validate`` for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from preservation.ocfl.store_validation import ValidatedPart
from preservation.ocfl.validation_messages import message_of
from preservation.ocfl.validation_rules import RuleFinding
from repository.localized import LocalizedText, counted
from repository.paths import OCFL_ROOT
from web.cli.terminal import Terminal
from web.operations.formatting import byte_size


@dataclass(frozen=True, slots=True)
class CountedWarning:
    """A warning of one code: how often it occurs, and its first occurrence."""

    part: ValidatedPart
    finding: RuleFinding
    count: int = 1


@dataclass(slots=True)
class Findings:
    """The findings of a validation: every fault, and each warning code once with its number of occurrences."""

    objects: int = 0
    valid: int = 0
    faults: list[tuple[ValidatedPart, RuleFinding]] = field(default_factory=list)
    warnings: dict[str, CountedWarning] = field(default_factory=dict)

    def add(self, part: ValidatedPart) -> None:
        """Count a part of the store and add its findings."""
        self.objects += part.is_object
        self.valid += part.is_object and part.result.valid
        self.faults += [(part, finding) for finding in part.result.errors]
        for finding in part.result.warnings:
            seen = self.warnings.get(finding.code)
            first = replace(seen, count=seen.count + 1) if seen else CountedWarning(part, finding)
            self.warnings[finding.code] = first


def collect_findings(parts: Iterable[ValidatedPart]) -> Findings:
    """Return the findings of all parts of a store."""
    findings = Findings()
    for part in parts:
        findings.add(part)
    return findings


def report_findings(terminal: Terminal, store: str, size: int, findings: Findings) -> None:
    """Print the findings for people; `store` is the store's name, `size` the number of bytes validated."""
    for part, finding in findings.faults:
        message, name = message_of(finding), _printable(part.identifier or OCFL_ROOT)
        where = f"{name}  {finding.code}  {_printable(part.key(finding))}"
        terminal.write(LocalizedText(f"✗ {where}：{message.zh}", f"✗ {where}: {message.en}"))
    for code, warning in findings.warnings.items():
        message, key = message_of(warning.finding), _printable(warning.part.key(warning.finding))
        terminal.write(
            LocalizedText(
                f"⚠ {code}（{warning.count} 处，首见于 {key}）：{message.zh}",
                f"⚠ {code} ({warning.count}×, first in {key}): {message.en}",
            )
        )
    count, amount = findings.objects, byte_size(size)
    terminal.write(
        LocalizedText(
            f"{store}：对象 {count} 个，有效 {findings.valid} 个，{amount}",
            f"{store}: {count} object{'' if count == 1 else 's'}, {findings.valid} valid, {amount}",
        )
    )
    if findings.faults:
        terminal.write(
            LocalizedText(
                f"{len(findings.faults)} 处不合规范。请勿删除；用 --store 验证副本，再以完好的一份替换",
                f"{counted(len(findings.faults), 'fault', 'faults')}. Delete nothing; validate the replicas with"
                " --store and replace"
                " damaged files with intact copies",
            )
        )
    elif not count:
        terminal.write(
            LocalizedText("存储中没有对象，未作任何验证", "The store contains no objects: nothing was validated")
        )


def findings_document(terminal: Terminal, store: str, size: int, findings: Findings) -> dict[str, object]:
    """Return the findings as the JSON document of docs/commands.md."""
    warnings = findings.warnings.values()
    return {
        "store": store,
        "objects": findings.objects,
        "valid": findings.valid,
        "bytes": size,
        "faults": [_finding_json(terminal, part, finding) for part, finding in findings.faults],
        "warnings": [{**_finding_json(terminal, seen.part, seen.finding), "count": seen.count} for seen in warnings],
    }


def _finding_json(terminal: Terminal, part: ValidatedPart, finding: RuleFinding) -> dict[str, object]:
    return {
        "object": _printable(part.identifier),
        "code": finding.code,
        "key": _printable(part.key(finding)),
        "message": _printable(message_of(finding).in_language(terminal.language)),
    }


def _printable(text: str) -> str:
    """Escape what is not valid Unicode: the names of files that another program put into the store."""
    return text.encode("utf-8", "backslashreplace").decode()
