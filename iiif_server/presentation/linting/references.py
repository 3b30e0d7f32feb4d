"""Rules of identity and reference within a document: duplicate ids, ranges, starting canvases. (pure)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urldefrag

from iiif_server.presentation.linting.findings import LintReport
from iiif_server.presentation.linting.fragments import Extent, check_fragment
from iiif_server.presentation.linting.tree import LintedResource, behaviors_of, is_structural

_SIZED_BEHAVIORS: Final = frozenset({"continuous", "paged"})
_TIMED_BEHAVIORS: Final = frozenset({"auto-advance", "no-auto-advance", "repeat", "no-repeat"})


def check_identifiers(report: LintReport, described: Iterable[LintedResource]) -> None:
    """Report a resource that is described under the id of another one (section 3.2, "id")."""
    seen: dict[str, str] = {}
    for resource in described:
        if resource.id is None or not is_structural(resource) or resource.is_reference:
            continue
        if resource.id in seen:
            report.error(f"{resource.path}.id", "duplicate", other=seen[resource.id])
        else:
            seen[resource.id] = resource.path


def check_manifest(report: LintReport, manifest: LintedResource, described: list[LintedResource]) -> None:
    """Check what a manifest says of its own canvases: ranges, start, behaviors (sections 5.2 and 5.4)."""
    canvases = {
        child.id: Extent.of(child.value)
        for child in manifest.children()
        if child.role == "items" and child.class_name == "Canvas" and child.id
    }
    ranges = {child.id: child for child in described if child.class_name == "Range" and not child.is_reference}
    _check_behaviors(report, manifest, canvases.values())
    for resource in described:
        if resource.role == "start":
            _check_canvas(report, resource, canvases)
        elif resource.class_name == "Range" and resource.is_reference and resource.role == "items":
            _check_range_reference(report, resource, ranges)
        elif resource.holder is not None and resource.holder.class_name == "Range" and resource.role == "items":
            _check_range_item(report, resource, canvases)
    for found in ranges.values():
        _check_range(report, found)


def _check_behaviors(report: LintReport, manifest: LintedResource, extents: Iterable[Extent]) -> None:
    sizes = list(extents)
    for value in behaviors_of(manifest):
        if value in _SIZED_BEHAVIORS and sizes and not any(extent.is_spatial for extent in sizes):
            report.error(f"{manifest.path}.behavior", "behavior-size", value=value)
        elif value in _TIMED_BEHAVIORS and sizes and all(extent.duration is None for extent in sizes):
            report.error(f"{manifest.path}.behavior", "behavior-duration", value=value)


def _check_range_reference(
    report: LintReport, reference: LintedResource, ranges: Mapping[str | None, LintedResource]
) -> None:
    if reference.id in {holder.id for holder in reference.holders() if holder.class_name == "Range"}:
        report.error(reference.path, "range-cycle", value=reference.id)
    elif reference.id not in ranges:
        report.warning(reference.path, "range-missing", value=reference.id)
    elif _reaches(ranges[reference.id], reference.holder, ranges):
        report.error(reference.path, "range-cycle", value=reference.id)


def _reaches(start: LintedResource, goal: LintedResource | None, ranges: Mapping[str | None, LintedResource]) -> bool:
    """Return whether a range contains another one, directly or by reference."""
    waiting, seen = [start], set()
    while waiting:
        found = waiting.pop()
        if goal is not None and found.id == goal.id:
            return True
        if found.id in seen:
            continue
        seen.add(found.id)
        waiting += [
            ranges.get(child.id, child) if child.is_reference else child
            for child in found.children()
            if child.class_name == "Range"
        ]
    return False


def _check_range_item(report: LintReport, item: LintedResource, canvases: Mapping[str, Extent]) -> None:
    if item.class_name in {"Canvas", "SpecificResource"}:
        _check_canvas(report, item, canvases)
    elif item.class_name == "Range" and item.id in {h.id for h in item.holders() if h.class_name == "Range"}:
        report.error(item.path, "range-cycle", value=item.id)


def _check_range(report: LintReport, found: LintedResource) -> None:
    listed = behaviors_of(found)
    if "sequence" in listed and found.role != "structures":
        report.error(f"{found.path}.behavior", "sequence-nested")
    if "thumbnail-nav" in listed:
        for child in found.children():
            if child.class_name == "Range" and not child.is_reference and "thumbnail" not in child.value:
                report.warning(child.path, "thumbnail-nav")


def _check_canvas(report: LintReport, reference: LintedResource, canvases: Mapping[str, Extent]) -> None:
    """Report a reference to a canvas, or to a part of one, that the manifest does not have."""
    identifier, fragment, path = reference.id, "", reference.path
    if reference.class_name == "SpecificResource":
        source = reference.value.get("source")
        if isinstance(source, Mapping) and source.get("type") not in ("Canvas", None):
            report.error(f"{path}.source", "source")
            return
        identifier = source.get("id") if isinstance(source, Mapping) else source
        selector = reference.value.get("selector")
        if isinstance(selector, Mapping) and selector.get("type") == "FragmentSelector":
            fragment = str(selector.get("value", ""))
    if not isinstance(identifier, str):
        report.error(path, "missing", what=reference.name, name="source" if "source" not in reference.value else "id")
        return
    uri, own_fragment = urldefrag(identifier)
    extent = canvases.get(uri) or canvases.get(identifier)
    if extent is None:
        report.error(path, "canvas-missing", value=identifier)
    elif fragment or own_fragment:
        check_fragment(report, path, fragment or own_fragment, extent)
