"""The validator on the fixtures of OCFL's editors: validity and codes must agree."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from preservation.ocfl.validation import validate_object
from repository.storage.folder import FolderStore


@pytest.fixture(scope="module")
def fixtures(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ocfl")
    for pack in (shared / "conformance" / "ocfl").glob("*.tar.xz"):
        with tarfile.open(pack) as archive:
            # Debian 12's Python has no extraction filters; the archive comes with the suite.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(folder)
    return folder / "fixtures"


def objects(fixtures: Path, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the key and name of every object, for both versions of the specification."""
    for specification in ("1.0", "1.1"):
        for folder in sorted((fixtures / specification / kind).iterdir()):
            if folder.is_dir():
                yield f"{specification}/{kind}/{folder.name}", folder.name


def expected_codes(name: str, letter: str) -> set[str]:
    return {part for part in name.split("_") if part[0] == letter and part[1:].isdigit()}


def test_good_objects_are_valid(fixtures: Path) -> None:
    store = FolderStore(fixtures)
    wrong = {
        key: found for key, _ in objects(fixtures, "good-objects") if (found := validate_object(store, key).errors)
    }
    assert wrong == {}
    assert len(list(objects(fixtures, "good-objects"))) == 22


def test_bad_objects_give_the_codes_in_their_names(fixtures: Path) -> None:
    store = FolderStore(fixtures)
    accepted, other_codes = [], {}
    for key, name in objects(fixtures, "bad-objects"):
        result = validate_object(store, key)
        if result.valid:
            accepted.append(key)
        found = {finding.code for finding in result.errors}
        if missing := expected_codes(name, "E") - found:
            other_codes[key] = (missing, found)
    assert accepted == []
    assert other_codes == {}
    assert len(list(objects(fixtures, "bad-objects"))) > 95


def test_warn_objects_are_valid_with_the_warnings_in_their_names(fixtures: Path) -> None:
    store = FolderStore(fixtures)
    refused, without_warning = {}, {}
    for key, name in objects(fixtures, "warn-objects"):
        result = validate_object(store, key)
        if not result.valid:
            refused[key] = result.errors
        found = {finding.code for finding in result.warnings}
        if missing := expected_codes(name, "W") - found:
            without_warning[key] = (missing, found)
    assert refused == {}
    assert without_warning == {}
