"""The validator against the fixtures of OCFL's editors: every verdict must agree, and the codes with it."""

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
            # Debian 12's Python has no filters yet; the archive is one that we were given with the suite.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(folder)
    return folder / "fixtures"


def objects(fixtures: Path, kind: str) -> Iterator[tuple[str, str]]:
    """Each object's key and name, of both versions of the specification."""
    for specification in ("1.0", "1.1"):
        for folder in sorted((fixtures / specification / kind).iterdir()):
            if folder.is_dir():
                yield f"{specification}/{kind}/{folder.name}", folder.name


def expected_codes(name: str, letter: str) -> set[str]:
    return {part for part in name.split("_") if part[0] == letter and part[1:].isdigit()}


def test_every_good_object_is_good(fixtures: Path) -> None:
    store = FolderStore(fixtures)
    wrong = {
        key: found for key, _ in objects(fixtures, "good-objects") if (found := validate_object(store, key).errors)
    }
    assert wrong == {}
    assert len(list(objects(fixtures, "good-objects"))) == 22


def test_every_bad_object_is_bad_for_the_reason_it_bears_in_its_name(fixtures: Path) -> None:
    store = FolderStore(fixtures)
    accepted, other_reason = [], {}
    for key, name in objects(fixtures, "bad-objects"):
        verdict = validate_object(store, key)
        if verdict.valid:
            accepted.append(key)
        found = {finding.code for finding in verdict.errors}
        if missing := expected_codes(name, "E") - found:
            other_reason[key] = (missing, found)
    assert accepted == []
    assert other_reason == {}
    assert len(list(objects(fixtures, "bad-objects"))) > 95


def test_every_object_to_be_warned_of_is_valid_and_warned_of(fixtures: Path) -> None:
    store = FolderStore(fixtures)
    refused, unwarned = {}, {}
    for key, name in objects(fixtures, "warn-objects"):
        verdict = validate_object(store, key)
        if not verdict.valid:
            refused[key] = verdict.errors
        found = {finding.code for finding in verdict.warnings}
        if missing := expected_codes(name, "W") - found:
            unwarned[key] = (missing, found)
    assert refused == {}
    assert unwarned == {}
