"""Which pictures are made at once, and which in the lane of slow work. (pure)

What a picture costs is told in pixels of a JPEG: about 22 ns of one core each, decoded, scaled and encoded. Reading a
tile of 512 by 512 pixels costs a quarter of a million; sending it as it is, nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from iiif_server.request.geometry import RenderPlan, Source, turned
from iiif_server.request.grammar import OutputFormat

QUICK: Final = 4_000_000
"""What a picture made at once, beside tiles, may cost: less than a tenth of a second of one core, and 80 MB."""

_ENCODING: Final[Mapping[OutputFormat, float]] = MappingProxyType(
    {OutputFormat.JPG: 0.4, OutputFormat.PNG: 2, OutputFormat.TIF: 2, OutputFormat.WEBP: 2}
)
"""What a pixel made costs, as a part of one decoded; other formats cost as much as `_DEAREST`."""

_DEAREST: Final = 20
_SLANTED: Final = 3


def cost(task: RenderPlan, source: Source) -> float:
    """What a picture costs, in pixels of a JPEG."""
    width, height = turned(task.width, task.height, task.rotation.degrees)
    weight = _ENCODING.get(task.format, _DEAREST)
    if task.rotation.degrees % 90:
        weight += _SLANTED
    return source.box.width * source.box.height + weight * width * height


def is_slow(task: RenderPlan, source: Source) -> bool:
    """Whether a picture is to be made in the lane of slow work."""
    return cost(task, source) > QUICK
