"""Text is recognised by the real engine, added to the work, and recognised again only by another engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from deposits import write_deposit
from PIL import Image, ImageDraw, ImageFont

from preservation.ocfl import objects
from preservation.ocfl.validation import validate_object
from repository import paths
from repository.database.outbox import Job, JobState, NewJob
from repository.errors import DependencyMissing
from repository.model.text import TextKind
from repository.texts import texts_of_page
from sample_book.book import PACKAGE, find_font
from workers.execution.context import TaskContext
from workers.ocr import pages
from workers.ocr.pages import installed_engine
from workers.service.local import local_runner
from workers.tasks import recognise
from workers.tasks.jobs import ingest_job, recognise_work_job

LINES = ("天地玄黃宇宙洪荒", "日月盈昃", "日滿則側月盈", "則食辰者十二", "列", "寒來暑往秋收冬藏")
NOTE = (2, 3)

needs_engine = pytest.mark.skipif(installed_engine() is None, reason="the packages of OCR are absent: run make ocr")


def run(context: TaskContext, new_job: NewJob) -> Job:
    with local_runner(context) as runner:
        return runner.run(new_job)


def printed_page(path: Path) -> None:
    """Print `LINES` in three columns from the right on light paper, with a note in double columns in the second."""
    paper = np.random.default_rng(1).normal(215, 6, (900, 700)).astype(np.uint8)
    picture = Image.fromarray(paper)
    draw = ImageDraw.Draw(picture)
    places = ((500, 0), (330, 0), (371, 4), (328, 4), (330, 7), (160, 0))
    for number, (text, (left, first)) in enumerate(zip(LINES, places, strict=True)):
        size, step = (39, 46) if number in NOTE else (78, 92)
        font = ImageFont.truetype(find_font(PACKAGE), size)
        for row, character in enumerate(text):
            draw.text((left, 70 + 92 * first + step * row), character, 25, font)
    picture.save(path)


@pytest.fixture
def work(context: TaskContext, tmp_path: Path) -> str:
    """A work with a printed page, a page of noise, and a page whose text came with it."""
    folder = write_deposit(tmp_path / "book")
    printed_page(folder / "0001.tif")
    (folder / "text").mkdir()
    (folder / "text/0003.txt").write_text("錄文", "utf-8")
    job = run(context, ingest_job(folder))
    assert job.state is JobState.DONE, job.result
    return str((job.result or {})["identifier"])


@pytest.mark.slow
@needs_engine
def test_pages_without_text_are_recognised_once_by_each_version_of_the_engine(
    context: TaskContext, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = context.repository.store
    job = run(context, recognise_work_job(work))
    assert job.state is JobState.DONE, job.result
    assert job.result
    assert (job.result["read"], job.result["version"], job.result["changed"], job.result["faults"]) == (2, 2, True, [])
    [text] = texts_of_page(store, work, "0001")
    assert (text.kind, text.source, text.is_corrected) == (TextKind.OCR, installed_engine(), False)
    assert text.quality
    assert text.quality > 0.9
    found = "".join(line.text for line in text.lines)
    assert sum(a == b for a, b in zip(found, "".join(LINES), strict=False)) >= len("".join(LINES)) - 3
    assert [index for index, line in enumerate(text.lines) if line.is_note] == list(NOTE)
    regions = [line.region for line in text.lines if line.region]
    assert [region.x > 480 for region in regions] == [True] + [False] * 5
    assert regions[2].x > regions[3].x
    assert all(0 < region.x < 600 and region.height > 600 for region in (regions[0], regions[-1]))
    assert {each.kind for each in texts_of_page(store, work, "0003")} == {TextKind.TRANSCRIPTION}
    assert not list(validate_object(store, paths.ocfl_object(work)).errors)

    again = run(context, recognise_work_job(work)).result or {}
    assert (again["read"], again["version"], again["changed"]) == (0, 2, False)

    monkeypatch.setattr(recognise, "required_engine", lambda: "RapidOCR 99")
    newer = run(context, recognise_work_job(work)).result or {}
    assert (newer["read"], newer["version"], newer["changed"]) == (2, 3, True)
    assert [each.source for each in texts_of_page(store, work, "0001")] == ["RapidOCR 99"]
    assert b"RapidOCR 99" in objects.read_file(store, work, "text/shanben-ocr/0002.xml")


def test_without_the_engine_the_job_says_how_to_install_it(
    context: TaskContext, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "installed_engine", lambda: None)
    job = run(context, recognise_work_job(work))
    assert job.state is JobState.FAILED
    assert (job.result or {})["code"] == DependencyMissing.code
    assert "make ocr" in str(job.result)
