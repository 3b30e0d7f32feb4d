"""Content states: a reference to a work, a canvas or a part of one, to open it in any viewer. (pure)

IIIF Content State API 1.0, sections 2 and 6: an annotation with the motivation ``contentState``, its target alone, or a
URI. A JSON document in a link is encoded; a URI is not. Nothing is dereferenced: what the URIs name is for the caller.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from repository.errors import RequestInvalid
from repository.localized import LocalizedText

PARAMETER: Final = "iiif-content"
_MOST_CHARACTERS: Final = 16_384
_DEEPEST: Final = 8
_UNRESERVED: Final = "!'()*-._~"
"""What ``encodeURIComponent`` leaves as it is, beside letters and digits (ECMA-262, section 19.2.6.4)."""

_REGION: Final = re.compile(r"xywh=(?:pixel:)?(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})(?:\.0*)?\Z")
_INVALID: Final = LocalizedText("不是有效的 IIIF 内容状态：{reason}", "this is no content state of IIIF: {reason}")


class ContentState(NamedTuple):
    """What to open: the URIs of a manifest and of a canvas, and a part of the canvas as x, y, width, height.

    Any of them may be None. `manifest` may be the URI of a resource whose type is unknown.
    """

    manifest: str | None = None
    canvas: str | None = None
    region: tuple[int, int, int, int] | None = None


def encode_content_state(text: str) -> str:
    """Return the encoding of a JSON document for a link (section 6)."""
    return urlsafe_b64encode(quote(text, safe=_UNRESERVED).encode()).decode().rstrip("=")


def decode_content_state(text: str) -> str:
    """Return the document of an encoding. Raises `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    return unquote(urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode(), errors="strict")


def parse_content_state(text: str) -> ContentState:
    """Return what the value of ``iiif-content`` refers to, in any of its forms. Raises `RequestInvalid`.

    Of several targets, which a viewer compares, the first counts.
    """
    text = text.strip()
    if len(text) > _MOST_CHARACTERS:
        raise _refused(LocalizedText("过长", "it is too long"))
    try:
        if not text.startswith(("http://", "https://", "{")):
            text = decode_content_state(text)
        target = _target(json.loads(text)) if text.lstrip().startswith("{") else text
        found = _parsed(target, _DEEPEST)
        _check_characters(found)
    except (ValueError, RecursionError) as fault:
        reason = LocalizedText("编码或 JSON 有误", "its encoding or its JSON is wrong")
        raise _refused(reason) from fault
    if found.manifest is None and found.canvas is None:
        raise _refused(LocalizedText("没有指明清单或画布", "it names no manifest and no canvas"))
    return found


def _check_characters(state: ContentState) -> None:
    """Raise `ValueError` for half a surrogate pair, which JSON can escape and no answer can hold (RFC 8259, 8.2)."""
    for uri in (state.manifest, state.canvas):
        (uri or "").encode()


def _target(document: Any) -> Any:
    """Return the target of an annotation, or the target itself."""
    if isinstance(document, dict) and document.get("type") == "Annotation":
        motivation = document.get("motivation")
        if motivation == "contentState" or (isinstance(motivation, list) and "contentState" in motivation):
            return document.get("target")
    return document


def _parsed(target: Any, depth: int) -> ContentState:
    """Return what a target refers to."""
    if isinstance(target, list):
        return _parsed(target[0], depth - 1) if target and depth else ContentState()
    if isinstance(target, str):
        return _resource(target, "", ())
    if not isinstance(target, dict) or not depth:
        return ContentState()
    if target.get("type") == "SpecificResource":
        found = _parsed(target.get("source"), depth - 1)
        return found._replace(region=found.region or _selected(target.get("selector")))
    identifier, kind = target.get("id", target.get("@id")), str(target.get("type", target.get("@type", "")))
    return _resource(identifier, kind, _each(target.get("partOf"))) if isinstance(identifier, str) else ContentState()


def _resource(uri: str, kind: str, parents: Any) -> ContentState:
    base, _, fragment = uri.partition("#")
    within = next((named for parent in parents if (named := _uri(parent))), None)
    if kind.removeprefix("sc:") in {"Manifest", "Collection"}:
        return ContentState(base)
    if kind.removeprefix("sc:") == "Range":
        return ContentState(within)
    is_canvas = kind.removeprefix("sc:") == "Canvas" or bool(fragment)
    return ContentState(within, base, _region(fragment)) if is_canvas else ContentState(within or base, base)


def _selected(selector: Any) -> tuple[int, int, int, int] | None:
    values = (each.get("value") for each in _each(selector) if isinstance(each, dict))
    return next((region for value in values if isinstance(value, str) and (region := _region(value))), None)


def _region(fragment: str) -> tuple[int, int, int, int] | None:
    """Return the part that a media fragment names, in pixels; None for another kind, or an empty part."""
    found = _REGION.search(fragment)
    if not found:
        return None
    x, y, width, height = (int(each) for each in found.groups())
    return (x, y, width, height) if width and height else None


def _uri(parent: Any) -> str | None:
    uri = parent.get("id", parent.get("@id")) if isinstance(parent, dict) else parent
    return uri if isinstance(uri, str) else None


def _each(value: Any) -> Iterator[Any]:
    yield from (value if isinstance(value, list) else [] if value is None else [value])


def _refused(reason: LocalizedText) -> RequestInvalid:
    return RequestInvalid(part=PARAMETER, reason=_INVALID.format(reason=reason))
