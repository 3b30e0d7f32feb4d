"""The commands of the log's signing keys: list, rotate, retire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import click

from preservation.log.log_keys import LogKey, LogKeys
from preservation.log.notes import Algorithm
from preservation.log.sequencer import log_keys
from preservation.store_identity import verify_primary
from repository.config import process_settings
from repository.localized import LocalizedText, counted
from repository.repository import Repository, open_repository
from web.cli.terminal import Terminal, command
from workers.maintenance.log_keys import retire_keys, rotate_keys

_NAMES: Final = {Algorithm.ED25519: "Ed25519", Algorithm.ML_DSA_44: "ML-DSA-44"}
_WARN_DAYS: Final = 30


@click.group()
def keys() -> None:
    """日志的签名密钥。 The keys that sign the provenance log."""


@keys.command("list")
@command
def list_keys(terminal: Terminal) -> None:
    """列出在用和停用的密钥。 List the keys that sign the log, and those that were retired."""
    repository = open_repository(process_settings())
    _show(terminal, repository, log_keys(repository))


@keys.command()
@command
def rotate(terminal: Terminal) -> None:
    """加入新密钥，新旧同签。 Add new keys; old and new ones sign until the old ones are retired."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    _show(terminal, repository, rotate_keys(repository))


@keys.command()
@click.argument("key_ids", nargs=-1, metavar="[ID...]")
@command
def retire(terminal: Terminal, key_ids: tuple[str, ...]) -> None:
    """停用旧密钥（缺省：每种只留最新）。 Retire keys; by default all but the newest of each kind."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    _show(terminal, repository, retire_keys(repository, key_ids))


def _show(terminal: Terminal, repository: Repository, listed: LogKeys) -> None:
    now, lifetime = repository.clock(), repository.settings.key_days
    for each in listed.keys:
        terminal.write(_line(each))
    for warning in key_warnings(listed, now, lifetime):
        terminal.warn(warning)
    documents = [
        {
            "id": each.key.key_id.hex(),
            "algorithm": _NAMES[each.key.algorithm],
            "key": each.key.line(),
            "created": each.created or None,
            "days_left": _days_left(each, now, lifetime) if each.retired is None else None,
            "retired": each.retired,
        }
        for each in listed.keys
    ]
    terminal.result({"keys": documents})


def key_warnings(listed: LogKeys, now: datetime, lifetime: int) -> Iterator[LocalizedText]:
    """Yield why the keys should be rotated now; a key may sign for `lifetime` days."""
    left = _days_left(listed.newest, now, lifetime)
    if left is not None and left <= _WARN_DAYS:
        zh, en = (
            ("密钥已过使用年限", "The key is past its end")
            if left < 0
            else ("密钥将到使用年限", "The key is near its end")
        )
        yield LocalizedText(f"{zh}；请运行 shanben keys rotate", f"{en}; run shanben keys rotate")
    if all(each.key.algorithm is not Algorithm.ML_DSA_44 for each in listed.signing):
        zh = "日志尚无 ML-DSA 密钥（早先版本所建）；请运行 shanben keys rotate，此后的检查点即有其签名"
        en = (
            "The log has no ML-DSA key: an earlier release made it. shanben keys rotate adds one, which signs all later"
        )
        yield LocalizedText(zh, f"{en} checkpoints")


def _days_left(each: LogKey, now: datetime, lifetime: int) -> int | None:
    """Return the days until a key should have been replaced, negative after that; None if its age is not known."""
    ends = each.ends(lifetime)
    return None if ends is None else (ends - now).days


def _line(each: LogKey) -> LocalizedText:
    algorithm, identifier = _NAMES[each.key.algorithm], each.key.key_id.hex()
    if each.retired is not None:
        zh, en = (
            f"日志至 {each.retired} 条时停用",
            f"retired when the log had {counted(each.retired, 'entry', 'entries')}",
        )
    elif each.created:
        zh, en = f"在用，{each.created} 制成", f"signs, made at {each.created}"
    else:
        zh, en = "在用", "signs"
    return LocalizedText(f"{identifier} {algorithm} {zh}", f"{identifier} {algorithm} {en}")
