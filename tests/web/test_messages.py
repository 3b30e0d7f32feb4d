"""The sentences of the interface follow their numbers, and every kind of job has a name."""

from __future__ import annotations

from collections import Counter

import pytest

import web.messages.interface
from repository.model.work import EventType
from web.messages.interface import MESSAGES
from workers.tasks.registry import TASKS


@pytest.mark.parametrize(
    ("key", "one", "none"),
    [
        ("finding.open", "1 finding is open.", "0 findings are open."),
        ("holdings.sentence", "1 work, 1 image, 1 of masters.", "0 works, 0 images, 0 of masters."),
        ("places.complete", "1 complete copy.", "0 complete copies."),
        ("status.pages-done", "1 of 1 image", "0 of 0 images"),
        ("fixity.damaged", "damaged: 1 open finding", "damaged: 0 open findings"),
        ("repair.totals", "Repaired: 1 file; lost: 1;", "Repaired: 0 files; lost: 0;"),
    ],
)
def test_sentences_of_the_interface_follow_their_numbers(key: str, one: str, none: str) -> None:
    for number, text in ((1, one), (0, none)):
        names = ("count", "works", "images", "bytes", "copies", "done", "total", "findings", "repaired", "lost", "left")
        said = MESSAGES[key].format(**dict.fromkeys(names, number))
        assert said.en.startswith(text)
        assert f"{number} " in said.zh


def test_no_two_tables_of_texts_have_the_same_key() -> None:
    tables = [table for name, table in vars(web.messages.interface).items() if name.endswith("_MESSAGES")]
    keys = Counter(key for table in tables for key in table)
    assert [key for key, count in keys.items() if count > 1] == []


def test_no_text_leaves_the_choice_of_the_word_to_its_reader() -> None:
    assert [key for key, text in MESSAGES.items() if "(s)" in text.en or "(es)" in text.en] == []


def test_every_kind_of_job_has_a_name() -> None:
    assert [kind for kind in TASKS if f"kind.{kind}" not in MESSAGES] == []


def test_every_kind_of_event_has_a_name() -> None:
    assert [kind.value for kind in EventType if f"event.{kind.value}" not in MESSAGES] == []
