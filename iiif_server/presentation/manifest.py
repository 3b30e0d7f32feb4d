"""Build Presentation 3.0 manifests and collections, once, at publication.

This is the only user of iiif-prezi3, whose models validate every document. Its helpers that append one canvas at a time
validate the whole manifest each time; here plain values are built first and validated once. The linter then checks what
the models cannot (`presentation/linting/`).

Every identifier begins with `PLACEHOLDER`, so that a stored document can be served under any public address
(`presentation/published.py`). The same work gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from iiif_server.auth.declaration import declare_services
from iiif_server.presentation.canvases import canvases, image_service, manifest_behavior
from iiif_server.presentation.collections import ALL, AccessionPeriod
from iiif_server.presentation.linting.linter import lint_document
from iiif_server.presentation.ranges import structures
from iiif_server.presentation.values import Json, bilingual, plain, present
from iiif_server.records import tei
from iiif_server.records.formats import see_also
from iiif_server.urls import (
    CONTENT_SEARCH_VERSIONS,
    HOME,
    PLACEHOLDER,
    autocomplete_path,
    bag_path,
    book_pdf_path,
    collection_path,
    content_search_path,
    image_path,
    images_zip_path,
    manifest_path,
    record_path,
    stored_id,
    tei_path,
    text_path,
    work_path,
)
from repository.errors import SystemFault
from repository.localized import LocalizedText, language_name
from repository.model.access import AccessVerdict, Decision, decide
from repository.model.rights import licence_uri
from repository.model.text import TextKind
from repository.model.work import Pyramid, Record, Rights, Work, WorkState, WorkSummary

_CONTEXT: Final = "http://iiif.io/api/presentation/3/context.json"
_LANGUAGES: Final = ["zh-Hans", "en"]
_LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]+(-[A-Za-z]+)*")
_COVER_SIDE: Final = 400

_PDF: Final = LocalizedText("全书（PDF）", "The work (PDF)")
_PLAIN_TEXT: Final = LocalizedText("全文", "Text")
_PICTURES: Final = LocalizedText("全部图像（ZIP）", "All images (ZIP)")
_BAG: Final = LocalizedText("BagIt 包（ZIP），合作机构凭令牌下载", "BagIt bag (ZIP), for partners with a token")
_BAG_PROFILE: Final = "https://www.rfc-editor.org/rfc/rfc8493"
_PICTURE_FORMATS: Final = {
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
}
_YEAR: Final = re.compile(r"\d{4}(?=-|\Z)", re.ASCII)
_ATTRIBUTION: Final = LocalizedText("出处", "Attribution")
_RIGHTS: Final = LocalizedText("权利", "Rights")
_TEI: Final = LocalizedText("全书文本（TEI）", "Text of the whole work (TEI)")
_CATALOGUE_RECORD: Final = LocalizedText("编目记录（JSON）", "Catalogue record (JSON)")


def build_manifest(
    work: Work,
    pyramids: Mapping[str, Pyramid],
    provider: str,
    max_area: int,
    now: datetime,
    *,
    logo: str = "",
    texts: Mapping[str, Collection[TextKind]] | None = None,
) -> bytes:
    """Return the manifest of a work as UTF-8 JSON, in a fixed order (Presentation 3.0, section 5.2).

    `pyramids` must have every image of the work, and the work every page of its ranges. `provider` is the institution's
    name, or '' for none, and `logo` the address of its picture. `max_area` is the image service's, by which a picture
    too large for one response is reduced. `texts` has the kinds of the texts of each page that has any, by its key.
    The manifest shows what the work's rights allow at `now`.
    """
    seen = decide(work.rights, WorkState.PUBLISHED, now)
    values = _manifest(work, pyramids, provider, max_area, seen, texts=texts or {})
    model = _models().Manifest(**values, **present(provider=_provider(provider, logo)))
    return _serialise(model, partial(declare_services, work=work.identifier, provider=provider, public=seen))


def build_collection(
    works: Iterable[WorkSummary], period: AccessionPeriod = ALL, *, further: Sequence[Json] = ()
) -> bytes:
    """Return a collection of manifests: the published works of a period, in the given order (section 5.1).

    `further` are references that follow the manifests, such as that to partners' collections.
    """
    items = [_manifest_reference(summary) for summary in works if summary.state is WorkState.PUBLISHED]
    return _collection(period, [*items, *further])


def build_divided_collection(
    period: AccessionPeriod, divisions: Iterable[AccessionPeriod], *, further: Sequence[Json] = ()
) -> bytes:
    """Return a collection of references to collections: the divisions of a period, then `further` (section 5.1)."""
    return _collection(period, [*(_collection_reference(division) for division in divisions), *further])


def _collection(period: AccessionPeriod, items: Sequence[Json]) -> bytes:
    whole = period.whole
    return _serialise(
        _models().Collection(
            id=stored_id(collection_path(period.name)),
            label=bilingual(period.label),
            items=items,
            **present(partOf=[_collection_reference(whole)] if whole else None),
        )
    )


def _collection_reference(period: AccessionPeriod) -> Json:
    return {"id": stored_id(collection_path(period.name)), "type": "Collection", "label": bilingual(period.label)}


def _models() -> Any:
    """Return iiif_prezi3, imported with the first document: it takes 0.3 s to load, and most commands build none."""
    import iiif_prezi3  # noqa: PLC0415

    return iiif_prezi3


class ManifestInvalid(SystemFault):
    """A manifest or collection that breaks the specification, and is not published; a fault of this software."""

    code = "manifest.invalid"
    text = LocalizedText(
        "生成的 IIIF 文件不合规范，未予发布（{path}：{reason}）；请将此信息告知软件维护者",
        "The IIIF document breaks the specification and is not published ({path}: {reason}); report this to the"
        " maintainers of the software",
    )


def _serialise(document: Any, complete: Callable[[Json], Json] = lambda values: values) -> bytes:
    """Return the document as JSON, completed. Raise `ManifestInvalid` for one that the linter rejects."""
    values = complete({"@context": _CONTEXT, **document.model_dump(mode="json", by_alias=True, exclude_none=True)})
    for finding in lint_document(values).errors:
        if finding.code != "html":  # catalogued text is text, even where it looks like markup
            raise ManifestInvalid(path=finding.path, reason=finding.message)
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def _manifest(
    work: Work,
    pyramids: Mapping[str, Pyramid],
    provider: str,
    max_area: int,
    seen: Decision,
    *,
    texts: Mapping[str, Collection[TextKind]],
) -> Json:
    language = _language(work.record)
    behavior = manifest_behavior(work)
    items = [
        _with_references(canvas)
        for canvas in canvases(work, pyramids, max_area, seen, paged=behavior == "paged", texts=texts)
    ]
    return present(
        id=stored_id(manifest_path(work.identifier)),
        label={language: [work.record.title]},
        metadata=_metadata(work),
        summary=plain(language, work.record.summary) if work.record.summary else None,
        requiredStatement=_required_statement(work, provider),
        rights=_licence(work.rights),
        navDate=_nav_date(work.record),
        thumbnail=_first_thumbnail(items),
        homepage=_homepage(work, language),
        seeAlso=_see_also(work.identifier, has_text=seen.shows_text and _has_text_besides_translations(texts)),
        rendering=_renderings(work, seen, has_text=bool(texts)),
        viewingDirection=work.viewing_direction.value,
        behavior=[behavior] if behavior else None,
        service=_search_services(work.identifier) if texts and seen.shows_text else None,
        partOf=[_collection_reference(ALL)],
        start=_start(items),
        items=items,
        structures=[_range_model(part) for part in structures(work, language, shows_pixels=seen.shows_pixels)],
    )


def _with_references(canvas: Json) -> Json:
    """Return a canvas whose annotation pages are references: the models read plain values as empty pages."""
    if "annotations" not in canvas:
        return canvas
    models = _models()
    pages = [models.AnnotationPageRef(models.AnnotationPageRefExtended(**page)) for page in canvas["annotations"]]
    return {**canvas, "annotations": pages}


def _range_model(part: Json) -> Any:
    """Return the model of a range. Its canvases must be references: the models read plain values as empty canvases."""
    items = [_models().CanvasRef(**item) if item["type"] == "Canvas" else _range_model(item) for item in part["items"]]
    return _models().Range(**{**part, "items": items})


# Text


def _language(record: Record) -> str:
    """Return the key of catalogued text: the record's language if it has exactly one, otherwise ``none``."""
    known = len(record.language) == 1 and _LANGUAGE_TAG.fullmatch(record.language[0])
    return record.language[0] if known else "none"


