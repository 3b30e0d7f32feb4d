"""Presentation 2.1 documents, converted from those of 3.0. (pure)

https://iiif.io/api/presentation/2.1/ and https://iiif.io/api/presentation/3.0/change-log/ . What 2.1 lacks is put in
the way in which its viewers understand it:

==========================================  ===========================================================================
3.0                                         2.1
==========================================  ===========================================================================
canvases in ``items``                       the one sequence, ``…/sequence/normal``
``behavior``                                ``viewingHint``, if 2.1 knows the word
ranges within ranges                        a flat list, under one range with the hint ``top``
a range with the behavior ``sequence``      a range like others: a second sequence could not be embedded (section 5.2)
``annotations``                             ``otherContent``
``requiredStatement``, ``rights``           ``attribution``, ``license``
a choice of images                          ``oa:Choice``, the first image being the default
image services of this library, version 3   the same services, version 2
==========================================  ===========================================================================

Canvases and annotations keep their identifiers, since they are the same resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from iiif_server.presentation.values import Json, present
from iiif_server.urls import IMAGE_PREFIXES, PLACEHOLDER, presentation_version2

CONTEXT: Final = "http://iiif.io/api/presentation/2/context.json"

_HINTS: Final[Mapping[str, frozenset[str]]] = {
    "Manifest": frozenset({"individuals", "paged", "continuous"}),
    "Canvas": frozenset({"non-paged", "facing-pages"}),
    "Collection": frozenset({"multi-part", "individuals"}),
}
_IMAGE_CONTEXTS: Final = {
    "ImageService1": "http://library.stanford.edu/iiif/image-api/1.1/context.json",
    "ImageService2": "http://iiif.io/api/image/2/context.json",
    "ImageService3": "http://iiif.io/api/image/3/context.json",
}
_OTHER_CONTEXTS: Final = {
    "SearchService1": "http://iiif.io/api/search/1/context.json",
    "AutoCompleteService1": "http://iiif.io/api/search/1/context.json",
    "AuthCookieService1": "http://iiif.io/api/auth/1/context.json",
}
_SERVICES_OF_3: Final = frozenset({"SearchService2", "AutoCompleteService2", "AuthProbeService2", "AuthAccessService2"})
"""Services that a viewer of 2.1 does not know."""

_THREE, _TWO = (f"{PLACEHOLDER}{prefix}" for prefix in reversed(IMAGE_PREFIXES))


def to_version2(document: Json) -> Json:
    """Return a stored manifest or collection of 3.0 as a document of 2.1."""
    convert = {"Manifest": _manifest, "Collection": _collection}[document["type"]]
    return {"@context": CONTEXT, **convert(document)}


def annotation_list(page: Json) -> Json:
    """Return a stored annotation page of 3.0 as an annotation list of 2.1 (section 5.5)."""
    resources = [_annotation(annotation) for annotation in page.get("items", ())]
    listed = {"@id": presentation_version2(page["id"]), "@type": "sc:AnnotationList", "resources": resources}
    return {"@context": CONTEXT, **listed}


def _manifest(document: Json) -> Json:
    canvases = [_canvas(canvas) for canvas in document["items"]]
    identifier = presentation_version2(document["id"])
    base = identifier.removesuffix("/manifest")
    order = present(viewingDirection=document.get("viewingDirection"), viewingHint=_hint(document))
    sequence = {
        "@id": f"{base}/sequence/normal",
        "@type": "sc:Sequence",
        **order,
        **present(startCanvas=document.get("start", {}).get("id")),
        "canvases": canvases,
    }
    structures = list(_ranges(document.get("structures", ())))
    if structures:
        tops = [presentation_version2(part["id"]) for part in document["structures"]]
        label = _text(document["label"])
        top = {"@id": f"{base}/range/top", "@type": "sc:Range", "label": label, "viewingHint": "top", "ranges": tops}
        structures.insert(0, top)
    described = _described(document, "sc:Manifest", identifier)
    return {**described, **order, "sequences": [sequence], **present(structures=structures)}


def _collection(document: Json) -> Json:
    references: dict[str, list[Json]] = {"Collection": [], "Manifest": []}
    for item in document["items"]:
        is_own = item["id"].startswith(PLACEHOLDER)  # a partner's manifest keeps its address
        identifier = presentation_version2(item["id"]) if is_own else item["id"]
        references[item["type"]].append(_described(item, f"sc:{item['type']}", identifier))
    described = _described(document, "sc:Collection", presentation_version2(document["id"]))
    hint = present(viewingHint=_hint(document))
    lists = present(collections=references["Collection"], manifests=references["Manifest"])
    return {**described, **hint, **(lists or {"manifests": []})}


def _described(document: Json, kind: str, identifier: str) -> Json:
    """Return what every resource may have: identifier, texts and links."""
    statement = document.get("requiredStatement")
    logos = [logo["id"] for provider in document.get("provider", ()) for logo in provider.get("logo", ())]
    within = [presentation_version2(whole["id"]) for whole in document.get("partOf", ())]
    texts = present(
        label=_text(document["label"]) if "label" in document else None,
        metadata=[{"label": _text(row["label"]), "value": _text(row["value"])} for row in document.get("metadata", ())],
        description=_text(document["summary"]) if "summary" in document else None,
        attribution=_text(statement["value"]) if statement else None,
    )
    links = present(
        license=document.get("rights"),
        navDate=document.get("navDate"),
        logo=_one_or_all(logos),
        thumbnail=_one_or_all([_image(picture) for picture in document.get("thumbnail", ())]),
        related=_links(document.get("homepage", ())),
        seeAlso=_links(document.get("seeAlso", ())),
        rendering=_links(document.get("rendering", ())),
        service=_services(document.get("service", ())),
        within=_one_or_all(within),
    )
    return {"@id": identifier, "@type": kind, **texts, **links}


def _canvas(canvas: Json) -> Json:
    painted = [
        {**_painting(annotation), "on": canvas["id"]}
        for page in canvas.get("items", ())
        for annotation in page["items"]
        if annotation["motivation"] == "painting"
    ]
    lists = [
        {"@id": presentation_version2(page["id"]), "@type": "sc:AnnotationList", **_label(page)}
        for page in canvas.get("annotations", ())
    ]
    size = {"height": canvas["height"], "width": canvas["width"]}
    described = _described(canvas, "sc:Canvas", canvas["id"])
    hint = present(viewingHint=_hint(canvas), otherContent=lists)
    return {**described, **size, **hint, "images": painted}


def _painting(annotation: Json) -> Json:
    body = annotation["body"]
    if body["type"] == "Choice":
        first, *others = (_image(item) for item in body["items"])
        resource: Json = {"@type": "oa:Choice", "default": first, "item": others}
    else:
        resource = _image(body)
    return {"@id": annotation["id"], "@type": "oa:Annotation", "motivation": "sc:painting", "resource": resource}


def _annotation(annotation: Json) -> Json:
    """Return an annotation with text (Open Annotation: ``cnt:ContentAsText``)."""
    bodies = annotation["body"] if isinstance(annotation["body"], list) else [annotation["body"]]
    resources = [
        {
            "@type": "cnt:ContentAsText",
            "chars": body["value"],
            **present(format=body.get("format"), language=body.get("language")),
        }
        for body in bodies
        if body["type"] == "TextualBody"
    ]
    motivation = "sc:painting" if annotation["motivation"] == "supplementing" else "oa:commenting"
    target = annotation["target"]
    on = target if isinstance(target, str) else target["id"]
    described = {"@id": annotation["id"], "@type": "oa:Annotation", "motivation": motivation}
    return {**described, "resource": _one_or_all(resources), "on": on}


def _image(image: Json) -> Json:
    address = image["id"].replace(_THREE, _TWO)
    size: Json = {name: image[name] for name in ("format", "width", "height") if name in image}
    service = _services(image.get("service", ()))
    return {"@id": address, "@type": "dctypes:Image", **_label(image), **size, **present(service=service)}


def _services(services: Sequence[Json]) -> Any:
    """Return services, without those that 2.1 has no use for; one alone is no list, as viewers expect."""
    return _one_or_all([_service(service) for service in services if _type(service) not in _SERVICES_OF_3])


def _service(service: Json) -> Json:
    """Return a service; one of this library's images becomes that of the Image API 2."""
    kind, identifier = _type(service), service.get("id") or service["@id"]
    profile = service.get("profile")
    if kind == "ImageService3" and identifier.startswith(_THREE):
        kind, identifier = "ImageService2", identifier.replace(_THREE, _TWO)
    if kind in {"ImageService2", "ImageService3"} and profile in {"level0", "level1", "level2"}:
        profile = f"http://iiif.io/api/image/{kind[-1]}/{profile}.json"
    context = service.get("@context") or _IMAGE_CONTEXTS.get(kind) or _OTHER_CONTEXTS.get(kind)
    inner = _services(service.get("service", ()) if isinstance(service.get("service", ()), list) else ())
    kept = {name: value for name, value in service.items() if name in {"label", "header", "description"}}
    return {**present(**{"@context": context}), "@id": identifier, **present(profile=profile, service=inner), **kept}


