"""Reading a password from standard input: the first line, or a prompt without echo on a terminal."""

from __future__ import annotations

import sys
from typing import Final

import click

from repository.errors import RequestInvalid
from repository.localized import LocalizedText

_MAX_BYTES: Final = 4096


def read_password(*, is_new: bool = False) -> str:
    """Return the password. A terminal asks twice for one that `is_new`. Raises `RequestInvalid` if it is unreadable."""
    stdin = sys.stdin
    if stdin.isatty():
        password: str = click.prompt("密码 Password", hide_input=True, confirmation_prompt=is_new, err=True)
        return password
    line: bytes = stdin.buffer.readline(_MAX_BYTES + 1).rstrip(b"\r\n")
    if not line or len(line) > _MAX_BYTES:
        reason = LocalizedText(
            "没有读到密码；请写在标准输入的第一行",
            "no password was read; write it as the first line of standard input",
        )
        raise RequestInvalid(part="stdin", reason=reason)
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as fault:
        reason = LocalizedText("密码须为 UTF-8 文字", "the password must be text in UTF-8")
        raise RequestInvalid(part="stdin", reason=reason) from fault
