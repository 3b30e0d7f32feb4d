"""Certificates as PDF: one page of A4, by typst. The same facts and picture give the same bytes."""

from __future__ import annotations

import base64
import io
from html import escape
from importlib import resources

from repository.localized import LocalizedText
from web.certificates.document import CertificateRow
from web.certificates.form import CertificateForm
from web.typesetting import typeset_pdf


def certificate_pdf(form: CertificateForm, provider: str, picture: bytes | None) -> bytes:
    """Return the PDF of a certificate, with a picture (JPEG) if it may be shown.

    Raises `DependencyMissing` without a font for Chinese.
    """
    source = resources.files("web.certificates").joinpath("certificate.typ").read_text("utf-8")
    content = {
        "title": _pair(form.title),
        "provider": provider,
        "rows": [_row(row) for row in form.rows],
        "beside": form.beside,
        "alt": form.name,
        "check": _pair(form.check),
        "steps": [_pair(step) for step in form.steps],
        "limits": _pair(form.limits),
        "address": form.address,
    }
    pictures = {"code": qr_code(form.address)}
    if picture is not None:
        pictures["picture"] = _picture(picture)
    return typeset_pdf(source, content, form.time, pictures)


def qr_code(address: str) -> bytes:
    """Return a QR code (ISO/IEC 18004) of an address as SVG."""
    import segno  # noqa: PLC0415 - serving loads it when a certificate is made

    written = io.BytesIO()
    segno.make(address, error="m", micro=False).save(written, kind="svg", border=2, xmldecl=False, svgns=True, nl=False)
    return written.getvalue()


def _picture(jpeg: bytes) -> bytes:
    """Return a JPEG picture as an SVG of the same proportions, which typst takes from a text."""
    import pyvips  # noqa: PLC0415 - as above

    image = pyvips.Image.new_from_buffer(jpeg, "")
    encoded = base64.b64encode(jpeg).decode()
    size = f'width="{image.width}" height="{image.height}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {size}>'
    return f'{start}<image {size} xlink:href="data:image/jpeg;base64,{escape(encoded)}"/></svg>'.encode()


def _row(row: CertificateRow) -> dict[str, object]:
    values = [_pair(value) for value in row.values]
    note = _pair(row.note) if row.note else None
    return {"heading": _pair(row.heading), "values": values, "code": row.code, "note": note}


def _pair(value: LocalizedText) -> dict[str, str]:
    return {"zh": value.zh, "en": value.en}
