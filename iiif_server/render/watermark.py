"""The library's mark laid over a picture: in step with the tiles beside it, and as the picture is turned."""

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
"""Bytes of a mark's file."""

_LARGEST_SIDE: Final = 4096
_TURNS: Final = {90: "rot90", 180: "rot180", 270: "rot270"}


def read_watermark(path: str) -> bytes | None:
    """The mark in the file that the settings name, None when they name none. Raises `SettingInvalid`."""
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
    """What is done to an image before it is shown.

    Raises `DependencyMissing` when it must be marked and there is no mark.
    """
    if image.rights.watermark and mark is None:
        remedy = LocalizedText("请设置 SHANBEN_WATERMARK", "set SHANBEN_WATERMARK")
        raise DependencyMissing(what=LocalizedText("本馆水印", "the library's mark"), remedy=remedy)
    hidden = tuple(Box(part.x, part.y, part.width, part.height) for part in image.redactions)
    return Protection(hidden, mark if image.rights.watermark else None)


def apply_protection(task: RenderPlan, protection: Protection, grid: TileGrid) -> RenderPlan:
    """The plan of a picture that is to be treated; a stored tile that shows nothing hidden stays one."""
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
    """`picture`, scaled and turned by quarters as `task` says, with the mark over it if there is to be one."""
    content = task.protection.mark
    if content is None:
        return picture
    mark = pyvips.Image.pngload_buffer(content).colourspace("srgb")
    laid = pattern((mark.width, mark.height), task.region, (task.width, task.height), (grid.width, grid.height))
    small = mark.thumbnail_image(laid.width, height=laid.height, size="force")
    unit = small.embed(0, 0, laid.across, laid.along).copy_memory()
    columns, rows = -(-(laid.x + task.width) // laid.across), -(-(laid.y + task.height) // laid.along)
    over = unit.replicate(columns, rows).crop(laid.x, laid.y, task.width, task.height)
    return _over(picture, _turned(over, task))


def _turned(over: Any, task: RenderPlan) -> Any:
    if task.rotation.mirrored:
        over = over.fliphor()
    degrees = task.rotation.degrees
    turn: Callable[[], Any] | None = getattr(over, _TURNS[int(degrees)]) if degrees in _TURNS else None
    return turn() if turn else over


def _over(picture: Any, over: Any) -> Any:
    """One picture over another without transparency, in the bands of the lower."""
    alpha = over[3] / 255.0
    colours = over[0:3] if picture.bands == 3 else over[0:3].colourspace("b-w")[0]
    mixed = picture * (1.0 - alpha) + colours * alpha
    return mixed.rint().cast("uchar").copy(interpretation=picture.interpretation)
