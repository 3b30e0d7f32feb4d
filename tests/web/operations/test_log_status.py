"""The status shows how old the newest timestamp of the log is, and when its key should be replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from preservation.log import key_file
from preservation.log.log_keys import LogKey, LogKeys
from preservation.log.timestamp import Timestamp
from preservation.log.timestamped import TimestampedCheckpoint
from repository.config import Settings
from repository.localized import Language
from repository.repository import memory_repository
from web.app import create_app
from web.cli.status import StatusView
from web.operations.log_status import LogCare, LogKeyState, key_state, key_text, log_care_document, timestamp_text
from web.operations.status import StatusReader, status_document
from web.telemetry.process_metrics import ProcessMetrics
from workers.bootstrap import prepare_repository

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)
STAMPED = LogCare(TimestampedCheckpoint(1200, Timestamp("tsa.example", "2026-07-01T12:00:00Z", True)), True, None)


@pytest.mark.parametrize(
    ("care", "size", "expected"),
    [
        (STAMPED, 1200, "the newest is of 2026-07-01 (2 d ago) and covers the first 1,200 entries"),
        (STAMPED, None, "the newest is of 2026-07-01 (2 d ago) and covers the first 1,200 entries"),
        (
            STAMPED,
            2200,
            "the newest is of 2026-07-01 (2 d ago) and covers the first 1,200 entries; 1,000 later entries have none",
        ),
        (
            STAMPED,
            1201,
            "the newest is of 2026-07-01 (2 d ago) and covers the first 1,200 entries; 1 later entry has none",
        ),
        (replace(STAMPED, timestamp=None), 7, "no timestamp could be read"),
        (LogCare(None, False, None), 7, None),
    ],
)
def test_age_of_the_newest_timestamp(care: LogCare, size: int | None, expected: str | None) -> None:
    text = timestamp_text(care, size, NOON)
    assert (text and text.en) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (LogKeyState("0a1b2c3d", "2026-07-13T12:00:00Z", True), "to be replaced by 2026-07-13 (in 10 d)"),
        (
            LogKeyState("0a1b2c3d", "2026-07-01T12:00:00Z", True),
            "should have been replaced by 2026-07-01 (2 d ago): run shanben keys rotate",
        ),
        (
            LogKeyState("0a1b2c3d", "", False),
            "its age is not known, so neither is its end; shanben keys rotate makes a key of known age; no ML-DSA key "
            "signs beside it: shanben keys rotate adds one",
        ),
    ],
)
def test_end_of_the_key(key: LogKeyState, expected: str) -> None:
    assert key_text(key, NOON).en == expected


def test_key_of_an_earlier_release_has_no_known_age_and_no_ml_dsa(tmp_path: Path) -> None:
    keys = key_file.create(tmp_path, "library.example/log", "2026-01-01T00:00:00Z").keys
    identifier = keys.current.key_id.hex()
    assert key_state(keys, 30) == LogKeyState(identifier, "2026-01-31T00:00:00Z", True)
    assert key_state(LogKeys((LogKey(keys.current),)), 30) == LogKeyState(identifier, "", False)


def test_status_page_command_and_document_show_both(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "var", tsa="https://tsa.example")
    repository = prepare_repository(memory_repository(settings, lambda: NOON))
    client = create_app(repository, ProcessMetrics()).test_client()
    status = StatusReader(repository).read(30)
    document = status_document(status, Language.ENGLISH)
    assert status.care.key
    assert document["timestamp"] is None
    assert document["log_key"] == {"id": status.care.key.key_id, "ends": "2028-07-02T12:00:00Z", "ml_dsa": True}
    view = StatusView(Language.CHINESE, NOON)
    assert dict(view._care(status))["status.log-key"].endswith("应于 2028-07-02 之前更换（730 天后）")
    page = client.get("/status", headers={"Accept-Language": "en"}).text
    assert "to be replaced by 2028-07-02 (in 730 d)" in page
    assert "no timestamp could be read" in page
    assert log_care_document(STAMPED)["timestamp"] == {
        "authority": "tsa.example",
        "time": "2026-07-01T12:00:00Z",
        "size": 1200,
    }
