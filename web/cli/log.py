"""``shanben log``: audit the provenance log, take evidence from it, and check evidence offline."""

from __future__ import annotations

from pathlib import Path

import click

from preservation.log import evidence, sequencer
from preservation.premis import event_of
from repository.config import process_settings
from repository.errors import NotFound
from repository.identifiers import Kind, parse
from repository.localized import LocalizedText
from repository.repository import open_repository
from repository.work_json import to_json_types
from web.cli.terminal import EXIT_CONTENT, Terminal, command


@click.group()
def log() -> None:
    """溯源日志：审计、取证、核验。 The provenance log: audit it, take evidence, check evidence."""


@log.command()
@command
def verify(terminal: Terminal) -> int:
    """审计全部日志。 Audit the whole log: entries, tiles, root and signature."""
    verdict = sequencer.open_log(open_repository(process_settings())).verify()
    for problem in verdict.problems:
        terminal.say(LocalizedText(f"✗ {problem.zh}", f"✗ {problem.en}"))
    if verdict.ok:
        zh = f"日志完好：{verdict.size} 条，根 {verdict.root}"
        terminal.say(LocalizedText(zh, f"The log is whole: {verdict.size} entries, root {verdict.root}"))
    terminal.result({"ok": verdict.ok, "size": verdict.size, "root": verdict.root})
    return 0 if verdict.ok else EXIT_CONTENT


@log.command()
@click.argument("image")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="证据文件。 The evidence file.")
@command
def prove(terminal: Terminal, image: str, output: Path | None) -> None:
    """为一幅图像取证。 An evidence file for an image, which anyone can check offline."""
    repository = open_repository(process_settings())
    identifier = parse(image, Kind.IMAGE)
    if repository.catalogue.image(identifier) is None:
        raise NotFound(what=identifier)
    evidence = sequencer.evidence(repository, identifier)
    if output is None:
        terminal.result({"evidence": evidence.decode()})
        if not terminal.as_json:
            click.echo(evidence, nl=False)
        return
    output.write_bytes(evidence)
    terminal.say(LocalizedText(f"证据已写入 {output}", f"The evidence is in {output}"))
    terminal.result({"file": str(output)})


@log.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--key", help="验证公钥（缺省用本机的）。 The verifier key; this machine's own by default.")
@command
def check(terminal: Terminal, file: Path, key: str | None) -> None:
    """离线核验证据文件。 Verify an evidence file, offline."""
    verifier_key = key or sequencer.verifier_key(open_repository(process_settings()))
    found = evidence.check(file.read_bytes(), verifier_key)
    event = event_of(found.entry)
    what = event.image or event.work
    zh = f"属实：{event.time} {event.type}，{what}，sha256 {event.sha256}（日志第 {found.index} / {found.size} 条）"
    en = f"True: {event.type} at {event.time} of {what}, sha256 {event.sha256} (leaf {found.index} of {found.size})"
    terminal.say(LocalizedText(zh, en))
    terminal.result({"ok": True, "index": found.index, "size": found.size, "event": to_json_types(event)})


@log.command()
@command
def key(terminal: Terminal) -> None:
    """日志的验证公钥。 The log's public key, as a C2SP verifier key line."""
    line = sequencer.verifier_key(open_repository(process_settings()))
    if not terminal.as_json:
        click.echo(line)
    terminal.result({"key": line})
