"""Staff correct the lines of a page's text beside their pictures; each correction is a version and an event."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from deposits import write_deposit
from staff_browser import PASSWORD, Browser
from werkzeug.test import TestResponse

from preservation.ocfl import objects
from preservation.ocfl.validation import validate_object
from repository import paths
from repository.database.outbox import Job, JobState, NewJob
from repository.model.accounts import Role
from repository.model.text import PageText, TextKind
from repository.model.work import Access, WorkAccess
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
    """A library with one work, on whose first page are two columns, and browsers of its staff."""

    context: TaskContext
    passwords: Passwords
    work: str

    @property
    def repository(self) -> Repository:
        return self.context.repository

    @property
    def path(self) -> str:
        return f"/staff/works/{self.work}/text/1"

    def browser(self, name: str = "anna") -> Browser:
        browser = Browser(create_app(self.repository, passwords=self.passwords).test_client())
        assert browser.log_in(name).status_code == 303
        return browser

    def best(self) -> PageText:
        return texts_of_page(self.repository.store, self.work, "0001")[0]

    def send(self, browser: Browser, *lines: str, page: str = "", **other: str) -> TestResponse:
        """Send the form of a page that was opened, or opens now, with these lines."""
        page = page or browser.get(self.path).text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        return browser.client.post(
            self.path,
            data={**fields, **other, "line": list(lines)},
            environ_overrides={"REMOTE_ADDR": browser.address},
            headers={"Accept-Language": "zh", "Referer": f"{browser.host}{self.path}"},
        )

    def run_jobs(self) -> list[Job]:
        waiting = [job for job, _ in self.repository.jobs.active(CORRECT_TEXT)]
        with local_runner(self.context) as runner:
            return runner.attempt([NewJob(job.key, job.kind, job.arguments) for job in waiting])


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
    assert page.count("/iiif/image/3/") == 2
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


def job_time(library: Library) -> str:
    return read_events(library.repository.store, library.work)[-1].time


def test_the_second_of_two_people_learns_it_and_keeps_what_was_entered(library: Library) -> None:
    anna, bo = library.browser("anna"), library.browser("bo")
    opened = bo.get(library.path).text
    assert library.send(anna, "天地元黃", "宇宙洪荒").status_code == 303
    waits = library.send(bo, "天地玄黃", "宇宙洪流", page=opened)
    assert waits.status_code == 503
    assert "宇宙洪流" in waits.text
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
        for lines in (("甲", "乙"), ("丙", "丁"))
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


def test_staff_alone_correct_also_a_restricted_work_but_no_withdrawn_one(library: Library) -> None:
    anonymous = Browser(create_app(library.repository, passwords=library.passwords).test_client())
    assert anonymous.get(library.path).status_code == 303
    assert library.browser("du").get(library.path).status_code == 303
    assert "校正</a>" not in anonymous.get(f"/works/{library.work}/text").text
    set_level(library.repository, library.work, replace(WorkAccess(), access=Access.RESTRICTED))
    browser = library.browser()
    assert f'href="{library.path}"' in browser.get(f"/works/{library.work}/text").text
    assert f'href="{library.path}"' in browser.get(f"/staff/works/{library.work}").text
    assert browser.get(library.path).text.count("/iiif/image/3/") == 2
    assert "此页没有文本" in browser.get(f"/staff/works/{library.work}/text/2").text
    assert browser.get(f"/staff/works/{library.work}/text/3").status_code == 404
    withdraw(library.repository, library.work, "請求")
    assert browser.get(library.path).status_code == 410
