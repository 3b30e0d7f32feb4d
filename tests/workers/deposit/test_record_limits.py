"""Records that would take a parser gigabytes or minutes, read in the sandbox as an ingest reads them."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from silent_progress import SilentProgress

from repository.config import Settings
from workers.deposit.check import check
from workers.deposit.examiner import ChildDepositExaminer, open_deposit_examiner
from workers.deposit.listing import MAX_TEXT_BYTES
from workers.deposit.record import ReadRecord, read_record
from workers.deposit.record_limits import MAX_BYTES, MAX_DEPTH, MAX_ENTRIES, MAX_PARTS, MAX_WORD, exceeded_limit

TITLE = 'title = "論語"\n'

EXPLOSIVE = {
    "dotted key": ".".join("a" * 20_000) + " = 1",
    "dotted key with spaces": " . ".join("a" * 20_000) + " = 1",
    "quoted dotted key": ".".join(['"a"'] * 20_000) + " = 1",
    "dotted table": "[" + ".".join("a" * 20_000) + "]",
    "dotted key in a table": "x = { " + ".".join("a" * 20_000) + " = 1 }",
    "arrays in arrays": "x = " + "[" * 50_000 + "]" * 50_000,
    "tables in tables": "x = " + "{ a = " * 20_000 + "1" + " }" * 20_000,
    "arrays and tables": "x = " + "[{ a = " * 10_000 + "1" + " }]" * 10_000,
    "arrays over lines": "x = " + "[\n" * 50_000 + "]" * 50_000,
    "decimal digits": "max_size = " + "9" * 100_000,
    "digits with underscores": "max_size = 1" + "_1" * 50_000,
    "hexadecimal digits": "max_size = 0x" + "f" * 100_000,
    "a fraction": "max_size = 1." + "1" * 100_000,
    "a date": "date = 2024-01-01T00:00:00." + "1" * 100_000,
    "a bare key": "a" * 100_000 + " = 1",
    "many keys": "".join(f"{number:x}k=1\n" for number in range(MAX_ENTRIES)),
    "open texts": '"""' * 3001,
}


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> ChildDepositExaminer:
    with open_deposit_examiner(Settings(), tmp_path_factory.mktemp("scratch"), 1) as examiner:
        yield examiner


@pytest.mark.parametrize("name", EXPLOSIVE)
def test_an_explosive_record_is_a_fault_of_its_line(name: str, examiner: ChildDepositExaminer) -> None:
    content = (TITLE + EXPLOSIVE[name]).encode()
    assert len(content) <= MAX_BYTES
    description, faults = examiner.read_record(content)
    assert description is None
    (fault,) = faults
    if name == "open texts":
        assert fault.code == "record.syntax"
    else:
        assert fault.code == "record.limit"
        assert fault.place.startswith("line ")
        assert fault.place != "line 1"


def test_a_record_is_the_same_in_the_sandbox(examiner: ChildDepositExaminer) -> None:
    content = (
        TITLE + 'date = { text = "明", earliest = "1573" }\n[[page]]\nfile = "1"\nredact = ["1,2,3,4"]\nunknown = 1\n'
    )
    read = examiner.read_record(content.encode())
    assert read == read_record(content.encode())
    assert isinstance(read, ReadRecord)
    assert read.description is not None


def test_a_record_that_takes_too_long_is_a_fault(
    examiner: ChildDepositExaminer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.deposit.examiner.RECORD_SECONDS", 0.001)
    content = TITLE + "".join(f'[[page]]\nfile = "{number}"\n' for number in range(20_000))
    (fault,) = examiner.read_record(content.encode()).faults
    assert fault.code == "record.limit"


@pytest.mark.parametrize("length", [MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1])
def test_a_record_has_a_largest_size(length: int, examiner: ChildDepositExaminer, tmp_path: Path) -> None:
    record = tmp_path / "work.toml"
    record.write_text(TITLE.ljust(length - len(TITLE.encode()) + len(TITLE), "\n"))
    assert record.stat().st_size == length
    codes = {fault.code for fault in check(tmp_path, examiner, SilentProgress()).faults}
    assert ("record.size" in codes) is (length > MAX_BYTES)


@pytest.mark.parametrize("length", [MAX_TEXT_BYTES, MAX_TEXT_BYTES + 1])
def test_a_text_has_a_largest_size(length: int, examiner: ChildDepositExaminer, tmp_path: Path) -> None:
    (tmp_path / "work.toml").write_text(TITLE)
    (tmp_path / "text").mkdir()
    with (tmp_path / "text/0001.json").open("wb") as file:
        file.truncate(length)
    codes = {fault.code for fault in check(tmp_path, examiner, SilentProgress()).faults}
    assert ("text.size" in codes) is (length > MAX_TEXT_BYTES)


WORDS = st.text(st.sampled_from("ab甲 .[]{}=,#'\"\\1"), max_size=300)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(WORDS, values, max_size=3),
    max_leaves=8,
)


def toml(value: object) -> str:
    """Return a value in TOML, with texts as JSON writes them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",\n".join(map(toml, value)) + "]"
    return json.dumps(value)


@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_every_limit_ignores_what_texts_and_comments_contain(table: dict[str, object]) -> None:
    document = "".join(f"{json.dumps(key)} = {toml(value)} # {'[' * 40}{'.' * 40}\n" for key, value in table.items())
    assert tomllib.loads(document) == table
    assert exceeded_limit(document) is None


@pytest.mark.parametrize(
    "text",
    [
        "a = '''\n" + "[[[[" * 20 + "'''\n",
        'a = """\n' + "a.b.c." * 20 + '""""\nb = 1.5\n',
        "# " + "a." * 100,
        "'a.b.c.d.e.f.g.h.i.j' = 1",
        "a = " + json.dumps("1" * 1000),
        f"a = {datetime.datetime(2024, 1, 1, 12, 30, 15, 123456, datetime.UTC).isoformat()}",
        "[[range]]\n[[range]]\n" * 1000,
        ".".join("a" * MAX_PARTS) + " = 1",
        "a = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        "a" * MAX_WORD + " = 1",
    ],
)
def test_what_a_record_may_contain_is_within_the_limits(text: str) -> None:
    assert exceeded_limit(text) is None


@given(st.text(st.sampled_from("a.[]{}=,#'\"\\\n1 "), max_size=200))
def test_any_text_is_read_or_a_fault(text: str) -> None:
    description, faults = read_record(text.encode())
    assert description is not None or faults
