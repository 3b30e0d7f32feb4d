"""The newest timestamp of the log and the end of its key, as the status states them.

Only the form of a timestamp and the log's own signature are checked here; `shanben log verify` checks the authority's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from preservation.log.log_keys import LogKeys
from preservation.log.notes import Algorithm
from preservation.log.sequencer import log_keys
from preservation.log.timestamped import TimestampedCheckpoint, newest_timestamp
from repository.clock import timestamp
from repository.errors import ShanbenError
from repository.localized import LocalizedText
from repository.repository import Repository
from web.messages.interface import MESSAGES
from web.operations.formatting import grouped, relative_time
from web.telemetry.store_probes import StoreProbe


@dataclass(frozen=True, slots=True)
class LogKeyState:
    """The newest key of the log: its ID, when it should be replaced (RFC 3339, '' if its age is not known).

    `has_ml_dsa` is whether an ML-DSA key signs beside it.
    """

    key_id: str
    ends: str
    has_ml_dsa: bool


@dataclass(frozen=True, slots=True)
class LogCare:
    """The newest timestamp that could be read, whether timestamps are made, and the key, None before it exists."""

    timestamp: TimestampedCheckpoint | None
    is_timestamped: bool
    key: LogKeyState | None


class LogCareReader:
    """Reads the timestamp and the key of one repository repeatedly; safe to use from several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._timestamp: StoreProbe[TimestampedCheckpoint | None] = StoreProbe(
            "timestamp", partial(newest_timestamp, repository), None
        )

    def start(self) -> Callable[[float], LogCare]:
        """Ask the store; return a function that waits for it at most the given seconds."""
        answer, settings = self._timestamp.start(), self._repository.settings
        return lambda seconds: LogCare(answer(seconds), bool(settings.tsa), self._key())

    def _key(self) -> LogKeyState | None:
        try:
            return key_state(log_keys(self._repository), self._repository.settings.key_days)
        except ShanbenError:
            return None


def key_state(keys: LogKeys, days: int) -> LogKeyState:
    """Return the state of the newest key, which should be replaced after so many days."""
    ends, signing = keys.newest.ends(days), [each.key.algorithm for each in keys.signing]
    return LogKeyState(keys.current.key_id.hex(), timestamp(ends) if ends else "", Algorithm.ML_DSA_44 in signing)


def timestamp_text(care: LogCare, size: int | None, now: datetime) -> LocalizedText | None:
    """Return how old the newest timestamp is and what it covers; None for a log that is not timestamped.

    `size` is the size of the log, None if unknown.
    """
    newest = care.timestamp
    if newest is None:
        return MESSAGES["status.timestamp-none"] if care.is_timestamped else None
    details = {"age": relative_time(newest.timestamp.time, now), "date": newest.timestamp.time[:10]}
    text = MESSAGES["status.timestamp-of"].format(**details, size=grouped(newest.size))
    if size is None or size <= newest.size:
        return text
    later = MESSAGES["status.timestamp-later"].format(count=grouped(size - newest.size))
    return LocalizedText(f"{text.zh}{later.zh}", f"{text.en}{later.en}")


def key_text(key: LogKeyState, now: datetime) -> LocalizedText:
    """Return when the key of the log should be replaced, and that an ML-DSA key is missing if it is."""
    if not key.ends:
        ending = MESSAGES["status.key-unknown"]
    else:
        is_over = datetime.fromisoformat(key.ends) <= now
        which = MESSAGES["status.key-over" if is_over else "status.key-until"]
        ending = which.format(date=key.ends[:10], when=relative_time(key.ends, now))
    lack = LocalizedText("", "") if key.has_ml_dsa else MESSAGES["status.key-no-ml-dsa"]
    return LocalizedText(f"{ending.zh}{lack.zh}", f"{ending.en}{lack.en}")


def log_care_document(care: LogCare) -> dict[str, object]:
    """Return the timestamp and the key as JSON values."""
    newest, key = care.timestamp, care.key
    made = (
        {"authority": newest.timestamp.authority, "time": newest.timestamp.time, "size": newest.size}
        if newest
        else None
    )
    stated = {"id": key.key_id, "ends": key.ends or None, "ml_dsa": key.has_ml_dsa} if key else None
    return {"timestamp": made, "log_key": stated}
