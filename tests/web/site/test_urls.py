"""Every path that `iiif_server.urls` builds is routed to its resource, with the same arguments."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import MapAdapter

from iiif_server import urls
from iiif_server.request.grammar import ApiVersion, parse
from repository.config import Settings
from repository.repository import memory_repository
from web.app import create_app

IDENTIFIERS = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)
PAGES = st.integers(1, 10**6)
REQUESTS = st.sampled_from(["full/max/0/default.jpg", "0,0,512,512/512,512/0/default.jpg", "square/!9,9/!90/gray.png"])
VERSIONS = st.sampled_from(urls.IMAGE_VERSIONS)


def router() -> MapAdapter:
    return create_app(memory_repository(Settings())).url_map.bind("localhost")


ROUTER = router()


def routed(path: str) -> tuple[str, dict[str, Any]]:
    """The endpoint of a path and its arguments, those of the query too."""
    path, _, query = path.partition("?")
    endpoint, arguments = ROUTER.match(path, "GET")
    return endpoint, {**arguments, **dict(pair.split("=") for pair in query.split("&") if pair)}


def test_fixed_paths_are_routed() -> None:
    expected = {
        urls.HOME: "pages.home",
        urls.WORKS: "pages.works",
        urls.SEARCH: "search.find",
        urls.API_SEARCH: "search_api.find",
        urls.API_SUGGEST: "search_api.suggest",
        urls.API_DESCRIPTION: "search_api.openapi",
        urls.STATUS: "operations.status",
        urls.LOG_CHECKPOINT: "log.checkpoint",
        urls.ROBOTS: "sitemap.robots",
        urls.SITEMAP: "sitemap.index",
        urls.ICON: "icon.show",
        urls.OEMBED: "oembed.oembed",
    }
    assert {path: routed(path) for path in expected} == {path: (name, {}) for path, name in expected.items()}
    assert routed(urls.LOG_KEY) == ("log.trust", {"which": "key"})


@given(IDENTIFIERS, PAGES)
def test_paths_of_a_work_are_routed_to_it(work: str, page: int) -> None:
    assert routed(urls.work_path(work)) == ("pages.work", {"identifier": work})
    assert routed(urls.record_path(work)) == ("pages.record", {"identifier": work})
    assert routed(urls.reader_path(work)) == ("pages.read", {"identifier": work})
    assert routed(urls.reader_path(work, page)) == ("pages.read", {"identifier": work, "page": str(page)})
    assert routed(urls.text_path(work)) == ("text_pages.text", {"identifier": work})
    assert routed(urls.text_path(work, page)) == ("text_pages.text", {"identifier": work, "page": str(page)})
    assert routed(urls.page_text_path(work, page, "txt")) == ("text.plain", {"work": work, "number": page})
    assert routed(urls.page_text_path(work, page, "xml")) == ("text.alto", {"work": work, "number": page})
    assert routed(urls.page_text_path(work, page, "json")) == ("text.every", {"work": work, "number": page})
    correction = {"identifier": work, "number": page}
    assert routed(urls.staff_text_path(work, page)) == ("text_correction.show", correction)
    annotations = {"work": work, "number": page, "version": 3}
    assert routed(urls.text_annotations_path(work, page)) == ("text.annotations3", annotations)
    for version in urls.CONTENT_SEARCH_VERSIONS:
        arguments = {"work": work, "version": version}
        assert routed(urls.content_search_path(work, version)) == (f"content_search.search{version}", arguments)
        assert routed(urls.autocomplete_path(work, version)) == (f"content_search.autocomplete{version}", arguments)
    assert routed(urls.manifest_path(work)) == ("iiif.manifest", {"work": work})
    assert routed(urls.collection_path(work)) == ("iiif.collection", {"name": work})


@given(IDENTIFIERS)
def test_paths_of_renderings_are_parsed(work: str) -> None:
    assert urls.parse_rendering_path(urls.book_pdf_path(work)) == (work, False)
    assert urls.parse_rendering_path(urls.images_zip_path(work)) == (work, True)
    assert urls.parse_rendering_path(urls.record_path(work)) is None
    assert urls.parse_rendering_path(f"/other{urls.book_pdf_path(work)}") is None


@given(PAGES)
def test_parts_of_the_sitemap_are_routed(number: int) -> None:
    assert routed(urls.sitemap_part_path(number)) == ("sitemap.part", {"number": number})


@given(IDENTIFIERS)
def test_paths_of_the_log_are_routed(image: str) -> None:
    assert routed(urls.proof_path(image)) == ("evidence.proof", {"identifier": image})
    assert routed(urls.evidence_path(image)) == ("evidence.archive", {"identifier": image})
    for form in ("html", "pdf"):
        name = {"html": "page", "pdf": "pdf"}[form]
        assert routed(urls.certificate_path(image, form)) == (f"certificates.{name}", {"identifier": image})
    assert routed(urls.verify_path(image)) == ("certificates.verify", {"q": image})
    assert routed(urls.log_path("tile/0/x001/067.p/5")) == ("log.tile", {"place": "0/x001/067.p/5"})
    assert urls.log_path("checkpoint") == urls.LOG_CHECKPOINT


def test_every_route_of_the_services_starts_at_a_known_root() -> None:
    roots = (urls.IIIF_ROOT, urls.LOG_ROOT, urls.HEALTH_ROOT, urls.API_ROOT)
    services = [
        rule.rule for rule in ROUTER.map.iter_rules() if rule.endpoint.split(".")[0] in {"iiif", "log", "health"}
    ]
    assert services
    assert all(rule.startswith(roots) for rule in services)


@given(IDENTIFIERS, REQUESTS, VERSIONS)
def test_image_path_parses_back_to_its_parts(image: str, request: str, version: int) -> None:
    assert urls.parse_image_path(urls.image_path(image, request, version)) == (version, image, request)
    assert urls.parse_image_path(urls.image_info_path(image, version)) == (version, image, "info.json")
    assert urls.parse_image_path(urls.image_service_path(image, version)) == (version, image, "")
    assert parse(request, ApiVersion(version))


@given(st.text(max_size=40))
def test_path_outside_the_image_service_has_no_image_parts(path: str) -> None:
    parts = urls.parse_image_path(path)
    assert parts is None or path.startswith(urls.IMAGE_PREFIXES)


def test_image_paths_exist_for_every_version_of_the_grammar() -> None:
    assert tuple(version.value for version in ApiVersion) == urls.IMAGE_VERSIONS


@given(IDENTIFIERS, PAGES)
def test_identifiers_within_a_manifest_extend_one_another(work: str, number: int) -> None:
    canvas = urls.canvas_path(work, number)
    assert urls.annotation_path(work, number).startswith(f"{canvas}/")
    assert urls.annotation_page_path(work, number).startswith(f"{canvas}/")
    assert urls.range_path(work, number) != canvas
    assert urls.stored_id(canvas) == f"{urls.PLACEHOLDER}{canvas}"
