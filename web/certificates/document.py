"""A certificate as rows of headings and values in both languages, which HTML and PDF show alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from repository.clock import utc_time
from repository.localized import LocalizedText
from repository.model.access import AccessVerdict
from repository.model.work import Rights
from web.certificates.facts import CertificateFacts, LogFacts, PlacedImage
from web.messages.certificates import CERTIFICATE_MESSAGES
from web.messages.fixity import FIXITY_MESSAGES
from web.messages.rights import rights_statement
from web.site.view_models import WorkFixityView

_ACCESS = {
    AccessVerdict.OPEN: "certificate.access-open",
    AccessVerdict.REDUCED: "certificate.access-reduced",
    AccessVerdict.REFUSED: "certificate.access-refused",
}


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A row. `code` marks a value to be set in a typeface of fixed width, `note` is what qualifies the values."""

    heading: LocalizedText
    values: tuple[LocalizedText, ...]
    code: bool = False
    note: LocalizedText | None = None


def description_rows(facts: CertificateFacts) -> list[CertificateRow]:
    """Return the rows that say what the work or the image is, without those for which nothing is recorded."""
    return list(_description(facts))


def proof_rows(facts: CertificateFacts) -> list[CertificateRow]:
    """Return the rows that say what is proved and recorded of it; digests in them need a whole line."""
    return [*_digests(facts), *_log_rows(facts.log), *_rights_rows(facts)]


def text(name: str, /, **details: object) -> LocalizedText:
    """Return a text of certificates with its fields filled in."""
    return CERTIFICATE_MESSAGES[f"certificate.{name}"].format(**details)


def _row(key: str, *values: object, code: bool = False, note: str = "") -> CertificateRow:
    texts = (value if isinstance(value, LocalizedText) else LocalizedText(str(value), str(value)) for value in values)
    return CertificateRow(text(key), tuple(texts), code, text(note) if note else None)


def _description(facts: CertificateFacts) -> Iterator[CertificateRow]:
    record = facts.work.record
    yield _row("work", record.title)
    if record.creator:
        yield _row("creator", *record.creator)
    if record.date and record.date.text:
        yield _row("date", record.date.text)
    if holder := " ".join(part for part in (record.holder, record.call_number) if part):
        yield _row("holder", holder)
    if facts.placed:
        yield from _image_rows(facts.placed, shows_pixels=facts.decision.shows_pixels)
        yield _row("identifier", facts.placed.image.identifier, facts.work.identifier, code=True)
        return
    images = list(facts.work.images())
    total = f"{sum(image.master.bytes for image in images):,}"
    yield _row("images", text("images-count", count=len(images), bytes=total))
    yield _row("identifier", facts.work.identifier, code=True)


def _image_rows(placed: PlacedImage, *, shows_pixels: bool) -> Iterator[CertificateRow]:
    """Yield what the image is. While access shows no pixels, labels are left out: they may come from names of files."""
    labels = [placed.volume.label, placed.page.label] if shows_pixels else []
    pixels = text("pixels", width=placed.image.width, height=placed.image.height)
    place = [text("page", number=placed.number), *(LocalizedText(label, label) for label in labels if label)]
    yield _row("image", _joined(place), pixels)
    master = placed.image.master
    yield _row("master", text("bytes", media_type=master.media_type, bytes=f"{master.bytes:,}"))


def _digests(facts: CertificateFacts) -> Iterator[CertificateRow]:
    event = facts.log.event
    note = "of-master" if facts.placed else "of-record"
    yield _row("sha256", event.sha256 or "", code=True, note=note)
    if sm3 := event.detail.get("sm3"):
        yield _row("sm3", sm3, code=True)
    if captured := event.detail.get("captured"):
        yield _row("captured", *captured.split(), code=True, note="of-capture")


def _log_rows(log: LogFacts) -> Iterator[CertificateRow]:
    version = log.event.detail.get("version", "").removeprefix("v")
    if version:
        yield _row("accessioned", text("version", time=log.event.time, version=version))
    else:
        yield _row("ingested", log.event.time)
    yield _row("log", text("entry", origin=log.origin, index=log.index, size=log.size, root=log.root))
    witnesses = [
        text("witness", name=name, time=utc_time(seconds) or f"{seconds} s") for name, seconds in log.cosigners.items()
    ]
    yield _row("witnesses", *(witnesses or [text("no-witness")]))
    stamp = log.timestamp
    if stamp is None:
        yield _row("timestamp", text("no-timestamp"))
        return
    stamped = "stamped" if stamp.trusted else "stamped-unchecked"
    yield _row("timestamp", text(stamped, authority=stamp.authority, time=stamp.time))


def _rights_rows(facts: CertificateFacts) -> Iterator[CertificateRow]:
    access = text(_ACCESS[facts.decision.verdict].removeprefix("certificate."))
    yield _row("rights", *_rights(facts.work.rights), access)
    yield _row("preservation", fixity_text(facts.fixity))


def _rights(rights: Rights) -> Iterator[object]:
    if not rights.uri:
        yield text("rights-unstated")
        return
    yield rights_statement(rights.uri)
    yield rights.uri


def fixity_text(view: WorkFixityView) -> LocalizedText:
    """Return what recorded checks say; that a file is unchanged is never said without one."""
    numbers = {"verified": view.verified, "stores": view.stores, "date": view.date, "findings": view.findings}
    return FIXITY_MESSAGES[view.message].format(**numbers)


def _joined(parts: list[LocalizedText]) -> LocalizedText:
    return LocalizedText(" · ".join(part.zh for part in parts), " · ".join(part.en for part in parts))
