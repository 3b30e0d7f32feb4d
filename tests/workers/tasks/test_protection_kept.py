"""A deposit never lessens the protection of a held work silently: its watermark and its redactions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from deposits import write_deposit
from silent_progress import SilentProgress

from repository.database.outbox import Job, JobState
from repository.model.work import Rectangle
from repository.repository import Repository, memory_repository
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.maintenance.rebuild import rebuild
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

AREA, OTHER = Rectangle(10, 20, 30, 40), Rectangle(1, 2, 3, 4)
TITLE = 'title = "試書"\nidentifier = "SB-1"\n'
REDACTED = '[[page]]\nfile = "0002"\nredact = ["10,20,30,40"]\n'
PROTECTED = TITLE + "watermark = true\n" + REDACTED
KEPT = ("watermark.kept", "redactions.kept")


def ingest(context: TaskContext, deposit: Path, record: str, revises: str | None = None) -> Job:
    (deposit / "work.toml").write_text(record, "utf-8")
    with local_runner(context) as runner:
        return runner.run(ingest_job(deposit, revises))


def work_of(job: Job) -> str:
    assert job.state is JobState.DONE, job.result
    return str((job.result or {})["identifier"])


def codes(job: Job, what: str = "notices") -> tuple[str, ...]:
    entries = (job.result or {})[what]
    assert isinstance(entries, list)
    return tuple(entry["code"] for entry in entries)


def protection(repository: Repository, work: str) -> tuple[bool, list[tuple[Rectangle, ...]]]:
    """Return what the image service reads: whether the work has a watermark, and the redactions of its pages."""
    held = repository.catalogue.work(work)
    assert held is not None
    images = [repository.catalogue.image(page.images[0].identifier) for page in held.pages()]
    [watermark] = {image.rights.watermark for image in images if image}
    return watermark, [image.redactions for image in images if image]


def rebuilt(context: TaskContext) -> Repository:
    """Return the repository with an empty database, rebuilt from the store."""
    fresh = memory_repository(context.repository.settings, context.repository.clock)
    empty = prepare_repository(replace(fresh, store=context.repository.store))
    rebuild(empty, context.examiner, SilentProgress())
    return empty


@pytest.mark.parametrize(
    ("lines", "watermark", "areas", "notices"),
    [
        pytest.param("", True, (AREA,), KEPT, id="silent about both"),
        pytest.param(REDACTED, True, (AREA,), KEPT[:1], id="silent about the watermark"),
        pytest.param("watermark = true\n", True, (AREA,), KEPT[1:], id="silent about the redactions"),
        pytest.param('[[page]]\nfile = "0002"\nlabel = "序"\n', True, (AREA,), KEPT, id="a table without redact"),
        pytest.param("watermark = false\n", False, (AREA,), KEPT[1:], id="watermark removed"),
        pytest.param('[[page]]\nfile = "0002"\nredact = []\n', True, (), KEPT[:1], id="redactions removed"),
        pytest.param('[[page]]\nfile = "0002"\nredact = ["1,2,3,4"]\n', True, (OTHER,), KEPT[:1], id="other areas"),
    ],
)
def test_deposit_keeps_the_protection_that_it_does_not_change(
    context: TaskContext, deposit: Path, lines: str, watermark: bool, areas: tuple[Rectangle, ...], notices: object
) -> None:
    work = work_of(ingest(context, deposit, PROTECTED))
    again = ingest(context, deposit, TITLE + lines)
    assert work_of(again) == work
    expected = watermark, [(), areas, ()]
    assert protection(context.repository, work) == expected
    assert codes(again) == notices
    assert protection(rebuilt(context), work) == expected
    repeated = ingest(context, deposit, TITLE + lines)
    assert repeated.result is not None
    assert repeated.result["changed"] is False
    assert protection(context.repository, work) == expected


def test_redactions_follow_their_image_to_another_page(context: TaskContext, deposit: Path) -> None:
    work = work_of(ingest(context, deposit, PROTECTED))
    (deposit / "0003.tif").rename(deposit / "0004.tif")
    (deposit / "0002.tif").rename(deposit / "0003.tif")
    write_deposit(deposit.parent / "new", 1, seed=50).joinpath("0001.tif").rename(deposit / "0002.tif")
    work_of(ingest(context, deposit, TITLE))
    assert protection(context.repository, work) == (True, [(), (), (AREA,), ()])


def test_replaced_image_of_a_redacted_page_needs_a_decision(context: TaskContext, deposit: Path) -> None:
    work = work_of(ingest(context, deposit, PROTECTED))
    write_deposit(deposit.parent / "new", 1, seed=50).joinpath("0001.tif").replace(deposit / "0002.tif")
    refused = ingest(context, deposit, TITLE)
    assert refused.state is JobState.FAILED
    assert codes(refused, "faults") == ("redactions.undecided",)
    assert protection(context.repository, work) == (True, [(), (AREA,), ()])
    work_of(ingest(context, deposit, TITLE + '[[page]]\nfile = "0002"\nredact = ["1,2,3,4"]\n'))
    assert protection(context.repository, work) == (True, [(), (OTHER,), ()])


TABLE = '[[page]]\nfile = "{}"\n'
PHOTOGRAPH = TABLE.format("0003") + 'of = "0002"\n'
BOTH_REDACTED = TITLE + REDACTED + PHOTOGRAPH + 'redact = ["1,2,3,4"]\n'


def photographs(repository: Repository, work: str) -> list[tuple[Rectangle, ...]]:
    """Return the redactions of both photographs of the second page."""
    held = repository.catalogue.work(work)
    assert held is not None
    images = [repository.catalogue.image(image.identifier) for image in list(held.pages())[1].images]
    return [image.redactions for image in images if image]


@pytest.mark.parametrize(
    ("lines", "areas"),
    [
        pytest.param(PHOTOGRAPH, [(AREA,), (OTHER,)], id="silent about both"),
        pytest.param(REDACTED + PHOTOGRAPH, [(AREA,), (OTHER,)], id="silent about the other photograph"),
        pytest.param(PHOTOGRAPH + "redact = []\n", [(AREA,), ()], id="removed from the other photograph"),
        pytest.param(TABLE.format("0002") + "redact = []\n" + PHOTOGRAPH, [(), (OTHER,)], id="removed from the first"),
    ],
)
def test_each_photograph_of_a_page_keeps_its_own_redactions(
    context: TaskContext, deposit: Path, lines: str, areas: list[tuple[Rectangle, ...]]
) -> None:
    work = work_of(ingest(context, deposit, BOTH_REDACTED))
    assert photographs(context.repository, work) == [(AREA,), (OTHER,)]
    work_of(ingest(context, deposit, TITLE + lines))
    assert photographs(context.repository, work) == areas


def test_replaced_other_photograph_needs_a_decision_of_its_own(context: TaskContext, deposit: Path) -> None:
    work = work_of(ingest(context, deposit, BOTH_REDACTED))
    write_deposit(deposit.parent / "new", 1, seed=50).joinpath("0001.tif").replace(deposit / "0003.tif")
    refused = ingest(context, deposit, TITLE + REDACTED + PHOTOGRAPH)
    assert refused.state is JobState.FAILED
    assert codes(refused, "faults") == ("redactions.undecided",)
    assert (refused.result or {})["faults"][0]["file"] == "0003.tif"  # type: ignore[index]
    work_of(ingest(context, deposit, TITLE + PHOTOGRAPH + 'redact = ["1,2,3,4"]\n'))
    assert photographs(context.repository, work) == [(AREA,), (OTHER,)]


def test_declared_revision_keeps_the_protection(context: TaskContext, deposit: Path) -> None:
    unidentified = PROTECTED.replace('identifier = "SB-1"\n', "")
    work = work_of(ingest(context, deposit, unidentified))
    write_deposit(deposit.parent / "new", 1, seed=50).joinpath("0001.tif").replace(deposit / "0003.tif")
    revision = ingest(context, deposit, 'title = "試書"\n', work)
    assert work_of(revision) == work
    assert codes(revision) == KEPT
    assert protection(context.repository, work) == (True, [(), (AREA,), ()])
