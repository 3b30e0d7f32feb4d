"""Metrics that the image service reports, and the protocol it reports them to.

This module keeps no numbers. `Metrics` is all that the image service knows of metrics; `web.telemetry.process_metrics`
implements it. Duration, status and size of a request are measured by the request log middleware in front of the image
service. The image service only classifies the request: it stores a `RequestClass` in the ASGI scope under
`REQUEST_CLASS_KEY` before it starts the response.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

RequestClass = Literal["stored", "rendered", "slow", "info", "not-modified", "refused", "page"]
"""How a request was answered:

- ``stored``: a stored tile, sent without decoding;
- ``rendered``: an image rendered in the web process;
- ``slow``: an image rendered by the render pool;
- ``info``: image information, its redirect, and OPTIONS;
- ``not-modified``: 304;
- ``refused``: an error response of the image service;
- ``page``: everything outside the image service.
"""

REQUEST_CLASSES: Final[tuple[RequestClass, ...]] = get_args(RequestClass)

REQUEST_CLASS_KEY: Final = "shanben.class"
"""Key of the ASGI scope that holds the `RequestClass`; a request without it counts as ``page``."""

Event = Literal[
    "store-bytes",
    "directory-read",
    "cache-hit",
    "cache-miss",
    "cache-eviction",
    "decode-seconds",
    "slow-refused",
]
"""Counted beside requests. ``cache-miss`` is a tile read from the store because the disk cache does not hold it;
``decode-seconds`` is the time spent rendering: reading tiles, decoding, scaling, encoding.
"""

GaugeName = Literal["slow-waiting", "slow-running", "store-breaker-open", "database-breaker-open"]
"""Values read at the time of a scrape. A circuit breaker counts 1 while it is open, else 0."""


class Metrics(Protocol):
    """Receives what the image service reports. Methods never raise or block, and are safe to call from any thread."""

    def increment(self, event: Event, amount: float = 1) -> None:
        """Add `amount` to the counter of an event."""

    def register_gauge(self, name: GaugeName, read: Callable[[], float]) -> None:
        """Read a gauge by calling `read`, which must be quick and must not raise.

        Several functions may be registered under one name; the gauge's value is their sum.
        """

    def report_damage(self, image: str, work: str, reason: str) -> None:
        """Report that the pyramid of an image must be rebuilt: it is damaged or missing, not temporarily unreadable."""


class NoMetrics:
    """An implementation of `Metrics` that does nothing."""

    def increment(self, event: Event, amount: float = 1) -> None:
        """Do nothing."""

    def register_gauge(self, name: GaugeName, read: Callable[[], float]) -> None:
        """Do nothing."""

    def report_damage(self, image: str, work: str, reason: str) -> None:
        """Do nothing."""


# Everything below is superseded by `Metrics` and is deleted when nothing uses it.

Counted = Literal[
    "store-bytes",
    "directory-read",
    "cache-hit",
    "cache-miss",
    "cache-eviction",
    "decode-seconds",
    "slow-refused",
    "damage",
]
Gauge = Literal["slow-waiting", "slow-running", "store-fuse", "database-fuse"]
COUNTED: Final[tuple[Counted, ...]] = get_args(Counted)
EDGES: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the classes of the histogram, in seconds; one more class has what took longer."""

CLASSES: Final = 6
"""Classes of status: the hundreds, from 0 (never used) to 5."""

_TIMES: Final = len(EDGES) + 1
_LANE_CELLS: Final = CLASSES * _TIMES + 2
_START: Final = {lane: place * _LANE_CELLS for place, lane in enumerate(REQUEST_CLASSES)}
_SUMS: Final = {lane: start + CLASSES * _TIMES for lane, start in _START.items()}
_COUNTED: Final = {what: len(REQUEST_CLASSES) * _LANE_CELLS + place for place, what in enumerate(COUNTED)}
_CELLS: Final = len(REQUEST_CLASSES) * _LANE_CELLS + len(COUNTED)

LAYOUT: Final = repr((REQUEST_CLASSES, COUNTED, EDGES))
"""Snapshots that were kept can be added up when their layout is the same."""


class Observer(Protocol):
    """Is told what happens while pictures are served. Never raises, never waits; may be called from any thread.

    How long requests took and what was sent is seen by whoever stands before the image service; it alone knows which
    way they went.
    """

    def took(self, lane: RequestClass) -> None:
        """The request that this thread answers goes this way; the last word counts."""

    def counted(self, what: Counted, amount: float = 1) -> None:
        """Something happened, once or `amount` times."""

    def watched(self, gauge: Gauge, read: Callable[[], float]) -> None:
        """From now on `read` tells the value of a gauge; it is quick and does not raise. Of several, the sum counts."""

    def damaged(self, image: str, work: str, reason: str) -> None:
        """The pyramid of an image of a work cannot be used, and not only for a moment: it has to be made anew."""


