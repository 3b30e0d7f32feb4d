"""XML that others wrote: a parser without entities, document types and network, and the shape of a document. (pure)"""

from __future__ import annotations

from typing import Any, NamedTuple

from lxml import etree

Element = Any
"""An element of lxml, which has no types."""


class Shape(NamedTuple):
    """How deep the elements of a document are nested, and how many it has."""

    depth: int
    elements: int


def parse_untrusted(content: bytes) -> Element:
    """Return the root of an XML document without its comments and processing instructions.

    References to entities stay as they are written. Raises `etree.XMLSyntaxError`, `ValueError`, `LookupError`.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(content, parser)


def shape_of(root: Element) -> Shape:
    """Return the shape of an element with all below it."""
    depth = deepest = elements = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
        elements += event == "start"
    return Shape(deepest, elements)


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace; '' for what is no element, such as an entity."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
