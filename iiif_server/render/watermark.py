"""The library's watermark over a picture, aligned with neighbouring tiles and rotated with the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyvips

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.request.geometry import RenderPlan
from iiif_server.request.protection import Protection, pattern
from repository.errors import DependencyMissing, SettingInvalid
from repository.localized import LocalizedText
from repository.model import HeldImage

LARGEST_WATERMARK: Final = 1 << 20
"""The largest file of a watermark, in bytes."""

_LARGEST_SIDE: Final = 4096
_ROTATIONS: Final = {90: "rot90", 180: "rot180", 270: "rot270"}


def read_watermark(path: str) -> bytes | None:
    """Read the watermark from the file of the setting; None when the setting is empty. Raises `SettingInvalid`."""
    if not path:
        return None
    try:
        content = Path(path).read_bytes()
        image = pyvips.Image.pngload_buffer(content) if len(content) <= LARGEST_WATERMARK else None
    except OSError as fault:
        raise SettingInvalid(name="watermark", reason=f"{path}: {fault.strerror}") from fault
    except pyvips.Error:
        image = None
    if image is None or not image.hasalpha() or max(image.width, image.height) > _LARGEST_SIDE:
        raise SettingInvalid(
            name="watermark",
            reason=LocalizedText(
                f"须为带透明通道的 PNG，至多 1 MiB、每边 {_LARGEST_SIDE} 像素",
                f"it must be a PNG with transparency, at most 1 MiB and {_LARGEST_SIDE} pixels a side",
            ),
        )
    return content


def protection_of(image: HeldImage, mark: bytes | None) -> Protection:
    """Return the protection of an image.

    Raises `DependencyMissing` when its rights demand a watermark and there is none.
    """
    if image.rights.watermark and mark is None:
        remedy = LocalizedText("请设置 SHANBEN_WATERMARK", "set SHANBEN_WATERMARK")
        raise DependencyMissing(what=LocalizedText("本馆水印", "the library's watermark"), remedy=remedy)
    hidden = tuple(Box(part.x, part.y, part.width, part.height) for part in image.redactions)
    return Protection(hidden, mark if image.rights.watermark else None)


def apply_protection(task: RenderPlan, protection: Protection, grid: TileGrid) -> RenderPlan:
    """Return the plan with the protection; a stored tile that it does not change remains a stored tile."""
    if protection == Protection():
        return task
    region, size = task.region, (task.width, task.height)
    factors = [
        factor for factor in grid.scale_factors if (-(-region.width // factor), -(-region.height // factor)) == size
    ]
    if task.tile is not None and not any(protection.touches(region, factor) for factor in factors):
        return task
    return task._replace(tile=None, protection=protection)


def apply_watermark(picture: Any, task: RenderPlan, grid: TileGrid) -> Any:
    """Return `picture`, already scaled and rotated by a multiple of 90 degrees, with the watermark of its plan."""
    content = task.protection.mark
    if content is None:
        return picture
    mark = pyvips.Image.pngload_buffer(content).colourspace("srgb")
    layout = pattern((mark.width, mark.height), task.region, (task.width, task.height), (grid.width, grid.height))
    small = mark.thumbnail_image(layout.width, height=layout.height, size="force")
    unit = small.embed(0, 0, layout.across, layout.along).copy_memory()
    columns, rows = -(-(layout.x + task.width) // layout.across), -(-(layout.y + task.height) // layout.along)
    over = unit.replicate(columns, rows).crop(layout.x, layout.y, task.width, task.height)
    return _over(picture, _rotated(over, task))


def _rotated(over: Any, task: RenderPlan) -> Any:
    if task.rotation.mirrored:
        over = over.fliphor()
    degrees = task.rotation.degrees
    rotate: Callable[[], Any] | None = getattr(over, _ROTATIONS[int(degrees)]) if degrees in _ROTATIONS else None
    return rotate() if rotate else over


def _over(picture: Any, over: Any) -> Any:
    """Return one picture over another without transparency, in the bands of the lower."""
    alpha = over[3] / 255.0
    colours = over[0:3] if picture.bands == 3 else over[0:3].colourspace("b-w")[0]
    mixed = picture * (1.0 - alpha) + colours * alpha
    return mixed.rint().cast("uchar").copy(interpretation=picture.interpretation)
