"""The text of pages is preserved with the work, and read from a document that can be made again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from deposits import write_deposit
from silent_progress import SilentProgress

from preservation.ocfl import objects
from preservation.ocfl.validation import validate_object
from repository import paths
from repository.database.outbox import Job, JobState, NewJob
from repository.model.text import TextKind
from repository.texts import pages_with_text, texts_of, texts_of_page
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.maintenance.rebuild import rebuild
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job, repair_work_job, text_job
from workers.text.statement import TextStatement

ALTO = """<alto><Layout><Page WIDTH="70" HEIGHT="90"><TextLine HPOS="7" VPOS="9" WIDTH="7" HEIGHT="70">
<String CONTENT="{text}"/></TextLine></Page></Layout></alto>"""


def run(context: TaskContext, new_job: NewJob) -> Job:
    with local_runner(context) as runner:
        [job] = runner.attempt([new_job])
    return job


def add(context: TaskContext, work: str, *files: Path, **stated: object) -> Job:
    return run(context, text_job(work, files, stated))


@pytest.fixture
def deposit(tmp_path: Path) -> Path:
    folder = write_deposit(tmp_path / "deposit")
    (folder / "text").mkdir()
    (folder / "text/0001.xml").write_text(ALTO.format(text="天地玄黃"), "utf-8")
    with (folder / "work.toml").open("a", encoding="utf-8") as record:
        record.write('[[text]]\nsource = "engine 1"\nlanguage = "lzh"\nquality = 0.9\n')
    return folder


@pytest.fixture
def work(context: TaskContext, deposit: Path) -> str:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.state is JobState.DONE, job.result
    assert job.result
    return str(job.result["identifier"])


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_text_of_a_deposit_is_preserved_and_can_be_read(context: TaskContext, work: str, deposit: Path) -> None:
    store = context.repository.store
    assert objects.read_file(store, work, "text/0001.xml") == (deposit / "text/0001.xml").read_bytes()
    [text] = texts_of(store, work)
    assert (text.page, text.kind, text.source, text.quality) == ("0001", TextKind.OCR, "engine 1", 0.9)
    assert asdict(text.lines[0])["region"] == {"x": 70, "y": 90, "width": 70, "height": 700}


def test_text_that_is_added_makes_one_version_and_keeps_what_was_there(
    context: TaskContext, work: str, tmp_path: Path
) -> None:
    store = context.repository.store
    file = written(tmp_path / "0001.txt", "天地玄黃")
    for changed in (True, False):
        job = add(context, work, file, kind="transcription", source="甲")
        assert job.state is JobState.DONE, job.result
        assert job.result
        assert (job.result["version"], job.result["changed"]) == (2, changed)
    assert [text.kind for text in texts_of_page(store, work, "0001")] == [TextKind.TRANSCRIPTION, TextKind.OCR]
    assert not list(validate_object(store, paths.ocfl_object(work)).errors)
    add(context, work, written(tmp_path / "0001.txt", "別本"), kind="transcription", source="乙")
    assert {text.source for text in texts_of_page(store, work, "0001")} == {"甲", "乙", "engine 1"}
    add(context, work, written(tmp_path / "0001.txt", "更正"), kind="transcription", source="乙")
    plain = {text.source: text.plain() for text in texts_of_page(store, work, "0001")}
    assert plain == {"甲": "天地玄黃\n", "乙": "更正\n", "engine 1": "天地玄黃\n"}


def test_a_new_deposit_and_a_rebuild_keep_the_text_that_was_added(
    context: TaskContext, work: str, deposit: Path, tmp_path: Path, examiner: ChildDepositExaminer
) -> None:
    repository, store = context.repository, context.repository.store
    add(context, work, written(tmp_path / "0002.txt", "宇宙洪荒"), source="甲")
    version = repository.catalogue.version(work)
    document = store.read(paths.page_texts(work))
    with local_runner(context) as runner:
        assert runner.run(ingest_job(deposit)).state is JobState.DONE
    assert repository.catalogue.version(work) == version
    store.delete(paths.page_texts(work))
    rebuild(repository, examiner, SilentProgress())
    assert store.read(paths.page_texts(work)) == document
    assert pages_with_text(store, work).keys() == {"0001", "0002"}


@pytest.mark.parametrize("harm", [b"", None])
def test_a_repair_makes_a_damaged_or_missing_document_again(
    context: TaskContext, work: str, harm: bytes | None
) -> None:
    store, key = context.repository.store, paths.page_texts(work)
    document, manifest = store.read(key), store.read(paths.manifest(work))
    if harm is None:
        store.delete(key)
    else:
        store.put(key, harm)
    assert run(context, repair_work_job(work, derived=True)).state is JobState.DONE
    assert store.read(key) == document
    assert store.read(paths.manifest(work)) == manifest


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("0009.txt", "text", "text.page"),
        ("0001.xml", "<alto>", "text.syntax"),
        ("0001.json", "{}", "text.form"),
        ("book.xml", "<TEI><text><pb/><pb/></text></TEI>", "text.pages"),
    ],
)
def test_text_with_a_fault_changes_nothing(
    context: TaskContext, work: str, tmp_path: Path, name: str, content: str, code: str
) -> None:
    file = written(tmp_path / name, content)
    job = add(context, work, file)
    assert job.state is JobState.FAILED
    assert job.result
    assert [(fault["code"], fault["file"]) for fault in job.result["faults"]] == [(code, str(file))]
    assert job.result["code"] == "text.refused"
    assert context.repository.catalogue.version(work) == 1


def test_two_files_of_one_name_are_refused_unless_they_are_equal(
    context: TaskContext, work: str, tmp_path: Path
) -> None:
    first, other = (written(tmp_path / folder / "0001.txt", text) for folder, text in (("a", "甲本"), ("b", "乙本")))
    refused = add(context, work, first, other)
    assert refused.state is JobState.FAILED
    assert refused.result
    [fault] = refused.result["faults"]
    assert (fault["code"], fault["file"], str(first) in fault["message"]["en"]) == ("text.twice", str(other), True)
    assert context.repository.catalogue.version(work) == 1
    written(other, "甲本")
    done = add(context, work, first, other)
    assert (done.state, (done.result or {})["pages"]) == (JobState.DONE, 1)


def test_the_job_holds_the_statement_as_json() -> None:
    job = text_job("w", [Path("/a.txt")], {"kind": "ocr"})
    assert json.loads(job.arguments["statement"]) == {"kind": "ocr"}
    assert TextStatement(**json.loads(job.arguments["statement"])).kind == "ocr"
