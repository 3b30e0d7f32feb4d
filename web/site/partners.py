"""Pages of partners' records for readers: the partners, the records of one, and a record, shown as the partner's.

Pictures come from the partner's servers, so these pages permit the browser to load them from the sites that the
operator named for the source, and from no other. So does the reader, which fetches the partner's manifest as well.
"""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, g, render_template

from iiif_server import urls
from repository.database.harvest import SourceCounts
from repository.errors import NotFound
from repository.localized import LocalizedText
from repository.model.harvest import HarvestedRecord, HarvestSource, RecordState, is_record_key
from repository.model.work import WorkState
from repository.repository import Repository
from web.messages.interface import reader_messages
from web.messages.rights import rights_statement
from web.site.language import current_language
from web.site.page_headers import set_page_headers
from web.site.pages import requested_page
from web.site.static_files import READER_SCRIPT, StaticFiles
from web.site.view_models import page_numbers
from workers.harvest.clean_record import CleanRecord
from workers.harvest.keeping import cleaning_of

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?")
RECORDS_PER_PAGE: Final = 48
MOST_SAME: Final = 20
_MOST_PAGES: Final = 100_000


class RecordDeleted(NotFound):
    """A record that its partner has deleted."""

    code = "not-held.partner"
    text = LocalizedText("来源机构已删除 {what}", "The partner has deleted {what}")


