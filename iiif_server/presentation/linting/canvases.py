"""Rules of canvases: their dimensions, and the annotations that paint on them or are about them. (pure)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urldefrag

from iiif_server.presentation.linting.findings import LintReport
from iiif_server.presentation.linting.fragments import CanvasRegion, Extent, check_fragment
from iiif_server.presentation.linting.tree import CONTENT, LintedResource
from iiif_server.presentation.linting.values import is_number
from iiif_server.presentation.linting.vocabulary import SPATIAL_CLASSES, TEMPORAL_CLASSES

_PIXELS: Final = 1.5
"""How much a side may differ from the exact ratio: sides are whole numbers, and so are those of reduced images."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What an annotation targets: the URI without fragment, the fragment, and whether another selector applies."""

    source: str
    fragment: str = ""
    is_selected: bool = False


def check_canvas(report: LintReport, canvas: LintedResource) -> None:
    """Check a canvas that the document describes (section 5.3)."""
    value, path = canvas.value, canvas.path
    if ("height" in value) != ("width" in value):
        report.error(path, "one-side")
    elif "height" not in value and "duration" not in value:
        report.error(path, "no-extent")
    if not value.get("items"):
        report.warning(path, "no-content")
    extent = Extent.of(value)
    annotations = [
        annotation
        for page in canvas.children()
        if page.class_name == "AnnotationPage"
        for annotation in page.children()
        if annotation.class_name == "Annotation"
    ]
    painted = sum(_paints(annotation) for annotation in annotations)
    for annotation in annotations:
        if _paints(annotation):
            _check_painting(report, canvas, extent, annotation, alone=painted == 1)
        else:
            _check_commentary(report, canvas, extent, annotation)


def check_annotations(report: LintReport, holder: LintedResource) -> None:
    """Check the annotations about a resource other than a canvas (section 3.4, "annotations")."""
    for page in holder.children():
        if page.role != "annotations":
            continue
        for annotation in page.children():
            if "painting" in _motivations(annotation):
                report.error(annotation.path, "motivation-painting")
            if stray := _strays(annotation, holder):
                report.warning(f"{annotation.path}.target", "target", what=holder.name, value=stray)


def _paints(annotation: LintedResource) -> bool:
    """Return whether an annotation is in a page of the canvas's items, and not in one of its annotations."""
    return annotation.holder is not None and annotation.holder.role == "items"


def _check_painting(
    report: LintReport, canvas: LintedResource, extent: Extent, annotation: LintedResource, *, alone: bool
) -> None:
    if "painting" not in _motivations(annotation):
        report.error(annotation.path, "motivation")
    if stray := _strays(annotation, canvas):
        report.error(f"{annotation.path}.target", "target", what=canvas.name, value=stray)
    region = _check_fragments(report, canvas, extent, annotation)
    _check_body(report, annotation, extent, region, alone=alone)


def _check_commentary(report: LintReport, canvas: LintedResource, extent: Extent, annotation: LintedResource) -> None:
    if "painting" in _motivations(annotation):
        report.error(annotation.path, "motivation-painting")
    if stray := _strays(annotation, canvas):
        report.warning(f"{annotation.path}.target", "target", what=canvas.name, value=stray)
    _check_fragments(report, canvas, extent, annotation)


def _check_fragments(
    report: LintReport, canvas: LintedResource, extent: Extent, annotation: LintedResource
) -> CanvasRegion | None:
    region = None
    for target in _targets(annotation):
        if target.source == canvas.id and target.fragment:
            region = check_fragment(report, f"{annotation.path}.target", target.fragment, extent)
    return region


def _strays(annotation: LintedResource, holder: LintedResource) -> str | None:
    """Return what an annotation targets if that is not the resource that it is in; None if it is, or is unknown."""
    targets = [target.source for target in _targets(annotation)]
    return targets[0] if targets and holder.id and holder.id not in targets else None


