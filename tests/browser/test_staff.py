"""What people do in dialogs and forms: staff log in and correct a text, readers share what they see."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from axe import violations
from library_visit import PHONE, Visitor, overflow, wait_for_picture
from playwright.sync_api import Page, expect
from staff_browser import PASSWORD

from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.repository import open_repository
from workers.deposit.examiner import DepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import CORRECT_TEXT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def librarian(library: Any) -> str:
    """The name of a librarian's account."""
    library.shanben.run("account", "add", "librarian", "--role", "librarian", stdin=f"{PASSWORD}\n")
    return "librarian"


def run_corrections(library: Any, examiner: DepositExaminer) -> None:
    """Run the corrections that wait, as a worker does."""
    repository = open_repository(Settings(data=Path(library.shanben.environment["SHANBEN_DATA"])))
    waiting = [job for job, _ in repository.jobs.active(CORRECT_TEXT)]
    with local_runner(TaskContext(repository, examiner)) as runner:
        states = [job.state for job in runner.attempt([NewJob(job.key, job.kind, job.arguments) for job in waiting])]
    assert states == [JobState.DONE]


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("账号").fill(name)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()


def test_staff_log_in_and_correct_a_line_that_readers_then_see(
    visit: Visitor, library: Any, librarian: str, examiner: DepositExaminer, tmp_path: Path
) -> None:
    tour = visit(viewport=PHONE)
    path = f"/staff/works/{library.book}/text/6"
    page = tour.go(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")
    assert violations(page) == []
    log_in(page, librarian, "x" * 20)
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    tour.take_screenshot(tmp_path, "refused")
    tour.errors.clear()  # the browser logs the refusal as an error
    log_in(page, librarian, PASSWORD)
    expect(page).to_have_url(library.address + path)
    line = page.get_by_role("textbox", name="第 2 行")
    expect(line).to_have_value("焉哉乎也")
    assert violations(page) == []
    assert overflow(page) <= 0
    tour.take_screenshot(tmp_path, "correction")
    line.fill("焉哉乎矣")
    page.get_by_role("button", name="保存").first.click()
    expect(page.get_by_role("status")).to_contain_text("稍候即向读者显示")
    assert violations(page) == []
    run_corrections(library, examiner)
    page.get_by_role("link", name="重新打开").click()
    expect(page.get_by_role("status")).to_have_text("已保存，读者已可看到。")
    expect(page.get_by_role("textbox", name="第 2 行")).to_have_value("焉哉乎矣")
    assert violations(page) == []
    page = tour.go(f"/works/{library.book}/read?page=6")
    page.get_by_role("button", name="此面文本（t）").click()
    expect(page.locator("#text").get_by_role("link")).to_have_text(["謂語助者", "焉哉乎矣"])
    expect(page.locator("#text option")).to_have_text(["录文（已经校正） · 試校本", "录文 · 試校本"])


def test_picture_of_a_page_stays_in_sight_beside_its_lines(visit: Visitor, library: Any, librarian: str) -> None:
    page = visit(viewport={"width": 1280, "height": 500}).go(f"/staff/works/{library.book}/text/6")
    log_in(page, librarian, PASSWORD)
    picture, end = page.get_by_role("img", name="整页图像"), page.get_by_role("button", name="在最前增加一行")
    page.get_by_text("次序、位置、夹注").first.click()
    expect(end).not_to_be_in_viewport()
    end.evaluate("button => button.scrollIntoView({ block: 'end' })")
    expect(picture).to_be_in_viewport(ratio=0.9)
    page.get_by_role("textbox", name="第 2 行").focus()
    marked, place = page.locator(".canvas .current"), page.locator("[data-line='2'] [name='x']").input_value()
    expect(marked).to_have_attribute("x", place)
    assert violations(page) == []
    page.emulate_media(media="print")
    expect(picture).to_be_hidden()


def numbers(region: str) -> list[int]:
    """Return the numbers of a media fragment."""
    return [int(number) for number in region.removeprefix("xywh=").split(",")]


def test_reader_shares_what_is_shown(visit: Visitor, library: Any, tmp_path: Path) -> None:
    tour = visit(permissions=["clipboard-read", "clipboard-write"])
    page = tour.go(f"/works/{library.book}/read?page=2")
    wait_for_picture(page)
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.wait_for_timeout(800)
    button, dialog = page.get_by_role("button", name="分享此处"), page.get_by_role("dialog", name="分享此处")
    button.click()
    expect(dialog).to_be_visible()
    assert violations(page) == []
    tour.take_screenshot(tmp_path, "share")
    link, viewers, state = (dialog.locator(f"#share-{field}").input_value() for field in ("link", "state", "json"))
    assert json.loads(state)["partOf"][0]["id"] == library.address + f"/iiif/presentation/3/{library.book}/manifest"
    encoded = parse_qs(urlsplit(viewers).query)["iiif-content"][0]
    assert unquote(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()) == state
    region = urlsplit(link).fragment
    assert json.loads(state)["id"].endswith(f"/canvas/2#{region}")
    dialog.get_by_role("button", name="复制").first.click()
    expect(dialog.get_by_role("button", name="已复制")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == link
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    page.goto(viewers)
    expect(page).to_have_url(f"{library.address}/works/{library.book}/read?page=2")
    wait_for_picture(page)
    page.wait_for_timeout(800)
    button.click()
    again = urlsplit(dialog.locator("#share-link").input_value()).fragment
    assert [round(value / 20) for value in numbers(again)] == [round(value / 20) for value in numbers(region)]
