"""Events that the log alone keeps: each is a log entry, none publishes a name, and each happening is one event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from preservation.log_events import (
    Occasion,
    SweepTotals,
    accepted_loss,
    certificate_event,
    deletion_event,
    download_event,
    finding_event,
    is_deletion,
    licence_event,
    loss_event,
    repair_event,
    report_event,
    sweep_event,
)
from preservation.premis import event_bytes, parse_event
from preservation.salt import SALT_FILE, open_seal, prepare_salt
from preservation.seal import NameSeal
from repository.config import Settings
from repository.errors import DependencyMissing, EventInvalid, SettingInvalid
from repository.model.work import Event
from repository.repository import Repository, memory_repository
from workers.bootstrap import prepare_repository

DIGEST, OTHER = "0f" * 32, "1f" * 32
FIRST_SEEN = "2026-01-01T00:00:00Z"
NOW = Occasion("2026-01-02T03:04:05Z", "shanben 9", NameSeal(b"s" * 32))
TOTALS = SweepTotals(10, 9, 9, 0, 1, 3, 3, OTHER)
KEY = "ocfl/aa/w1/v1/content/masters/王某.tif"

Make = Callable[[Occasion], Event]

EVENTS: dict[str, Make] = {
    "sweep": lambda now: sweep_event(now, "s3://replica", TOTALS, started=FIRST_SEEN),
    "finding": lambda now: finding_event(
        now, "s3://replica", KEY, "w1", kind="changed", expected=DIGEST, found=OTHER, first_seen=FIRST_SEEN
    ),
    "repair": lambda now: repair_event(
        now, "store", KEY, "w1", sha256=DIGEST, source="s3://replica", first_seen=FIRST_SEEN, image="i1"
    ),
    "deletion": lambda now: deletion_event(
        now,
        "w1",
        [DIGEST, OTHER],
        versions=2,
        requested=FIRST_SEEN,
        requested_by="王某",
        confirmed_by="李某",
        reason="误收某人家书",
    ),
    "licence": lambda now: licence_event(
        now,
        "w1",
        number="2026-7",
        licence="https://example.org/terms",
        licensee="某书局",
        account="王某",
        until="2027-01-01",
    ),
    "certificate": lambda now: certificate_event(now, "w1", sha256=DIGEST, image="i1", account="王某"),
    "download": lambda now: download_event(now, "w1", what="pdf", account="王某"),
    "report": lambda now: report_event(now, sha256=DIGEST, at=FIRST_SEEN, account="王某"),
}


@pytest.mark.parametrize("make", EVENTS.values(), ids=EVENTS)
def test_event_is_a_log_entry_and_publishes_no_name(make: Make) -> None:
    event = make(NOW)
    assert parse_event(event_bytes(event)) == event
    assert event.is_kept_in_log
    assert event.detail["software"] == "shanben 9"
    written = event_bytes(event).decode()
    assert not [name for name in ("某", "s3:", "masters/") if name in written]


@pytest.mark.parametrize("make", EVENTS.values(), ids=EVENTS)
def test_event_that_is_recorded_again_later_is_the_same_event(make: Make) -> None:
    later = replace(NOW, time="2026-01-02T09:00:00Z", software="shanben 10")
    is_same = make(later).identifier == make(NOW).identifier
    assert is_same is (make is not EVENTS["download"])


def test_events_of_different_happenings_differ() -> None:
    events = [make(NOW) for make in EVENTS.values()]
    events += [
        sweep_event(NOW, "store", TOTALS, started=FIRST_SEEN),
        sweep_event(NOW, "store", TOTALS, started=NOW.time),
        report_event(NOW, sha256=DIGEST, at=NOW.time),
        download_event(NOW, "w1", what="pdf", account="李某"),
        certificate_event(NOW, "w1", sha256=DIGEST, image="i2"),
    ]
    assert len({event.identifier for event in events}) == len(events)


@pytest.mark.parametrize(
    ("changes", "is_success"),
    [
        ({}, True),
        ({"failed": 1, "passed": 8}, False),
        ({"canaries_found": 2}, False),
        ({"not_checked": 0}, False),
        ({"expected": 0, "checked": 0, "passed": 0, "not_checked": 0}, False),
    ],
)
def test_sweep_is_a_success_only_if_files_were_checked_and_all_are_accounted_for(
    changes: dict[str, int], is_success: bool
) -> None:
    event = sweep_event(NOW, "store", replace(TOTALS, **changes), started=FIRST_SEEN)
    assert event.outcome == ("success" if is_success else "failure")


def test_tombstone_states_the_digest_of_all_masters_and_who_acted_can_be_shown_with_the_salt() -> None:
    event = EVENTS["deletion"](NOW)
    assert is_deletion(event)
    # printf '%s\\n' 0f… 1f… | sha256sum
    assert event.detail["masters"] == "2"
    assert event.detail["masters_sha256"] == "42b6a1ad6e4170cb5fa5a21b85305d439bea31fa47d50d2cb459f1ba6108f3c1"
    assert event.detail["confirmed_by"] == NOW.seal.of("account", "李某") != NameSeal(b"t" * 32).of("account", "李某")


def test_files_of_the_log_are_named() -> None:
    event = finding_event(
        NOW, "store", "log/tile/0/000", None, kind="missing", expected=None, found=None, first_seen=FIRST_SEEN
    )
    assert (event.detail["file"], event.work, event.sha256) == ("log/tile/0/000", None, None)


def test_event_too_long_for_a_log_entry_is_refused() -> None:
    with pytest.raises(EventInvalid):
        licence_event(NOW, "w1", number="1", licence="x" * 70_000, licensee="a", account="b")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return memory_repository(Settings(data=tmp_path / "var"))


class TestSalt:
    def test_a_lost_database_takes_the_salt_from_its_file(self, repository: Repository) -> None:
        sealed = open_seal(prepare_repository(repository)).of("account", "王某")
        assert (repository.settings.keys / SALT_FILE).stat().st_mode & 0o777 == 0o600
        again = memory_repository(repository.settings)
        assert open_seal(prepare_repository(again)).of("account", "王某") == sealed

    def test_a_machine_without_the_keys_uses_the_salt_of_the_database_and_makes_none(
        self, repository: Repository, tmp_path: Path
    ) -> None:
        prepare_salt(repository, keeps_file=False)
        with pytest.raises(DependencyMissing):
            open_seal(repository)
        sealed = open_seal(prepare_repository(repository)).of("account", "王某")
        other = replace(repository, settings=Settings(data=tmp_path / "other"))
        prepare_salt(other, keeps_file=False)
        assert open_seal(other).of("account", "王某") == sealed
        assert not other.settings.keys.exists()

    @pytest.mark.parametrize("content", [b"", b"zz", b"00" * 31, b"11" * 32])
    def test_a_damaged_or_foreign_file_is_refused(self, repository: Repository, content: bytes) -> None:
        prepare_repository(repository)
        (repository.settings.keys / SALT_FILE).write_bytes(content)
        with pytest.raises(SettingInvalid):
            prepare_repository(repository)


def test_accepted_loss_without_a_number_of_a_version_is_none() -> None:
    event = loss_event(NOW, "w1", logged=3, stored=1, reason="")
    assert accepted_loss(event) == 3
    for logged in ("", "-1", "３", "9" * 5000):
        assert accepted_loss(replace(event, detail={**event.detail, "logged": logged})) == 0
