"""Seconds to build, check and serialise the manifest of a work of 2,000 pages with text, and to serve both versions."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from iiif_server.presentation.manifest import build_manifest
from iiif_server.presentation.published import PresentationService, publish_manifest
from repository import identifiers
from repository.clock import system_clock
from repository.identifiers import Kind
from repository.model.text import TextKind
from repository.model.work import Image, Master, Page, Pyramid, Record, Volume, Work
from repository.storage.s3 import memory_store

PAGES = 2000
RUNS = 5
SERVED = 200


def main() -> None:
    """Print the rows."""
    work = _work()
    pyramids = {image.identifier: Pyramid("key", "0" * 64, 1, 512) for image in work.images()}
    texts = {page.key: [TextKind.TRANSCRIPTION] for page in work.pages()}
    build = partial(build_manifest, work, pyramids, "某館", 64_000_000, system_clock(), texts=texts)
    body = build()
    store = memory_store()
    publish_manifest(store, work.identifier, body)
    service = PresentationService(store)
    building = _time(build)
    serving = _time(lambda: service.manifest(work.identifier, "https://library.example"), SERVED, 0.95)
    converting = _time(lambda: service.manifest(work.identifier, "https://library.example", 2))
    size = f"{PAGES:,} canvases with text, {len(body) / 1e6:.1f} MB"
    print(f"manifest, built and checked | {size} | {building:.2f} s")
    print(f"manifest, served | {size}, memory store | {serving * 1000:.1f} ms, p95")
    print(f"manifest of version 2, converted and served | {size} | {converting * 1000:.1f} ms")


def _work() -> Work:
    keys = [f"{number:04d}" for number in range(1, PAGES + 1)]
    pages = tuple(
        Page(key, key, (Image(f"i{key}", 4000, 5000, Master(f"masters/{key}.tif", "0" * 64, 1, "image/tiff")),))
        for key in keys
    )
    return Work(identifiers.mint(Kind.WORK, "bench"), Record("論語", language=("lzh",)), (Volume("", pages),))


def _time(action: Callable[[], object], runs: int = RUNS, share: float = 0.5) -> float:
    """Return the time within which this share of the runs ended: the median by default."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.quantiles(times, n=20)[round(share * 20) - 1]


if __name__ == "__main__":
    sys.exit(main())
