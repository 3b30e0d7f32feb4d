"""The pages ``/certificate/...`` and ``/verify``.

Both are views: they record no event. An event of a certificate is recorded only when the staff issue one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from iiif_server import urls
from iiif_server.entity_tags import entity_tag
from iiif_server.problems import status_of
from preservation.log import evidence
from preservation.log.sequencer import log_keys, verifier_key
from preservation.log.witnesses import witness_policy
from preservation.premis import parse_event
from repository.clock import utc_time
from repository.errors import DependencyMissing, IntegrityError, RequestInvalid, ShanbenError, SystemFault
from repository.localized import LocalizedText
from repository.repository import Repository
from web.certificates.facts import CertificateFacts, read_facts
from web.certificates.form import CertificateForm, certificate_form
from web.certificates.history import look_up
from web.certificates.pdf import certificate_pdf, qr_code
from web.certificates.picture import picture_path
from web.site.concurrency import hold_place
from web.site.cors import revalidated
from web.site.language import current_language
from web.site.page_headers import set_page_headers
from web.site.static_files import VERIFY_SCRIPT, StaticFiles
from web.site.urls import public_url

Pictures = Callable[[str], bytes | None]
"""Returns the picture at a path of the image service as anybody gets it; None if it is refused or unavailable."""

_TYPESETTING: Final = 1
"""Certificates that one process typesets at a time."""


class CertificatesBusy(SystemFault):
    """Too many certificates are being made."""

    code = "certificates.busy"
    transient = True
    text = LocalizedText("正在生成其他证明；请稍后重试", "Other certificates are being made; try again shortly")


class CertificateNotTypeset(SystemFault):
    """This machine cannot make a PDF: it has no font for Chinese. The page of the certificate has the same content."""

    code = "certificates.pdf"
    transient = False
    is_public = True
    text = LocalizedText(
        "本站暂不能生成 PDF 格式的证明；网页版内容相同，可以打印：{page}",
        "This site cannot make the PDF of the certificate at present; the page has the same content and can be printed:"
        " {page}",
    )


def no_pictures(path: str) -> bytes | None:
    """Return no picture, for an application without an image service."""
    del path
    return None


def blueprint(repository: Repository, static_files: StaticFiles, pictures: Pictures) -> Blueprint:
    """Return the routes of certificates and of ``/verify``."""
    routes = Blueprint("certificates", __name__)
    certificates = _Certificates(repository, pictures)
    verification = _Verification(repository, static_files)
    routes.get("/certificate/<identifier>.html", endpoint="page")(certificates.page)
    routes.get("/certificate/<identifier>.pdf", endpoint="pdf")(certificates.pdf)
    routes.get(urls.VERIFY, endpoint="verify")(verification.page)
    routes.post(urls.verify_evidence_path(), endpoint="verify_evidence")(verification.check_evidence)
    return routes


class _Certificates:
    """The views of certificates."""

    def __init__(self, repository: Repository, pictures: Pictures) -> None:
        self._repository = repository
        self._pictures = pictures
        self._typesetting = BoundedSemaphore(_TYPESETTING)

    def page(self, identifier: str) -> Response:
        facts, form = self._read(identifier)
        code = base64.b64encode(qr_code(form.address)).decode()
        picture = picture_path(self._repository, facts)
        page = render_template("certificate.html", facts=facts, form=form, code=code, picture=picture)
        return set_page_headers(make_response(page))

    def pdf(self, identifier: str) -> Response:
        facts, form = self._read(identifier)
        path = picture_path(self._repository, facts)
        picture = self._pictures(path) if path else None
        provider = self._repository.settings.provider
        # The bytes follow from these values alone, so that a certificate that has not changed is not typeset again.
        determined = json.dumps([asdict(form), provider], ensure_ascii=False, default=str)
        response = Response(content_type="application/pdf")
        response.headers["ETag"] = entity_tag(determined.encode() + (picture or b""))
        response.headers["Content-Disposition"] = f'inline; filename="certificate-{facts.subject.name}.pdf"'
        if revalidated(response).status_code == HTTPStatus.NOT_MODIFIED:
            return response
        with hold_place(self._typesetting, CertificatesBusy()):
            try:
                response.set_data(certificate_pdf(form, provider, picture))
            except DependencyMissing as fault:
                page = public_url(self._repository.settings, urls.certificate_path(identifier, "html"))
                raise CertificateNotTypeset(page=page) from fault
        return response

    def _read(self, identifier: str) -> tuple[CertificateFacts, CertificateForm]:
        facts = read_facts(self._repository, identifier)
        public = partial(public_url, self._repository.settings)
        return facts, certificate_form(facts, verifier_key(self._repository), public)


class _Verification:
    """The views of ``/verify``."""

    def __init__(self, repository: Repository, static_files: StaticFiles) -> None:
        self._repository = repository
        self._static_files = static_files

    def page(self) -> Response:
        query = request.args.get("q", "")
        try:
            history = look_up(self._repository, query) if query else None
        except RequestInvalid as fault:
            return self._render(query=query, fault=fault)
        return self._render(query=query, history=history)

    def check_evidence(self) -> Response:
        """Verify an evidence file against this log's keys, as ``shanben log check`` does."""
        sent = request.files.get("evidence")
        content = sent.read() if sent else b""
        try:
            witnesses = [witness.key for witness in witness_policy(self._repository.settings).witnesses]
            verified = evidence.verify(content, log_keys(self._repository).text(), witnesses)
            event = parse_event(verified.entry)
        except IntegrityError as fault:
            return self._render(evidence_fault=fault.message)
        cosigners = {name: utc_time(seconds) for name, seconds in verified.cosigners.items()}
        return self._render(verified=verified, event=event, cosigners=cosigners)

    def _render(self, fault: ShanbenError | None = None, **values: object) -> Response:
        page = render_template(
            "verify.html",
            fault=fault.in_language(current_language()) if fault else None,
            log_key=verifier_key(self._repository),
            script=self._static_files.built_url(VERIFY_SCRIPT),
            **values,
        )
        response = set_page_headers(make_response(page))
        response.status_code = status_of(fault) if fault else HTTPStatus.OK
        return response
