"""Parses XML of partners: without entities, document types, external files and deep nesting. (pure)"""

from __future__ import annotations

from typing import Final

from lxml import etree

from repository.errors import ContentError
from repository.localized import LocalizedText
from workers.untrusted_xml import Element, parse_untrusted, shape_of

_DEEPEST: Final = 100
_MOST_ELEMENTS: Final = 2_000_000
_CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\r")


class DocumentRefused(ContentError):
    """A document of a partner that cannot be read, or that no honest partner sends."""

    code = "partner.document"
    text = LocalizedText("合作机构的文件无法读取：{reason}", "The partner's document cannot be read: {reason}")


def parse_xml(body: bytes) -> Element:
    """Return the root element of a document. Raises `DocumentRefused`.

    Control characters, which XML 1.0 forbids and careless exports contain, are left out if the document is not
    well-formed with them, and bytes that are no UTF-8 are replaced by U+FFFD.
    """
    try:
        return _parsed(body)
    except etree.XMLSyntaxError as fault:
        mended = body.decode("utf-8", "replace").encode().translate(None, _CONTROLS)
        if mended == body:
            raise DocumentRefused(reason=_not_xml(fault)) from fault
    try:
        return _parsed(mended)
    except etree.XMLSyntaxError as fault:
        raise DocumentRefused(reason=_not_xml(fault)) from fault


def _parsed(body: bytes) -> Element:
    root = parse_untrusted(body)
    if root.getroottree().docinfo.internalDTD is not None:
        reason = LocalizedText("含有文档类型声明（DOCTYPE）", "it has a document type declaration (DOCTYPE)")
        raise DocumentRefused(reason=reason)
    shape = shape_of(root)
    if shape.depth > _DEEPEST or shape.elements > _MOST_ELEMENTS:
        reason = LocalizedText("嵌套过深或元素过多", "it is nested too deeply or has too many elements")
        raise DocumentRefused(reason=reason)
    return root


def _not_xml(fault: etree.XMLSyntaxError) -> LocalizedText:
    return LocalizedText(f"不是合格的 XML（{fault.msg}）", f"it is not well-formed XML ({fault.msg})")


def words(element: Element) -> str:
    """Return the text of an element and all below it, its spaces as single ones."""
    return " ".join("".join(element.itertext()).split())
