"""Parses files of text in XML and HTML within limits: no entities, bounded elements and depth. (pure)"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree, html

from repository.localized import LocalizedText
from workers.text.source import TextProblem, too_large
from workers.untrusted_xml import Element, local_name, parse_untrusted, shape_of

MAX_TAGS: Final = 500_000
"""The most tags of a file; lxml needs about 200 bytes for each. ALTO of a dense newspaper page has about 20,000."""

MAX_DEPTH: Final = 200
"""How deep elements may be nested; libxml2 itself stops at 256."""

_ENTITY: Final = re.compile(rb"<!ENTITY", re.IGNORECASE)


def parse_xml(content: bytes) -> Element:
    """Return the root of an XML document. Raises `TextProblem`."""
    _check_size(content)
    try:
        root = parse_untrusted(content)
    except (etree.XMLSyntaxError, ValueError, LookupError) as fault:
        raise _malformed(fault) from fault
    _check_depth(root)
    return root


def parse_html(content: bytes) -> Element:
    """Return the root of an HTML document, however badly nested. Raises `TextProblem`."""
    _check_size(content)
    parser = html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        root = html.document_fromstring(content, parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as fault:
        raise _malformed(fault) from fault
    _check_depth(root)
    return root


def children(element: Element, name: str) -> list[Element]:
    """Return the children with a name, in any namespace: files use wrong ones."""
    return [each for each in element if local_name(each) == name]


def child(element: Element, name: str) -> Element | None:
    """Return the first child with a name."""
    return next(iter(children(element, name)), None)


def descendants(element: Element, *names: str) -> Iterator[Element]:
    """Yield an element and those below it that have one of the names, in the order of the document."""
    for each in element.iter():
        if local_name(each) in names:
            yield each


def number(value: str | None) -> float | None:
    """Return a finite number, None for what is none."""
    try:
        parsed = float(value) if value else math.nan
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) and abs(parsed) < 1e9 else None


def _check_size(content: bytes) -> None:
    if _ENTITY.search(content.replace(b"\0", b"")):
        raise TextProblem(
            "text.entity",
            "",
            LocalizedText(
                "文件声明了 XML 实体，不予读取；请展开实体后重新导出",
                "the file declares XML entities, which are not read; export it again with entities written out",
            ),
        )
    if content.count(b"<") > MAX_TAGS:
        raise too_large(f"{MAX_TAGS} 个标记", f"{MAX_TAGS} tags")


def _check_depth(root: Element) -> None:
    if shape_of(root).depth > MAX_DEPTH:
        raise too_large(f"{MAX_DEPTH} 层嵌套", f"{MAX_DEPTH} nested elements")


def _malformed(fault: Exception) -> TextProblem:
    line, column = getattr(fault, "position", (0, 0)) or (0, 0)
    reason = str(fault).partition(", line ")[0]
    return TextProblem(
        "text.syntax",
        f"{line}:{column}" if line else "",
        LocalizedText(
            f"不是格式正确的 XML（{reason}）；请改正或重新导出",
            f"the file is not well-formed XML ({reason}); correct it or export it again",
        ),
    )
