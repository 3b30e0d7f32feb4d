"""Writes the files that a command makes for its caller: evidence, certificates and reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repository.errors import SystemFault
from repository.localized import LocalizedText


class OutputNotWritten(SystemFault):
    """The file of a command cannot be written: there is no such folder, no permission, or no space."""

    code = "output.file"
    transient = False
    text = LocalizedText(
        "无法写入 {path}：{reason}；请检查路径、权限与磁盘空间",
        "{path} cannot be written: {reason}; check the path, the permissions and the disk space",
    )


def write_output(path: Path, content: bytes) -> None:
    """Write a file. Raises `OutputNotWritten`."""
    with writing_output(path):
        path.write_bytes(content)


@contextmanager
def writing_output(path: Path) -> Iterator[None]:
    """Write a file, or files in a folder, in the block. Raises `OutputNotWritten` for an `OSError` of the block."""
    try:
        yield
    except OSError as fault:
        raise OutputNotWritten(path=path, reason=fault.strerror or str(fault)) from fault
