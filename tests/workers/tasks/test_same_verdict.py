"""`check` and `ingest` find the same faults of a deposit, and a deposit without faults is ingested."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
import pyvips
from silent_progress import SilentProgress

from repository.config import Settings
from repository.database.outbox import JobState
from repository.faults import Fault
from repository.repository import memory_repository
from workers.bootstrap import prepare_repository
from workers.deposit.check import check
from workers.deposit.examiner import ChildDepositExaminer, open_deposit_examiner
from workers.deposit.ranges import MOST_LEVELS
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

SIZE = 40
NOBODY = 65534
LIBC = ctypes.CDLL(None, use_errno=True)

Change = Callable[[Path], None]


@contextmanager
def without_privileges() -> Iterator[None]:
    """Access files as a user who is not root, in this thread and those that it starts (setfsuid(2))."""
    before = LIBC.setfsuid(NOBODY) if os.geteuid() == 0 else None
    try:
        yield
    finally:
        if before is not None:
            LIBC.setfsuid(before)


@pytest.fixture(scope="module")
def examiner() -> Iterator[ChildDepositExaminer]:
    """The real examiner, whose scratch folder every user may enter."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o777)
        with open_deposit_examiner(Settings(), Path(scratch), 2) as examiner:
            yield examiner


def flat(level: int = 200) -> pyvips.Image:
    return pyvips.Image.black(SIZE, SIZE).linear(1, level).cast("uchar")


def save(image: pyvips.Image, path: Path, **options: object) -> None:
    image.tiffsave(str(path), **options)


def add_record(text: str) -> Change:
    """Return a change that adds keys to the record, before its tables."""

    def change(deposit: Path) -> None:
        record = deposit / "work.toml"
        record.write_text(f"{text}\n{record.read_text('utf-8')}", "utf-8")

    return change


def nest(levels: int) -> Change:
    """Return a change that adds ranges nested to so many levels."""

    def change(deposit: Path) -> None:
        tables = [
            f'[[range]]\nlabel = "r{level}"\n' + (f'parent = "r{level - 1}"\n' if level > 1 else "")
            for level in range(1, levels + 1)
        ]
        with (deposit / "work.toml").open("a", encoding="utf-8") as record:
            record.write("".join(tables) + 'pages = "0001"\n')

    return change


def add_equal_pixels(deposit: Path) -> None:
    """Add two files with other bytes and equal pixels."""
    save(flat(), deposit / "0003.tif")
    save(flat(), deposit / "0004.tif", compression="lzw")


def add_equal_tiles(deposit: Path) -> None:
    """Add two files whose pixels differ so little that JPEG makes them equal."""
    save(flat(), deposit / "0003.tif")
    save(flat().draw_rect([201], 7, 7, 1, 1), deposit / "0004.tif")


def add_equal_tiles_of_other_depth(deposit: Path) -> None:
    save(flat(), deposit / "0003.tif")
    save(flat().cast("ushort").linear(257, 0).cast("ushort").copy(interpretation="grey16"), deposit / "0004.tif")


def add_text(deposit: Path) -> None:
    (deposit / "text").mkdir(exist_ok=True)
    (deposit / "text/0001.json").write_text("{}", "utf-8")


def make_unreadable(name: str) -> Change:
    def change(deposit: Path) -> None:
        path = deposit / name
        if not path.exists():
            add_text(deposit)
        path.chmod(0)

    return change


