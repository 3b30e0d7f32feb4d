"""Finds notes in double columns (夹注) among recognised lines by where they stand, and orders all lines. (pure)

The engine reads such notes as lines and does not tell them from narrow columns. They are lines of about half the width
of a column of the text, side by side in pairs within it. The rule needs a line of the text itself in the same column,
above or below a pair. On a page whose columns are all equally wide it finds no notes.

1. **Pairs**: lines of similar width and height that begin at about the same height, the one next to the other.
2. **Anchors**: pairs above or below which a line of the text stands whose width is about that of both together. They
   give the widths of notes and of the text on this page, and the distance of the lines of a pair.
3. **Notes** are the anchors, other pairs as close as these, and single narrow lines that stand on one side of a column
   of the text: the last characters of a note may fill one line alone.
4. **Order**: a pair is read as one line of the width of its column, right then left.

The shares below were chosen on the boxes of 172 pages of seven editions, on which people had marked the notes
(decision 39).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from workers.text.columns import in_columns
from workers.text.source import Box

_Pair = tuple[int, int]
"""The indexes of the right and the left line."""

_SIMILAR: Final = 1.6
"""How many times as wide as the other a line of a pair may be."""

_START: Final = 1.2
"""How far apart the lines of a pair begin at most, in parts of their width."""

_NEAREST: Final = 0.5
_FARTHEST: Final = 1.5
"""The distance of the middles of a pair, in parts of its width."""

_LEVEL: Final = 0.8
_UNEVEN: Final = 1.2
"""The least height that the lines of a pair share, in parts of the greater height; or the greatest height that they do
not share, in parts of the greater width: one line may have a character more."""

_WIDER: Final = 1.3
_LEAST_SPAN: Final = 0.75
_MOST_SPAN: Final = 1.6
"""How many times as wide as a note a line of the text is at least; the least and the greatest width of a pair, in parts
of the width of that line."""

_CENTRED: Final = 0.3
"""How far the middle of a pair may be from that of the column, in parts of the column's width."""

_CLOSE: Final = 1.3
_NARROW: Final = 0.95
"""The greatest distance of other pairs in parts of that of anchors, and their greatest width in parts of the text's.

Columns of the text are twice as far apart as the lines of a pair."""

_OVERLAP: Final = 0.25
"""How much of the lower one of two lines in a column may overlap with the other: boxes are loose."""

_NEXT: Final = 0.5
_UPRIGHT: Final = 0.7
_LEAST_COLUMN: Final = 3.0
"""How far a line of the text is from a pair at most; how high that line, and the column of both, are at least. All in
parts of the width of the line."""

_ASIDE: Final = (0.1, 0.5)
"""How far the middle of a single line of a note is from that of the column, in parts of the column's width."""

_NEAR: Final = 2.0
"""How far above or below the text it may be, in parts of the column's width."""


def read_columns(boxes: Sequence[Box]) -> list[tuple[int, bool]]:
    """Return the indexes of the boxes of vertical lines in reading order, and whether each is a note."""
    pairs, notes = find_notes(boxes)
    paired = {index for pair in pairs for index in pair}
    units: list[tuple[int, ...]] = [*pairs, *((index,) for index in range(len(boxes)) if index not in paired)]
    order = in_columns([_around([boxes[index] for index in unit]) for unit in units])
    return [(index, index in notes) for place in order for index in units[place]]


def find_notes(boxes: Sequence[Box]) -> tuple[list[_Pair], frozenset[int]]:
    """Return pairs of notes, each line in one of them at most, and all notes."""
    pairs = list(_pairs(boxes))
    anchors = {pair: line for pair in pairs if (line := _text_around(boxes, pair)) is not None}
    if not anchors:
        return [], frozenset()
    distance = median(_distance(boxes, pair) for pair in anchors)
    text = median(_width(boxes[index]) for index in anchors.values())
    others = (pair for pair in pairs if pair not in anchors and _distance(boxes, pair) <= _CLOSE * distance)
    found = [*anchors, *(pair for pair in others if all(_width(boxes[index]) <= _NARROW * text for index in pair))]
    notes = {index for pair in found for index in pair}
    # Between the widths of notes and of the text: their geometric mean.
    limit = (text * median(_width(boxes[index]) for pair in anchors for index in pair)) ** 0.5
    texts = [box for index, box in enumerate(boxes) if index not in notes and _width(box) > limit]
    notes |= {index for index, box in enumerate(boxes) if _width(box) <= limit and _is_aside(box, texts)}
    return list(_separate(found)), frozenset(notes)


