"""The order, the labels and the ignored files of a deposit, as `shanben check` and `shanben ingest` print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from repository.localized import LocalizedText, counted
from web.cli.terminal import Terminal
from workers.deposit.arrangement import ArrangedVolume
from workers.deposit.comparison import Changes

_MOST_PARTS: Final = 12
_MOST_IGNORED: Final = 10
_MOST_PAGES: Final = 20


def show_arrangement(volumes: Sequence[ArrangedVolume], terminal: Terminal) -> None:
    """Write one line for each volume in reading order: its label and the labels of its pages."""
    if volumes:
        terminal.write(LocalizedText("次序与页码：", "Order and labels:"))
    for ordinal, volume in enumerate(volumes, start=1):
        name = volume.label if volume.label == volume.folder else f"{volume.label} ({volume.folder})"
        place = f"{ordinal}. {name}  " if volume.folder else ""
        line = f"  {place}{', '.join(condensed([page.label for page in volume.pages]))}  ({len(volume.pages)})"
        terminal.write(LocalizedText(line, line))


def show_ignored(ignored: Sequence[str], terminal: Terminal) -> None:
    """Write the names of ignored files, if there are any."""
    if ignored:
        names = ", ".join(ignored[:_MOST_IGNORED]) + (" …" if len(ignored) > _MOST_IGNORED else "")
        zh = f"已略过系统文件 {len(ignored)} 个，不予保存：{names}"
        files = counted(len(ignored), "system file, which is", "system files, which are")
        terminal.write(LocalizedText(zh, f"Ignored {files} not preserved: {names}"))


def show_changes(changes: Changes, terminal: Terminal) -> None:
    """Write what a version changed, one line for each kind of change."""
    for keys, name in (
        (changes.added, LocalizedText("增加", "added")),
        (changes.removed, LocalizedText("删去", "removed")),
        (changes.replaced, LocalizedText("换图", "replaced")),
        (changes.moved, LocalizedText("移位", "moved")),
    ):
        if keys:
            listed = ", ".join(keys[:_MOST_PAGES]) + (" …" if len(keys) > _MOST_PAGES else "")
            terminal.write_value(name, f"{len(keys)}: {listed}")
    if changes.record:
        terminal.write_value(
            LocalizedText("著录", "record"), LocalizedText("有改动", "changed").in_language(terminal.language)
        )


def arrangement_json(volumes: Sequence[ArrangedVolume]) -> list[dict[str, object]]:
    """Return volumes and pages in reading order, for programs."""
    return [
        {
            "folder": volume.folder,
            "label": volume.label,
            "pages": [{"key": page.key, "label": page.label} for page in volume.pages],
        }
        for volume in volumes
    ]


def condensed(labels: Sequence[str]) -> list[str]:
    """Return labels in order, with consecutive numbers as one run (1–12); at most twelve parts and a final …"""
    parts = [first if first == last else f"{first}–{last}" for first, last in _runs(labels)]
    return parts if len(parts) <= _MOST_PARTS else [*parts[: _MOST_PARTS - 1], "…"]


def _runs(labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the first and the last label of each run."""
    start = 0
    for end in range(1, len(labels) + 1):
        if end == len(labels) or not _follows(labels[end - 1], labels[end]):
            yield labels[start], labels[end - 1]
            start = end


def _follows(label: str, following: str) -> bool:
    both = (label + following).isascii() and label.isdecimal() and following.isdecimal()
    return both and int(following) == int(label) + 1
