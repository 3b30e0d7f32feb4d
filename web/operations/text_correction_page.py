"""The staff page on which the lines of a text of a page are corrected beside their pictures.

The lines of a page without text are entered there as well. Accounts of every role of staff may correct.

Buttons that add, delete, split and move lines change the form alone (`text_correction_form.py`). Saving it enqueues a
job (`workers/tasks/correct_text.py`), and the page shows how far it is. If somebody else has changed the text
meanwhile, it shows the present text and what was entered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from iiif_server import urls
from iiif_server.presentation.text_annotations import kind_label, text_label
from iiif_server.problems import status_of
from repository.database.outbox import FINISHED, Job, JobState
from repository.errors import AccessRefused, Busy, NotFound, RequestInvalid, ShanbenError
from repository.localized import LocalizedText
from repository.model.accounts import Account
from repository.model.text import PageText, TextKind
from repository.model.work import Page, Work
from repository.repository import Repository
from repository.texts import TextChanged, text_digest, texts_of_page
from web.accounts.staff import current_account, current_privileges, login_redirect, staff_response
from web.messages.interface import translate
from web.operations.status import job_failure
from web.operations.text_correction_form import (
    ChangedDraft,
    Draft,
    DraftLine,
    changed_draft,
    draft_of,
    draft_of_form,
    lines_of,
)
from web.operations.text_correction_views import correction_views, has_unplaced, is_vertical, page_picture
from web.site.held_work import held_work
from web.site.language import catalogue_tag, current_language
from web.site.static_files import CORRECT_SCRIPT, StaticFiles
from web.site.urls import local_url, see_other
from workers.tasks.jobs import correction_key
from workers.tasks.text_correction import (
    SentText,
    correction_of,
    request_correction,
    text_as_read,
    text_to_correct,
    waiting_correction,
)
from workers.text.correction import MOST_LINE_CHARACTERS, CorrectionInvalid, can_be_corrected

_UNCHANGED: Final = "-"
_KIND: Final = LocalizedText("没有这种文本", "there is no such kind of text")


@dataclass(frozen=True, slots=True)
class _CorrectionOutcome:
    """What to say of a correction: a message, whether it is an alarm, the lines that were not kept, the status.

    `lines` stand above the present text. `draft` is what the form has instead of the present text, and `changed` what
    a button of the form made of it.
    """

    message: str = ""
    is_alarm: bool = False
    lines: Sequence[str] = ()
    draft: Draft | None = None
    changed: ChangedDraft | None = None
    status: int = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class _TextPlace:
    """A page of a work with its number from 1, and the text of it that is corrected: an empty one if it has none.

    `max_size` limits the longest side of the picture; None is no limit.
    """

    work: Work
    page: Page
    number: int
    last: int
    texts: tuple[PageText, ...]
    text: PageText
    max_size: int | None


def blueprint(repository: Repository, static_files: StaticFiles) -> Blueprint:
    """Return the routes of the page and of its form."""
    page = _CorrectionPage(repository, static_files)
    routes = Blueprint("text_correction", __name__)
    path = f"{urls.staff_work_path('<identifier>')}/text/<int:number>"
    routes.get(path, endpoint="show")(page.show)
    routes.post(path, endpoint="save")(page.save)
    return routes


class _CorrectionPage:
    """The views of the page."""

    def __init__(self, repository: Repository, static_files: StaticFiles) -> None:
        self._repository = repository
        self._static_files = static_files

    def show(self, identifier: str, number: int) -> Response:
        if current_account(self._repository.account_sessions) is None:
            return login_redirect()
        place = self._place(identifier, number)
        return self._page(place, self._outcome(place, request.args.get("saved", "")))

    def save(self, identifier: str, number: int) -> Response:
        """Enqueue a correction, or change the form as one of its buttons says.

        A refusal is shown on the page with what was entered.
        """
        account = current_account(self._repository.account_sessions)
        if account is None:
            return login_redirect()
        place = self._place(identifier, number)
        draft: Draft | None = None
        try:
            kind = _sent_kind()
            text_as_read(place.page, place.text, request.form.get("base", ""))
            draft = draft_of_form(request.form.to_dict(flat=False))
            if button := request.form.get("change"):
                changed = changed_draft(draft, button)
                message = translate(current_language(), "correction.unsaved")
                return self._page(place, _CorrectionOutcome(message, draft=changed.lines, changed=changed))
            key = self._enqueue(place, kind, draft, account)
        except CorrectionInvalid as error:
            return self._page(place, replace(_refused(error), draft=draft))
        except (RequestInvalid, TextChanged, Busy) as error:
            return self._page(place, replace(_refused(error), lines=request.form.getlist("line")))
        saved = key.rpartition(":")[2] if key else _UNCHANGED
        return see_other(_address(place, saved))

    def _enqueue(self, place: _TextPlace, kind: TextKind, draft: Draft, account: Account) -> str | None:
        sent = SentText(kind, request.form.get("base", ""), lines_of(draft))
        return request_correction(self._repository, place.work.identifier, place.page, account, sent)

    def _place(self, identifier: str, number: int) -> _TextPlace:
        """Return what the request names. Raises as `held_work`, and `NotFound` for a page that the work has not."""
        privileges = current_privileges(self._repository.account_sessions)
        work, decision = held_work(self._repository, identifier, privileges)
        if not decision.shows_text:
            raise AccessRefused(what=work.identifier)
        pages = list(work.pages())
        if not 1 <= number <= len(pages):
            raise NotFound(what=f"{work.identifier}/{number}")
        page = pages[number - 1]
        texts = texts_of_page(self._repository.store, work.identifier, page.key)
        best = texts[0] if texts else PageText(page.key, TextKind.TRANSCRIPTION, ())
        kind = _kind(request.values.get("kind", ""))
        text = (text_to_correct(page, texts, kind) if kind else None) or best
        return _TextPlace(work, page, number, len(pages), texts, text, decision.max_size)

    def _outcome(self, place: _TextPlace, saved: str) -> _CorrectionOutcome:
        """Return what became of the correction that the address names."""
        if not saved:
            return _CorrectionOutcome()
        if saved == _UNCHANGED:
            return _CorrectionOutcome(translate(current_language(), "correction.unchanged"))
        job = self._repository.jobs.get(correction_key(place.work.identifier, saved))
        if job is None or job.state not in FINISHED:
            return _CorrectionOutcome()
        if job.state is JobState.DONE:
            return _CorrectionOutcome(translate(current_language(), "correction.done"))
        return _CorrectionOutcome(_reason(job), is_alarm=True, lines=[line.text for line in correction_of(job).lines])

    def _page(self, place: _TextPlace, outcome: _CorrectionOutcome) -> Response:
        text, work = place.text, place.work
        waiting = waiting_correction(self._repository, work.identifier, place.page.key, text.kind)
        image = place.page.images[0] if place.page.images else None
        draft = outcome.draft if outcome.draft is not None else draft_of(text.lines) or (DraftLine(),)
        response = staff_response(
            "text_correction.html",
            place=place,
            work=work,
            lang=text.language or catalogue_tag(work.record.language),
            kinds=list(dict.fromkeys(each.kind for each in place.texts)),
            base=text_digest(text),
            fits=can_be_corrected(text),
            views=correction_views(draft, image, place.max_size, outcome.changed),
            image=image,
            picture=page_picture(image, place.max_size),
            is_picture_open=has_unplaced(draft),
            script=self._static_files.built_url(CORRECT_SCRIPT),
            is_vertical=is_vertical(text),
            is_waiting=waiting is not None,
            outcome=outcome,
            address=_address,
            text_label=text_label,
            kind_name=kind_label,
            most=MOST_LINE_CHARACTERS,
        )
        response.status_code = outcome.status
        return response


def _kind(name: str) -> TextKind | None:
    return TextKind(name) if name in set(TextKind) else None


def _sent_kind() -> TextKind:
    """Return the kind of the text that is corrected. Raises `RequestInvalid`."""
    kind = _kind(request.form.get("kind", ""))
    if kind is None:
        raise RequestInvalid(part="kind", reason=_KIND)
    return kind


def _address(place: _TextPlace, saved: str = "", kind: TextKind | None = None) -> str:
    """Return the URL of the page for a kind of text, with what tells the correction that was sent."""
    pairs = [("kind", (kind or place.text.kind).value), *([("saved", saved)] if saved else [])]
    return f"{local_url(urls.staff_text_path(place.work.identifier, place.number))}?{urlencode(pairs)}"


def _refused(error: ShanbenError) -> _CorrectionOutcome:
    return _CorrectionOutcome(error.in_language(current_language()), is_alarm=True, status=status_of(error))


def _reason(job: Job) -> str:
    return job_failure(job).reason.in_language(current_language())
