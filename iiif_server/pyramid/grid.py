"""The grid of an image's tiles: their names, and the tile that answers a request. (pure)

The grid is that of libvips' ``dzsave`` with ``layout="iiif3"``, no overlap, and one tile in the smallest level:

- the level of scale factor ``s`` (1, 2, 4, ...) is ``ceil(width / s)`` by ``ceil(height / s)`` pixels, and the last
  level is the first that fits one tile (Image API 3.0, section 5.4);
- its tile at column ``c``, row ``r`` shows the region from ``(c, r)`` times ``tile_size * s``, clipped to the image, at
  ``ceil`` of the region's sides divided by ``s``;
- its name is its request, ``{region}/{w,h}/0/default.jpg``, with ``full`` for the region of the one-tile level.

Two levels can have a tile of the same name: the bottom right corner, when both show it as one pixel (an image of 1025
by 1025 in tiles of 512 has ``1024,1024,1,1/1,1`` twice). The grid has it once, in the level of the smaller factor.

Ordinals count tiles from 0: level by level from full size down, row by row, left to right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

SUFFIX = "/0/default.jpg"


class Box(NamedTuple):
    """A rectangle of pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its scale factor, size in pixels, columns and rows of tiles, and the ordinal of its first tile."""

    scale_factor: int
    width: int
    height: int
    columns: int
    rows: int
    first: int


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Every tile of an image of `width` by `height` pixels in square tiles of `tile_size`. `ValueError` below 1."""

    width: int
    height: int
    tile_size: int
    levels: tuple[Level, ...] = field(init=False, compare=False, repr=False)
    count: int = field(init=False, compare=False, repr=False)
    _steps: tuple[tuple[int, int, int], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.tile_size) < 1:
            raise ValueError(f"no grid of {self.tile_size} over {self.width} by {self.height}")
        levels, count = _levels(self.width, self.height, self.tile_size)
        steps = tuple((level.first, level.columns, self.tile_size * level.scale_factor) for level in levels)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "_steps", steps)

    @property
    def sides(self) -> tuple[int, int, int]:
        """The numbers that define the grid, as a child process takes them: width, height and tile size."""
        return self.width, self.height, self.tile_size

    @property
    def scale_factors(self) -> tuple[int, ...]:
        """The scale factors of the levels, from 1 up."""
        return tuple(level.scale_factor for level in self.levels)

    @property
    def tiles(self) -> list[dict[str, object]]:
        """The `tiles` property of an info.json (Image API 3.0, section 5.4)."""
        return [{"width": self.tile_size, "height": self.tile_size, "scaleFactors": list(self.scale_factors)}]

    @property
    def repeats(self) -> int:
        """The number of levels whose corner tile has the name of one in the level before."""
        return sum(level.columns * level.rows for level in self.levels) - self.count

    def ordinal_of(  # noqa: PLR0917 - region and size in the order of a request; keywords would cost time
        self, x: int, y: int, w: int, h: int, out_w: int, out_h: int
    ) -> int | None:
        """Return the ordinal of the tile that shows region `x,y,w,h` at `out_w,out_h`; None when no tile does.

        The level follows from the sizes: at scale factor ``s`` the larger of ``ceil(w / out_w)`` and
        ``ceil(h / out_h)`` is over ``s / 2`` and at most ``s``, or both outputs are one pixel and the corner is meant,
        whose lowest level is the first with ``s >= max(w, h)``.
        """
        if out_w < 1 or out_h < 1 or x < 0 or y < 0:
            return None
        across, down = (w - 1) // out_w, (h - 1) // out_h
        level = (across if across > down else down).bit_length()  # max() costs twice as much: this is the hot path
        if level >= len(self._steps):
            return None
        first, columns, step = self._steps[level]
        right, below = self.width - x, self.height - y
        if (
            x % step
            or y % step
            or w != (step if right > step else right)
            or h != (step if below > step else below)
            or w < 1
            or h < 1
            or (w - 1 >> level) + 1 != out_w
            or (h - 1 >> level) + 1 != out_h
        ):
            return None
        return first + y // step * columns + x // step

    def request_of(self, ordinal: int) -> tuple[int, int, int, int, int, int]:
        """Return ``(x, y, w, h, out_w, out_h)`` of a tile: the inverse of `ordinal_of`. Raises `IndexError`."""
        if not 0 <= ordinal < self.count:
            raise IndexError(f"tile {ordinal} of {self.count}")
        index = bisect_right(self._steps, ordinal, key=lambda step: step[0]) - 1
        row, column = divmod(ordinal - self.levels[index].first, self.levels[index].columns)
        x, w, out_w = self._side(index, column, self.width)
        y, h, out_h = self._side(index, row, self.height)
        return x, y, w, h, out_w, out_h

    def name_of(self, ordinal: int) -> str:
        """Return the name of a tile: its request as dzsave writes it. Raises `IndexError`."""
        x, y, w, h, out_w, out_h = self.request_of(ordinal)
        whole = w == self.width and h == self.height
        return f"{'full' if whole else f'{x},{y},{w},{h}'}/{out_w},{out_h}{SUFFIX}"

    def names(self) -> Iterator[str]:
        """Yield the names of all tiles, in order."""
        for index in range(len(self.levels) - 1):
            yield from self._names_of_level(index)
        yield self.name_of(self.count - 1)

    def _names_of_level(self, index: int) -> Iterator[str]:
        """Yield the names of a level of several tiles, composed row by row: a fifth of the time of `name_of`."""
        level, end = self.levels[index], self.levels[index + 1].first
        columns = [self._side(index, column, self.width) for column in range(level.columns)]
        rows = [self._side(index, row, self.height) for row in range(level.rows)]
        left = end - level.first
        for y, h, out_h in rows:
            yield from (f"{x},{y},{w},{h}/{out_w},{out_h}{SUFFIX}" for x, w, out_w in columns[:left])
            left -= level.columns

    def _side(self, index: int, number: int, whole: int) -> tuple[int, int, int]:
        """Return start, length and output length of the tiles at a column or row, along that side of the image."""
        step = self._steps[index][2]
        start = number * step
        length = min(step, whole - start)
        return start, length, (length - 1 >> index) + 1


def _levels(width: int, height: int, tile_size: int) -> tuple[tuple[Level, ...], int]:
    """Return the levels from full size down to one tile, and the total number of tiles."""
    levels: list[Level] = []
    first, index = 0, 0
    while True:
        scale_factor = 1 << index
        w, h = (width - 1 >> index) + 1, (height - 1 >> index) + 1
        columns, rows = (w - 1) // tile_size + 1, (h - 1) // tile_size + 1
        levels.append(Level(scale_factor, w, h, columns, rows, first))
        repeated = index > 0 and _same_corner(width, height, tile_size, scale_factor)
        first += columns * rows - repeated
        if columns == rows == 1:
            return tuple(levels), first
        index += 1


def _same_corner(width: int, height: int, tile_size: int, scale_factor: int) -> bool:
    """Return whether the corner tile is one pixel in the level before too; their regions are then equal."""
    step = tile_size * scale_factor
    across, down = (width - 1) % step + 1, (height - 1) % step + 1
    return max(across, down) <= scale_factor // 2
