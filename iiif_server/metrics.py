"""Metrics that the image service reports, and the protocol it reports them to.

This module keeps no numbers. `Metrics` is all that the image service knows of metrics; `web.telemetry.process_metrics`
implements it. Duration, status and size of a request are measured by the request log middleware in front of the image
service. The image service only classifies the request: it stores a `RequestClass` in the ASGI scope under
`REQUEST_CLASS_KEY` before it starts the response.
"""

from __future__ import annotations

from collections.abc import Callable
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
