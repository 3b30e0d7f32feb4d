"""Metrics of the provenance log: the end of its key, its witnesses, and its newest timestamp."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from preservation.log.sequencer import log_keys
from preservation.log.timestamped import TimestampedCheckpoint, newest_timestamp
from preservation.log.witnesses import WitnessState, read_witness_states
from repository.errors import DependencyMissing, SettingInvalid
from repository.repository import Repository
from web.telemetry.store_probes import StoreProbe

_STORE_TIMEOUT_SECONDS: Final = 1.0


class LogMetrics:
    """Collects the metrics; those of the store are absent while it does not answer in time."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._witnesses: StoreProbe[list[WitnessState]] = StoreProbe(
            "witnesses", partial(read_witness_states, repository), []
        )
        self._timestamp: StoreProbe[TimestampedCheckpoint | None] = StoreProbe(
            "timestamp", partial(newest_timestamp, repository), None
        )

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. Raises `DatabaseFault`."""
        settings = self._repository.settings
        yield from self._key()
        if settings.witnesses:
            yield from self._witnessed()
        if settings.tsa:
            yield from self._timestamped()

    def _key(self) -> Iterator[Metric]:
        try:
            ends = log_keys(self._repository).newest.ends(self._repository.settings.key_days)
        except (DependencyMissing, SettingInvalid):  # there is no key yet
            return
        if ends:
            what = "When the key of the log should have been replaced."
            yield _gauge("shanben_log_key_end_time_seconds", what, ends.timestamp())

    def _witnessed(self) -> Iterator[Metric]:
        """Yield what each witness cosigned."""
        sizes = GaugeMetricFamily("shanben_witness_entries", "Log entries a witness cosigned.", labels=["witness"])
        times = GaugeMetricFamily("shanben_witness_time_seconds", "When a witness cosigned last.", labels=["witness"])
        for state in self._witnesses.start()(_STORE_TIMEOUT_SECONDS):
            sizes.add_metric([state.name], state.size)
            if state.time:
                times.add_metric([state.name], datetime.fromisoformat(state.time).timestamp())
        yield from (sizes, times)

    def _timestamped(self) -> Iterator[Metric]:
        """Yield which entries the newest timestamp covers, and its time."""
        newest = self._timestamp.start()(_STORE_TIMEOUT_SECONDS)
        if newest is not None:
            made = datetime.fromisoformat(newest.timestamp.time).timestamp()
            yield _gauge("shanben_log_timestamped_entries", "Log entries that a timestamp covers.", newest.size)
            yield _gauge("shanben_log_timestamp_time_seconds", "When the log was timestamped last.", made)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)
