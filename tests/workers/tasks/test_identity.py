"""Which work a deposit is: another book is refused, a changed copy is no second work, a revision says what changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from deposits import write_deposit

from repository.database.outbox import Job, JobState
from workers.deposit.comparison import Changes
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job


def ingest(context: TaskContext, deposit: Path, revises: str | None = None) -> Job:
    with local_runner(context) as runner:
        return runner.run(ingest_job(deposit, revises))


def identified(folder: Path, identifier: str | None, title: str = "試書", seed: int = 0, more: str = "") -> Path:
    """Write a deposit of three pages; `seed` changes all of them."""
    deposit = write_deposit(folder, title=title, seed=seed)
    record = deposit / "work.toml"
    lines = f'identifier = "{identifier}"\n' if identifier else ""
    record.write_text(lines + more + record.read_text("utf-8"), "utf-8")
    return deposit


def done(job: Job) -> dict[str, object]:
    assert job.state is JobState.DONE, job.result
    assert job.result is not None
    return dict(job.result)


def refusal(job: Job) -> tuple[str, str]:
    """Return code and Chinese message of the only fault."""
    assert job.state is JobState.FAILED
    assert job.result is not None
    (fault,) = job.result["faults"]  # type: ignore[misc, attr-defined]
    return fault["code"], fault["message"]["zh"]


def rescan(deposit: Path, page: str, seed: int = 99) -> None:
    """Replace the picture of a page."""
    other = write_deposit(deposit.parent / f"rescan-{seed}", 1, seed=seed)
    (other / "0001.tif").replace(deposit / page)


def test_reused_identifier_does_not_replace_another_book(context: TaskContext, tmp_path: Path) -> None:
    held = done(ingest(context, identified(tmp_path / "a", "SB-1", "論語集解")))["identifier"]
    code, message = refusal(ingest(context, other := identified(tmp_path / "b", "SB-1", "孟子", seed=50)))
    assert code == "identifier.other-work"
    assert all(words in message for words in ("論語集解", "孟子", "SB-1", str(held), "--revises"))
    work = context.repository.catalogue.work(str(held))
    assert work is not None
    assert work.record.title == "論語集解"
    revised = done(ingest(context, other, str(held)))
    assert (revised["identifier"], revised["version"], revised["changed"]) == (held, 2, True)


@pytest.mark.parametrize(
    ("title", "more", "seed", "is_refused"),
    [
        ("試書", "", 50, False),  # the same description: scanned again
        ("試書（修訂）", "", 0, False),  # the same pictures: record corrected
        ("試 書！", "", 50, False),
        ("別書", "", 50, True),
        ("試書", 'call_number = "善 118"\n', 50, True),  # another copy of the same title
        ("試書", 'call_number = "善 118"\n', 0, False),
    ],
)
def test_deposit_with_a_held_identifier_must_share_pictures_or_description(
    title: str, more: str, seed: int, is_refused: bool, context: TaskContext, tmp_path: Path
) -> None:
    ingest(context, identified(tmp_path / "a", "SB-1", more='call_number = "善 117"\n' if more else ""))
    job = ingest(context, identified(tmp_path / "b", "SB-1", title, seed, more))
    assert (job.state is JobState.FAILED) == is_refused


def test_refused_book_leaves_the_held_work_as_it_was(context: TaskContext, tmp_path: Path) -> None:
    ingest(context, identified(tmp_path / "a", "SB-1"))
    keys = {item.key for item in context.repository.store.list()}
    refusal(ingest(context, identified(tmp_path / "b", "SB-1", "別書", seed=50)))
    assert {item.key for item in context.repository.store.list()} == keys


def test_changed_page_makes_no_second_work(context: TaskContext, tmp_path: Path) -> None:
    deposit = identified(tmp_path / "a", None)
    held = str(done(ingest(context, deposit))["identifier"])
    rescan(deposit, "0002.tif")
    code, message = refusal(ingest(context, deposit))
    assert code == "deposit.held"
    assert f"--revises {held}" in message
    assert "2 幅" in message
    revised = done(ingest(context, deposit, held))
    assert (revised["identifier"], revised["version"]) == (held, 2)
    assert Changes.of_json(revised["changes"]) == Changes((), (), ("0002",), (), record=False)  # type: ignore[arg-type]
    again = done(ingest(context, deposit))
    assert (again["identifier"], again["version"], again["changed"]) == (held, 2, False)
    assert context.repository.catalogue.counts().works == 1


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_deposit_without_identifier_that_holds_mostly_new_pictures_is_a_new_work(
    pages: int, context: TaskContext, tmp_path: Path
) -> None:
    ingest(context, identified(tmp_path / "a", None))
    other = identified(tmp_path / "b", None, "別書", seed=50)
    for page in range(1, pages + 1):
        (other / f"000{page}.tif").write_bytes((tmp_path / f"a/000{page}.tif").read_bytes())
    job = ingest(context, other)
    assert (job.state is JobState.DONE) == (pages == 1 or pages == 3)
    assert context.repository.catalogue.counts().works == (2 if pages == 1 else 1)


def test_new_identifier_may_share_all_pictures(context: TaskContext, tmp_path: Path) -> None:
    first = done(ingest(context, identified(tmp_path / "a", "SB-1")))
    second = done(ingest(context, identified(tmp_path / "b", "SB-2")))
    assert first["identifier"] != second["identifier"]


def test_revision_reports_pages_that_were_added_removed_replaced_and_moved(
    context: TaskContext, tmp_path: Path
) -> None:
    deposit = identified(tmp_path / "a", "SB-1")
    done(ingest(context, deposit))
    (deposit / "0003.tif").rename(deposit / "0004.tif")
    (deposit / "0002.tif").rename(deposit / "0003.tif")
    rescan(deposit, "0002.tif")
    (deposit / "0001.tif").unlink()
    record = deposit / "work.toml"
    record.write_text(record.read_text("utf-8").replace("0001-0003", "0002-0004"), "utf-8")
    changes = Changes.of_json(done(ingest(context, deposit))["changes"])  # type: ignore[arg-type]
    assert changes == Changes((), ("0001",), ("0002",), ("0003", "0004"), record=True)


@pytest.mark.parametrize(
    ("own", "given", "is_accepted"),
    [("SB-1", "SB-1", True), ("SB-1", "SB-2", False), (None, "SB-2", False), ("SB-1", None, True)],
)
def test_revision_keeps_the_identifier_of_its_work(
    own: str | None, given: str | None, is_accepted: bool, context: TaskContext, tmp_path: Path
) -> None:
    held = str(done(ingest(context, identified(tmp_path / "a", own)))["identifier"])
    job = ingest(context, identified(tmp_path / "b", given, "別書", seed=50), held)
    if is_accepted:
        work = context.repository.catalogue.work(str(done(job)["identifier"]))
        assert work is not None
        assert (work.identifier, work.record.identifier) == (held, own)
    else:
        assert refusal(job)[0] == "identifier.revision"


def test_revision_of_an_unknown_work_is_a_fault_of_the_call(context: TaskContext, deposit: Path) -> None:
    job = ingest(context, deposit, "w0000000000000000x")
    assert (job.state, (job.result or {})["branch"]) == (JobState.FAILED, "call")


def test_revision_replaces_a_waiting_ingest_of_the_same_folder(context: TaskContext, deposit: Path) -> None:
    jobs = context.repository.jobs
    for revises in (None, "w1", None):
        jobs.enqueue(ingest_job(deposit, revises))
        job = jobs.get(ingest_job(deposit).key)
        assert job is not None
        assert job.arguments.get("revises") == revises
