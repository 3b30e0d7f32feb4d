"""Staff correct the lines of a page's text beside their pictures; each correction is a version and an event."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import lxml.html
import pytest
from deposits import write_deposit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staff_browser import PASSWORD, Browser
from werkzeug.test import TestResponse

from preservation.ocfl import objects
from preservation.ocfl.validation import validate_object
from repository import paths
from repository.database.outbox import Job, JobState, NewJob
from repository.model.accounts import Role
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Access, Rectangle, WorkAccess
from repository.repository import Repository
from repository.texts import text_digest, texts_of_page
from web.accounts.passwords import Passwords
from web.app import create_app
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.access import set_level, withdraw
from workers.tasks.correct_text import correct_text
from workers.tasks.jobs import CORRECT_TEXT, correct_text_job, ingest_job
from workers.tasks.preserve import read_events
from workers.tasks.text_correction import TextCorrection

ALTO = """<alto><Layout><Page WIDTH="70" HEIGHT="90">
<TextLine HPOS="37" VPOS="9" WIDTH="7" HEIGHT="70"><String CONTENT="天地玄黃"/></TextLine>
<TextLine HPOS="17" VPOS="9" WIDTH="7" HEIGHT="70"><String CONTENT="宇宙洪荒"/></TextLine>
</Page></Layout></alto>"""
CORRECTED = "text/shanben-corrected/ocr/0001.xml"


@dataclass
class Library:
    """A library with one work, on whose first page are two columns, and browsers of its staff at `page` of it."""

    context: TaskContext
    passwords: Passwords
    work: str
    page: int = 1

    @property
    def repository(self) -> Repository:
        return self.context.repository

    @property
    def path(self) -> str:
        return f"/staff/works/{self.work}/text/{self.page}"

    def browser(self, name: str = "anna") -> Browser:
        browser = Browser(create_app(self.repository, passwords=self.passwords).test_client())
        assert browser.log_in(name).status_code == 303
        return browser

    def best(self) -> PageText:
        return texts_of_page(self.repository.store, self.work, "0001")[0]

    def post(self, browser: Browser, fields: Mapping[str, Sequence[str]]) -> TestResponse:
        return browser.client.post(
            self.path,
            data=fields,
            environ_overrides={"REMOTE_ADDR": browser.address},
            headers={"Accept-Language": "zh", "Referer": f"{browser.host}{self.path}"},
        )

    def send(self, browser: Browser, *lines: str, page: str = "", **other: str) -> TestResponse:
        """Send the form of a page that was opened, or opens now, with these texts of its lines."""
        fields = form_of(page or browser.get(self.path).text)
        return self.post(browser, {**fields, **{name: [value] for name, value in other.items()}, "line": list(lines)})

    def press(self, browser: Browser, page: str, button: str, **other: Sequence[str]) -> str:
        """Press a button that changes the form of a page, and return the page that follows."""
        assert f'value="{button}"' in page, button
        changed = self.post(browser, {**form_of(page), **other, "change": [button]})
        assert changed.status_code == 200, changed.text
        return changed.text

    def run_jobs(self) -> list[Job]:
        waiting = [job for job, _ in self.repository.jobs.active(CORRECT_TEXT)]
        with local_runner(self.context) as runner:
            return runner.attempt([NewJob(job.key, job.kind, job.arguments) for job in waiting])


def form_of(page: str) -> dict[str, list[str]]:
    """Return the fields of the form of a page as a browser sends them, without its buttons."""
    [form] = [form for form in lxml.html.fromstring(page).forms if "/staff/works/" in (form.action or "")]
    fields: dict[str, list[str]] = {}
    for name, value in form.form_values():
        fields.setdefault(name, []).append(value)
    return fields


@pytest.fixture
def library(context: TaskContext, tmp_path: Path) -> Library:
    passwords = Passwords(memory_kib=64, passes=1)
    for name, role in (("anna", Role.LIBRARIAN), ("bo", Role.CONSERVATOR), ("du", Role.READER)):
        context.repository.accounts.add(name, role, passwords.hash(PASSWORD))
    folder = write_deposit(tmp_path / "book", pages=2)
    (folder / "text").mkdir()
    (folder / "text/0001.xml").write_text(ALTO, "utf-8")
    with (folder / "work.toml").open("a", encoding="utf-8") as record:
        record.write('[[text]]\nsource = "engine 1"\nlanguage = "lzh"\nquality = 0.9\n')
    with local_runner(context) as runner:
        job = runner.run(ingest_job(folder))
    assert job.state is JobState.DONE, job.result
    return Library(context, passwords, str((job.result or {})["identifier"]))


def test_a_correction_is_a_version_with_an_event_and_keeps_the_former_text(library: Library) -> None:
    browser, store = library.browser(), library.repository.store
    page = browser.get(library.path).text
    assert page.count("/iiif/image/3/") == 3
    assert 'class="lines columns"' in page
    assert re.findall(r'name="line" value="([^"]*)" lang="lzh"', page) == ["天地玄黃", "宇宙洪荒"]
    sent = library.send(browser, "天地元黃", '宇宙\u3000<洪>&"𠀀荒')
    assert sent.status_code == 303
    shown = browser.get(sent.headers["Location"]).text
    assert "已保存，稍候即向读者显示" in shown
    assert 'name="line"' not in shown
    [job] = library.run_jobs()
    assert job.state is JobState.DONE, job.result
    assert "已保存，读者已可看到" in browser.get(sent.headers["Location"]).text
    best, former = texts_of_page(store, library.work, "0001")
    assert [line.text for line in best.lines] == ["天地元黃", '宇宙\u3000<洪>&"𠀀荒']
    assert [line.region for line in best.lines] == [line.region for line in former.lines]
    assert (best.kind, best.source, best.language, best.quality) == (TextKind.OCR, "engine 1", "lzh", None)
    assert (best.is_corrected, former.is_corrected) == (True, False)
    event = read_events(store, library.work)[-1]
    assert event.detail.items() >= {"text": "corrected", "lines": "2", "version": "v2", "files": "1"}.items()
    assert re.fullmatch("[0-9a-f]{64}", event.detail["account"])
    assert not list(validate_object(store, paths.ocfl_object(library.work)).errors)
    assert "<mark>天地元黃</mark>" in browser.get(f"/search?q=天地元黃&work={library.work}").text


def test_a_correction_is_corrected_and_a_job_that_runs_again_changes_nothing(library: Library) -> None:
    browser, store = library.browser(), library.repository.store
    library.send(browser, "甲", "乙")
    library.run_jobs()
    library.send(browser, "甲", "")
    [job] = library.run_jobs()
    assert job.state is JobState.DONE, job.result
    assert library.best().plain() == "甲\n"
    inventory = objects.read_inventory(store, library.work)
    assert inventory is not None
    assert [CORRECTED in version.state for version in inventory.versions] == [False, True, True]
    again = replace(job, plan={"time": job_time(library), "version": 3})
    assert correct_text(library.context, again) == {**(job.result or {})}
    assert library.repository.catalogue.version(library.work) == 3


def test_the_first_lines_of_a_page_without_text_are_its_transcription(library: Library) -> None:
    browser, first = library.browser(), library.path
    listed = browser.get(f"/works/{library.work}/text").text
    library.page = 2
    assert f'href="{library.path}" aria-label="录入 ' in listed
    opened = browser.get(library.path).text
    assert "此页尚无文本" in opened
    assert form_of(opened)["line"] == [""]
    assert "至少须有一行文字" in library.send(browser, " ", page=opened).text
    longer = library.press(
        browser, opened, "add-1", line=["日月盈昃"], x=["370"], y=["90"], width=["70"], height=["700"]
    )
    saved = library.send(browser, "日月盈昃", "辰宿列張", page=longer)
    assert "已保存，稍候即向读者显示" in browser.get(saved.headers["Location"]).text
    [job] = library.run_jobs()
    assert job.state is JobState.DONE, job.result
    [text] = texts_of_page(library.repository.store, library.work, "0002")
    assert text.lines == (TextLine("日月盈昃", Rectangle(370, 90, 70, 700)), TextLine("辰宿列張"))
    assert (text.kind, text.is_corrected) == (TextKind.TRANSCRIPTION, False)
    event = read_events(library.repository.store, library.work)[-1]
    assert event.detail.items() >= {"text": "corrected", "lines": "2", "version": "v2", "files": "1"}.items()
    assert "<mark>辰宿列張</mark>" in browser.get(f"/search?q=辰宿列張&work={library.work}").text
    assert library.send(browser, "日月盈昃", "辰宿列张").status_code == 303
    library.run_jobs()
    [text] = texts_of_page(library.repository.store, library.work, "0002")
    assert (text.plain(), text.is_corrected) == ("日月盈昃\n辰宿列张\n", True)
    assert browser.get(first).text.count('name="line"') == 2


def test_lines_for_a_page_that_has_got_a_text_meanwhile_are_not_lost(library: Library) -> None:
    anna, bo = library.browser("anna"), library.browser("bo")
    library.page = 2
    opened = bo.get(library.path).text
    library.send(anna, "日月盈昃")
    library.run_jobs()
    told = library.send(bo, "日月盈仄", page=opened)
    assert (told.status_code, form_of(told.text)["line"]) == (409, ["日月盈昃"])
    assert "<li>日月盈仄</li>" in told.text


def job_time(library: Library) -> str:
    return read_events(library.repository.store, library.work)[-1].time


def test_the_second_of_two_people_learns_it_and_keeps_what_was_entered(library: Library) -> None:
    anna, bo = library.browser("anna"), library.browser("bo")
    opened = bo.get(library.path).text
    assert library.send(anna, "天地元黃", "宇宙洪荒").status_code == 303
    waits = library.send(bo, "天地玄黃", "宇宙洪流", page=opened)
    assert waits.status_code == 503
    assert "宇宙洪流" in waits.text
    page = library.press(bo, opened, "add-2", line=["天地玄黃", "宇宙洪流"])
    assert form_of(page)["line"] == ["天地玄黃", "宇宙洪流", ""]
    mistyped = library.send(bo, "天地玄黃", "宇宙洪流\uffff", page=opened)
    assert (mistyped.status_code, form_of(mistyped.text)["line"][0]) == (400, "天地玄黃")
    library.run_jobs()
    told = library.send(bo, "天地玄黃", "宇宙洪流", page=opened)
    assert told.status_code == 409
    assert 'role="alert"' in told.text
    assert "<li>宇宙洪流</li>" in told.text
    assert 'value="天地元黃"' in told.text
    assert library.best().plain() == "天地元黃\n宇宙洪荒\n"


def test_of_two_jobs_for_one_text_the_second_fails_and_shows_its_lines(library: Library) -> None:
    browser = library.browser()
    text = library.best()
    jobs = [
        correct_text_job(library.work, asdict(TextCorrection("0001", text.kind, text_digest(text), lines, "")))
        for lines in ((TextLine("甲"),), (TextLine("丙"), TextLine("丁")))
    ]
    with local_runner(library.context) as runner:
        states = [runner.attempt([job])[0].state for job in jobs]
    assert states == [JobState.DONE, JobState.FAILED]
    shown = browser.get(f"{library.path}?saved={jobs[1].key.rpartition(':')[2]}").text
    assert "<li>丙</li>" in shown
    assert 'value="甲"' in shown


def test_a_form_that_breaks_the_rules_or_changes_nothing_saves_nothing(library: Library) -> None:
    browser = library.browser()
    refused = (("一",), ("", " "), ("一" * 1001, "二"), ("\uffff", "二"))
    assert {library.send(browser, *lines).status_code for lines in refused} == {400}
    assert 'value="二"' in library.send(browser, "\uffff", "二").text
    assert library.send(browser, "一", "二", kind="poem").status_code == 400
    assert library.send(browser, "一", "二", csrf_token="x").status_code == 400
    assert library.send(browser, "天地玄黃", "宇宙洪荒").headers["Location"].endswith("saved=-")
    assert library.repository.jobs.active(CORRECT_TEXT) == []


def test_lines_are_split_added_moved_marked_and_deleted_in_one_correction(library: Library) -> None:
    browser = library.browser()
    page = library.press(browser, browser.get(library.path).text, "split-1", split=["2", ""])
    assert "改动尚未保存" in page
    assert form_of(page)["line"] == ["天地", "玄黃", "宇宙洪荒"]
    page = library.press(browser, page, "delete-3", note=["0", "1"])
    page = library.press(browser, page, "add-0")
    page = library.press(browser, page, "down-1", line=["日月 ", "天地", "玄黃"])
    page = library.press(browser, page, "add-3")
    assert library.best().plain() == "天地玄黃\n宇宙洪荒\n"
    assert form_of(page)["y"] == ["90", "", "440", ""]
    placed = {"x": ["３７０", "600", "370", ""], "y": ["90", "0", "440", ""]}
    placed |= {"width": ["70", "100", "70", ""], "height": ["350", "900", "350", ""]}
    saved = library.post(browser, {**form_of(page), **placed})
    assert saved.status_code == 303, saved.text
    [job] = library.run_jobs()
    assert job.state is JobState.DONE, job.result
    assert library.best().lines == (
        TextLine("天地", Rectangle(370, 90, 70, 350), is_note=True),
        TextLine("日月", Rectangle(600, 0, 100, 900)),
        TextLine("玄黃", Rectangle(370, 440, 70, 350), is_note=True),
    )
    event = read_events(library.repository.store, library.work)[-1]
    assert event.detail.items() >= {"lines": "3", "version": "v2"}.items()
    annotations = browser.get(f"/works/{library.work}/text/1.xml").text
    assert annotations.count('TAGREFS="note"') == 2
    assert browser.get(saved.headers["Location"]).text.count("<small>夹注</small>") == 2


REFUSED = (
    ({"x": ["631", "170"]}, "第 1 行的位置超出图像；图像宽 700、高 900 像素"),
    ({"height": ["700", "0"]}, "第 2 行的位置超出图像"),
    ({"y": ["90", "-1"]}, "第 2 行的位置须为四个整数"),
    ({"width": ["", "70"]}, "第 1 行的位置须为四个整数"),
    ({"change": ["split-2"], "split": ["1", "4"]}, "第 2 行有 4 字，请填写在第几字之后拆开，至少 1，至多 3"),
    ({"change": ["split-1"], "line": ["天", "宇"]}, "第 1 行不足两字"),
    ({"change": ["down-3"]}, "表单不完整"),
    ({"change": ["burn-1"]}, "表单不完整"),
    ({"x": ["1"]}, "表单不完整"),
)


def test_places_off_the_picture_and_impossible_changes_are_refused_with_what_was_typed(library: Library) -> None:
    browser = library.browser()
    opened = form_of(browser.get(library.path).text)
    for fields, told in REFUSED:
        refused = library.post(browser, {**opened, **fields})
        assert (refused.status_code, told in refused.text) == (400, True), (fields, refused.text)
        if "x" not in fields or len(fields["x"]) == 2:
            assert form_of(refused.text).items() >= {k: v for k, v in fields.items() if k != "change"}.items()
    assert library.repository.jobs.active(CORRECT_TEXT) == []


def test_a_button_pressed_on_a_page_that_has_changed_tells_it(library: Library) -> None:
    browser = library.browser()
    opened = browser.get(library.path).text
    library.send(browser, "甲", "乙", page=opened)
    library.run_jobs()
    told = library.post(browser, {**form_of(opened), "line": ["天地玄黃", "宇宙洪流"], "change": ["up-2"]})
    assert told.status_code == 409
    assert "<li>宇宙洪流</li>" in told.text
    assert form_of(told.text)["line"] == ["甲", "乙"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["add", "delete", "split", "up", "down"]), st.integers(0, 20)), max_size=8))
def test_any_changes_keep_texts_and_order_as_in_a_list(library: Library, changes: list[tuple[str, int]]) -> None:
    browser = library.browser()
    page = browser.get(library.path).text
    expected = ["天地玄黃", "宇宙洪荒"]
    for step, (name, seed) in enumerate(changes):
        fields: dict[str, list[str]] = {}
        number = seed % (len(expected) + 1)
        at = 1 + seed % 3
        if name == "add":
            expected.insert(number, "")
        elif number == 0 or (name == "split" and len(expected[number - 1]) <= at):
            continue
        elif name == "delete":
            del expected[number - 1]
        elif name == "split":
            fields["split"] = [str(at)] * len(expected)
            line = expected[number - 1]
            expected[number - 1 : number] = [line[:at], line[at:]]
        else:
            other = min(max(number - 1 + (1 if name == "down" else -1), 0), len(expected) - 1)
            expected[number - 1], expected[other] = expected[other], expected[number - 1]
        page = library.press(browser, page, f"{name}-{number}", **fields)
        assert form_of(page).get("line", []) == expected
        expected = [line or f"新{step}" for line in expected]
        page = page.replace('name="line" value=""', f'name="line" value="新{step}"')
    assert form_of(page).get("line", []) == expected


def test_staff_alone_correct_also_a_restricted_work_but_no_withdrawn_one(library: Library) -> None:
    anonymous = Browser(create_app(library.repository, passwords=library.passwords).test_client())
    assert anonymous.get(library.path).status_code == 303
    assert library.browser("du").get(library.path).status_code == 303
    assert "校正</a>" not in anonymous.get(f"/works/{library.work}/text").text
    set_level(library.repository, library.work, replace(WorkAccess(), access=Access.RESTRICTED))
    browser = library.browser()
    assert f'href="{library.path}"' in browser.get(f"/works/{library.work}/text").text
    assert f'href="{library.path}"' in browser.get(f"/staff/works/{library.work}").text
    assert browser.get(library.path).text.count("/iiif/image/3/") == 3
    assert browser.get(f"/staff/works/{library.work}/text/3").status_code == 404
    withdraw(library.repository, library.work, "請求")
    assert browser.get(library.path).status_code == 410
