"""The metrics of a web process, kept by prometheus_client and shared by all web processes of the machine.

`ProcessMetrics` implements the image service's `Metrics` protocol and takes the observations of the request log.
`docs/operators.md` lists every series; names, labels and units are a contract with operators.

Whichever process is scraped reports the sums of all: `prepare` puts prometheus_client into its multiprocess mode, in
which each process counts in memory-mapped files (`metrics_folder.py`). Without it a process counts for itself alone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, disable_created_metrics, values
from prometheus_client.core import GaugeMetricFamily

from iiif_server.metrics import REQUEST_CLASSES, Event, GaugeName, RequestClass
from repository.config import Settings
from repository.errors import ShanbenError
from web.telemetry.metrics_folder import MetricsFolder, WebProcess

BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram's buckets, in seconds; prometheus_client adds infinity."""

GAUGE_SECONDS: Final = 1.0
"""Interval at which a process updates its gauges for the scrapes of other processes."""

EVENTS: Final[dict[Event, tuple[str, str]]] = {
    "store-bytes": ("shanben_store_read_bytes", "Bytes read from the store to serve images."),
    "cache-hit": ("shanben_tile_cache_hits", "Tiles found in the disk cache."),
    "cache-miss": ("shanben_tile_cache_misses", "Tiles not found in the disk cache."),
    "cache-eviction": ("shanben_tile_cache_evictions", "Tiles that replaced an older tile in the disk cache."),
    "directory-read": ("shanben_directory_reads", "Pyramid directories read from the store instead of memory."),
    "decode-seconds": ("shanben_decode_seconds", "Seconds spent rendering images."),
    "slow-refused": ("shanben_slow_refused", "Renderings refused: too many waited, or the client had used its budget."),
}
"""Name (prometheus_client appends ``_total``) and help text of the counter of each event."""

_NOT_SHARED: Final = "指标无法汇总，服务照常 / metrics are not shared between processes; serving goes on: %s"
_LOG: Final = logging.getLogger("shanben.metrics")

_Series = tuple[Callable[[], None], Callable[[float], None], Callable[[float], None]]


def prepare(settings: Settings) -> MetricsFolder | None:
    """Put prometheus_client of this process into its multiprocess mode, with files in `Settings.metrics`.

    To be called once in each web process, before its `ProcessMetrics` is created. Returns None, with a warning, when
    the folder cannot be used: the process then counts for itself alone.

    prometheus_client chooses its mode when it is imported, by ``PROMETHEUS_MULTIPROC_DIR``, and identifies a process by
    its process id. Both are set explicitly: the library may have been imported before, and process ids are reused.
    """
    folder = MetricsFolder(settings.metrics)
    try:
        folder.join()
    except (OSError, ShanbenError) as fault:
        _LOG.warning(_NOT_SHARED, fault)
        return None
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.metrics)  # read whenever the library opens a file
    values.ValueClass = values.MultiProcessValue(folder.name)
    return folder


