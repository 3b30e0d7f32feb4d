"""The page ``/staff``: the account, the pages for it, and the deletions that wait or are under way."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, current_app

from iiif_server import urls
from repository.model.accounts import ROLE_NAMES, Role
from repository.repository import Repository
from web.accounts.staff import current_account, login_redirect, staff_response
from web.operations.deletions import MOST_LISTED_DELETIONS, open_deletions
from web.site.language import current_language

_PAGES: Final = {
    urls.PRESERVATION: "staff.preservation",
    urls.STATUS: "staff.status",
    urls.STAFF_HARVEST: "staff.harvest",
}
"""The pages that every account of staff may see, by path, with the keys of their names in `MESSAGES`.

Those that the application has are listed.
"""


def blueprint(repository: Repository) -> Blueprint:
    """Return the route of the page."""
    routes = Blueprint("staff", __name__)

    @routes.get(urls.STAFF)
    def staff() -> Response:
        account = current_account(repository.account_sessions)
        if account is None:
            return login_redirect()
        return staff_response(
            "staff.html",
            account=account,
            role=ROLE_NAMES[account.role].in_language(current_language()),
            pages=_listed(),
            is_administrator=account.role is Role.ADMINISTRATOR,
            deletions=open_deletions(repository, account),
            most=MOST_LISTED_DELETIONS,
        )

    return routes


def _listed() -> dict[str, str]:
    """Return the pages of `_PAGES` that this application has."""
    served = {rule.rule for rule in current_app.url_map.iter_rules()}
    return {path: key for path, key in _PAGES.items() if path in served}
