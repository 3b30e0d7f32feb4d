"""Public paths of the application: the one place that builds them, and parses what is not left to the router. (pure)

A path starts at the application's root and is percent-decoded; it has no scheme, host or mount point. Arguments are
parsed identifiers and names, none of which needs escaping. Flask's routes and the image service's path are written out
where they are served; `tests/web/site/test_urls.py` compares both with this module.

Stored Presentation documents carry `PLACEHOLDER` in place of the public address (`stored_id`), and serving replaces it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PLACEHOLDER: Final = "https://base.invalid"
"""The public address in stored documents; RFC 2606 reserves the top-level domain for such use."""

HOME: Final = "/"
WORKS: Final = "/works"
SEARCH: Final = "/search"
API_SEARCH: Final = "/api/1/search"
API_SUGGEST: Final = "/api/1/suggest"
API_DESCRIPTION: Final = "/api/1/openapi.json"
STATUS: Final = "/status"
PRESERVATION: Final = "/preservation"
PRESERVATION_FINDINGS: Final = "/preservation/findings"
PRESERVATION_CONDITION: Final = "/preservation/condition"
SIMILAR: Final = "/verify/similar"
VERIFY: Final = "/verify"
LOGIN: Final = "/login"
LOGOUT: Final = "/logout"
STAFF: Final = "/staff"
STAFF_HARVEST: Final = "/staff/harvest"
PARTNERS: Final = "/partners"
ROBOTS: Final = "/robots.txt"
ICON: Final = "/favicon.ico"
SITEMAP: Final = "/sitemap.xml"
OEMBED: Final = "/oembed"
READ: Final = "/read"
OAI: Final = "/oai"
CHANGES: Final = "/iiif/discovery/1/changes"
LOG_CHECKPOINT: Final = "/log/checkpoint"
LOG_KEY: Final = "/log/key"

IIIF_ROOT: Final = "/iiif/"
LOG_ROOT: Final = "/log/"
HEALTH_ROOT: Final = "/health/"
API_ROOT: Final = "/api/"

_RECORD: Final = "/record."
_TEI: Final = "/text.tei.xml"
_BOOK_PDF: Final = "book.pdf"
_IMAGES_ZIP: Final = "images.zip"
_BAG_ZIP: Final = "bag.zip"

COSTLY_ROOTS: Final = (SEARCH, OAI, API_ROOT, "/iiif/search/", "/iiif/autocomplete/", "/sitemap/")
"""The start of the paths of services that search, or list many works: their requests are limited for each client."""

IMAGE_ROOT: Final = "/iiif/image/"
IMAGE_VERSIONS: Final = (2, 3)
"""Major versions of the Image API that are served."""
IMAGE_PREFIXES: Final = tuple(f"{IMAGE_ROOT}{version}/" for version in IMAGE_VERSIONS)
"""The start of every image path, one for each version."""

_PRESENTATION: Final = "/iiif/presentation/3"
_PRESENTATION_2: Final = "/iiif/presentation/2"

CONTENT_SEARCH_VERSIONS: Final = (1, 2)
"""Major versions of the Content Search API that are served."""


_AUTH: Final = "/iiif/auth"
FULL_TIER: Final = "full"
REDUCED_TIER: Final = "reduced"
"""The tiers of an image: `tier_name`."""


class ImagePath(NamedTuple):
    """The parts of an image path; `rest`, after the identifier, is ``info.json``, an image request or ''."""

    version: int
    image: str
    rest: str


def parse_image_path(path: str) -> ImagePath | None:
    """Return the parts of a path that starts with one of `IMAGE_PREFIXES`, else None."""
    if not path.startswith(IMAGE_PREFIXES):
        return None
    version, _, below = path.removeprefix(IMAGE_ROOT).partition("/")
    image, _, rest = below.partition("/")
    return ImagePath(int(version), image, rest)


def image_service_path(image: str, version: int = 3) -> str:
    """Return the base path of an image's service (Image API 3.0 and 2.1.1, section 2)."""
    return f"{IMAGE_ROOT}{version}/{image}"


def image_path(image: str, request: str, version: int = 3) -> str:
    """Return the path of an image request; `request` is ``{region}/{size}/{rotation}/{quality}.{format}``."""
    return f"{IMAGE_ROOT}{version}/{image}/{request}"


def image_info_path(image: str, version: int = 3) -> str:
    """Return the path of an image's information document."""
    return image_path(image, "info.json", version)


