"""``/metrics``: figures for Prometheus, by its text format (https://prometheus.io/docs/instrumenting/exposition_formats/).

Requests and what came of them are those of all web processes of this machine (`telemetry/scoreboard.py`); what is held
and under way is the house's, from tallies of the catalogue, asked for every few seconds at most. docs/operators.md
lists them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from flask import Blueprint, Response, request

from iiif_server.metrics import CLASSES, EDGES, REQUEST_CLASSES, Counted, Snapshot
from repository.errors import DatabaseFault
from repository.repository import Repository
from web.telemetry.scoreboard import LivingProcess, Scoreboard
from web.trusted_networks import StaffOnly, is_from_private_network

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FRESH_SECONDS: Final = 5.0

Labels = Mapping[str, str]


def blueprint(repository: Repository, scoreboard: Scoreboard) -> Blueprint:
    """The page, for this machine and machines of its own network."""
    routes = Blueprint("metrics", __name__)
    holdings = _Holdings(repository)

    @routes.get("/metrics")
    def metrics() -> Response:
        if not is_from_private_network(request):
            raise StaffOnly
        snapshot, living = scoreboard.total()
        lines = [*_of_requests(snapshot), *_of_the_store(snapshot), *_of_processes(living), *holdings.lines()]
        answer = Response("\n".join(lines) + "\n", content_type=MEDIA_TYPE)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return routes


class _Holdings:
    """What is held and under way, asked for once in `_FRESH_SECONDS`, by one thread at a time."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._asked = -_FRESH_SECONDS
        self._lines: list[str] = []

    def lines(self) -> list[str]:
        """As of a few seconds ago."""
        with self._lock:
            if time.monotonic() - self._asked >= _FRESH_SECONDS:
                self._lines = self._ask()
                self._asked = time.monotonic()
            return self._lines

    def _ask(self) -> list[str]:
        try:
            counts, jobs = self._repository.catalogue.counts(), self._repository.jobs.counts()
        except DatabaseFault:
            return _figure("shanben_database_up", "gauge", "Whether the database answers.", [({}, 0)])
        figures = {
            "shanben_works": ("Works held.", counts.works),
            "shanben_images": ("Images held.", counts.images),
            "shanben_master_bytes": ("Bytes of the masters held.", counts.bytes),
            "shanben_log_entries": ("Events in the provenance log.", counts.events - counts.staged),
            "shanben_events_staged": ("Events that are not yet in the provenance log.", counts.staged),
            "shanben_database_up": ("Whether the database answers.", 1),
        }
        states = [({"state": state}, float(count)) for state, count in jobs.items()]
        lines = _figure("shanben_jobs", "gauge", "Jobs by their state.", states)
        for name, (told, value) in figures.items():
            lines += _figure(name, "gauge", told, [({}, value)])
        return lines


def _of_requests(snapshot: Snapshot) -> Iterator[str]:
    counted = [
        ({"lane": lane, "status": f"{hundreds}xx"}, snapshot.requests(lane, hundreds))
        for lane in REQUEST_CLASSES
        for hundreds in range(1, CLASSES)
    ]
    told = "Requests answered, by the lane they took and the first digit of their status."
    yield from _figure("shanben_requests_total", "counter", told, [item for item in counted if item[1]])
    yield from _histogram(snapshot)
    sent = [({"lane": lane}, snapshot.bytes_sent(lane)) for lane in REQUEST_CLASSES]
    yield from _figure("shanben_sent_bytes_total", "counter", "Bytes of the bodies sent.", sent)


def _histogram(snapshot: Snapshot) -> Iterator[str]:
    name = "shanben_request_seconds"
    yield from _heading(name, "histogram", "How long requests took, by lane.")
    ends = [*map(str, EDGES), "+Inf"]
    for lane in REQUEST_CLASSES:
        times = map(sum, zip(*(snapshot.times(lane, hundreds) for hundreds in range(CLASSES)), strict=True))
        within = list(accumulate(times))
        for end, count in zip(ends, within, strict=True):
            yield _line(f"{name}_bucket", {"lane": lane, "le": end}, count)
        yield _line(f"{name}_sum", {"lane": lane}, snapshot.seconds(lane))
        yield _line(f"{name}_count", {"lane": lane}, within[-1])


def _of_the_store(snapshot: Snapshot) -> Iterator[str]:
    counters: dict[str, tuple[str, Counted]] = {
        "shanben_store_read_bytes_total": ("Bytes read from the store for pictures.", "store-bytes"),
        "shanben_tile_cache_hits_total": ("Tiles found in the disk cache.", "cache-hit"),
        "shanben_tile_cache_misses_total": ("Tiles not found in the disk cache.", "cache-miss"),
        "shanben_tile_cache_evictions_total": ("Tiles kept where an older one had to give way.", "cache-eviction"),
        "shanben_directory_reads_total": ("Directories of pyramids read; all others were in memory.", "directory-read"),
        "shanben_decode_seconds_total": ("Time spent making pictures.", "decode-seconds"),
        "shanben_slow_refused_total": ("Requests for slow pictures sent away because too many waited.", "slow-refused"),
        "shanben_pyramids_damaged_total": ("Times a pyramid was found damaged or absent.", "damage"),
    }
    for name, (told, what) in counters.items():
        yield from _figure(name, "counter", told, [({}, snapshot.count(what))])
    gauges = snapshot.gauges
    slow = [({"state": state}, gauges.get(f"slow-{state}", 0.0)) for state in ("waiting", "running")]
    yield from _figure("shanben_slow_requests", "gauge", "Requests for slow pictures under way.", slow)
    fuses = [({"part": part}, gauges.get(f"{part}-fuse", 0.0)) for part in ("store", "database")]
    told = "Processes that take a part for being away and let only one thread at a time try it."
    yield from _figure("shanben_fuses_blown", "gauge", told, fuses)


def _of_processes(living: Sequence[LivingProcess]) -> list[str]:
    began = [({"pid": str(process.pid)}, process.started) for process in living]
    told = "When each web process began, in seconds since 1970."
    return _figure("shanben_process_start_time_seconds", "gauge", told, began)


def _figure(name: str, kind: str, told: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    return [*_heading(name, kind, told), *(_line(name, labels, value) for labels, value in samples)]


def _heading(name: str, kind: str, told: str) -> list[str]:
    return [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Labels, value: float) -> str:
    """A sample; no label of ours has a character that would have to be escaped."""
    inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {value!r}" if inside else f"{name} {value!r}"
