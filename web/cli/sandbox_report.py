"""Reports the boundary around the child processes that read untrusted files, as a child measures it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir

from repository.errors import StagingFault
from repository.localized import LocalizedText
from repository.sandbox.functions import Layer, Quota, SandboxNotStarted
from repository.sandbox.pool import SandboxPool
from web.cli.terminal import Terminal

_START_SECONDS = 10.0
_TITLE = LocalizedText("沙箱", "sandbox")
_NONE = LocalizedText(
    "无：解码进程能读取本用户的所有文件，见 docs/zh/operators.md",
    "none: the processes that decode can read every file of this user, see docs/operators.md",
)


def active_layers() -> tuple[Layer, ...] | LocalizedText:
    """Start a child and return the layers it applied, or the reason why it did not start."""
    try:
        with SandboxPool((), 1, Path(gettempdir()), Quota(_START_SECONDS)) as pool:
            return pool.active_layers()
    except (SandboxNotStarted, StagingFault) as fault:
        return fault.message


def layers_document(layers: Sequence[Layer] | LocalizedText) -> list[str] | None:
    """Return the names of the layers as JSON: null if they are unknown."""
    return None if isinstance(layers, LocalizedText) else [layer.value for layer in layers]


def report_sandbox(terminal: Terminal, layers: Sequence[Layer] | LocalizedText) -> None:
    """Write the active layers in one line; a warning if there is none."""
    if isinstance(layers, LocalizedText):
        terminal.warn(LocalizedText(f"{_TITLE.zh}：{layers.zh}", f"{_TITLE.en}: {layers.en}"))
    elif not layers:
        terminal.warn(LocalizedText(f"{_TITLE.zh}：{_NONE.zh}", f"{_TITLE.en}: {_NONE.en}"))
    else:
        names = ", ".join(layers)
        terminal.write(LocalizedText(f"{_TITLE.zh}：{names}", f"{_TITLE.en}: {names}"))
