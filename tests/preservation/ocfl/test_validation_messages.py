from __future__ import annotations

import re
from pathlib import Path

from preservation.ocfl import store_validation, validation, validation_rules
from preservation.ocfl.validation_messages import MEANINGS, message_of
from preservation.ocfl.validation_rules import RuleFinding

CODE = re.compile(r'"([EW]\d{3})"')


def test_every_code_that_a_validator_reports_has_a_message_and_no_other() -> None:
    sources = (validation_rules, validation, store_validation)
    reported = {code for module in sources for code in CODE.findall(Path(str(module.__file__)).read_text("utf-8"))}
    assert {key.partition(" ")[0] for key in MEANINGS} - {"unreadable"} == reported


def test_every_message_is_in_both_languages() -> None:
    assert [key for key, text in MEANINGS.items() if not re.search(r"[一-鿿]", text.zh) or text.zh == text.en] == []


def test_message_of_a_variant_is_more_precise_and_details_are_shortened() -> None:
    assert message_of(RuleFinding("E092", "a", variant="missing")).en == "The file is missing"
    assert message_of(RuleFinding("E092", "a", "sha256", "digest")).en.endswith("the digest in the manifest (sha256)")
    assert message_of(RuleFinding("E092", "a", "x" * 1000)).en == f"The manifest is malformed ({'x' * 200}…)"
