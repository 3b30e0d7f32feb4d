"""The grammar of an image request: `parse` reads its text, and `spell` writes it. (pure)

IIIF Image API 3.0 and 2.1.1, section 4 of each: ``{region}/{size}/{rotation}/{quality}.{format}``. The versions differ
in how a size is written (section 4.2): only 3.0 has ``^``, and only 2.1 has ``full``. A parsed request does not depend
on an image; `request/geometry.py` applies it to one. `spell` is the inverse of `parse`:
``parse(spell(request), request.version) == request``.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from re import compile as pattern
from typing import Final, NamedTuple

from repository.errors import RequestInvalid
from repository.localized import LocalizedText

LONGEST: Final = 255
"""The largest number of characters in a request. No meaningful request is longer."""


class ApiVersion(IntEnum):
    """A major version of the Image API: 2.1.1 or 3.0."""

    TWO = 2
    THREE = 3


class RegionForm(Enum):
    """How a region is written (section 4.1)."""

    FULL = "full"
    SQUARE = "square"
    PIXELS = "x,y,w,h"
    PERCENT = "pct:x,y,w,h"


class SizeForm(Enum):
    """How a size is written (section 4.2), without its ``^``."""

    MAX = "max"
    FULL = "full"
    WIDTH = "w,"
    HEIGHT = ",h"
    EXACT = "w,h"
    CONFINED = "!w,h"
    PERCENT = "pct:n"


class Quality(StrEnum):
    """Qualities (section 4.4): the same in both versions."""

    DEFAULT = "default"
    COLOR = "color"
    GRAY = "gray"
    BITONAL = "bitonal"


class OutputFormat(StrEnum):
    """The formats of section 4.5, and AVIF. `image/capabilities.py` finds out which of them can be offered."""

    JPG = "jpg"
    PNG = "png"
    WEBP = "webp"
    TIF = "tif"
    GIF = "gif"
    JP2 = "jp2"
    AVIF = "avif"
    PDF = "pdf"


class Region(NamedTuple):
    """A region as requested: integers for `PIXELS`, decimals for `PERCENT`, otherwise zeros."""

    form: RegionForm
    x: Decimal | int = 0
    y: Decimal | int = 0
    width: Decimal | int = 0
    height: Decimal | int = 0


class Size(NamedTuple):
    """A size as requested; a number that its form lacks is 0."""

    form: SizeForm
    upscale: bool = False
    width: int = 0
    height: int = 0
    percent: Decimal = Decimal(0)


class Rotation(NamedTuple):
    """A clockwise rotation by `degrees`, from 0 to 360, after mirroring left to right."""

    degrees: Decimal = Decimal(0)
    mirrored: bool = False


class ImageRequest(NamedTuple):
    """An image request: its five parameters in the order of their application (section 4.6), as `version` has them."""

    region: Region
    size: Size
    rotation: Rotation
    quality: Quality
    format: OutputFormat
    version: ApiVersion = ApiVersion.THREE


_FULL: Final = Region(RegionForm.FULL)
_SQUARE: Final = Region(RegionForm.SQUARE)
_UPRIGHT: Final = Rotation()
_QUALITIES: Final = {quality.value: quality for quality in Quality}
_FORMATS: Final = {offered.value: offered for offered in OutputFormat}

_INTEGER: Final = "[0-9]{1,10}"
_DECIMAL: Final = r"[0-9]{1,10}(?:\.[0-9]{1,20})?|\.[0-9]{1,20}"
_PIXELS: Final = pattern(f"({_INTEGER}),({_INTEGER}),({_INTEGER}),({_INTEGER})")
_PERCENT: Final = pattern(f"pct:({_DECIMAL}),({_DECIMAL}),({_DECIMAL}),({_DECIMAL})")
_SIZE_REST: Final = rf"|pct:({_DECIMAL})|(!)?({_INTEGER})?,({_INTEGER})?)"
_SIZES: Final = {
    ApiVersion.TWO: pattern(rf"()(?:(full|max){_SIZE_REST}"),
    ApiVersion.THREE: pattern(rf"(\^)?(?:(max){_SIZE_REST}"),
}
_SIZE_FORMS: Final = {
    ApiVersion.TWO: "full, max, w,  ,h  pct:n  w,h  !w,h",
    ApiVersion.THREE: "max, w,  ,h  pct:n  w,h  !w,h, ^…",
}
_ROTATION: Final = pattern(f"(!)?({_DECIMAL})")


def parse(text: str, version: ApiVersion = ApiVersion.THREE) -> ImageRequest:
    """Parse a request, percent-decoded except for slashes. Raises `RequestInvalid` with the part at fault."""
    parts = text.split("/")
    if len(parts) != 4 or len(text) > LONGEST:
        raise RequestInvalid(part="path", reason=_PATH_FORM)
    region, size, rotation, last = parts
    quality, dot, suffix = last.rpartition(".")
    if not dot:
        raise RequestInvalid(part="format", reason=_formats_text(""))
    return ImageRequest(
        _parse_region(region),
        _parse_size(size, version),
        _parse_rotation(rotation),
        _parse_quality(quality),
        _parse_format(suffix),
        version,
    )


def _parse_region(text: str) -> Region:
    if match := _PIXELS.fullmatch(text):
        x, y, width, height = match.groups()
        return Region(RegionForm.PIXELS, int(x), int(y), int(width), int(height))
    if text == "full":
        return _FULL
    if text == "square":
        return _SQUARE
    if match := _PERCENT.fullmatch(text):
        return Region(RegionForm.PERCENT, *(Decimal(number) for number in match.groups()))
    raise RequestInvalid(part="region", reason=_wrong(text, "full, square, x,y,w,h, pct:x,y,w,h"))


def _parse_size(text: str, version: ApiVersion) -> Size:
    if match := _SIZES[version].fullmatch(text):
        caret, word, percent, confined, width, height = match.groups()
        upscale = bool(caret)
        if width and height:
            form = SizeForm.CONFINED if confined else SizeForm.EXACT
            return Size(form, upscale, int(width), int(height))
        if word:
            return Size(SizeForm(word), upscale)
        if percent:
            return Size(SizeForm.PERCENT, upscale, percent=Decimal(percent))
        if width and not confined:
            return Size(SizeForm.WIDTH, upscale, width=int(width))
        if height and not confined:
            return Size(SizeForm.HEIGHT, upscale, height=int(height))
    raise RequestInvalid(part="size", reason=_wrong(text, _SIZE_FORMS[version]))


def _parse_rotation(text: str) -> Rotation:
    if text == "0":
        return _UPRIGHT
    match = _ROTATION.fullmatch(text)
    if not match or (degrees := Decimal(match[2])) > 360:
        raise RequestInvalid(part="rotation", reason=_wrong(text, "n, !n (0 ≤ n ≤ 360)"))
    return Rotation(degrees, match[1] is not None)


def _parse_quality(text: str) -> Quality:
    if quality := _QUALITIES.get(text):
        return quality
    raise RequestInvalid(part="quality", reason=_wrong(text, ", ".join(_QUALITIES)))


def _parse_format(text: str) -> OutputFormat:
    if offered := _FORMATS.get(text):
        return offered
    raise RequestInvalid(part="format", reason=_formats_text(text))


def _formats_text(text: str) -> LocalizedText:
    return _wrong(text, ", ".join(_FORMATS))


_PATH_FORM: Final = LocalizedText(
    "地址应为 区域/尺寸/旋转/品质.格式，且不超过 255 个字符",
    "the address should be region/size/rotation/quality.format, of at most 255 characters",
)


def _wrong(text: str, offered: str) -> LocalizedText:
    return LocalizedText(
        "“{text}”不可用，可写作：{offered}", "“{text}” cannot be used; write one of: {offered}"
    ).format(text=text, offered=offered)


def spell(request: ImageRequest) -> str:
    """Return the request as text, its numbers without unnecessary zeros: the inverse of `parse`."""
    region, size, rotation = _spell_region(request.region), _spell_size(request.size), spell_rotation(request.rotation)
    return f"{region}/{size}/{rotation}/{request.quality.value}.{request.format.value}"


def _spell_region(region: Region) -> str:
    if region.form in {RegionForm.FULL, RegionForm.SQUARE}:
        return str(region.form.value)
    numbers = ",".join(spell_number(number) for number in region[1:])
    return f"pct:{numbers}" if region.form is RegionForm.PERCENT else numbers


def _spell_size(size: Size) -> str:
    text = {
        SizeForm.MAX: "max",
        SizeForm.FULL: "full",
        SizeForm.WIDTH: f"{size.width},",
        SizeForm.HEIGHT: f",{size.height}",
        SizeForm.EXACT: f"{size.width},{size.height}",
        SizeForm.CONFINED: f"!{size.width},{size.height}",
        SizeForm.PERCENT: f"pct:{spell_number(size.percent)}",
    }[size.form]
    return f"^{text}" if size.upscale else text


def spell_rotation(rotation: Rotation) -> str:
    """Return a rotation as text."""
    return f"{'!' if rotation.mirrored else ''}{spell_number(rotation.degrees)}"


def spell_number(number: Decimal | int) -> str:
    """Return a number as text, without exponent or trailing zeros."""
    text: str = format(number, "f") if isinstance(number, Decimal) else str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text
