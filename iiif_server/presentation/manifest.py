"""Build Presentation 3.0 manifests and collections, once, at publication.

This is the only user of iiif-prezi3, whose models validate every document. Its helpers that append one canvas at a time
validate the whole manifest each time; here plain values are built first and validated once. The linter then checks what
the models cannot (`presentation/linting/`).

Every identifier begins with `PLACEHOLDER`, so that a stored document can be served under any public address
(`presentation/published.py`). The same work gives the same bytes.

Presentation 3.0, section 3.4, allows few behaviors on a canvas. In a paged work:

=============  =======================================================================================
page           canvas
=============  =======================================================================================
individuals    ``facing-pages``: one picture of a whole opening, shown by itself
facing-pages   the same
non-paged      ``non-paged``
others         none, because they are behaviors of manifests
=============  =======================================================================================

In other works canvases have no behavior. A paged work in which every picture is a whole opening becomes
``individuals``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from iiif_server.presentation.collections import ALL, AccessionPeriod
from iiif_server.presentation.linting.linter import lint_document
from iiif_server.presentation.ranges import structures
from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.limits import ImageLimits
from iiif_server.request.thumbnail import PictureRequest, fitted, thumbnail
from iiif_server.urls import (
    HOME,
    annotation_page_path,
    annotation_path,
    canvas_path,
    collection_path,
    image_path,
    image_service_path,
    manifest_path,
    record_path,
    stored_id,
    work_path,
)
from repository.errors import SystemFault
from repository.localized import LocalizedText
from repository.model.access import Decision, decide
from repository.model.rights import licence_uri
from repository.model.work import Image, Page, Pyramid, Record, Rights, Work, WorkState, WorkSummary

_CONTEXT: Final = "http://iiif.io/api/presentation/3/context.json"
_LANGUAGES: Final = ["zh-Hans", "en"]
_LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]+(-[A-Za-z]+)*")
_MANIFEST_BEHAVIORS: Final = frozenset({"paged", "individuals", "continuous", "unordered"})
_CANVAS_BEHAVIORS: Final = {"individuals": "facing-pages", "facing-pages": "facing-pages", "non-paged": "non-paged"}
_BLANK_SIZE: Final = (1000, 1400)
_COVER_SIDE: Final = 400

_MISSING: Final = LocalizedText("缺叶", "Missing leaf")
_ATTRIBUTION: Final = LocalizedText("出处", "Attribution")
_RIGHTS: Final = LocalizedText("权利", "Rights")
_CATALOGUE_RECORD: Final = LocalizedText("编目记录（JSON）", "Catalogue record (JSON)")
_LANGUAGE_NAMES: Final = {
    "bo": LocalizedText("藏文", "Tibetan"),
    "en": LocalizedText("英文", "English"),
    "ja": LocalizedText("日文", "Japanese"),
    "ko": LocalizedText("韩文", "Korean"),
    "lzh": LocalizedText("文言文", "Literary Chinese"),
    "mn": LocalizedText("蒙古文", "Mongolian"),
    "mnc": LocalizedText("满文", "Manchu"),
    "sa": LocalizedText("梵文", "Sanskrit"),
    "ug": LocalizedText("维吾尔文", "Uyghur"),
    "vi": LocalizedText("越南文", "Vietnamese"),
    "zh": LocalizedText("中文", "Chinese"),
    "zh-Hans": LocalizedText("中文（简体）", "Chinese (simplified)"),
    "zh-Hant": LocalizedText("中文（繁体）", "Chinese (traditional)"),
}

Json = dict[str, Any]


def build_manifest(work: Work, pyramids: Mapping[str, Pyramid], provider: str, max_area: int, now: datetime) -> bytes:
    """Return the manifest of a work as UTF-8 JSON, in a fixed order (Presentation 3.0, section 5.2).

    `pyramids` must have every image of the work, and the work every page of its ranges. `provider` is the institution's
    name, or '' for none. `max_area` is the image service's, by which a picture too large for one response is reduced.
    The manifest shows what the work's rights allow at `now`.
    """
    seen = decide(work.rights, WorkState.PUBLISHED, now)
    return _serialise(_models().Manifest(**_manifest(work, pyramids, provider, max_area, seen)))


def build_collection(works: Iterable[WorkSummary], period: AccessionPeriod = ALL) -> bytes:
    """Return a collection of manifests: the published works of a period, in the given order (section 5.1)."""
    return _collection(
        period, [_manifest_reference(summary) for summary in works if summary.state is WorkState.PUBLISHED]
    )


def build_divided_collection(period: AccessionPeriod, divisions: Iterable[AccessionPeriod]) -> bytes:
    """Return a collection of references to collections: the divisions of a period (section 5.1)."""
    return _collection(period, [_collection_reference(division) for division in divisions])


def _collection(period: AccessionPeriod, items: Sequence[Json]) -> bytes:
    whole = period.whole
    return _serialise(
        _models().Collection(
            id=stored_id(collection_path(period.name)),
            label=_bilingual(period.label),
            items=items,
            **_present(partOf=[_collection_reference(whole)] if whole else None),
        )
    )


def _collection_reference(period: AccessionPeriod) -> Json:
    return {"id": stored_id(collection_path(period.name)), "type": "Collection", "label": _bilingual(period.label)}


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


def _serialise(document: Any) -> bytes:
    """Return the document as JSON. Raise `ManifestInvalid` for one that the linter rejects."""
    values = {"@context": _CONTEXT, **document.model_dump(mode="json", by_alias=True, exclude_none=True)}
    for finding in lint_document(values).errors:
        if finding.code != "html":  # catalogued text is text, even where it looks like markup
            raise ManifestInvalid(path=finding.path, reason=finding.message)
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def _manifest(work: Work, pyramids: Mapping[str, Pyramid], provider: str, max_area: int, seen: Decision) -> Json:
    language = _language(work.record)
    behavior = _manifest_behavior(work)
    canvases = list(_canvases(work, pyramids, max_area, seen, paged=behavior == "paged"))
    return _present(
        id=stored_id(manifest_path(work.identifier)),
        label={language: [work.record.title]},
        metadata=_metadata(work),
        summary=_plain(language, work.record.summary) if work.record.summary else None,
        requiredStatement=_required_statement(work, provider),
        rights=_licence(work.rights),
        provider=_provider(provider),
        thumbnail=_first_thumbnail(canvases),
        homepage=_homepage(work, language),
        seeAlso=_see_also(work.identifier),
        viewingDirection=work.viewing_direction.value,
        behavior=[behavior] if behavior else None,
        partOf=[{"id": stored_id(collection_path(ALL.name)), "type": "Collection"}],
        start=_start(canvases),
        items=canvases,
        structures=[_range_model(part) for part in structures(work, language)],
    )


def _range_model(part: Json) -> Any:
    """Return the model of a range. Its canvases must be references: the models read plain values as empty canvases."""
    items = [_models().CanvasRef(**item) if item["type"] == "Canvas" else _range_model(item) for item in part["items"]]
    return _models().Range(**{**part, "items": items})


def _present(**properties: Any) -> Json:
    """Return the properties without empty ones, which IIIF does not allow except for `items`."""
    return {name: value for name, value in properties.items() if value or name == "items"}


# Text


def _language(record: Record) -> str:
    """Return the key of catalogued text: the record's language if it has exactly one, otherwise ``none``."""
    known = len(record.language) == 1 and _LANGUAGE_TAG.fullmatch(record.language[0])
    return record.language[0] if known else "none"