def tier_name(image: str, tier: str) -> str:
    """Return the identifier of a tier of an image: the whole image for readers who may see it, or the public's size.

    Under its own identifier, an image shows each reader what they may see.
    """
    return f"{image}~{tier}"


def parse_tier(name: str) -> tuple[str, str]:
    """Return an image's identifier and the tier; '' for the image's own identifier."""
    image, _, tier = name.partition("~")
    return image, tier


def auth_path(version: int, service: str, name: str = "") -> str:
    """Return the path of an authorization service: ``probe`` of an image; ``access``, ``token`` of a work; ``logout``.

    Authorization Flow is version 2, Authentication is version 1.
    """
    return f"{_AUTH}/{version}/{service}/{name}" if name else f"{_AUTH}/{version}/{service}"


def is_auth_page(path: str) -> bool:
    """Return whether a path is that of an authorization service for people: ``access`` or ``logout``."""
    service = path.removeprefix(f"{_AUTH}/").split("/")[1:2]
    return path.startswith(f"{_AUTH}/") and service in (["access"], ["logout"])


def content_search_path(work: str, version: int) -> str:
    """Return the path of the search within a work (Content Search 2.0 and 1.0)."""
    return f"/iiif/search/{version}/{work}"


def autocomplete_path(work: str, version: int) -> str:
    """Return the path of the completion of what is typed for the search within a work."""
    return f"/iiif/autocomplete/{version}/{work}"


def manifest_path(work: str) -> str:
    """Return the path of a work's manifest."""
    return f"{_PRESENTATION}/{work}/manifest"


def collection_path(name: str) -> str:
    """Return the path of a collection; ``top`` is the root of all."""
    return f"{_PRESENTATION}/collection/{name}"


def presentation_version2(address: str) -> str:
    """Return the address, in version 2 of the API, of a resource with this address in version 3."""
    return address.replace(f"{_PRESENTATION}/", f"{_PRESENTATION_2}/", 1)


def canvas_path(work: str, number: int) -> str:
    """Return the path of a canvas; `number` counts the work's pages from 1, through all volumes."""
    return f"{_PRESENTATION}/{work}/canvas/{number}"


def annotation_page_path(work: str, number: int) -> str:
    """Return the path of a canvas's page of painting annotations."""
    return f"{canvas_path(work, number)}/page"


def text_annotations_path(work: str, number: int) -> str:
    """Return the path of the annotation page with the text of a canvas."""
    return f"{canvas_path(work, number)}/text"


def annotation_path(work: str, number: int) -> str:
    """Return the path of a canvas's painting annotation."""
    return f"{canvas_path(work, number)}/annotation"


def range_path(work: str, number: int) -> str:
    """Return the path of a range; `number` counts the ranges of the manifest from 1, outer before inner."""
    return f"{_PRESENTATION}/{work}/range/{number}"


def staff_work_path(work: str) -> str:
    """Return the path of the page with the history of a work, for accounts of staff."""
    return f"{STAFF}/works/{work}"


def staff_text_path(work: str, page: int) -> str:
    """Return the path of the page on which staff correct the text of a page, counted from 1."""
    return f"{staff_work_path(work)}/text/{page}"


def work_path(work: str) -> str:
    """Return the path of a work's page."""
    return f"{WORKS}/{work}"


def text_path(work: str, page: int | None = None) -> str:
    """Return the path of the text of a work, as a page; of the part with a page, counted from 1, if one is given."""
    path = f"{work_path(work)}/text"
    return path if page is None else f"{path}?page={page}"


def tei_path(work: str) -> str:
    """Return the path of the text of a work in TEI."""
    return f"{work_path(work)}{_TEI}"


def page_text_path(work: str, number: int, form: str) -> str:
    """Return the path of the text of a page, counted from 1; `form` is ``txt``, ``xml`` for ALTO, or ``json``."""
    return f"{work_path(work)}/text/{number}.{form}"


def is_text_path(path: str) -> bool:
    """Return whether a path is that of the text of a work or a page for programs."""
    is_of_page = "/text/" in path and path.endswith((".txt", ".xml", ".json"))
    return path.startswith(f"{WORKS}/") and (is_of_page or path.endswith(_TEI))


def is_made_of_a_work(path: str) -> bool:
    """Return whether a path is that of a page or document that is made of a work's record when it is requested.

    Its cost grows with the pages of the work. Manifests are stored, and written files have a limit of their own.
    """
    is_annotation_page = path.startswith("/iiif/presentation/") and path.endswith("/text")
    return path.startswith(f"{WORKS}/") or is_annotation_page or path == OEMBED


