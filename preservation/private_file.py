"""Write and read files that only their owner may read: private keys and the salt of sealed names.

A file is written durably and atomically.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from repository.storage.fsync import sync_folder, write_all

_LONGEST_FILE: Final = 16_384


def write_private(path: Path, content: bytes) -> None:
    """Write a new file, durably, with mode 0600 in a folder with mode 0700. Raises `SettingInvalid` when one exists."""
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{path.name}.{secrets.token_hex(8)}"
    try:
        _write(temporary, content)
        os.link(temporary, path)
    except FileExistsError as fault:
        reason = LocalizedText(
            "密钥已存在，不予覆盖；如需更换，请先移走",
            "a key already exists and is not overwritten; move it away first",
        )
        raise SettingInvalid(name=path.name, reason=reason) from fault
    finally:
        temporary.unlink(missing_ok=True)
    for changed in (folder, *folder.parents[:1]):
        sync_folder(str(changed))


def replace_private(path: Path, content: bytes) -> None:
    """Replace a file's content, durably and atomically: a crash leaves the old content or the new."""
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        _write(temporary, content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(str(path.parent))


def read_private(path: Path) -> bytes:
    """Return a file's content. Raises `FileNotFoundError`, and `SettingInvalid` if others can read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST_FILE)
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise SettingInvalid(name=path.name, reason=fault.strerror or str(fault)) from fault
    if mode & 0o077:
        reason = LocalizedText("他人可读取；请执行 chmod 600", "other users can read it; run chmod 600 on it")
        raise SettingInvalid(name=path.name, reason=reason)
    return content


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)
