"""`shanben history` prints each part of an event in the language of its reader."""

from __future__ import annotations

from dataclasses import replace

from publications import publication

from web.cli.history import _event_line


def test_the_outcome_of_an_event_is_printed_in_both_languages() -> None:
    event = publication("history").events[0]
    success, failure = (_event_line(replace(event, outcome=outcome), 3) for outcome in ("success", "failure"))
    assert ("成功" in success.zh, "success" in success.en) == (True, True)
    assert ("失败" in failure.zh, "failure" in failure.en) == (True, True)
    assert "success" not in success.zh
    assert "partly" in _event_line(replace(event, outcome="partly"), None).zh
