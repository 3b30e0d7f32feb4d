"""The forms for the deletion of a work: two accounts, their passwords, and forms that are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from deposits import write_deposit
from staff_browser import PASSWORD, Browser

from repository.database.deletions import DeletionState
from repository.model.accounts import Role
from repository.repository import Repository
from web.accounts.passwords import Passwords
from web.app import create_app
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks import access as changes
from workers.tasks.jobs import access_job, delete_work_job, ingest_job

ROLES = {"anna": Role.CONSERVATOR, "bo": Role.ADMINISTRATOR, "chen": Role.LIBRARIAN}


@dataclass
class Staff:
    """A library with one withdrawn work, and browsers of its staff."""

    context: TaskContext
    passwords: Passwords
    work: str

    @property
    def repository(self) -> Repository:
        return self.context.repository

    @property
    def path(self) -> str:
        return f"/staff/works/{self.work}"

    def browser(self, name: str, days: int = 0) -> Browser:
        """Return a browser in which an account is logged in, some days after the deposit."""
        now = self.repository.clock() + timedelta(days=days)
        app = create_app(replace(self.repository, clock=lambda: now), passwords=self.passwords)
        browser = Browser(app.test_client())
        assert browser.log_in(name).status_code == 303
        return browser

    def send(self, browser: Browser, act: str, password: str = PASSWORD, **fields: str) -> tuple[int, str]:
        """Send a form with the value that protects it; return the status and the page."""
        token = browser.form_value("/staff")
        answer = browser.post(self.path, csrf_token=token, act=act, password=password, **fields)
        return answer.status_code, answer.get_data(as_text=True)

    def state(self) -> DeletionState | None:
        deletion = self.repository.deletions.get(self.work)
        return deletion.state if deletion else None


@pytest.fixture
def staff(context: TaskContext, tmp_path: Path) -> Staff:
    passwords = Passwords(memory_kib=64, passes=1)
    for name, role in ROLES.items():
        context.repository.accounts.add(name, role, passwords.hash(PASSWORD))
    with local_runner(context) as runner:
        job = runner.run(ingest_job(write_deposit(tmp_path / "book", pages=1)))
        work = str((job.result or {})["identifier"])
        changes.withdraw(context.repository, work, "權利人要求")
        runner.attempt([access_job(work)])
    return Staff(context, passwords, work)


def test_one_account_requests_and_another_confirms(staff: Staff) -> None:
    anna = staff.browser("anna")
    assert 'id="reason"' in anna.get(staff.path).text
    assert staff.send(anna, "request", reason="權利人<要求>")[0] == 303
    page = anna.get(staff.path).text
    assert "權利人&lt;要求&gt;" in page
    assert "须由申请人以外的账号确认" in page
    assert 'value="cancel"' in page
    assert 'value="confirm"' not in page
    listed = anna.get("/staff").text
    assert staff.path in listed
    assert "anna" in listed
    assert "anna" not in staff.browser("chen").client.get(f"/works/{staff.work}").text
    early, late = staff.browser("bo", days=6), staff.browser("bo", days=7)
    assert "等待期未满" in early.get(staff.path).text
    assert "确认删除" in late.get("/staff").text
    assert 'value="confirm"' in late.get(staff.path).text
    assert staff.send(late, "confirm")[0] == 303
    deletion = staff.repository.deletions.get(staff.work)
    assert deletion
    assert (deletion.state, deletion.confirmed_by) == (DeletionState.CONFIRMED, "bo")
    assert staff.repository.jobs.get(delete_work_job(staff.work).key)
    page = late.get(staff.path).text
    assert "正在进行" in page
    assert 'name="password"' not in page
    assert "已确认，正在删除" in late.get("/staff").text


def test_a_request_is_cancelled_by_any_account_that_may_decide(staff: Staff) -> None:
    anna, bo, chen = staff.browser("anna"), staff.browser("bo"), staff.browser("chen")
    assert staff.send(anna, "request", reason="x")[0] == 303
    assert "须由保存人员或管理员办理" in chen.get(staff.path).text
    assert 'name="password"' not in chen.get(staff.path).text
    assert staff.send(chen, "cancel")[0] == 403
    assert staff.state() is DeletionState.REQUESTED
    assert staff.send(bo, "cancel")[0] == 303
    assert staff.state() is None


REFUSED: dict[str, tuple[Callable[[Staff, Browser], tuple[int, str]], int, str]] = {
    "wrong password": (lambda staff, anna: staff.send(anna, "request", "wrong", reason="x"), 403, "密码有误"),
    "no password": (lambda staff, anna: staff.send(anna, "request", "", reason="x"), 403, "密码有误"),
    "blank reason": (lambda staff, anna: staff.send(anna, "request", reason=" "), 400, "须写明理由"),
    "long reason": (lambda staff, anna: staff.send(anna, "request", reason="x" * 501), 400, "不得超过 500"),
    "unknown act": (lambda staff, anna: staff.send(anna, "delete", reason="x"), 400, "没有这一操作"),
    "nothing to confirm": (lambda staff, anna: staff.send(anna, "confirm"), 404, "申请"),
    "librarian": (lambda staff, anna: staff.send(staff.browser("chen"), "request", reason="x"), 403, "无权申请"),
}


def test_a_form_that_is_refused_changes_nothing_and_says_why(staff: Staff) -> None:
    anna = staff.browser("anna")
    for name, (send, status, words) in REFUSED.items():
        code, page = send(staff, anna)
        assert (name, code) == (name, status)
        assert words in page, name
        assert staff.state() is None
    forged = anna.post(staff.path, act="request", password=PASSWORD, reason="x")
    assert forged.status_code == 400
    stranger = Browser(create_app(staff.repository, passwords=staff.passwords).test_client())
    token = stranger.form_value()
    answer = stranger.post(staff.path, csrf_token=token, act="request", password=PASSWORD, reason="x")
    assert (answer.status_code, staff.state()) == (303, None)


def test_a_work_in_public_view_has_no_form(staff: Staff) -> None:
    changes.restore(staff.repository, staff.work)
    anna = staff.browser("anna")
    page = anna.get(staff.path).text
    assert "shanben withdraw" in page
    assert 'id="reason"' not in page
    assert staff.send(anna, "request", reason="x")[0] == 400
    assert staff.state() is None