def _bilingual(text: LocalizedText) -> Json:
    return {"zh-Hans": [text.zh], "en": [text.en]}


def _plain(language: str, *values: str) -> Json:
    """Return catalogued text where IIIF allows HTML; a space at the end keeps ``<…>`` plain text (section 4.5)."""
    return {language: [f"{value} " if value.startswith("<") and value.endswith(">") else value for value in values]}


def _metadata(work: Work) -> list[Json]:
    record = work.record
    other_rights = work.rights.uri if work.rights.uri and not _licence(work.rights) else None
    rows: list[tuple[LocalizedText, Iterable[str | None]]] = [
        (LocalizedText("责任者", "Creator"), record.creator),
        (LocalizedText("年代", "Date"), [record.date.text if record.date else None]),
        (LocalizedText("分类", "Classification"), [record.classification]),
        (LocalizedText("版本", "Edition"), [record.edition]),
        (LocalizedText("尺寸", "Dimensions"), [record.dimensions]),
        (LocalizedText("索书号", "Call number"), [record.call_number]),
        (LocalizedText("馆藏", "Holder"), [record.holder]),
        (LocalizedText("编号", "Identifier"), [record.identifier]),
        (_RIGHTS, [other_rights]),
    ]
    present = [(label, [value for value in values if value]) for label, values in rows]
    metadata = [{"label": _bilingual(label), "value": _plain("none", *values)} for label, values in present if values]
    return metadata + ([_languages(record.language)] if record.language else [])


def _languages(tags: Sequence[str]) -> Json:
    names = [_LANGUAGE_NAMES.get(tag, LocalizedText(tag, tag)) for tag in tags]
    value = {"zh-Hans": [name.zh for name in names], "en": [name.en for name in names]}
    return {"label": _bilingual(LocalizedText("语种", "Language")), "value": value}


def _required_statement(work: Work, provider: str) -> Json | None:
    other_rights = "" if _licence(work.rights) else work.rights.uri
    lines = [line for line in dict.fromkeys((work.record.holder, provider, other_rights)) if line]
    return {"label": _bilingual(_ATTRIBUTION), "value": _plain("none", *lines)} if lines else None


def _licence(rights: Rights) -> str | None:
    """Return the URI of the licence or rights statement, which alone `rights` may be (section 3.2), or None."""
    return licence_uri(rights.uri) if rights.uri else None


# Links


def _provider(name: str) -> list[Json]:
    """Return the institution, with its repository as homepage."""
    label = {"none": [name]}
    site = stored_id(HOME)
    home = {"id": site, "type": "Text", "label": label, "format": "text/html", "language": _LANGUAGES}
    return [{"id": site, "type": "Agent", "label": label, "homepage": [home]}] if name else []


