"""Declares the authorization services of a work in its manifest. (pure)

Authorization Flow 2.0, section 2.1. Every image names its own probe service; the access service, which they share,
stands once in ``services`` (Presentation 3.0, section 3.4), so that a book of hundreds of pages stays small. Those who
read the information document find all services there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iiif_server.auth.services import CONTEXT_2, access_reference, access_service, probe_reference
from iiif_server.urls import PLACEHOLDER
from repository.model.access import Decision

Json = dict[str, Any]


def declare_services(manifest: Json, *, work: str, provider: str, public: Decision) -> Json:
    """Return a manifest with the services of a work of which the public sees less than everything, else as it is."""
    if public.shows_all:
        return manifest
    contexts = manifest["@context"]
    known = contexts if isinstance(contexts, list) else [contexts]
    for service in _image_services(manifest["items"]):
        image = service["id"].rpartition("/")[2]
        service["service"] = [{**probe_reference(image, PLACEHOLDER), "service": [access_reference(work, PLACEHOLDER)]}]
    shared = [*manifest.get("services", []), access_service(work, PLACEHOLDER, provider)]
    return {**manifest, "@context": [CONTEXT_2, *known], "services": shared}


def _image_services(canvases: list[Json]) -> Iterator[Json]:
    """Yield the image services of the pictures that canvases are painted with."""
    for canvas in canvases:
        for page in canvas["items"]:
            for annotation in page["items"]:
                body = annotation["body"]
                for picture in body["items"] if body["type"] == "Choice" else [body]:
                    yield from (each for each in picture.get("service", []) if each.get("type") == "ImageService3")