def add_manifest(*names: str) -> Change:
    """Return a change that adds the MD5 digests of these files as they are now."""

    def change(deposit: Path) -> None:
        lines = [f"{hashlib.md5((deposit / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
        (deposit / "MD5SUMS").write_text("".join(lines), "utf-8")

    return change


def write(name: str, content: bytes) -> Change:
    def change(deposit: Path) -> None:
        path = deposit / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    return change


CHANGES: dict[str, Change] = {
    "identifier": add_record('identifier = "LIB-1"'),
    "text": add_text,
    "equal pixels": add_equal_pixels,
    "equal tiles": add_equal_tiles,
    "equal tiles of another depth": add_equal_tiles_of_other_depth,
    "unreadable text": make_unreadable("text/0001.json"),
    "unreadable master": make_unreadable("0002.tif"),
    "unreadable record": make_unreadable("work.toml"),
    "levels at the limit": nest(MOST_LEVELS),
    "levels above the limit": nest(MOST_LEVELS + 1),
    "200 levels": nest(200),
    "1000 levels": nest(1000),
    "reduced": add_record('access = "reduced"\nmax_size = 1000000'),
    "size above the limit": add_record('access = "reduced"\nmax_size = 1000001'),
    "size above an integer of PostgreSQL": add_record('access = "reduced"\nmax_size = 2147483648'),
    "size above 64 bits": add_record('access = "reduced"\nmax_size = 99999999999999999999999'),
    "negative size": add_record('access = "reduced"\nmax_size = -1'),
    "rights": add_record('rights = "http://rightsstatements.org/vocab/NoC-NC/1.0/"'),
    "unusual rights": add_record('rights = "http://a/%zz?x=[1]"'),
    "old date": add_record('date = "-0500"'),
    "long title": add_record(f'summary = "{"長" * 70_000}"'),
    "odd letters": add_record('creator = ["\\U0010FFFF 𠮷\\u0301"]'),
    "damaged master": write("0002.tif", b"II*\0nonsense"),
    "empty master": write("0002.tif", b""),
    "gap": write("0009.tif", b"II*\0nonsense"),
    "digests of scanned files": add_manifest("0001.tif", "0002.tif", "work.toml"),
    "other digests": write("SHA256SUMS", f"{'0' * 64}  0001.tif\n{'0' * 64}  0007.tif\n".encode()),
    "malformed manifest": write("checksums.md5", b"nonsense"),
    "unexpected file": write("notes.docx", b"x"),
}


@contextmanager
def changed_deposit(changes: Iterable[str]) -> Iterator[Path]:
    """A deposit of two pages, changed, in a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        deposit = Path(folder) / "deposit"
        deposit.mkdir()
        (deposit / "work.toml").write_text('title = "試"\n', "utf-8")
        for number in (1, 2):
            noise = pyvips.Image.gaussnoise(SIZE, SIZE, mean=128, sigma=40, seed=number).cast("uchar")
            save(noise, deposit / f"{number:04d}.tif")
        for change in changes:
            CHANGES[change](deposit)
        yield deposit


def faults_of(faults: Iterable[Fault]) -> list[tuple[str, str, str]]:
    return sorted((fault.file, fault.place, fault.code) for fault in faults)


def assert_same_verdict(examiner: ChildDepositExaminer, changes: Iterable[str]) -> list[tuple[str, str, str]]:
    """Check and ingest the changed deposit, and ingest it once more; return its faults."""
    with changed_deposit(changes) as deposit, without_privileges():
        repository = prepare_repository(memory_repository(Settings(data=deposit.parent / "var")))
        expected = faults_of(check(deposit, examiner, SilentProgress()).faults)
        with local_runner(TaskContext(repository, examiner)) as runner:
            for _ in range(2):
                job = runner.run(ingest_job(deposit))
                assert job.result
                told = [Fault.of_json(fault) for fault in job.result.get("faults", ())]  # type: ignore[attr-defined]
                assert faults_of(told) == expected, job.result
                assert job.state is (JobState.FAILED if expected else JobState.DONE), job.result
            assert runner.unfinished() == []
        shutil.rmtree(deposit.parent / "var")
    return expected


@pytest.mark.parametrize("change", CHANGES)
def test_check_and_ingest_give_the_same_verdict(examiner: ChildDepositExaminer, change: str) -> None:
    assert_same_verdict(examiner, [change])


@pytest.mark.slow
@hypothesis.settings(max_examples=20)
@hypothesis.given(changes=st.lists(st.sampled_from(sorted(CHANGES)), min_size=2, max_size=4, unique=True))
def test_check_and_ingest_give_the_same_verdict_on_several_changes(
    examiner: ChildDepositExaminer, changes: list[str]
) -> None:
    assert_same_verdict(examiner, sorted(changes, key=lambda change: change.startswith("unreadable")))


def test_masters_are_duplicates_if_their_pixels_are_equal_and_not_their_tiles(examiner: ChildDepositExaminer) -> None:
    assert [fault[2] for fault in assert_same_verdict(examiner, ["equal pixels"])] == ["page.duplicate"]
    assert assert_same_verdict(examiner, ["equal tiles"]) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("unreadable text", "file.unreadable"),
        ("unreadable record", "file.unreadable"),
        ("unreadable master", "master.unreadable"),
        ("levels above the limit", "range.parent"),
        ("size above the limit", "record.type"),
    ],
)
def test_fault_is_named(examiner: ChildDepositExaminer, change: str, code: str) -> None:
    assert code in [fault[2] for fault in assert_same_verdict(examiner, [change])]
