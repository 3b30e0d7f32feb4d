"""The commands ``shanben log``: audit the provenance log, write evidence files, and verify them offline."""

from __future__ import annotations

from pathlib import Path

import click

from preservation.log import evidence, sequencer
from preservation.premis import parse_event
from preservation.store_identity import verify_primary
from repository.config import process_settings
from repository.errors import NotFound
from repository.identifiers import Kind, parse
from repository.localized import LocalizedText
from repository.repository import open_repository
from repository.work_json import to_json_types
from web.cli.terminal import EXIT_CONTENT, Terminal, command


@click.group()
def log() -> None:
    """溯源日志：审计、取证、核验。 The provenance log: audit it, write evidence files, verify them."""


@log.command()
@command
def verify(terminal: Terminal) -> int:
    """审计全部日志。 Audit the whole log: entries, tiles, root and signature."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    audit = sequencer.open_log(repository).verify()
    for problem in audit.problems:
        terminal.write(LocalizedText(f"✗ {problem.zh}", f"✗ {problem.en}"))
    if audit.ok:
        zh = f"日志完好：{audit.size} 条，根 {audit.root}"
        terminal.write(LocalizedText(zh, f"The log is intact: {audit.size} entries, root {audit.root}"))
    terminal.result({"ok": audit.ok, "size": audit.size, "root": audit.root})
    return 0 if audit.ok else EXIT_CONTENT


@log.command()
@click.argument("image")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="证据文件。 The evidence file.")
@command
def prove(terminal: Terminal, image: str, output: Path | None) -> None:
    """为一幅图像取证。 Write an evidence file for an image, which anyone can verify offline."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    identifier = parse(image, Kind.IMAGE)
    if repository.catalogue.image(identifier) is None:
        raise NotFound(what=identifier)
    content = sequencer.image_evidence(repository, identifier)
    if output is None:
        terminal.result({"evidence": content.decode()})
        if not terminal.as_json:
            terminal.write_document(content.decode())
        return
    output.write_bytes(content)
    terminal.write(LocalizedText(f"证据已写入 {output}", f"Evidence written to {output}"))
    terminal.result({"file": str(output)})


@log.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--key", help="验证公钥（缺省用本机的）。 The verifier key; this machine's own by default.")
@command
def check(terminal: Terminal, file: Path, key: str | None) -> None:
    """离线核验证据文件。 Verify an evidence file offline."""
    verifier_key = key or sequencer.verifier_key(open_repository(process_settings()))
    verified = evidence.verify(file.read_bytes(), verifier_key)
    event = parse_event(verified.entry)
    what = event.image or event.work
    position = f"第 {verified.index} 条，共 {verified.size} 条"
    zh = f"核验通过：{event.time} {event.type}，{what}，sha256 {event.sha256}（日志{position}）"
    en = (
        f"Verified: {event.type} of {what} at {event.time}, sha256 {event.sha256}"
        f" (log entry {verified.index} of {verified.size})"
    )
    terminal.write(LocalizedText(zh, en))
    terminal.result({"ok": True, "index": verified.index, "size": verified.size, "event": to_json_types(event)})


@log.command()
@command
def key(terminal: Terminal) -> None:
    """日志的验证公钥。 Print the log's public key as a C2SP verifier key line."""
    line = sequencer.verifier_key(open_repository(process_settings()))
    if not terminal.as_json:
        terminal.write_line(line)
    terminal.result({"key": line})
