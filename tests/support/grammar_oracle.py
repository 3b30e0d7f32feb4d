"""An independent implementation of image requests: the responses that the specification allows for any text.

It follows sections 4.1 to 4.5 of Image API 3.0 and 2.1.1, the tile algorithm of their implementation notes, and
decision 7 where they leave a choice. It uses nothing of `iiif_server`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, cos, floor, radians, sin

FORMATS = ("jpg", "png", "webp", "tif", "gif", "jp2", "avif", "pdf")
QUALITIES = ("default", "color", "gray", "bitonal")
LONGEST_OF_ALL = 65_500
LONGEST_SIDE = {"jpg": 65_500, "webp": 16_383, "gif": 65_535, "pdf": 60_000, "avif": 32_768}

_REAL = r"(?:[0-9]{1,10}(?:\.[0-9]{1,20})?|\.[0-9]{1,20})"
_REGION = re.compile(rf"full|square|([0-9]{{1,10}}(?:,[0-9]{{1,10}}){{3}})|pct:({_REAL}(?:,{_REAL}){{3}})")
_WHOLE = "([0-9]{1,10})"
_SIZE = re.compile(rf"(\^?)(max|full|(!?){_WHOLE},{_WHOLE}|{_WHOLE},|,{_WHOLE}|pct:({_REAL}))")
_ROTATION = re.compile(f"(!?)({_REAL})")

Sides = tuple[int, int]
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Shown:
    """An image: its size, its tile size, the most pixels of a response, and the longest side its rights allow."""

    width: int
    height: int
    tile: int
    max_area: int
    max_size: int | None = None


@dataclass(frozen=True)
class Expected:
    """The allowed responses: one of `statuses`, or a picture whose size before rotation satisfies `fits`.

    `sides` is that size where the specification leaves no choice.
    """

    statuses: frozenset[int] = frozenset()
    fits: Callable[[Sides], bool] | None = None
    sides: Sides | None = None
    region: Region = (0, 0, 0, 0)
    mirrored: bool = False
    degrees: float = 0.0
    quality: str = ""
    format: str = ""


REFUSED = Expected(frozenset({400}))


def expected(version: int, text: str, image: Shown) -> Expected:
    """Return what the specification, and our choices in it, allow as the response to a request."""
    parts = re.fullmatch(r"([^/]*)/([^/]*)/([^/]*)/([^/.]*)\.([^/.]*)", text)
    if parts is None or len(text) > 255:
        return REFUSED
    place, size, turn, quality, wanted = parts.groups()
    region = _region(place, image)
    asked = _SIZE.fullmatch(size)
    rotation = _ROTATION.fullmatch(turn)
    if region is None or not asked or not rotation or quality not in QUALITIES or wanted not in FORMATS:
        return REFUSED
    if float(rotation[2]) > 360 or (asked[1] if version == 2 else asked[2] == "full"):
        return REFUSED
    statuses, fits, sides = _size(version, asked, region, image)
    if fits is None:
        return Expected(frozenset(statuses))
    degrees = float(rotation[2]) % 360
    return Expected(frozenset(statuses), fits, sides, region, bool(rotation[1]), degrees, quality, wanted)


def _region(text: str, image: Shown) -> Region | None:
    found = _REGION.fullmatch(text)
    if not found:
        return None
    if text == "full":
        return 0, 0, image.width, image.height
    if text == "square":
        side = min(image.width, image.height)
        return (image.width - side) // 2, (image.height - side) // 2, side, side
    if found[1]:
        x, y, w, h = map(int, found[1].split(","))
    else:
        parts = [Fraction(part if part[0] != "." else f"0{part}") / 100 for part in found[2].split(",")]
        whole = (image.width, image.height) * 2
        x, y, w, h = (_rounded(part * side) for part, side in zip(parts, whole, strict=True))
    if w == 0 or h == 0 or x >= image.width or y >= image.height:
        return None
    return x, y, min(w, image.width - x), min(h, image.height - y)


def _rounded(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


def _size(
    version: int, asked: re.Match[str], region: Region, image: Shown
) -> tuple[set[int], Callable[[Sides], bool] | None, Sides | None]:
    caret, form = bool(asked[1]), asked[2]
    w, h = region[2:]
    if form == "max":
        return set(), lambda sides: _is_largest(sides, region, caret, image), None
    sides = (w, h) if form == "full" else _sides(version, asked, region, image)
    if 0 in sides or (version == 3 and not caret and (sides[0] > w or sides[1] > h)):
        return {400}, None, None
    if _is_allowed(sides, region, image):
        return set(), lambda given: given == sides, sides
    if asked[3]:
        wide, high = int(asked[4]), int(asked[5])
        return (
            set(),
            lambda given: given[0] <= wide and given[1] <= high and _is_largest(given, region, caret, image),
            None,
        )
    statuses = {400} if _is_in_scale(sides, region, image) else {403}
    fixed = (int(asked[6] or 0), int(asked[7] or 0))
    if not any(fixed):
        return statuses, None, None

    def is_rounding_away(given: Sides) -> bool:  # from the largest size, which `sizes` may list
        return (given[0] == fixed[0] or given[1] == fixed[1]) and _is_largest(given, region, caret, image)

    return statuses, is_rounding_away, None


def _sides(version: int, asked: re.Match[str], region: Region, image: Shown) -> Sides:
    """Return the size that numbers mean: that of the matching tile or level, or else one in proportion."""
    sides = _sides_in_proportion(version, asked, region, image)
    is_exact = bool(asked[4]) and not asked[3]
    return sides if is_exact or sides == (0, 0) else (max(1, sides[0]), max(1, sides[1]))


def _sides_in_proportion(version: int, asked: re.Match[str], region: Region, image: Shown) -> Sides:
    w, h = region[2:]
    known = _tiles(region, image)
    if asked[6]:
        wide = int(asked[6])
        return next((sides for _, sides in known if sides[0] == wide), (wide, _rounded(Fraction(h * wide, w))))
    if asked[7]:
        high = int(asked[7])
        return next((sides for _, sides in known if sides[1] == high), (_rounded(Fraction(w * high, h)), high))
    if asked[8]:
        part = Fraction(asked[8] if asked[8][0] != "." else f"0{asked[8]}") / 100
        other = _rounded(w * part), _rounded(h * part)
        return next((sides for factor, sides in known if part * factor == 1), other)
    box = int(asked[4]), int(asked[5])
    if not asked[3]:
        return box
    if not asked[1] and box[0] >= w and box[1] >= h:
        return w, h
    part = min(Fraction(box[0], w), Fraction(box[1], h))
    fitting = (
        sides
        for _, sides in known
        if sides[0] <= box[0] and sides[1] <= box[1] and (sides[0] == box[0] or sides[1] == box[1])
    )
    return next(fitting, (_rounded(w * part), _rounded(h * part)))


def _tiles(region: Region, image: Shown) -> list[tuple[int, Sides]]:
    """Return scale factors and sizes of the tiles and levels that show exactly this region, larger ones first."""
    x, y, w, h = region
    found = []
    factor = 1
    while True:
        step = image.tile * factor
        aligned = x % step == 0 and y % step == 0
        covers = w == min(step, image.width - x) and h == min(step, image.height - y)
        if (aligned and covers) or (w, h) == (image.width, image.height):
            found.append((factor, (-(-w // factor), -(-h // factor))))
        if step >= max(image.width, image.height):
            return found
        factor *= 2


def _is_in_scale(sides: Sides, region: Region, image: Shown) -> bool:
    if image.max_size is None:
        return True
    longest = max(image.width, image.height)
    most = (ceil(Fraction(part * image.max_size, longest)) for part in region[2:])
    return all(side <= limit for side, limit in zip(sides, most, strict=True))


def _is_allowed(sides: Sides, region: Region, image: Shown) -> bool:
    return sides[0] * sides[1] <= image.max_area and max(sides) <= LONGEST_OF_ALL and _is_in_scale(sides, region, image)


def _is_largest(sides: Sides, region: Region, enlarge: bool, image: Shown) -> bool:
    """Return whether a size is in proportion, allowed, and nearly the largest that is."""
    w, h = region[2:]
    if not _is_allowed(sides, region, image) or (not enlarge and (sides[0] > w or sides[1] > h)):
        return False
    off = min(abs(sides[1] - Fraction(h * sides[0], w)), abs(sides[0] - Fraction(w * sides[1], h)))
    if off > 1 and min(sides) > 1:
        return False
    full = not enlarge and sides == (w, h)
    scale = min(Fraction(image.max_size or 10**9, max(image.width, image.height)), Fraction(LONGEST_OF_ALL, max(w, h)))
    limit = sides[0] + 1 > w * scale or sides[1] + 1 > h * scale
    wider, higher = (sides[0] + 1) ** 2 * Fraction(h, w), (sides[1] + 1) ** 2 * Fraction(w, h)
    return full or limit or max(wider, higher) >= image.max_area


def turned(sides: Sides, degrees: float) -> tuple[float, float]:
    """Return the bounding box of a rotated picture, not yet rounded up."""
    across, along = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    return sides[0] * across + sides[1] * along, sides[0] * along + sides[1] * across


def is_box_of(size: Sides, sides: Sides, degrees: float) -> bool:
    """Return whether `size` is the rounded-up bounding box of a rotated picture of `sides`."""
    return all(
        ceil(side - 1e-6) <= got <= ceil(side + 1e-6) for side, got in zip(turned(sides, degrees), size, strict=True)
    )


def before_turning(size: Sides, right: Expected) -> Sides | None:
    """Return a size that fits and whose bounding box after rotation is `size`."""
    assert right.fits
    if right.sides:
        return right.sides if is_box_of(size, right.sides, right.degrees) else None
    across, along = turned((1, 0), right.degrees)
    for w in range(1, size[0] + size[1]):
        h = (size[0] - w * across) / along if along > across else (size[1] - w * along) / across
        for near in range(int(h) - 2, int(h) + 3):
            if near > 0 and right.fits((w, near)) and is_box_of(size, (w, near), right.degrees):
                return w, near
    return None


def may_be_too_large(right: Expected, image: Shown) -> bool:
    """Return whether such a picture may, after rotation, have too many pixels or a side too long for its format."""
    most = LONGEST_SIDE.get(right.format, 10**10)
    if right.sides:
        box = turned(right.sides, right.degrees)
        return max(box) > most or (right.degrees % 90 != 0 and ceil(box[0]) * ceil(box[1]) > image.max_area)
    if right.fits is None:
        return False
    w, h = right.region[2:]
    longest = min(Fraction(LONGEST_OF_ALL**2), image.max_area * max(Fraction(w, h), Fraction(h, w)))
    return right.degrees % 90 != 0 or longest > most**2
