"""The text of a work over HTTP: for people, as plain text, as ALTO, as annotations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from deposits import write_deposit
from flask.testing import FlaskClient
from staff_browser import PASSWORD, Browser

from repository.model.accounts import Role
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Access, WorkAccess
from repository.texts import put_texts
from web.accounts.passwords import Passwords
from web.app import create_app
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.access import set_level, withdraw
from workers.tasks.jobs import ingest_job


@pytest.fixture
def work(context: TaskContext, tmp_path: Path) -> str:
    folder = write_deposit(tmp_path / "deposit")
    (folder / "text").mkdir()
    (folder / "text/0001.txt").write_text("天地玄黃\n宇宙洪荒\n", "utf-8")
    with local_runner(context) as runner:
        job = runner.run(ingest_job(folder))
    assert job.result
    return str(job.result["identifier"])


@pytest.fixture
def client(context: TaskContext) -> FlaskClient:
    return create_app(context.repository).test_client()


def paths_of(work: str) -> list[str]:
    files = [f"/works/{work}/text{end}" for end in ("", "/1.txt", "/1.xml", "/1.json")]
    return [*files, *(f"/iiif/presentation/{version}/{work}/canvas/1/text" for version in (2, 3))]


def test_the_text_is_shown_in_every_form_and_linked_from_the_work(client: FlaskClient, work: str) -> None:
    for path in paths_of(work):
        response = client.get(path)
        assert response.status_code == 200, path
        assert "天地玄黃" in response.get_data(as_text=True) or "\\u5929" in response.get_data(as_text=True), path
    assert client.get(f"/works/{work}/text/1.txt").get_data(as_text=True) == "天地玄黃\n宇宙洪荒\n"
    assert client.get(f"/works/{work}/text/1.txt").headers["Access-Control-Allow-Origin"] == "*"
    assert f'href="/works/{work}/text"' in client.get(f"/works/{work}").get_data(as_text=True)
    absent = client.get(f"/works/{work}/text/2.txt")
    assert (absent.status_code, absent.mimetype) == (404, "application/problem+json")
    assert client.get(f"/works/{work}/text/99.xml").status_code == 404


def test_other_texts_of_a_page_can_be_opened_below_the_best_one(
    context: TaskContext, client: FlaskClient, work: str
) -> None:
    texts = (
        PageText("0001", TextKind.OCR, (TextLine("大地元黄"),), "engine 1", 0.934),
        PageText("0001", TextKind.TRANSCRIPTION, (TextLine("天地玄黃"),), "甲本"),
        PageText("0001", TextKind.TRANSCRIPTION, (TextLine("天地元黃"),), "乙本"),
    )
    put_texts(context.repository.store, work, "v", texts)
    page = client.get(f"/works/{work}/text").get_data(as_text=True)
    best, *others = page.split('<details class="other-text">')
    assert "天地玄黃" in best
    assert len(others) == 2
    listed = client.get(f"/works/{work}/text/1.json").get_json()["texts"]
    assert [(text["kind"], text.get("source"), text.get("quality")) for text in listed] == [
        ("transcription", "甲本", None), ("transcription", "乙本", None), ("ocr", "engine 1", 0.934)
    ]  # fmt: skip
    assert listed[2]["label"]["zh-Hans"] == ["文字识别（未经校对）"]
    assert listed[2]["lines"] == [{"text": "大地元黄"}]
    for other, words in zip(others, (("乙本", "天地元黃", "录文"), ("engine 1", "93%", "大地元黄")), strict=True):
        assert all(word in other.partition("</details>")[0] for word in words)


def test_a_reader_of_a_restricted_work_is_led_to_no_address_that_refuses_them(
    context: TaskContext, client: FlaskClient, work: str
) -> None:
    assert f"/works/{work}/text/1.txt" in client.get(f"/works/{work}/text").get_data(as_text=True)
    set_level(context.repository, work, replace(WorkAccess(), access=Access.RESTRICTED))
    passwords = Passwords(memory_kib=64, passes=1)
    context.repository.accounts.add("reader", Role.READER, passwords.hash(PASSWORD))
    reader = Browser(create_app(context.repository, passwords=passwords).test_client())
    reader.log_in("reader")
    page = reader.get(f"/works/{work}/text").text
    assert "天地玄黃" in page
    assert f"/works/{work}/text/1.txt" not in page


def test_the_text_of_a_work_that_is_not_shown_is_not_shown(
    context: TaskContext, client: FlaskClient, work: str
) -> None:
    set_level(context.repository, work, replace(WorkAccess(), access=Access.RESTRICTED))
    assert {client.get(path).status_code for path in paths_of(work)} <= {401, 403}
    withdraw(context.repository, work, "請求")
    assert {client.get(path).status_code for path in paths_of(work)} == {410}
