"""Parts of canvases: media fragments as the specification uses them (section 5.3; Media Fragments URI 1.0). (pure)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from iiif_server.presentation.linting.findings import LintReport
from iiif_server.presentation.linting.values import is_number

_NUMBER: Final = r"\d+(?:\.\d+)?"
_REGION: Final = re.compile(
    rf"(?P<unit>pixel:|percent:)?(?P<x>-?{_NUMBER}),(?P<y>-?{_NUMBER}),(?P<w>-?{_NUMBER}),(?P<h>-?{_NUMBER})", re.ASCII
)
_TIME: Final = re.compile(rf"(?:npt:)?(?P<start>{_NUMBER})?(?:,(?P<end>{_NUMBER}))?", re.ASCII)
_SLACK: Final = 0.001


@dataclass(frozen=True, slots=True)
class Extent:
    """The dimensions of a canvas: width and height in its own units, duration in seconds; None where it has none."""

    width: float | None
    height: float | None
    duration: float | None

    @classmethod
    def of(cls, canvas: Mapping[str, Any]) -> Extent:
        """Read the dimensions of a canvas; what is no positive number counts as absent."""
        found = (canvas.get(name) for name in ("width", "height", "duration"))
        return cls(*(value if is_number(value) and value > 0 else None for value in found))

    @property
    def is_spatial(self) -> bool:
        """Whether the canvas has width and height."""
        return self.width is not None and self.height is not None


@dataclass(frozen=True, slots=True)
class CanvasRegion:
    """A rectangle of a canvas, in its units."""

    x: float
    y: float
    width: float
    height: float


def check_fragment(report: LintReport, path: str, fragment: str, extent: Extent) -> CanvasRegion | None:
    """Check a fragment such as ``xywh=0,0,10,10`` or ``t=1,2`` against a canvas; return the region that it selects."""
    region = None
    for part in fragment.split("&"):
        name, _, value = part.partition("=")
        if name == "xywh":
            region = _check_region(report, path, value, extent)
        elif name == "t":
            _check_time(report, path, value, extent)
    return region


def _check_region(report: LintReport, path: str, value: str, extent: Extent) -> CanvasRegion | None:
    found = _REGION.fullmatch(value)
    if not found:
        report.error(path, "fragment-syntax", value=f"xywh={value}")
        return None
    if extent.width is None or extent.height is None:
        report.error(path, "dimension", value=f"xywh={value}")
        return None
    x, y, width, height = (float(found[name]) for name in ("x", "y", "w", "h"))
    if found["unit"] == "percent:":
        x, width = x * extent.width / 100, width * extent.width / 100
        y, height = y * extent.height / 100, height * extent.height / 100
    inside = x >= 0 and y >= 0 and x + width <= extent.width + _SLACK and y + height <= extent.height + _SLACK
    if not inside or width <= 0 or height <= 0:
        report.error(path, "region", value=f"xywh={value}", width=extent.width, height=extent.height)
        return None
    return CanvasRegion(x, y, width, height)


def _check_time(report: LintReport, path: str, value: str, extent: Extent) -> None:
    found = _TIME.fullmatch(value)
    if not found or not value:
        report.error(path, "fragment-syntax", value=f"t={value}")
    elif extent.duration is None:
        report.error(path, "dimension", value=f"t={value}")
    else:
        start, end = float(found["start"] or 0), float(found["end"] or extent.duration)
        if start > extent.duration + _SLACK or end > extent.duration + _SLACK or start > end:
            report.error(path, "time", value=f"t={value}", duration=extent.duration)
