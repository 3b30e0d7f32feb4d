"""The resources of a document, each with its class, its place and the resource that holds it. (pure)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from iiif_server.presentation.linting.vocabulary import (
    CHILD_CLASSES,
    PROPERTY_CLASSES,
    STRUCTURAL_CLASSES,
)

_ANNOTATION_PARTS: Final = ("body", "target", "selector", "source")
_NESTED: Final = ("items", "structures", *PROPERTY_CLASSES, "thumbnail", "homepage", "rendering", "seeAlso", "partOf")
_REFERENCES: Final = frozenset({"partOf", "seeAlso", "start", "supplementary", "source", "target"})

CONTENT: Final = "content resource"
"""What a resource is called whose class is none of the specification's."""


@dataclass(frozen=True, slots=True)
class LintedResource:
    """A JSON object that describes a resource or refers to one.

    `path` is its JSONPath, `role` the property that holds it ('' for the top), `holder` the resource that has that
    property.
    """

    path: str
    value: Mapping[str, Any]
    role: str = ""
    holder: LintedResource | None = None

    @property
    def id(self) -> str | None:
        """The identifier, if it is a string."""
        identifier = self.value.get("id")
        return identifier if isinstance(identifier, str) else None

    @property
    def class_name(self) -> str:
        """The value of `type`; '' without one."""
        name = self.value.get("type")
        return name if isinstance(name, str) else ""

    @property
    def name(self) -> str:
        """What messages call the resource."""
        return self.class_name or CONTENT

    @property
    def is_reference(self) -> bool:
        """Whether the object only refers to a resource that is described elsewhere (section 1.2, "referenced")."""
        holder = self.holder.class_name if self.holder else ""
        if self.role in _REFERENCES:
            return True
        if self.class_name == "Manifest":
            return holder == "Collection"
        if self.class_name == "Canvas":
            return holder in {"Range", "Annotation", "SpecificResource"}
        nested = self.holder is not None and self.class_name in {"Collection", "Range", "AnnotationPage"}
        return nested and "items" not in self.value

    def children(self) -> Iterator[LintedResource]:
        """Yield the resources that the resource's properties hold, except services."""
        for name in (*_NESTED, *_ANNOTATION_PARTS):
            if name in self.value:
                yield from self._held(name)

    def _held(self, name: str) -> Iterator[LintedResource]:
        held = self.value[name]
        if isinstance(held, Mapping):
            yield LintedResource(f"{self.path}.{name}", held, name, self)
        elif isinstance(held, list):
            for number, item in enumerate(held):
                if isinstance(item, Mapping):
                    yield LintedResource(f"{self.path}.{name}[{number}]", item, name, self)

    def holders(self) -> Iterator[LintedResource]:
        """Yield the resource that holds this one, that which holds it, and so on to the top."""
        holder = self.holder
        while holder is not None:
            yield holder
            holder = holder.holder

    def allowed_classes(self) -> frozenset[str] | None:
        """Return the classes that this property may hold; None for any."""
        if self.holder is not None and (found := CHILD_CLASSES.get((self.holder.class_name, self.role))):
            return found
        return PROPERTY_CLASSES.get(self.role)


def resources(document: Mapping[str, Any]) -> Iterator[LintedResource]:
    """Yield the resources of a document, each before those that it holds."""
    waiting = [LintedResource("$", document)]
    while waiting:
        resource = waiting.pop()
        yield resource
        waiting += reversed(list(resource.children()))


def is_structural(resource: LintedResource) -> bool:
    """Return whether the class is one of those that the specification defines."""
    return resource.class_name in STRUCTURAL_CLASSES


def behaviors_of(resource: LintedResource) -> list[str]:
    """Return the behaviors that a resource states itself, without what is no string."""
    found = resource.value.get("behavior")
    return [value for value in found if isinstance(value, str)] if isinstance(found, list) else []
