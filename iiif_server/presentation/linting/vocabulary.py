"""The classes, properties and values of Presentation 3.0, as its Appendix A tabulates them. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CONTEXT: Final = "http://iiif.io/api/presentation/3/context.json"

STRUCTURAL_CLASSES: Final = frozenset(
    {"Collection", "Manifest", "Canvas", "Range", "AnnotationPage", "Annotation", "AnnotationCollection"}
)
"""The classes that the specification defines, except `Agent`: sections 2.1 and 2.2."""

TOP_CLASSES: Final = STRUCTURAL_CLASSES
"""The classes of which a document may be."""

_EVERYWHERE: Final = frozenset(
    [
        "id",
        "type",
        "label",
        "metadata",
        "summary",
        "requiredStatement",
        "rights",
        "provider",
        "thumbnail",
        "behavior",
        "homepage",
        "rendering",
        "service",
        "seeAlso",
        "partOf",
    ]
)
_CONTAINER: Final = _EVERYWHERE | {"navDate", "placeholderCanvas", "accompanyingCanvas", "annotations"}

PROPERTIES: Final[Mapping[str, frozenset[str]]] = {
    "Collection": _CONTAINER | {"viewingDirection", "services", "items"},
    "Manifest": _CONTAINER | {"viewingDirection", "services", "start", "items", "structures"},
    "Canvas": _CONTAINER | {"height", "width", "duration", "items"},
    "Range": _CONTAINER | {"viewingDirection", "start", "supplementary", "items"},
}
"""The properties that Appendix A allows on the classes that Presentation alone defines."""

FORBIDDEN: Final[Mapping[str, frozenset[str]]] = {
    class_name: (
        frozenset(
            [
                "format",
                "profile",
                "height",
                "width",
                "duration",
                "viewingDirection",
                "timeMode",
                "navDate",
                "placeholderCanvas",
                "accompanyingCanvas",
                "start",
                "supplementary",
                "services",
                "items",
                "structures",
                "annotations",
                "language",
            ]
        )
        - allowed
    )
    for class_name, allowed in {
        **PROPERTIES,
        "Annotation": frozenset({"timeMode"}),
        "AnnotationPage": frozenset({"items"}),
        "AnnotationCollection": frozenset({"items"}),
    }.items()
}
"""The properties that Appendix A forbids on a class; Web Annotation allows `items` in an AnnotationCollection."""

LISTS: Final = frozenset(
    [
        "metadata",
        "provider",
        "thumbnail",
        "behavior",
        "homepage",
        "logo",
        "rendering",
        "service",
        "services",
        "seeAlso",
        "partOf",
        "items",
        "structures",
        "annotations",
    ]
)
"""Properties whose value is always an array (section 4.3)."""

CHILD_CLASSES: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("Collection", "items"): frozenset({"Collection", "Manifest"}),
    ("Manifest", "items"): frozenset({"Canvas"}),
    ("Manifest", "structures"): frozenset({"Range"}),
    ("Canvas", "items"): frozenset({"AnnotationPage"}),
    ("Range", "items"): frozenset({"Range", "Canvas", "SpecificResource"}),
    ("AnnotationPage", "items"): frozenset({"Annotation"}),
}
"""The classes of the items of a class (section 3.4)."""

PROPERTY_CLASSES: Final[Mapping[str, frozenset[str]]] = {
    "annotations": frozenset({"AnnotationPage"}),
    "placeholderCanvas": frozenset({"Canvas"}),
    "accompanyingCanvas": frozenset({"Canvas"}),
    "start": frozenset({"Canvas", "SpecificResource"}),
    "supplementary": frozenset({"AnnotationCollection"}),
    "provider": frozenset({"Agent"}),
    "logo": frozenset({"Image"}),
}
"""The classes of the value of a property, whatever the class that has it (sections 3.1 to 3.4)."""

LINKED: Final = frozenset({"thumbnail", "homepage", "logo", "rendering", "seeAlso", "partOf"})
"""Properties whose values refer to other resources by `id` and `type`."""

NEEDS_LABEL: Final = frozenset({"homepage", "rendering", "provider"})
"""Properties each of whose values must have a label (sections 3.1 and 3.3.1)."""

SPATIAL_CLASSES: Final = frozenset({"Image", "Video", "Canvas"})
TEMPORAL_CLASSES: Final = frozenset({"Sound", "Video"})

DIRECTIONS: Final = frozenset({"left-to-right", "right-to-left", "top-to-bottom", "bottom-to-top"})
TIME_MODES: Final = frozenset({"trim", "scale", "loop"})

_TEMPORAL: Final = frozenset({"auto-advance", "no-auto-advance"})
_REPEATING: Final = frozenset({"repeat", "no-repeat"})
_LAYOUT: Final = frozenset({"unordered", "individuals", "continuous", "paged"})
_COLLECTION: Final = frozenset({"multi-part", "together"})
_RANGE: Final = frozenset({"sequence", "thumbnail-nav", "no-nav"})
_CANVAS: Final = frozenset({"facing-pages", "non-paged"})

BEHAVIORS: Final[Mapping[str, frozenset[str]]] = {
    "Collection": _TEMPORAL | _REPEATING | _LAYOUT | _COLLECTION,
    "Manifest": _TEMPORAL | _REPEATING | _LAYOUT,
    "Canvas": _TEMPORAL | _CANVAS,
    "Range": _TEMPORAL | _LAYOUT | _RANGE,
    "AnnotationCollection": frozenset({"hidden"}),
    "AnnotationPage": frozenset({"hidden"}),
    "Annotation": frozenset({"hidden"}),
    "SpecificResource": frozenset({"hidden"}),
    "Choice": frozenset({"hidden"}),
}
"""The behaviors that each class may have (section 3.2, "behavior", and Appendix A)."""

KNOWN_BEHAVIORS: Final = frozenset().union(*BEHAVIORS.values())

DISJOINT_BEHAVIORS: Final = (
    _TEMPORAL,
    _REPEATING,
    _LAYOUT,
    _COLLECTION,
    _RANGE,
    _CANVAS | {"paged"},
)
"""Sets of behaviors of which a resource has at most one."""

RIGHTS_HOSTS: Final = frozenset({"creativecommons.org", "rightsstatements.org"})
"""The hosts whose URIs for rights are http URIs (section 3.1, "rights")."""

RENAMED: Final[Mapping[str, str]] = {
    "sequences": "items",
    "canvases": "items",
    "images": "items",
    "ranges": "items",
    "attribution": "requiredStatement",
    "license": "rights",
    "description": "summary",
    "viewingHint": "behavior",
    "related": "homepage",
    "within": "partOf",
}
"""Properties of Presentation 2 and what replaced them."""
