"""Rules of a single resource: the properties that its class has, and their values. (pure)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from iiif_server.presentation.linting import values
from iiif_server.presentation.linting.findings import LintReport
from iiif_server.presentation.linting.identity import check_identity
from iiif_server.presentation.linting.tree import LintedResource, behaviors_of
from iiif_server.presentation.linting.vocabulary import (
    BEHAVIORS,
    DIRECTIONS,
    DISJOINT_BEHAVIORS,
    FORBIDDEN,
    KNOWN_BEHAVIORS,
    LISTS,
    NEEDS_LABEL,
    PROPERTIES,
    RENAMED,
    TIME_MODES,
)

_DESCRIPTIONS: Final = ("items", "structures", "annotations")
"""Properties that describe a manifest, and do not only refer to it."""

_Rule = Callable[[LintReport, str, object], None]
_VALUES: Final[Mapping[str, _Rule]] = {
    "requiredStatement": partial(values.check_labelled_value, name="requiredStatement"),
    "metadata": values.check_metadata,
    "rights": values.check_rights,
    "navDate": values.check_date,
    "viewingDirection": partial(values.check_choice, code="direction", allowed=DIRECTIONS),
    "timeMode": partial(values.check_choice, code="time-mode", allowed=TIME_MODES),
    "height": partial(values.check_integer, name="height"),
    "width": partial(values.check_integer, name="width"),
    "duration": partial(values.check_number, name="duration"),
    "format": partial(values.check_string, name="format"),
    "profile": partial(values.check_string, name="profile"),
    "start": partial(values.check_object, name="start"),
    "supplementary": partial(values.check_object, name="supplementary"),
    "placeholderCanvas": partial(values.check_object, name="placeholderCanvas"),
    "accompanyingCanvas": partial(values.check_object, name="accompanyingCanvas"),
    "label": partial(values.check_language_map, name="label", html=False),
    "summary": partial(values.check_language_map, name="summary", html=True),
}
"""The rule of each property's value. Textual bodies and selectors follow Web Annotation, and are not checked."""


def check_resource(report: LintReport, resource: LintedResource, *, extended: bool) -> None:
    """Check a resource by itself. `extended` says whether the document has contexts of extensions."""
    check_identity(report, resource)
    if resource.class_name == "TextualBody" or resource.class_name.endswith("Selector"):
        return
    _check_allowed(report, resource, extended=extended)
    _check_place(report, resource)
    _check_label(report, resource)
    _check_required(report, resource)
    _check_lists(report, resource)
    for name in _VALUES.keys() & resource.value.keys():
        _VALUES[name](report, f"{resource.path}.{name}", resource.value[name])
    _check_behaviors(report, resource)
    _check_services(report, resource)


def _check_allowed(report: LintReport, resource: LintedResource, *, extended: bool) -> None:
    """Report properties that Appendix A forbids, and unknown ones unless the document has extensions."""
    class_name = resource.class_name
    allowed = PROPERTIES.get(class_name)
    for name in resource.value:
        path = f"{resource.path}.{name}"
        if name in FORBIDDEN.get(class_name, ()):
            report.error(path, "not-allowed", what=class_name, name=name)
        elif allowed is None or name in allowed or name.startswith("@"):
            continue
        elif name in RENAMED:
            report.error(path, "keyword", name=name, instead=RENAMED[name])
        elif not extended:
            report.error(path, "unknown", name=name)


def _check_place(report: LintReport, resource: LintedResource) -> None:
    """Report properties that the resource may not have in this place."""
    if "services" in resource.value and resource.holder is not None:
        report.error(f"{resource.path}.services", "services-place")
    if resource.role in {"placeholderCanvas", "accompanyingCanvas"}:
        for name in {"placeholderCanvas", "accompanyingCanvas"} & resource.value.keys():
            report.error(f"{resource.path}.{name}", "nested-canvas")
    if resource.class_name == "Manifest" and resource.role == "items":
        for name in sorted(resource.value.keys() & set(_DESCRIPTIONS)):
            report.error(f"{resource.path}.{name}", "embedded-manifest", name=name)


def _check_label(report: LintReport, resource: LintedResource) -> None:
    if "label" in resource.value:
        return
    shown = resource.role == "items" or not resource.is_reference
    if (resource.class_name in {"Collection", "Manifest"} and shown) or resource.role in NEEDS_LABEL:
        report.error(resource.path, "missing", what=resource.name, name="label")
    elif resource.class_name in {"Canvas", "Range"} and not resource.is_reference:
        report.warning(resource.path, "missing-label", what=resource.class_name)


def _check_required(report: LintReport, resource: LintedResource) -> None:
    path, value, class_name = resource.path, resource.value, resource.class_name
    if resource.is_reference:
        return
    if class_name in {"Collection", "Manifest", "Range"} and "items" not in value:
        report.error(path, "missing", what=class_name, name="items")
    if class_name in {"Manifest", "Range"} and value.get("items") == []:
        report.error(f"{path}.items", "empty", name="items")
    if class_name == "Annotation" and "target" not in value:
        report.error(path, "missing", what=class_name, name="target")


def _check_lists(report: LintReport, resource: LintedResource) -> None:
    for name in LISTS & resource.value.keys():
        held, path = resource.value[name], f"{resource.path}.{name}"
        if not isinstance(held, list):
            report.error(path, "array", name=name)
            continue
        if not held and name != "items":
            report.error(path, "empty", name=name)
        expected: tuple[type, str] = (str, "string") if name == "behavior" else (Mapping, "object")
        for number, item in enumerate(held):
            if not isinstance(item, expected[0]):
                report.error(f"{path}[{number}]", expected[1], name=name)


def _check_behaviors(report: LintReport, resource: LintedResource) -> None:
    path, found = f"{resource.path}.behavior", behaviors_of(resource)
    allowed = BEHAVIORS.get(resource.class_name)
    for value in found:
        if value not in KNOWN_BEHAVIORS:
            report.warning(path, "behavior-unknown", value=value)
        elif allowed is not None and value not in allowed:
            report.error(path, "behavior", what=resource.class_name, value=value)
    for disjoint in DISJOINT_BEHAVIORS:
        if len(together := sorted(disjoint.intersection(found))) > 1:
            report.error(path, "behavior-disjoint", values=", ".join(together))


def _check_services(report: LintReport, resource: LintedResource) -> None:
    for role in ("service", "services"):
        services = resource.value.get(role)
        for number, service in enumerate(services if isinstance(services, list) else ()):
            if isinstance(service, Mapping):
                _check_service(report, f"{resource.path}.{role}[{number}]", service)


def _check_service(report: LintReport, path: str, service: Mapping[str, Any]) -> None:
    for new, old in (("id", "@id"), ("type", "@type")):
        if not isinstance(service.get(new, service.get(old)), str):
            report.error(path, "missing", what="service", name=new)
