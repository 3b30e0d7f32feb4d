"""``/metrics`` for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ .

Request metrics cover all web processes of this machine. Holdings and jobs come from the database and are the same on
every machine. `docs/operators.md` lists all series.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from preservation.reporting.alarms import AlarmKind
from repository.errors import DatabaseFault
from repository.repository import Repository
from web.services.fixity_metrics import fixity_metrics
from web.services.log_metrics import LogMetrics
from web.telemetry.process_metrics import ProcessMetrics
from web.telemetry.store_probes import StoreProbes
from web.trusted_networks import StaffOnly, is_from_private_network

FRESH_SECONDS: Final = 5.0
"""The interval at which the database and the stores are queried at most."""

_STORE_TIMEOUT_SECONDS: Final = 1.0


def blueprint(repository: Repository, process_metrics: ProcessMetrics) -> Blueprint:
    """Return the route, open to this machine and to private networks."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(process_metrics)
    registry.register(HoldingsCollector(repository))

    @routes.get("/metrics")
    def metrics() -> Response:
        if not is_from_private_network(request):
            raise StaffOnly
        response = Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes


class HoldingsCollector:
    """Collects works, images, jobs, log entries and recognised stores, which are at most `FRESH_SECONDS` old.

    While the database is unavailable, only ``shanben_database_up`` is reported. A store that does not respond in time
    has no sample.
    """

    def __init__(self, repository: Repository, clock: Callable[[], float] = time.monotonic) -> None:
        self._repository = repository
        self._clock = clock
        self._stores = StoreProbes(repository)
        self._log = LogMetrics(repository)
        self._lock = threading.Lock()
        self._read_at = -FRESH_SECONDS
        self._metrics: Sequence[Metric] = ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; one thread at a time asks the database."""
        with self._lock:
            if self._clock() - self._read_at >= FRESH_SECONDS:
                self._metrics = self._read()
                self._read_at = self._clock()
            metrics = self._metrics
        yield from metrics

    def _read(self) -> Sequence[Metric]:
        up = "Whether the database responds."
        try:
            counts, jobs = self._repository.catalogue.counts(), self._repository.jobs.counts()
            unindexed = self._repository.search.unindexed_count()
            fixity, log = list(fixity_metrics(self._repository)), list(self._log.collect())
        except DatabaseFault:
            return [_gauge("shanben_database_up", up, 0)]
        by_state = GaugeMetricFamily("shanben_jobs", "Jobs by state.", labels=["state"])
        for state, count in jobs.items():
            by_state.add_metric([state], count)
        return [
            by_state,
            self._recognised(),
            *log,
            *self._alarms(),
            *fixity,
            _gauge("shanben_works", "Works held.", counts.works),
            _gauge("shanben_images", "Images held.", counts.images),
            _gauge("shanben_master_bytes", "Bytes of the masters held.", counts.bytes),
            _gauge("shanben_log_entries", "Events in the provenance log.", counts.events - counts.staged),
            _gauge("shanben_events_staged", "Events not yet in the provenance log.", counts.staged),
            _gauge("shanben_search_unindexed_works", "Works with a change that cannot be searched yet.", unindexed),
            _gauge("shanben_database_up", up, 1),
        ]

    def _alarms(self) -> Iterator[Metric]:
        """Yield the alarms that last, by cause, and when they were decided; nothing before they were decided once."""
        state = self._repository.reports.alarms()
        if not state.decided:
            return
        alarms = GaugeMetricFamily("shanben_preservation_alarms", "Preservation alarms that last.", labels=["kind"])
        kinds = Counter(alarm.key.partition(":")[0] for alarm in state.alarms)
        for kind in sorted({*AlarmKind, *kinds}):  # those about harvests are not decided from a report
            alarms.add_metric([kind], kinds[kind])
        yield alarms
        decided = datetime.fromisoformat(state.decided).timestamp()
        yield _gauge("shanben_preservation_alarms_time_seconds", "When alarms were decided last.", decided)

    def _recognised(self) -> Metric:
        text = "Whether a store is the one that this library filled."
        recognised = GaugeMetricFamily("shanben_store_recognised", text, labels=["store"])
        for name, answer in self._stores.read(_STORE_TIMEOUT_SECONDS).items():
            if answer is not None:
                recognised.add_metric([name or "store"], float(answer is True))
        return recognised


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
