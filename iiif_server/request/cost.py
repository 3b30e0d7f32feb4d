"""The cost of rendering an image request, and which requests are slow. (pure)

The unit is one pixel of JPEG, decoded and scaled: about 22 ns of one core. A stored tile costs nothing, because its
bytes are sent unchanged. Any other answer costs

- one for each pixel of the pyramid level that is decoded (`Source.box`), and
- for each pixel of the answer, after rotation, the weight of its format (`_ENCODING`), and `_ANY_ANGLE` more when it is
  rotated by anything but a multiple of 90 degrees.

The cost decides in which process a request is rendered (`is_slow`) and how much of its share a client has used. It
depends on the plan alone, so every spelling of a request costs the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from iiif_server.request.geometry import RenderPlan, Source, rotated_size
from iiif_server.request.grammar import OutputFormat
from repository.errors import CallError
from repository.localized import LocalizedText

SLOW_ABOVE: Final = 4_000_000
"""The largest cost of a request that is rendered in the serving process: under 0.1 s of one core, and 80 MB."""

_ENCODING: Final[Mapping[OutputFormat, float]] = MappingProxyType(
    {OutputFormat.JPG: 0.4, OutputFormat.PNG: 2, OutputFormat.TIF: 2, OutputFormat.WEBP: 2}
)
"""The cost of encoding one pixel. Formats that are not listed cost `_OTHER_ENCODING`."""

_OTHER_ENCODING: Final = 20
_ANY_ANGLE: Final = 3


class RequestLimited(CallError):
    """A client has requested more rendering than its budget allows."""

    code = "request.limit"
    text = LocalizedText(
        "请求的图像生成量过大；请在 {seconds} 秒后重试",
        "This address has requested too much rendering; try again in {seconds} seconds",
    )


def cost(task: RenderPlan, source: Source) -> float:
    """Return the cost of an answer in pixels of JPEG; 0 for a stored tile.

    `source` is `choose_source` of the same plan. A request for 12 megapixels of JPEG at full size costs 17 million.
    """
    if task.tile is not None:
        return 0
    width, height = rotated_size(task.width, task.height, task.rotation.degrees)
    weight = _ENCODING.get(task.format, _OTHER_ENCODING)
    if task.rotation.degrees % 90:
        weight += _ANY_ANGLE
    return source.box.width * source.box.height + weight * width * height


def is_slow(task: RenderPlan, source: Source) -> bool:
    """Return whether an answer costs more than `SLOW_ABOVE`, so that it is rendered by the pool."""
    return cost(task, source) > SLOW_ABOVE