class ProcessMetrics:
    """Counts what one process does, and reports what all do: a prometheus_client collector.

    `report`, if given, receives every report of damage: image, work, reason. It neither blocks nor raises. `folder` is
    what `prepare` returned.
    """

    def __init__(
        self, report: Callable[[str, str, str], None] | None = None, folder: MetricsFolder | None = None
    ) -> None:
        disable_created_metrics()  # the multiprocess mode has no series of creation times
        self._report = report
        self._folder = folder
        self._process = WebProcess(os.getpid(), time.time())
        self._is_degraded = False
        self._registry = CollectorRegistry()
        self._requests = _RequestSeries(self._registry)
        self._gauges = _GaugeSeries(self._registry)
        self._events = {
            event: Counter(name, text, registry=self._registry).inc for event, (name, text) in EVENTS.items()
        }
        damaged = "Times a pyramid was found damaged or missing."
        self._count_damage = Counter("shanben_pyramids_damaged", damaged, registry=self._registry).inc

    def start(self) -> None:
        """Update this process's gauges every second from now on, in a daemon thread; needed with a folder only."""
        if self._folder:
            threading.Thread(target=self._update_always, name="metrics", daemon=True).start()

    def increment(self, event: Event, amount: float = 1) -> None:
        """Add `amount` to the counter of an event."""
        self._events[event](amount)

    def register_gauge(self, name: GaugeName, read: Callable[[], float]) -> None:
        """Read a gauge by calling `read`; the functions of one name are summed."""
        self._gauges.readers.append((name, read))

    def report_damage(self, image: str, work: str, reason: str) -> None:
        """Count the damage and pass the report on."""
        self._count_damage()
        if self._report:
            self._report(image, work, reason)

    def observe_request(self, request_class: RequestClass, status: int, seconds: float, bytes_sent: int) -> None:
        """Count a response, `seconds` after its request came in, with `bytes_sent` of body."""
        count, observe_seconds, count_bytes = self._requests.series(request_class, status // 100)
        count()
        observe_seconds(seconds)
        count_bytes(bytes_sent)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all processes; those of this process alone when the folder cannot be used."""
        self._gauges.update()
        metrics, processes = self._read()
        yield from metrics
        started = GaugeMetricFamily(
            "shanben_process_start_time_seconds",
            "Start time of each web process, in seconds since 1970.",
            labels=["pid"],
        )
        for process in processes:
            started.add_metric([str(process.pid)], process.started)
        yield started

    def _read(self) -> tuple[Iterable[Metric], Sequence[WebProcess]]:
        if self._folder:
            try:
                metrics = self._folder.read()
            except (OSError, ShanbenError) as fault:
                self._warn(fault)
            else:
                self._is_degraded = False
                return metrics
        return self._registry.collect(), [self._process]

    def _update_always(self) -> None:
        while True:
            self._gauges.update()
            self._rejoin()
            time.sleep(GAUGE_SECONDS)

    def _rejoin(self) -> None:
        """Create the files of this process again if they have been deleted."""
        if self._folder is None or not self._folder.is_deleted():
            return
        try:
            self._folder.join()
        except (OSError, ShanbenError) as fault:
            self._warn(fault)
        else:
            self._is_degraded = False

    def _warn(self, fault: Exception) -> None:
        if not self._is_degraded:
            self._is_degraded = True
            _LOG.warning(_NOT_SHARED, fault)


class _RequestSeries:
    """Counts, durations and sizes of responses. Series are looked up once: a lookup costs as much as counting."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Responses, by class of request and first digit of the status."
        self._requests = Counter("shanben_requests", text, ["lane", "status"], registry=registry)
        text = "Seconds from the arrival of a request to the last byte of its response, by class of request."
        seconds = Histogram("shanben_request_seconds", text, ["lane"], registry=registry, buckets=BUCKETS)
        text = "Bytes of response bodies sent, by class of request."
        sent = Counter("shanben_sent_bytes", text, ["lane"], registry=registry)
        self._seconds = {name: seconds.labels(name).observe for name in REQUEST_CLASSES}
        self._sent = {name: sent.labels(name).inc for name in REQUEST_CLASSES}
        self._known: dict[tuple[RequestClass, int], _Series] = {}

    def series(self, request_class: RequestClass, hundreds: int) -> _Series:
        """Return the functions that count a response, its seconds and its bytes."""
        try:
            return self._known[request_class, hundreds]
        except KeyError:
            count = self._requests.labels(request_class, f"{hundreds}xx").inc
            series = count, self._seconds[request_class], self._sent[request_class]
            self._known[request_class, hundreds] = series
            return series


class _GaugeSeries:
    """Gauges, set to the sums of their readers. The gauges of an ended process are no part of a machine's sums."""

    def __init__(self, registry: CollectorRegistry) -> None:
        slow = self._create("shanben_slow_requests", "Requests for slow images in progress.", "state", registry)
        text = "Processes that treat a dependency as unavailable and let one thread at a time try it."
        breakers = self._create("shanben_fuses_blown", text, "part", registry)
        self._series: dict[GaugeName, Gauge] = {
            "slow-waiting": slow.labels("waiting"),
            "slow-running": slow.labels("running"),
            "store-breaker-open": breakers.labels("store"),
            "database-breaker-open": breakers.labels("database"),
        }
        self.readers: list[tuple[GaugeName, Callable[[], float]]] = []

    def update(self) -> None:
        """Set the gauges of this process."""
        sums = dict.fromkeys(self._series, 0.0)
        for name, read in tuple(self.readers):
            sums[name] += read()
        for name, value in sums.items():
            self._series[name].set(value)

    @staticmethod
    def _create(name: str, text: str, label: str, registry: CollectorRegistry) -> Gauge:
        return Gauge(name, text, [label], registry=registry, multiprocess_mode="livesum")