class Unobserved:
    """An observer that does nothing."""

    def took(self, lane: RequestClass) -> None:
        """Nothing."""

    def counted(self, what: Counted, amount: float = 1) -> None:
        """Nothing."""

    def watched(self, gauge: Gauge, read: Callable[[], float]) -> None:
        """Nothing."""

    def damaged(self, image: str, work: str, reason: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The numbers of one process or of several. `cells` is in the order of `Observations`."""

    cells: tuple[float, ...] = (0,) * _CELLS
    gauges: dict[str, float] = field(default_factory=dict)

    def requests(self, lane: RequestClass, hundreds: int) -> int:
        """Requests of a lane whose status begins with this digit."""
        return int(sum(self.times(lane, hundreds)))

    def times(self, lane: RequestClass, hundreds: int) -> tuple[float, ...]:
        """How many of them there were in each class of time: `EDGES`, and one more for those that took longer."""
        start = _START[lane] + hundreds * _TIMES
        return self.cells[start : start + _TIMES]

    def seconds(self, lane: RequestClass) -> float:
        """Time taken by all requests of a lane."""
        return self.cells[_SUMS[lane]]

    def bytes_sent(self, lane: RequestClass) -> int:
        """Bytes of the bodies sent in a lane."""
        return int(self.cells[_SUMS[lane] + 1])

    def count(self, what: Counted) -> float:
        """How often something happened."""
        return self.cells[_COUNTED[what]]


def add_up(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The numbers of several processes as one."""
    gauges: dict[str, float] = {}
    columns = []
    for snapshot in snapshots:
        columns.append(snapshot.cells)
        for name, value in snapshot.gauges.items():
            gauges[name] = gauges.get(name, 0) + value
    return Snapshot(tuple(map(sum, zip(*columns, strict=True))), gauges) if columns else Snapshot()


class Observations:
    """An observer that counts, for one process.

    `report`, if given, is told of damage: image, work and reason; it neither waits nor raises.
    """

    def __init__(self, report: Callable[[str, str, str], None] | None = None) -> None:
        self._report = report
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._blocks: list[list[float]] = []
        self._free: list[list[float]] = []
        self._gauges: list[tuple[Gauge, Callable[[], float]]] = []

    def took(self, lane: RequestClass) -> None:
        """The request that this thread answers goes this way."""
        self._mine.lane = lane

    def lane_taken(self) -> RequestClass | None:
        """The way that this thread's request went, told once; None when nobody said."""
        mine = self._mine
        try:
            lane: RequestClass | None = mine.lane
        except AttributeError:
            return None
        mine.lane = None
        return lane

    def observed(self, lane: RequestClass, status: int, seconds: float, bytes_sent: int) -> None:
        """A request has been answered, `seconds` after it came in."""
        try:
            cells = self._mine.cells
        except AttributeError:
            cells = self._begin_thread()
        cells[_START[lane] + status // 100 * _TIMES + bisect_left(EDGES, seconds)] += 1
        sums = _SUMS[lane]
        cells[sums] += seconds
        cells[sums + 1] += bytes_sent

    def counted(self, what: Counted, amount: float = 1) -> None:
        """Something happened."""
        try:
            cells = self._mine.cells
        except AttributeError:
            cells = self._begin_thread()
        cells[_COUNTED[what]] += amount

    def watched(self, gauge: Gauge, read: Callable[[], float]) -> None:
        """From now on `read` tells the value of a gauge."""
        self._gauges.append((gauge, read))

    def damaged(self, image: str, work: str, reason: str) -> None:
        """Counted, and told to who asked to be told."""
        self.counted("damage")
        if self._report:
            self._report(image, work, reason)

    def snapshot(self) -> Snapshot:
        """The numbers now, of all threads there ever were."""
        with self._lock:
            blocks = list(self._blocks)
        gauges: dict[str, float] = {}
        for gauge, read in list(self._gauges):
            gauges[gauge] = gauges.get(gauge, 0) + read()
        return Snapshot(tuple(map(sum, zip(*blocks, strict=True))) if blocks else Snapshot().cells, gauges)

    def _begin_thread(self) -> list[float]:
        """The cells of this thread: new ones, or those of a thread that has ended, which go on counting."""
        with self._lock:
            if self._free:
                cells = self._free.pop()
            else:
                cells = [0] * _CELLS
                self._blocks.append(cells)
        self._mine.cells = cells
        self._mine.lease = _Lease(cells, self._free)
        return cells


class _Lease:
    """Gives a thread's cells back when the thread ends, for its locals end with it."""

    __slots__ = ("_cells", "_free")

    def __init__(self, cells: list[float], free: list[list[float]]) -> None:
        self._cells = cells
        self._free = free

    def __del__(self) -> None:
        self._free.append(self._cells)
