"""The staff page of a work: its versions, events and findings, and its deletion, with the forms for it.

Accounts of every role of staff may see it. A form asks for the password of the account again, so that a browser that
somebody left open decides nothing. The page only decides: jobs carry the decision out (`workers/tasks/delete.py`).
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request

from iiif_server import urls
from iiif_server.problems import status_of
from repository import identifiers
from repository.database.fixity_values import RecordedFinding
from repository.errors import Busy, CallError, RequestInvalid, ShanbenError
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.model.accounts import Account
from repository.model.work import Event
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL, store_label
from web.accounts.login import LoginLimited, Logins
from web.accounts.passwords import Passwords, PasswordsBusy
from web.accounts.staff import current_account, login_redirect, staff_response
from web.messages.interface import MESSAGES, translate
from web.operations.deletions import deletion_view
from web.operations.work_history import finding_kind, finding_state, outcome_name, work_history
from web.site.language import current_language
from web.site.urls import local_url, see_other
from web.trusted_networks import request_address
from workers.tasks.delete_decision import DeletionAct, cancel_deletion, confirm_deletion, request_deletion

MOST_EVENTS: Final = 500
"""The most events that the page lists, the newest of them; the command lists all."""

MOST_REASON_CHARACTERS: Final = 500

_NO_ACT: Final = LocalizedText("没有这一操作", "there is no such act")
_LONG: Final = LocalizedText(
    f"不得超过 {MOST_REASON_CHARACTERS} 个字符", f"it may have at most {MOST_REASON_CHARACTERS} characters"
)


def blueprint(repository: Repository, passwords: Passwords) -> Blueprint:
    """Return the routes of the page and of its forms."""
    sessions = repository.account_sessions
    page = _WorkPage(repository, Logins(repository.accounts, sessions, repository.login_failures, passwords))
    routes = Blueprint("work_history", __name__)
    path = urls.staff_work_path("<identifier>")
    routes.get(path, endpoint="work")(page.show)
    routes.post(path, endpoint="decide")(page.decide)
    return routes


class _WorkPage:
    """The views of the page."""

    def __init__(self, repository: Repository, logins: Logins) -> None:
        self._repository = repository
        self._logins = logins

    def show(self, identifier: str) -> Response:
        account = current_account(self._repository.account_sessions)
        return login_redirect() if account is None else self._page(identifiers.parse(identifier, Kind.WORK), account)

    def decide(self, identifier: str) -> Response:
        """Do what a form asks for. A refusal is shown on the page."""
        account = current_account(self._repository.account_sessions)
        if account is None:
            return login_redirect()
        work = identifiers.parse(identifier, Kind.WORK)
        try:
            password = request.form.get("password", "")
            self._act(work, self._logins.verify(account.name, password, request_address(request)))
        except (CallError, Busy, PasswordsBusy) as error:
            return self._page(work, account, error)
        return see_other(local_url(urls.staff_work_path(work)))

    def _act(self, work: str, account: Account) -> None:
        act, reason = request.form.get("act"), request.form.get("reason", "")
        if act == DeletionAct.REQUEST:
            if len(reason) > MOST_REASON_CHARACTERS:
                raise RequestInvalid(part="reason", reason=_LONG)
            request_deletion(self._repository, work, account, reason)
        elif act == DeletionAct.CONFIRM:
            confirm_deletion(self._repository, work, account)
        elif act == DeletionAct.CANCEL:
            cancel_deletion(self._repository, work, account)
        else:
            raise RequestInvalid(part="act", reason=_NO_ACT)

    def _page(self, work: str, account: Account, error: ShanbenError | None = None) -> Response:
        found = work_history(self._repository, work)
        view = deletion_view(self._repository, work, found.deletion, account)
        language = current_language()
        response = staff_response(
            "work_history.html",
            identifier=work,
            title=view.title,
            history=found,
            events=list(reversed(found.events))[:MOST_EVENTS],
            event_name=_event_name,
            outcome_name=_outcome_name,
            language=language,
            finding_store=_finding_store,
            finding_kind=finding_kind,
            finding_state=finding_state,
            view=view,
            account=account,
            obstacle=view.obstacle.in_language(language) if view.obstacle else "",
            message=error.in_language(language) if error else "",
            reason=request.form.get("reason", "")[:MOST_REASON_CHARACTERS],
            most_reason=MOST_REASON_CHARACTERS,
            days=self._repository.settings.delete_days,
        )
        if error:
            response.status_code = status_of(error)
        if isinstance(error, LoginLimited):
            response.headers["Retry-After"] = str(error.details["seconds"])
        return response


def _finding_store(finding: RecordedFinding) -> str:
    return store_label(finding.store or PRIMARY_LABEL)


def _event_name(event: Event) -> str:
    key = f"event.{event.type}"
    return translate(current_language(), key) if key in MESSAGES else event.type


def _outcome_name(event: Event) -> str:
    return outcome_name(event).in_language(current_language())