def record_path(work: str, form: str = "json") -> str:
    """Return the path of a work's catalogue record as JSON, or in a format of `iiif_server.records`: ``mods.xml``."""
    return f"{WORKS}/{work}{_RECORD}{form}"


def is_record_path(path: str) -> bool:
    """Return whether a path is that of a catalogue record, in any format."""
    return path.startswith(f"{WORKS}/") and _RECORD in path


def changes_page_path(number: int) -> str:
    """Return the path of a page of the feed of changes, counted from 0."""
    return f"{CHANGES}/page/{number}"


def book_pdf_path(work: str, pages: str = "") -> str:
    """Return the path of a work as a PDF, or of the pages that a selection names (`iiif_server.page_selection`)."""
    return f"{WORKS}/{work}/{_BOOK_PDF}" + (f"?pages={pages}" if pages else "")


def images_zip_path(work: str) -> str:
    """Return the path of the archive of a work's pictures."""
    return f"{WORKS}/{work}/{_IMAGES_ZIP}"


def bag_path(work: str) -> str:
    """Return the path of a work as a BagIt bag, for partners."""
    return f"{WORKS}/{work}/{_BAG_ZIP}"


def parse_bag_path(path: str) -> str | None:
    """Return the work that the path of a bag names, else None."""
    work, _, file = path.removeprefix(f"{WORKS}/").partition("/")
    return work if path.startswith(f"{WORKS}/") and file == _BAG_ZIP else None


class RenderingPath(NamedTuple):
    """The parts of the path of a rendering: the work, and whether it is the archive of pictures and not the PDF."""

    work: str
    is_archive: bool


def parse_rendering_path(path: str) -> RenderingPath | None:
    """Return the parts of the path of a rendering, else None: the inverse of `book_pdf_path`, `images_zip_path`."""
    work, _, file = path.removeprefix(f"{WORKS}/").partition("/")
    is_rendering = path.startswith(f"{WORKS}/") and file in {_BOOK_PDF, _IMAGES_ZIP}
    return RenderingPath(work, file == _IMAGES_ZIP) if is_rendering else None


def reader_path(work: str, page: int | None = None) -> str:
    """Return the path of the reader, opened at a page counted from 1 when `page` is given."""
    path = f"{WORKS}/{work}/read"
    return path if page is None else f"{path}?page={page}"


def partner_path(source: str) -> str:
    """Return the path of the list of a partner's records."""
    return f"{PARTNERS}/{source}"


def partner_record_path(source: str, key: str) -> str:
    """Return the path of a partner's record."""
    return f"{PARTNERS}/{source}/{key}"


def partner_reader_path(source: str, key: str) -> str:
    """Return the path of the reader, opened at a book of a partner."""
    return f"{partner_record_path(source, key)}/read"


def staff_harvest_path(source: str, key: str | None = None) -> str:
    """Return the path of the staff page of a source that is harvested, or of one of its records."""
    return f"{STAFF_HARVEST}/{source}" if key is None else f"{STAFF_HARVEST}/{source}/{key}"


def sitemap_part_path(number: int) -> str:
    """Return the path of a part of the sitemap, counted from 1."""
    return f"/sitemap/{number}.xml"


def log_path(key: str) -> str:
    """Return the path of a file of the provenance log, by its key below the log's root (C2SP tlog-tiles)."""
    return f"{LOG_ROOT}{key}"


def proof_path(identifier: str) -> str:
    """Return the path of an evidence file (C2SP tlog-proof) for an image or a work."""
    return f"{LOG_ROOT}proof/{identifier}"


def evidence_path(identifier: str) -> str:
    """Return the path of the archive of all evidence for an image or a work."""
    return f"{LOG_ROOT}evidence/{identifier}.zip"


def certificate_path(identifier: str, form: str) -> str:
    """Return the path of the certificate of an image or a work; `form` is ``html`` or ``pdf``."""
    return f"/certificate/{identifier}.{form}"


def verify_path(what: str | None = None) -> str:
    """Return the path of the page that looks up a digest or an identifier, of its result if one is given."""
    return VERIFY if what is None else f"{VERIFY}?q={what}"


def verify_evidence_path() -> str:
    """Return the path to which an evidence file is posted for the server's check."""
    return f"{VERIFY}/evidence"


def stored_id(path: str) -> str:
    """Return the identifier of a resource as stored documents name it, under `PLACEHOLDER`."""
    return f"{PLACEHOLDER}{path}"