def blueprint(repository: Repository, static_files: StaticFiles) -> Blueprint:
    """Return the routes of the pages."""
    routes = Blueprint("partners", __name__)
    harvests = repository.harvests

    @routes.get(urls.PARTNERS)
    def partners() -> str:
        sources: list[tuple[HarvestSource, SourceCounts]] = [
            (each, harvests.counts(each.name)) for each in harvests.sources()
        ]
        return render_template("partners.html", sources=[pair for pair in sources if pair[1].live])

    @routes.get(f"{urls.PARTNERS}/<name>")
    def partner(name: str) -> str:
        source, counts = harvests.source(name), harvests.counts(name)
        last = max(1, -(-counts.live // RECORDS_PER_PAGE))
        page = requested_page(last)
        records = harvests.records(name, RecordState.LIVE, (page - 1) * RECORDS_PER_PAGE, RECORDS_PER_PAGE)
        permit_pictures(source)
        return render_template(
            "partner.html",
            source=source,
            cards=[(record, shown_picture(source, record.thumbnail)) for record in records],
            total=counts.live,
            has_manifests=counts.manifests > 0,
            page=page,
            last=last,
            numbers=page_numbers(page, last),
        )

    @routes.get(f"{urls.PARTNERS}/<name>/<key>")
    def record(name: str, key: str) -> str:
        source, found = harvests.source(name), _live_record(repository, name, key)
        cleaned = cleaning_of(found).record
        permit_pictures(source)
        return render_template(
            "partner_record.html",
            source=source,
            record=found,
            cleaned=cleaned,
            picture=shown_picture(source, found.thumbnail),
            rows=record_rows(found, cleaned),
            rights=(cleaned.rights, rights_statement(cleaned.rights)) if cleaned.rights else None,
            same=same_works(repository, found),
            is_readable=is_readable(source, cleaned),
        )

    @routes.get(f"{urls.PARTNERS}/<name>/<key>/read")
    def read(name: str, key: str) -> str:
        return _render_reader(harvests.source(name), _live_record(repository, name, key), static_files)

    routes.after_request(set_page_headers)
    return routes


def _render_reader(source: HarvestSource, record: HarvestedRecord, static_files: StaticFiles) -> str:
    """Return the reader for a partner's book. Raises `NotFound` for one that may not be opened."""
    cleaned = cleaning_of(record).record
    if not is_readable(source, cleaned):
        raise NotFound(what=f"{source.name}/{record.key}")
    permit_pictures(source)
    g.is_partner_reader = True
    return render_template(
        "partner_read.html",
        source=source,
        record=record,
        cleaned=cleaned,
        picture=shown_picture(source, record.thumbnail),
        number=requested_page(_MOST_PAGES),
        messages=json.dumps(reader_messages(current_language(), is_partner=True), ensure_ascii=False),
        script=static_files.built_url(READER_SCRIPT),
    )


def find_record(repository: Repository, name: str, key: str) -> HarvestedRecord:
    """Return the record of an address. Raises `NotFound`."""
    if not is_record_key(key):
        raise NotFound(what=f"{name}/{key}")
    return repository.harvests.record(name, key)


def _live_record(repository: Repository, name: str, key: str) -> HarvestedRecord:
    """Return the record of an address. Raises `NotFound`, and `RecordDeleted` if the partner has deleted it."""
    found = find_record(repository, name, key)
    if found.state is RecordState.DELETED:
        raise RecordDeleted(what=found.identifier)
    return found


def is_readable(source: HarvestSource, record: CleanRecord) -> bool:
    """Return whether the reader may open a book: whether its manifest is at a site of the source."""
    return bool(shown_picture(source, record.manifest))


def permit_pictures(*sources: HarvestSource) -> None:
    """Let the page that is being answered load pictures from the sites of sources (Content Security Policy)."""
    g.picture_hosts = tuple(dict.fromkeys(origin for source in sources for origin in picture_origins(source)))


def picture_origins(source: HarvestSource) -> tuple[str, ...]:
    """Return the origins from which pictures of a source may be shown: its own, and those that the operator named."""
    origins = dict.fromkeys([origin_of(source.url), *source.settings.picture_hosts])
    return tuple(origin for origin in origins if _ORIGIN.fullmatch(origin))


def shown_picture(source: HarvestSource, url: str) -> str:
    """Return the URL of a picture or a manifest if a page may load it, else ''."""
    return url if url and origin_of(url) in picture_origins(source) else ""


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, or '' if it is malformed: records keep what earlier rules accepted."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()


def record_rows(record: HarvestedRecord, cleaned: CleanRecord) -> list[tuple[str, tuple[str, ...]]]:
    """Return the rows of a record: the key of each heading, and its values."""
    date = cleaned.date
    years = (date.earliest, date.latest) if date and date.earliest else ()
    shown_years = "–".join(str(int(year)) for year in dict.fromkeys(years) if year)
    rows = [
        ("partner.other-titles", cleaned.alternatives),
        ("record.creator", tuple(name.shown for name in cleaned.names)),
        ("record.date", (date.text,) if date else ()),
        ("partner.years", (shown_years,) if shown_years else ()),
        ("record.edition", (cleaned.edition,)),
        ("record.place", cleaned.place),
        ("partner.language", cleaned.language),
        ("record.classification", cleaned.classification),
        ("record.holder", (cleaned.holder,)),
        ("record.call-number", cleaned.call_number),
        ("record.dimensions", (cleaned.dimensions,)),
        ("partner.summary", (cleaned.summary,)),
        ("partner.rights-text", cleaned.rights_texts),
        ("partner.identifier", (record.identifier,)),
    ]
    return [(heading, shown) for heading, values in rows if (shown := tuple(value for value in values if value))]


def same_works(repository: Repository, record: HarvestedRecord) -> list[tuple[str, str, str]]:
    """Return path, title and holder ('' for this library) of what may be the same work elsewhere."""
    found: list[tuple[str, str, str]] = []
    held = repository.catalogue.access(record.ours) if record.ours else None
    work = repository.catalogue.work(record.ours) if record.ours and held else None
    if work and held and held.access.state is WorkState.PUBLISHED:
        found.append((urls.work_path(work.identifier), work.record.title, ""))
    titles = {source.name: source.shown_title for source in repository.harvests.sources()}
    for other in repository.harvests.same_work(record.work_key, MOST_SAME):
        if (other.source, other.key) != (record.source, record.key):
            path = urls.partner_record_path(other.source, other.key)
            found.append((path, other.title, titles.get(other.source, other.source)))
    return found