def _type(service: Json) -> str:
    return str(service.get("type") or service.get("@type") or "")


def _ranges(ranges: Sequence[Json]) -> Iterator[Json]:
    """Yield ranges and the ranges within them, the outer before the inner."""
    for part in ranges:
        inner = [item for item in part["items"] if item["type"] == "Range"]
        yield {
            "@id": presentation_version2(part["id"]),
            "@type": "sc:Range",
            "label": _text(part["label"]),
            **present(
                rendering=_links(part.get("rendering", ())),
                ranges=[presentation_version2(item["id"]) for item in inner],
                canvases=[item["id"] for item in part["items"] if item["type"] == "Canvas"],
            ),
        }
        yield from _ranges(inner)


def _links(resources: Sequence[Json]) -> Any:
    links = []
    for resource in resources:
        kind = present(format=resource.get("format"), profile=resource.get("profile"))
        links.append({"@id": resource["id"], **_label(resource), **kind})
    return _one_or_all(links)


def _label(resource: Json) -> Json:
    return {"label": _text(resource["label"])} if "label" in resource else {}


def _hint(resource: Json) -> str | None:
    return next((word for word in resource.get("behavior", ()) if word in _HINTS[resource["type"]]), None)


def _text(text: Mapping[str, Sequence[str]]) -> Any:
    """Return a language map as text: a string, or values with their languages (section 4.3)."""
    values: list[Any] = []
    for language, lines in text.items():
        values += [line if language == "none" else {"@value": line, "@language": language} for line in lines]
    return _one_or_all(values)


def _one_or_all(values: Sequence[Any]) -> Any:
    """Return the only value of a list, or the list."""
    return values[0] if len(values) == 1 else list(values)
