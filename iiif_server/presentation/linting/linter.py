"""Lint a IIIF Presentation 3.0 document of any class.

`lint` takes the bytes of a document, or `lint_document` its values, and returns every error (a broken "must") and
warning (a broken "should") with its place. Nothing is fetched: what a document refers to is not read. (pure)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from iiif_server.presentation.linting.canvases import check_annotations, check_canvas
from iiif_server.presentation.linting.classes import check_resource
from iiif_server.presentation.linting.findings import LintReport
from iiif_server.presentation.linting.references import check_identifiers, check_manifest
from iiif_server.presentation.linting.tree import resources
from iiif_server.presentation.linting.vocabulary import CONTEXT, TOP_CLASSES

LARGEST_DOCUMENT: Final = 64 << 20
"""The most bytes of a document that is linted: a manifest of 2,000 canvases has about 3 MB."""

DEEPEST: Final = 100


class _RepeatedKey(ValueError):
    """A JSON object with two members of one name."""


def lint(content: bytes) -> LintReport:
    """Lint a document as it is served: UTF-8 JSON."""
    report = LintReport()
    try:
        document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_members, parse_constant=_no_constant)
    except _RepeatedKey as fault:
        report.error("$", "json-key", name=str(fault))
    except ValueError as fault:
        report.error("$", "json", reason=str(fault))
    except RecursionError:
        report.error("$", "json-depth", limit=DEEPEST)
    else:
        return lint_document(document)
    return report


def lint_document(document: Any) -> LintReport:
    """Lint a parsed document."""
    report = LintReport()
    if not isinstance(document, Mapping):
        report.error("$", "json-object")
    elif _depth(document) > DEEPEST:
        report.error("$", "json-depth", limit=DEEPEST)
    elif _check_context(report, document):
        _check(report, document)
    return report


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedKey(next(name for name in names if names.count(name) > 1))
    return members


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _depth(document: Any) -> int:
    deepest, waiting = 0, [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        deepest = max(deepest, depth)
        if deepest > DEEPEST:
            break
        held = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        waiting += [(item, depth + 1) for item in held]
    return deepest


def _check_context(report: LintReport, document: Mapping[str, Any]) -> bool:
    """Check `@context` (section 4.6); return False for a document of another version."""
    context = document.get("@context")
    listed = context if isinstance(context, list) else [context]
    if any(isinstance(item, str) and "/presentation/2/" in item for item in listed):
        report.error("$.@context", "context-version")
        return False
    if not listed or listed[-1] != CONTEXT:
        report.error("$.@context", "context", context=CONTEXT)
    if "@graph" in document:
        report.error("$", "graph")
    return True


def _check(report: LintReport, document: Mapping[str, Any]) -> None:
    described = list(resources(document))
    top = described[0]
    if top.class_name not in TOP_CLASSES:
        report.error("$.type", "class", name="type", classes=", ".join(sorted(TOP_CLASSES)), found=top.class_name)
    context = document.get("@context")
    extended = isinstance(context, list) and len(context) > 1
    for resource in described:
        check_resource(report, resource, extended=extended)
        if resource.class_name == "Canvas" and not resource.is_reference:
            check_canvas(report, resource)
        elif "annotations" in resource.value:
            check_annotations(report, resource)
    check_identifiers(report, described)
    if top.class_name == "Manifest":
        check_manifest(report, top, described)
