"""Rules of single values: language maps, URIs, dates, rights, numbers. (pure)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeGuard
from urllib.parse import urlsplit
from xml.etree import ElementTree

from iiif_server.presentation.linting.findings import LintReport
from iiif_server.presentation.linting.vocabulary import RIGHTS_HOSTS

_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_DATE: Final = re.compile(
    r"-?([1-9]\d{3,}|0\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T"
    r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(?P<zone>Z|[+-](0\d|1[0-4]):[0-5]\d)",
    re.ASCII,
)
_ELEMENT: Final = re.compile(r"</?[A-Za-z][^>]*>")
_DECLARATION: Final = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def check_uri(report: LintReport, path: str, name: str, value: object) -> None:
    """Report a value that is no HTTP(S) URI (section 3.2, "id")."""
    if not isinstance(value, str):
        report.error(path, "string", name=name)
    elif not is_http_uri(value.strip()):
        report.error(path, "uri", name=name, value=value)
    elif value != value.strip():
        report.warning(path, "uri-space", name=name)


def is_http_uri(value: str) -> bool:
    """Return whether a string is an absolute HTTP(S) URI."""
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"[\s<>\"{}|\\^`]", value)
    except ValueError:
        return False


def check_language_map(report: LintReport, path: str, value: object, *, name: str, html: bool) -> None:
    """Report a value that is no language map (section 4.4); `html` says whether it may contain HTML (section 4.5)."""
    if not isinstance(value, Mapping):
        report.error(path, "language-map", name=name)
        return
    if not value:
        report.error(path, "empty", name=name)
    for language, texts in value.items():
        if language == "@none":
            report.error(path, "keyword", name="@none", instead="none")
        elif not _LANGUAGE.fullmatch(language):
            report.error(path, "language", value=language)
        _check_texts(report, f"{path}.{language}", name, texts, html=html)


def _check_texts(report: LintReport, path: str, name: str, texts: object, *, html: bool) -> None:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        report.error(path, "language-map", name=name)
        return
    if not texts:
        report.error(path, "empty", name=name)
    for text in texts:
        _check_text(report, path, name, text, html=html)


def _check_text(report: LintReport, path: str, name: str, text: str, *, html: bool) -> None:
    if not (text.startswith("<") and text.endswith(">") and _ELEMENT.match(text)):
        return
    if not html:
        report.error(path, "html", name=name)
    elif not _is_well_formed(text):
        report.error(path, "html-malformed", name=name)


def _is_well_formed(text: str) -> bool:
    """Return whether HTML is well-formed XML in one element, or in several (which clients wrap)."""
    if _DECLARATION.search(text):
        return False  # entities would be expanded
    try:
        ElementTree.fromstring(f"<html>{text}</html>")  # noqa: S314 - without declarations there is nothing to expand
    except ElementTree.ParseError:
        return False
    return True


def check_metadata(report: LintReport, path: str, value: object) -> None:
    """Report entries of `metadata` that are no pairs of label and value; that it is an array is checked elsewhere."""
    for number, entry in enumerate(value if isinstance(value, list) else ()):
        check_labelled_value(report, f"{path}[{number}]", entry, name="metadata")


def check_labelled_value(report: LintReport, path: str, value: object, *, name: str) -> None:
    """Report an entry of `metadata`, or a `requiredStatement`, without label or value (section 3.1)."""
    if not isinstance(value, Mapping):
        report.error(path, "object", name=name)
        return
    for part in ("label", "value"):
        if part in value:
            check_language_map(report, f"{path}.{part}", value[part], name=part, html=part == "value")
        else:
            report.error(path, "missing", what=name, name=part)


def check_date(report: LintReport, path: str, value: object) -> None:
    """Report a `navDate` without time zone, or that is no date (section 3.1)."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        report.error(path, "date")
    elif found["zone"] not in {"Z", "+00:00", "-00:00"}:
        report.warning(path, "date-utc")


def check_rights(report: LintReport, path: str, value: object) -> None:
    """Report a statement of rights that is no URI, or not the one that its maker defined (section 3.1)."""
    if not isinstance(value, str) or not is_http_uri(value):
        report.error(path, "rights")
        return
    parts = urlsplit(value)
    host = (parts.hostname or "").removeprefix("www.")
    if host in RIGHTS_HOSTS and (parts.scheme, parts.hostname) != ("http", host):
        report.error(path, "rights-https", value=f"http://{host}{parts.path}")


def check_choice(report: LintReport, path: str, value: object, *, code: str, allowed: frozenset[str]) -> None:
    """Report a value that is none of those that the specification defines."""
    if not isinstance(value, str) or value not in allowed:
        report.error(path, code, value=value)


def check_integer(report: LintReport, path: str, value: object, *, name: str) -> None:
    """Report a value that is no positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        report.error(path, "integer", name=name)


def check_number(report: LintReport, path: str, value: object, *, name: str) -> None:
    """Report a value that is no positive number."""
    if not (is_number(value) and value > 0):
        report.error(path, "number", name=name)


def check_string(report: LintReport, path: str, value: object, *, name: str) -> None:
    """Report a value that is no string."""
    if not isinstance(value, str):
        report.error(path, "string", name=name)


def check_object(report: LintReport, path: str, value: object, *, name: str) -> None:
    """Report a value that is no JSON object."""
    if not isinstance(value, Mapping):
        report.error(path, "object", name=name)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
