"""An image as its decoder gives it: which sizes, sample types and colour spaces are accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from repository.errors import MasterTooLarge, MasterUnsupported
from workers.masters.examine import MasterSettings
from workers.masters.formats import MasterFormat

MAX_SIDE: Final = 1_000_000
"""The largest width and height in pixels; the limit of libvips is ten times that."""

PROFILE: Final = "icc-profile-data"
"""The name of the ICC profile among the metadata of an image."""

GREY: Final = frozenset({"b-w", "grey16"})
LAB: Final = frozenset({"lab", "labs"})
_ACCEPTED: Final = GREY | LAB | {"srgb", "rgb", "rgb16", "cmyk"}


@dataclass(frozen=True, slots=True)
class RawImage:
    """An image in the order of the file's rows.

    `orientation` is that of EXIF 2.3, tag 0x0112. `ignored` are codes of parts of the file that the image does not show
    (`masters/ignored.py`).
    """

    image: Any
    orientation: int = 1
    ignored: tuple[str, ...] = ()


def check_size(width: int, height: int, settings: MasterSettings) -> None:
    """Check the width and height of an image in pixels. Raises `MasterTooLarge`."""
    if width * height > settings.pixel_budget:
        raise MasterTooLarge(width=width, height=height, limit=f"SHANBEN_PIXEL_BUDGET = {settings.pixel_budget}")
    if max(width, height) > MAX_SIDE:
        raise MasterTooLarge(width=width, height=height, limit=f"{MAX_SIDE} px")


def check_samples(image: Any, file_format: MasterFormat) -> None:
    """Check that type and colour space of the samples are accepted; libvips always gives Lab as floating point.

    Raises `MasterUnsupported`.
    """
    space, sample = str(image.interpretation), str(image.format)
    colours = 1 if space in GREY else 4 if space == "cmyk" else 3
    if space not in _ACCEPTED or (space not in LAB and sample not in {"uchar", "ushort"}):
        raise MasterUnsupported(seen=f"{file_format.name}, {space}, {sample}")
    if image.bands not in {colours, colours + 1}:
        raise MasterUnsupported(seen=f"{file_format.name}, {space}, {image.bands} bands")
