"""The Flask application: pages and services. `ImageApplication` serves the images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Flask, Response, g, request

from iiif_server import urls
from iiif_server.presentation.published import MEDIA_TYPES
from iiif_server.records.formats import LINKS
from iiif_server.search.service import Search
from repository.localized import Language, language_name
from repository.repository import Repository
from web.accounts import authorization, cookies
from web.accounts import pages as account_pages
from web.accounts.access_cookie import AccessCookies
from web.accounts.login import Logins
from web.accounts.passwords import Passwords
from web.accounts.request_limits import RequestLimits
from web.accounts.staff import current_account, current_privileges
from web.certificates import pages as certificate_pages
from web.certificates.pages import Pictures, no_pictures
from web.messages.interface import translate
from web.operations import harvest_page, staff_page, status_page, text_correction_page, work_page
from web.reports import pages as report_pages
from web.services import (
    content_search,
    discovery,
    evidence,
    health,
    log,
    metrics,
    oai,
    presentation,
    search_api,
    similar,
    text,
)
from web.site import content_state, error_pages, oembed, pages, partners, records, search_page, sitemap, text_pages
from web.site.cors import allow_any_origin, respond_to_preflight
from web.site.language import current_language, switch_language, switch_url
from web.site.static_files import SUGGEST_SCRIPT, TYPEFACE, StaticFiles, icon_blueprint, read_static_files
from web.site.urls import PublicRedirects, local_url, origin
from web.telemetry.process_metrics import ProcessMetrics

_HERE: Final = Path(__file__).parent
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


def create_app(
    repository: Repository,
    process_metrics: ProcessMetrics | None = None,
    passwords: Passwords | None = None,
    pictures: Pictures = no_pictures,
) -> Flask:
    """Return the application over a repository. It reads the names of the reader's built files.

    ``/metrics`` reports `process_metrics`; without it, those of a process that counts nothing. `passwords` hashes the
    passwords of staff; by default with the parameters of `Passwords`. `pictures` gives those on certificates.
    """
    app = Flask(__name__, static_folder=str(_HERE / "static"), template_folder=str(_HERE / "templates"))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    static_files = read_static_files(_HERE / "static")
    for blueprint in _blueprints(repository, static_files, process_metrics, passwords or Passwords(), pictures):
        app.register_blueprint(blueprint)
    error_pages.register(app)
    app.before_request(respond_to_preflight)
    app.before_request(switch_language)
    app.before_request(RequestLimits(repository))
    cookies.install(app, repository)
    app.after_request(allow_any_origin)
    app.after_request(PublicRedirects(repository.settings))
    app.after_request(_send_static_files_whole)
    app.after_request(_SecurityHeaders(origin(repository.settings), repository.settings.embedders))
    app.context_processor(lambda: _for_templates(repository, static_files))
    return app


def _blueprints(
    repository: Repository,
    static_files: StaticFiles,
    process_metrics: ProcessMetrics | None,
    passwords: Passwords,
    pictures: Pictures,
) -> tuple[Blueprint, ...]:
    """Return the pages and services, which share the search and the check of passwords."""
    logins = Logins(repository.accounts, repository.account_sessions, repository.login_failures, passwords)
    access_cookies = AccessCookies(repository.settings, repository.accounts.cookie_secret())
    search = Search(repository)
    privileges = partial(current_privileges, repository.account_sessions)
    return (
        pages.blueprint(repository, static_files, search, privileges),
        partners.blueprint(repository, static_files),
        text_pages.blueprint(
            repository,
            privileges,
            lambda: current_account(repository.account_sessions) is not None,
        ),
        text.blueprint(repository, privileges),
        records.blueprint(repository),
        sitemap.blueprint(repository),
        icon_blueprint(_HERE / "static"),
        content_state.blueprint(repository),
        oembed.blueprint(repository),
        *(presentation.blueprint(repository, version) for version in MEDIA_TYPES),
        discovery.blueprint(repository),
        oai.blueprint(repository),
        log.blueprint(repository),
        evidence.blueprint(repository),
        health.blueprint(repository),
        search_page.blueprint(repository, search),
        search_api.blueprint(repository, search),
        content_search.blueprint(repository, search),
        similar.blueprint(repository, static_files),
        metrics.blueprint(repository, process_metrics or ProcessMetrics()),
        status_page.blueprint(repository),
        staff_page.blueprint(repository),
        harvest_page.blueprint(repository),
        work_page.blueprint(repository, passwords),
        text_correction_page.blueprint(repository, static_files),
        report_pages.blueprint(repository),
        account_pages.blueprint(repository, logins, access_cookies),
        authorization.blueprint(repository, logins, access_cookies),
        certificate_pages.blueprint(repository, static_files, pictures),
    )


def _for_templates(repository: Repository, static_files: StaticFiles) -> dict[str, Any]:
    """Return the names that every template may use."""
    language = current_language()
    return {
        "translate": partial(translate, language),
        "language": language,
        "language_name": language_name,
        "languages": {Language.CHINESE: "中文", Language.ENGLISH: "English"},
        "switch_url": switch_url,
        "local_url": local_url,
        "urls": urls,
        "record_links": LINKS,
        "static_files": static_files,
        "typeface": static_files.built_url(TYPEFACE),
        "suggest_script": static_files.built_url(SUGGEST_SCRIPT),
        "provider": repository.settings.provider,
        "offers_similar": repository.settings.similar_pages > 0,
        "alarms": partial(report_pages.alarm_texts, repository),
    }


def _send_static_files_whole(response: Response) -> Response:
    """Read a static file whole: a client that reads slowly would keep the thread that sends it in pieces."""
    if request.endpoint == "static" and response.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        response.direct_passthrough = False
        response.set_data(response.get_data())
    return response


class _SecurityHeaders:
    """Adds security headers to every response: pages load, send and frame nothing of other sites (CSP level 3).

    No other site may show a page in a frame, except the reader on the sites `embedders`.

    The reader's deep zoom decodes images from ``blob:`` and ``data:`` URLs. If the public address differs from the one
    visited, the manifest's image URLs have the public one, so the policy permits it too. A page of partners' records
    names in ``g.picture_hosts`` the sites from which it shows their pictures; the reader fetches manifests from them as
    well (``g.is_partner_reader``).
    """

    def __init__(self, public: str, embedders: Sequence[str]) -> None:
        here = f"'self' {public}".strip()
        policy = "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                f"img-src {here} data: blob:",
                "font-src 'self'",
                f"connect-src {here}",
                "worker-src 'self' blob:",
                "manifest-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'self'",
            )
        )
        self._policies = {True: " ".join((policy, *embedders)), False: policy}

    def __call__(self, response: Response) -> Response:
        headers = response.headers
        policy = self._policies[request.endpoint == "pages.read"]
        if hosts := g.get("picture_hosts", ()):
            policy = policy.replace("img-src ", f"img-src {' '.join(hosts)} ", 1)
            if g.get("is_partner_reader", False):
                policy = policy.replace("connect-src ", f"connect-src {' '.join(hosts)} ", 1)
        headers.setdefault("Content-Security-Policy", policy)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if request.endpoint == "static" and response.status_code in {200, 304}:
            headers["Cache-Control"] = _IMMUTABLE if _is_named_by_content() else "no-cache"
        return response


def _is_named_by_content() -> bool:
    """Return whether the URL changes with the file: built files have a digest in their name, others in ``v``."""
    return "v" in request.args or "/reader/assets/" in request.path
