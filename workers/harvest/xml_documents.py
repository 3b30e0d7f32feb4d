"""Parses XML of partners: without entities, document types, external files and deep nesting. (pure)"""

from __future__ import annotations

from typing import Any, Final

from lxml import etree

from repository.errors import ContentError
from repository.localized import LocalizedText

_DEEPEST: Final = 100
_MOST_ELEMENTS: Final = 2_000_000
_CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\r")


class DocumentRefused(ContentError):
    """A document of a partner that cannot be read, or that no honest partner sends."""

    code = "partner.document"
    text = LocalizedText("合作机构的文件无法读取：{reason}", "The partner's document cannot be read: {reason}")


def parse_xml(body: bytes) -> Any:
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


def _parsed(body: bytes) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(body, parser)
    if root.getroottree().docinfo.internalDTD is not None:
        reason = LocalizedText("含有文档类型声明（DOCTYPE）", "it has a document type declaration (DOCTYPE)")
        raise DocumentRefused(reason=reason)
    _require_shape(root)
    return root


def _require_shape(root: Any) -> None:
    depth = count = 0
    for action, _element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if action == "start" else -1
        count += action == "start"
        if depth > _DEEPEST or count > _MOST_ELEMENTS:
            reason = LocalizedText("嵌套过深或元素过多", "it is nested too deeply or has too many elements")
            raise DocumentRefused(reason=reason)


def _not_xml(fault: etree.XMLSyntaxError) -> LocalizedText:
    return LocalizedText(f"不是合格的 XML（{fault.msg}）", f"it is not well-formed XML ({fault.msg})")


def words(element: Any) -> str:
    """Return the text of an element and all below it, its spaces as single ones."""
    return " ".join("".join(element.itertext()).split())


def local_name(element: Any) -> str:
    """Return the name of an element without its namespace."""
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""
