"""Our OCFL validator and ocfl-py against objects that are generated from the specification, one for each code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ocfl.validator import Validator
from ocfl_fixtures import ObjectDraft, digest, valid_draft
from ocfl_mutations import BAD, WARNED

from preservation.ocfl.validation import ValidationResult, validate_object
from preservation.ocfl.validation_rules import RuleFinding
from repository.storage.folder import FolderStore

ALL_FIXITY = ("md5", "sha1", "sha256", "sha512", "blake2b-512")

VALID = {
    "specification_1_0_with_one_version": valid_draft("1.0", versions=1),
    "specification_1_0_with_three_versions": valid_draft("1.0"),
    "specification_1_1_with_one_version": valid_draft(versions=1),
    "specification_1_1_with_three_versions": valid_draft(),
    "content_directory_called_stuff": valid_draft(folder="stuff"),
}


def write(draft: ObjectDraft, folder: Path) -> Path:
    """Write an object's files below a folder."""
    for path, body in draft.files().items():
        target = folder / "object" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return folder / "object"


def validate(draft: ObjectDraft, folder: Path) -> tuple[ValidationResult, bool, set[str]]:
    """Return our result, whether ocfl-py finds the object valid, and the codes that ocfl-py reports."""
    target = write(draft, folder)
    theirs = Validator(log_warnings=True)
    valid = theirs.validate_object(str(target))
    return validate_object(FolderStore(folder), "object"), valid, {code[:4] for code in theirs.log.codes}


def codes(findings: Sequence[RuleFinding]) -> set[str]:
    return {finding.code for finding in findings}


@pytest.mark.parametrize("name", VALID)
def test_valid_object_is_valid_without_warning(name: str, tmp_path: Path) -> None:
    result, valid, reported = validate(VALID[name], tmp_path)
    assert (result.errors, result.warnings) == ((), ())
    assert valid
    assert reported == set()


def test_valid_object_may_hold_logs_and_the_digests_of_every_algorithm(tmp_path: Path) -> None:
    draft = valid_draft()
    path = "v1/content/page-1.tif"
    fixity = {name: {digest(draft.content[path], name): [path]} for name in ALL_FIXITY}
    for inventory in draft.head():
        inventory["fixity"] = fixity
    draft.extra["logs/scan.log"] = b"x"
    result, valid, _ = validate(draft, tmp_path)
    assert (result.errors, result.warnings, valid) == ((), (), True)


@pytest.mark.parametrize(
    ("draft", "code"), [(valid_draft(algorithm="sha256"), "W004"), (valid_draft(name="v00{}"), "W001")]
)
def test_valid_object_of_another_form_is_warned_of(draft: ObjectDraft, code: str, tmp_path: Path) -> None:
    result, valid, reported = validate(draft, tmp_path)
    assert result.errors == ()
    assert valid
    assert codes(result.warnings) == reported == {code}


@pytest.mark.parametrize("name", BAD)
def test_broken_object_is_refused_with_the_code_of_its_rule(name: str, tmp_path: Path) -> None:
    expected = BAD[name].codes
    result, valid, reported = validate(BAD[name].draft(), tmp_path)
    assert expected <= codes(result.errors)
    assert not valid
    assert expected <= reported


@pytest.mark.parametrize("name", WARNED)
def test_object_against_a_recommendation_is_valid_with_a_warning(name: str, tmp_path: Path) -> None:
    expected = WARNED[name].codes
    result, valid, reported = validate(WARNED[name].draft(), tmp_path)
    assert result.errors == ()
    assert valid
    assert codes(result.warnings) == expected
    assert expected <= reported
