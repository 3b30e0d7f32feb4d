"""`shanben export` and `import-bag`: a work leaves one library as a file and enters another."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from command_line import ShanbenHere
from deposits import write_deposit

pytestmark = pytest.mark.slow


def test_a_work_is_exported_and_imported_by_commands(tmp_path: Path) -> None:
    here, there = (ShanbenHere(tmp_path / name) for name in ("here", "there"))
    for library in (here, there):
        library.folder.mkdir()
    work = here.run_json("ingest", write_deposit(tmp_path / "deposit", pages=1)).document["works"][0]["identifier"]
    history = here.run_json("history", work).document
    assert [version["version"] for version in history["versions"]] == ["v1"]
    assert {event["type"] for event in history["events"]} == {"ingestion", "accession"}
    assert {event["log_index"] for event in history["events"]} == {0, 1}
    assert history["findings"] == []
    exported = here.run_json("export", work, "-o", tmp_path / "book.zip")
    assert (exported.code, exported.document["files"]) == (0, 2)
    imported = there.run_json("import-bag", tmp_path / "book.zip")
    assert imported.code == 0, imported.errors
    assert imported.document["works"][0]["identifier"] == work
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../evil", "x")
    refused = there.run_json("import-bag", tmp_path / "bad.zip")
    assert refused.code == 1
    assert "BagIt" in refused.errors or "bag" in refused.errors
    assert not list((there.folder / "var/staging").glob("desk-*"))