def _metadata(work: Work) -> list[Json]:
    record = work.record
    other_rights = work.rights.uri if work.rights.uri and not _licence(work.rights) else None
    rows: list[tuple[LocalizedText, Iterable[str | None]]] = [
        (LocalizedText("责任者", "Creator"), record.creator),
        (LocalizedText("年代", "Date"), [record.date.text if record.date else None]),
        (LocalizedText("分类", "Classification"), [record.classification]),
        (LocalizedText("版本", "Edition"), [record.edition]),
        (LocalizedText("出版地", "Place of publication"), record.place),
        (LocalizedText("尺寸", "Dimensions"), [record.dimensions]),
        (LocalizedText("索书号", "Call number"), [record.call_number]),
        (LocalizedText("馆藏", "Holder"), [record.holder]),
        (LocalizedText("编号", "Identifier"), [record.identifier]),
        (_RIGHTS, [other_rights]),
    ]
    known = [(label, [value for value in values if value]) for label, values in rows]
    metadata = [{"label": bilingual(label), "value": plain("none", *values)} for label, values in known if values]
    return metadata + ([_languages(record.language)] if record.language else [])


def _languages(tags: Sequence[str]) -> Json:
    names = [language_name(tag) for tag in tags]
    value = {"zh-Hans": [name.zh for name in names], "en": [name.en for name in names]}
    return {"label": bilingual(LocalizedText("语种", "Language")), "value": value}