def _pairs(boxes: Sequence[Box]) -> Iterator[_Pair]:
    """Yield what may be the lines of a note, from right to left."""
    order = sorted(range(len(boxes)), key=lambda index: _middle(boxes[index]))
    middles = [_middle(boxes[index]) for index in order]
    for place in reversed(range(len(order))):
        right = order[place]
        start = bisect_left(middles, middles[place] - _FARTHEST * _SIMILAR * _width(boxes[right]))
        for left in reversed(order[start:place]):
            if _is_pair(boxes[right], boxes[left]):
                yield right, left


def _is_pair(right: Box, left: Box) -> bool:
    narrow, wide = sorted((_width(right), _width(left)))
    height = max(_height(right), _height(left))
    shared = -_gap(right, left)
    return (
        wide <= _SIMILAR * narrow
        and _NEAREST * wide <= _middle(right) - _middle(left) <= _FARTHEST * wide
        and abs(right[1] - left[1]) <= _START * wide
        and (shared >= _LEVEL * height or height - shared <= _UNEVEN * wide)
    )


def _text_around(boxes: Sequence[Box], pair: _Pair) -> int | None:
    """Return the line of the text in the column of a pair, of several the nearest; None without one."""
    lines = [boxes[index] for index in pair]
    both, widest = _around(lines), max(map(_width, lines))
    found = [
        (_gap(box, both), index)
        for index, box in enumerate(boxes)
        if abs(_middle(box) - _middle(both)) <= _CENTRED * _width(box)
        and _width(box) >= _WIDER * widest
        and _LEAST_SPAN * _width(box) <= _width(both) <= _MOST_SPAN * _width(box)
        and _adjoins(box, both)
    ]
    return min(found)[1] if found else None


def _adjoins(text: Box, both: Box) -> bool:
    """Return whether a line of the text and a pair follow each other in a column, and are together high enough for one.

    Lines in pictures and cells of tables are too low.
    """
    height, width = _height(text), _width(text)
    return (
        -_OVERLAP * min(height, _height(both)) < _gap(text, both) <= _NEXT * width
        and height >= _UPRIGHT * width
        and height + _height(both) >= _LEAST_COLUMN * width
    )


def _separate(pairs: Sequence[_Pair]) -> Iterator[_Pair]:
    """Yield pairs, the first ones first, without those that have a line of an earlier one."""
    used: set[int] = set()
    for pair in pairs:
        if used.isdisjoint(pair):
            used.update(pair)
            yield pair


def _is_aside(box: Box, texts: Sequence[Box]) -> bool:
    """Return whether a narrow line stands close above or below a line of the text, on one side of its middle."""
    return any(
        _ASIDE[0] * _width(text) <= abs(_middle(box) - _middle(text)) <= _ASIDE[1] * _width(text)
        and -_OVERLAP * min(_height(box), _height(text)) < _gap(box, text) <= _NEAR * _width(text)
        for text in texts
    )


def _distance(boxes: Sequence[Box], pair: _Pair) -> float:
    return _middle(boxes[pair[0]]) - _middle(boxes[pair[1]])


def _gap(one: Box, other: Box) -> float:
    """Return the height between two boxes; negative where they overlap."""
    return max(one[1], other[1]) - min(one[3], other[3])


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _width(box: Box) -> float:
    return max(box[2] - box[0], 1.0)


def _height(box: Box) -> float:
    return max(box[3] - box[1], 1.0)


def _middle(box: Box) -> float:
    return (box[0] + box[2]) / 2