def _homepage(work: Work, language: str) -> list[Json]:
    page = stored_id(work_path(work.identifier))
    label = {language: [work.record.title]}
    return [{"id": page, "type": "Text", "label": label, "format": "text/html", "language": _LANGUAGES}]


def _see_also(work: str) -> list[Json]:
    record = stored_id(record_path(work))
    return [{"id": record, "type": "Dataset", "label": _bilingual(_CATALOGUE_RECORD), "format": "application/json"}]


def _start(canvases: Sequence[Json]) -> Json | None:
    """Return a reference to the first canvas with a picture."""
    return next(({"id": canvas["id"], "type": "Canvas"} for canvas in canvases if canvas["items"]), None)


def _first_thumbnail(canvases: Sequence[Json]) -> list[Json] | None:
    return next((canvas["thumbnail"] for canvas in canvases if "thumbnail" in canvas), None)


def _manifest_reference(summary: WorkSummary) -> Json:
    return _present(
        id=stored_id(manifest_path(summary.identifier)),
        type="Manifest",
        label={"none": [summary.title]},
        thumbnail=_cover(summary.cover) if summary.cover else None,
    )


def _cover(image: str) -> list[Json]:
    """Return a cover that the service fits into a square, because its exact size is not known here."""
    address = stored_id(image_path(image, f"full/!{_COVER_SIDE},{_COVER_SIDE}/0/default.jpg"))
    return [{"id": address, "type": "Image", "format": "image/jpeg", "service": [_service(image)]}]


# Canvases


def _manifest_behavior(work: Work) -> str | None:
    shown = [page for page in work.pages() if page.images]
    openings = [page for page in shown if _CANVAS_BEHAVIORS.get(page.behavior or "") == "facing-pages"]
    if work.behavior == "paged" and shown and len(openings) == len(shown):
        return "individuals"
    return work.behavior if work.behavior in _MANIFEST_BEHAVIORS else None


def _canvases(
    work: Work, pyramids: Mapping[str, Pyramid], max_area: int, seen: Decision, *, paged: bool
) -> Iterator[Json]:
    limits = ImageLimits(max_area, seen.max_size)
    size = next(((image.width, image.height) for image in work.images()), _BLANK_SIZE)
    for number, page in enumerate(work.pages(), start=1):
        if page.images:
            size = (page.images[0].width, page.images[0].height)
        identifier = stored_id(canvas_path(work.identifier, number))
        behavior = _CANVAS_BEHAVIORS.get(page.behavior or "") if paged else None
        bodies = [_body(image, _grid(image, pyramids), limits) for image in page.images]
        yield _present(
            id=identifier,
            type="Canvas",
            label=_page_label(page),
            width=size[0],
            height=size[1],
            thumbnail=_thumbnail(page, pyramids, limits) if seen.shows_pixels else None,
            behavior=[behavior] if behavior else None,
            items=_painting(work.identifier, number, page, bodies),
        )


def _page_label(page: Page) -> Json:
    if page.images:
        return {"none": [page.label]}
    return _bilingual(LocalizedText(f"{page.label}（{_MISSING.zh}）", f"{page.label} ({_MISSING.en.lower()})"))


def _painting(work: str, number: int, page: Page, bodies: Sequence[Json]) -> list[Json]:
    """Return one annotation. Several photographs of a page are a choice, the first shown by default (cookbook 0033)."""
    if not page.images:
        return []
    if len(bodies) > 1:
        # By numbers, because names of files may contain the names of people.
        for place, body in enumerate(bodies, start=1):
            body["label"] = _bilingual(LocalizedText(f"图像 {place}", f"Image {place}"))
    annotation = {
        "id": stored_id(annotation_path(work, number)),
        "type": "Annotation",
        "motivation": "painting",
        "body": bodies[0] if len(bodies) == 1 else {"type": "Choice", "items": bodies},
        "target": stored_id(canvas_path(work, number)),
    }
    return [{"id": stored_id(annotation_page_path(work, number)), "type": "AnnotationPage", "items": [annotation]}]


def _body(image: Image, grid: TileGrid, limits: ImageLimits) -> Json:
    return _image_resource(image, fitted(grid, max(grid.width, grid.height), limits))


def _thumbnail(page: Page, pyramids: Mapping[str, Pyramid], limits: ImageLimits) -> list[Json] | None:
    if not page.images:
        return None
    image = page.images[0]
    return [_image_resource(image, thumbnail(_grid(image, pyramids), limits))]


def _grid(image: Image, pyramids: Mapping[str, Pyramid]) -> TileGrid:
    return TileGrid(image.width, image.height, pyramids[image.identifier].tile_size)


def _image_resource(image: Image, picture: PictureRequest) -> Json:
    return {
        "id": stored_id(image_path(image.identifier, picture.request)),
        "type": "Image",
        "format": "image/jpeg",
        "width": picture.width,
        "height": picture.height,
        "service": [_service(image.identifier)],
    }


def _service(image: str) -> Json:
    return {"id": stored_id(image_service_path(image)), "type": "ImageService3", "profile": "level2"}