def _required_statement(work: Work, provider: str) -> Json | None:
    other_rights = "" if _licence(work.rights) else work.rights.uri
    lines = [line for line in dict.fromkeys((work.record.holder, provider, other_rights)) if line]
    return {"label": bilingual(_ATTRIBUTION), "value": plain("none", *lines)} if lines else None


def _licence(rights: Rights) -> str | None:
    """Return the URI of the licence or rights statement, which alone `rights` may be (section 3.2), or None."""
    return licence_uri(rights.uri) if rights.uri else None


# Links


def _provider(name: str, logo: str) -> list[Json]:
    """Return the institution, with its repository as homepage and the picture at `logo`, if one is given."""
    label = {"none": [name]}
    site = stored_id(HOME)
    home = {"id": site, "type": "Text", "label": label, "format": "text/html", "language": _LANGUAGES}
    pictures = [present(id=logo, type="Image", format=_picture_format(logo))] if logo else None
    return [present(id=site, type="Agent", label=label, homepage=[home], logo=pictures)] if name else []


def _picture_format(address: str) -> str | None:
    """Return the media type of a picture by the suffix of its address; None for an unknown one."""
    return _PICTURE_FORMATS.get(urlsplit(address).path.rpartition(".")[2].lower())


def _homepage(work: Work, language: str) -> list[Json]:
    page = stored_id(work_path(work.identifier))
    label = {language: [work.record.title]}
    return [{"id": page, "type": "Text", "label": label, "format": "text/html", "language": _LANGUAGES}]


