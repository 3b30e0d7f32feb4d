"""Rules of the identity of a resource: `id`, `type` and `@context`. (pure)"""

from __future__ import annotations

from typing import Final

from iiif_server.presentation.linting import values
from iiif_server.presentation.linting.findings import LintReport
from iiif_server.presentation.linting.tree import LintedResource, is_structural
from iiif_server.presentation.linting.vocabulary import LINKED

_WITHOUT_ID: Final = frozenset({"TextualBody", "Choice", "SpecificResource", "CssStylesheet"})
_OLD_KEYWORDS: Final = {"@id": "id", "@type": "type"}
_WEB_ANNOTATION_ROLES: Final = frozenset({"body", "target", "selector", "source"})
"""Properties whose values may leave out `type` (Web Annotation Data Model, section 3)."""


def check_identity(report: LintReport, resource: LintedResource) -> None:
    """Check `id`, `type` and `@context` of a resource (sections 3.2, 4.6 and 4.8)."""
    for old, new in _OLD_KEYWORDS.items():
        if old in resource.value:
            report.error(resource.path, "keyword", name=old, instead=new)
    if resource.holder is not None and "@context" in resource.value:
        report.error(resource.path, "context-embedded")
    _check_class(report, resource)
    if "id" in resource.value:
        _check_id(report, resource)
    elif "@id" not in resource.value and _needs_id(resource):
        report.error(resource.path, "missing", what=resource.name, name="id")


def _check_class(report: LintReport, resource: LintedResource) -> None:
    if not resource.class_name:
        if resource.role not in _WEB_ANNOTATION_ROLES:
            report.error(resource.path, "missing", what=resource.role or "JSON", name="type")
        return
    allowed = resource.allowed_classes()
    if allowed and resource.class_name not in allowed:
        name = resource.role if resource.holder is None else f"{resource.holder.name}.{resource.role}"
        report.error(resource.path, "class", name=name, classes=", ".join(sorted(allowed)), found=resource.class_name)


def _check_id(report: LintReport, resource: LintedResource) -> None:
    path, value = f"{resource.path}.id", resource.value["id"]
    if is_structural(resource) or resource.role in {"provider", *LINKED}:
        values.check_uri(report, path, "id", value)
    elif not isinstance(value, str):
        report.error(path, "string", name="id")
    if resource.class_name == "Canvas" and not resource.is_reference and "#" in (resource.id or ""):
        report.error(path, "fragment", value=resource.id)


def _needs_id(resource: LintedResource) -> bool:
    if resource.class_name in _WITHOUT_ID or resource.class_name.endswith("Selector"):
        return False
    return is_structural(resource) or resource.role in {"provider", "body", *LINKED}