def _check_body(
    report: LintReport, annotation: LintedResource, extent: Extent, region: CanvasRegion | None, *, alone: bool
) -> None:
    bodies = [child for child in annotation.children() if child.role == "body"]
    if not bodies:
        if not isinstance(annotation.value.get("body"), str):
            report.error(annotation.path, "body")
        return
    selected = any(target.is_selected for target in _targets(annotation))
    for body in _choices(bodies):
        _check_dimensions(report, body, extent)
        services = body.value.get("service")
        for service in services if isinstance(services, list) else ():
            if isinstance(service, Mapping) and body.id and body.id in [service.get("id"), service.get("@id")]:
                report.error(f"{body.path}.id", "service-as-image")
        if body.class_name in {"Image", "Video"} and not selected and "stylesheet" not in annotation.value:
            _check_ratio(report, body, extent, region, alone=alone and body.role == "body")


def _choices(bodies: list[LintedResource]) -> Iterator[LintedResource]:
    """Yield the bodies, and in place of a Choice its items; a SpecificResource shows a part, so it is left out."""
    for body in bodies:
        if body.class_name == "Choice":
            yield from _choices([child for child in body.children() if child.role == "items"])
        elif body.class_name != "SpecificResource":
            yield body


def _check_dimensions(report: LintReport, body: LintedResource, extent: Extent) -> None:
    """Report content whose dimensions the canvas lacks: all of them as an error, some of them as a warning."""
    needs_space = body.class_name in SPATIAL_CLASSES - {"Canvas"}
    needs_time = body.class_name in TEMPORAL_CLASSES
    lacks_space, lacks_time = needs_space and not extent.is_spatial, needs_time and extent.duration is None
    if not (lacks_space or lacks_time):
        return
    shares_one = (needs_space and not lacks_space) or (needs_time and not lacks_time)
    add = report.warning if shares_one else report.error
    add(body.path, "content-size", what=body.class_name or CONTENT)


def _check_ratio(
    report: LintReport, body: LintedResource, extent: Extent, region: CanvasRegion | None, *, alone: bool
) -> None:
    """Report an image whose ratio of sides differs from that of its place.

    An image that is alone on its canvas defines the canvas. Of several, on a timeline or in a Choice, one may be fitted
    on purpose: that is a warning.
    """
    width, height = body.value.get("width"), body.value.get("height")
    place_width, place_height = (region.width, region.height) if region else (extent.width, extent.height)
    if not (is_number(width) and is_number(height) and place_width and place_height):
        return
    if width <= 0 or height <= 0:
        return  # reported where the value is
    if _differs(height, place_height * width / place_width) and _differs(width, place_width * height / place_height):
        add = report.error if alone else report.warning
        add(
            body.path,
            "aspect-ratio",
            image=f"{width} × {height}",
            canvas=f"{place_width:g} × {place_height:g}",
        )


def _differs(side: float, expected: float) -> bool:
    return abs(side - expected) > max(_PIXELS, 0.01 * expected)


def _motivations(annotation: LintedResource) -> frozenset[str]:
    found = annotation.value.get("motivation")
    listed = found if isinstance(found, list) else [found]
    return frozenset(item for item in listed if isinstance(item, str))


def _targets(annotation: LintedResource) -> Iterator[_Target]:
    found = annotation.value.get("target")
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, str):
            yield _Target(*urldefrag(item))
        elif isinstance(item, Mapping):
            yield from _object_target(item)


def _object_target(target: Mapping[str, Any]) -> Iterator[_Target]:
    if target.get("type") != "SpecificResource":
        if isinstance(target.get("id"), str):
            yield _Target(*urldefrag(target["id"]))
        return
    source = target.get("source")
    source = source.get("id") if isinstance(source, Mapping) else source
    if not isinstance(source, str):
        return
    uri, fragment = urldefrag(source)
    selectors = target.get("selector")
    listed = selectors if isinstance(selectors, list) else [selectors]
    for selector in listed:
        if isinstance(selector, Mapping) and selector.get("type") == "FragmentSelector":
            fragment = str(selector.get("value", ""))
    others = any(isinstance(item, Mapping) and item.get("type") != "FragmentSelector" for item in listed)
    yield _Target(uri, fragment, others)