def _see_also(work: str, *, has_text: bool) -> list[Json]:
    record = stored_id(record_path(work))
    own = {"id": record, "type": "Dataset", "label": bilingual(_CATALOGUE_RECORD), "format": "application/json"}
    text = {"id": stored_id(tei_path(work)), "type": "Dataset", "label": bilingual(_TEI), "format": tei.MEDIA_TYPE}
    return [own, *see_also(work, PLACEHOLDER), *([{**text, "profile": tei.NAMESPACE}] if has_text else [])]


def _has_text_besides_translations(texts: Mapping[str, Collection[TextKind]]) -> bool:
    return any(kind is not TextKind.TRANSLATION for kinds in texts.values() for kind in kinds)


def _renderings(work: Work, seen: Decision, *, has_text: bool) -> list[Json]:
    """Return the files to download: those that access allows everybody, and the bag of a work without redactions.

    The bag is for partners, whose tokens decide about restricted works.
    """
    identifier = work.identifier
    files = []
    if seen.shows_pixels:
        files.append((book_pdf_path(identifier), _PDF, "application/pdf", "Text"))
    if seen.verdict is AccessVerdict.OPEN:
        files.append((images_zip_path(identifier), _PICTURES, "application/zip", "Dataset"))
    if has_text and seen.shows_text:
        files.append((text_path(identifier), _PLAIN_TEXT, "text/html", "Text"))
    listed = [
        {"id": stored_id(path), "type": kind, "label": bilingual(label), "format": media_type}
        for path, label, media_type, kind in files
    ]
    return listed if any(image.redactions for image in work.images()) else [*listed, _bag(identifier)]


def _bag(work: str) -> Json:
    label, address = bilingual(_BAG), stored_id(bag_path(work))
    return {"id": address, "type": "Dataset", "label": label, "format": "application/zip", "profile": _BAG_PROFILE}


def _search_services(work: str) -> list[Json]:
    """Return the services that search the text of a work, the newest version first.

    Content Search 2.0, section 3; 1.0, sections 3.1 and 4.1. Viewers that know the older one alone read it here, too.
    """
    return [_search_service(work, version) for version in reversed(CONTENT_SEARCH_VERSIONS)]


def _search_service(work: str, version: int) -> Json:
    address, completion = stored_id(content_search_path(work, version)), stored_id(autocomplete_path(work, version))
    if version > 1:
        inner = {"id": completion, "type": f"AutoCompleteService{version}"}
        return {"id": address, "type": f"SearchService{version}", "service": [inner]}
    profile = f"http://iiif.io/api/search/{version}"
    return {
        "@context": f"{profile}/context.json",
        "@id": address,
        "@type": f"SearchService{version}",
        "profile": f"{profile}/search",
        "service": [
            {"@id": completion, "@type": f"AutoCompleteService{version}", "profile": f"{profile}/autocomplete"}
        ],
    }


def _nav_date(record: Record) -> str | None:
    """Return the beginning of the year from which the work is at the earliest; None before the common era."""
    earliest = record.date.earliest if record.date else None
    year = _YEAR.match(earliest) if earliest else None
    return f"{year[0]}-01-01T00:00:00Z" if year and int(year[0]) else None


def _start(items: Sequence[Json]) -> Json | None:
    """Return a reference to the first canvas with a picture."""
    return next(({"id": canvas["id"], "type": "Canvas"} for canvas in items if canvas["items"]), None)


def _first_thumbnail(items: Sequence[Json]) -> list[Json] | None:
    return next((canvas["thumbnail"] for canvas in items if "thumbnail" in canvas), None)


def _manifest_reference(summary: WorkSummary) -> Json:
    return present(
        id=stored_id(manifest_path(summary.identifier)),
        type="Manifest",
        label={"none": [summary.title]},
        thumbnail=_cover(summary.cover) if summary.cover else None,
    )


def _cover(image: str) -> list[Json]:
    """Return a cover that the service fits into a square, because its exact size is not known here."""
    address = stored_id(image_path(image, f"full/!{_COVER_SIDE},{_COVER_SIDE}/0/default.jpg"))
    return [{"id": address, "type": "Image", "format": "image/jpeg", "service": [image_service(image)]}]
