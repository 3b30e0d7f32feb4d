"""Files of any name in a store: a name that is not UTF-8 is found as unexpected, and hides nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_line import ShanbenHere
from deposits import write_deposit

pytestmark = pytest.mark.integration


def test_file_whose_name_is_not_utf8_is_found_and_stays(tmp_path: Path) -> None:
    shanben = ShanbenHere(tmp_path)
    assert shanben.run("ingest", write_deposit(tmp_path / "deposit", 2)).code == 0
    masters = next((tmp_path / "var" / "store").glob("ocfl/*/*/*/*/v1/content/masters"))
    strange = Path(os.fsdecode(os.fsencode(masters) + b"/\xff.tif"))
    strange.write_bytes(b"strange")
    (masters / "0001.tif").write_bytes(b"damaged")
    checked = shanben.run_json("fixity", "run", "--all")
    assert (checked.code, checked.document["not_checked"]) == (1, 0), checked.errors
    found = {(each["key"].rpartition("/")[2], each["kind"]) for each in checked.document["findings"]}
    assert found == {("\\udcff.tif", "unexpected"), ("0001.tif", "changed")}
    assert shanben.run("repair", "--quarantine").code == 1
    assert strange.read_bytes() == b"strange"
