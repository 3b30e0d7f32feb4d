"""Damaged masters are refused if an independent decoder reports their data corrupt; whole ones are accepted.

FUZZ_SEED (1) determines the damage. FUZZ_MASTERS (120) is the number of damaged files; `make fuzz` tries 1,000.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import mutations
import pytest
from decoders import complaint
from whole_masters import whole_masters

from repository.config import Settings
from repository.errors import MasterUnreadable
from workers.masters.examine import ChildExaminer, open_child_examiner

pytestmark = pytest.mark.integration

SEED = int(os.environ.get("FUZZ_SEED", "1"))
COUNT = int(os.environ.get("FUZZ_MASTERS", "120"))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildExaminer]:
    with open_child_examiner(Settings(decode_seconds=60), tmp_path_factory.mktemp("scratch"), 1) as examiner:
        yield examiner


def is_accepted(pool: ChildExaminer, path: Path) -> bool:
    try:
        pool(path, None)
    except MasterUnreadable:
        return False
    return True


def test_whole_masters_of_every_kind_are_accepted(pool: ChildExaminer, tmp_path: Path) -> None:
    for name, content in whole_masters().items():
        path = tmp_path / name
        path.write_bytes(content)
        assert complaint(path, tmp_path) == "", name
        assert is_accepted(pool, path), name


def test_no_master_is_accepted_that_an_independent_decoder_reports_corrupt(pool: ChildExaminer, tmp_path: Path) -> None:
    chance, masters = random.Random(SEED), sorted(whole_masters().items())
    verdicts: Counter[str] = Counter()
    wrong = []
    for number in range(COUNT):
        name, content = masters[number % len(masters)]
        path = tmp_path / f"{number}{Path(name).suffix}"
        path.write_bytes(mutations.locally_damaged(chance, content))
        if not is_accepted(pool, path):
            verdicts["refused"] += 1
        elif report := complaint(path, tmp_path):
            wrong.append(f"{number} {name}: {report}")
        else:
            verdicts["accepted, as by the decoder"] += 1
        path.unlink()
    print(f"seed {SEED}: {COUNT} damaged masters, {dict(verdicts)}, {len(wrong)} accepted that a decoder reports")
    assert not wrong, "\n".join(wrong)
    assert verdicts["refused"] > COUNT // 3
