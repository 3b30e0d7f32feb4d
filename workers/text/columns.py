"""The reading order of vertical text: columns from right to left, each from top to bottom. (pure)

A recursive X-Y cut over the cores of the boxes: boxes that a vertical gap separates are read from right to left, then
boxes that a horizontal gap separates from top to bottom, and so on. Double columns of notes within a column are
therefore read right then left before the column continues. Cores, because outlines of neighbouring columns overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from workers.text.source import Box

_CORE: Final = 0.5
"""The share of a box's width and height that its core has."""


def in_columns(boxes: Sequence[Box]) -> list[int]:
    """Return the indexes of boxes in reading order."""
    cores = [_core(box) for box in boxes]
    return _ordered(list(range(len(boxes))), cores)


def are_vertical(boxes: Sequence[Box]) -> bool:
    """Return whether most lines with these boxes are higher than wide."""
    return sum(bottom - top > right - left for left, top, right, bottom in boxes) * 2 > len(boxes)


def _core(box: Box) -> Box:
    left, top, right, bottom = box
    width, height = (right - left) * (1 - _CORE) / 2, (bottom - top) * (1 - _CORE) / 2
    return left + width, top + height, right - width, bottom - height


def _ordered(indexes: list[int], cores: Sequence[Box]) -> list[int]:
    """Return indexes in order. Iterative, because a hostile page could nest cuts deeply."""
    order: list[int] = []
    waiting = [indexes]
    while waiting:
        group = waiting.pop()
        if len(group) == 1:
            order += group
            continue
        parts = _cut(group, lambda index: (cores[index][0], cores[index][2]))[::-1]
        if len(parts) == 1:
            parts = _cut(group, lambda index: (cores[index][1], cores[index][3]))
        if len(parts) == 1:
            order += sorted(group, key=lambda index: (-cores[index][2], cores[index][1], index))
        else:
            waiting += reversed(parts)
    return order


def _cut(group: list[int], span: Callable[[int], tuple[float, float]]) -> list[list[int]]:
    """Return the indexes in groups between which the spans leave gaps, in the order of the spans."""
    parts: list[list[int]] = []
    reach = 0.0
    for index in sorted(group, key=span):
        start, end = span(index)
        if not parts or start > reach:
            parts.append([])
            reach = end
        parts[-1].append(index)
        reach = max(reach, end)
    return parts
