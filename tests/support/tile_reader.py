"""A client that requests the tiles of works repeatedly, and compares every response with the stored tile.

A response must be 200 with the right bytes, 304, or 503 with Retry-After, and must come in time. Anything else is
recorded as a fault.
"""

from __future__ import annotations

import http.client
import io
import itertools
import threading
import time
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self
from urllib.parse import urlsplit

from iiif_server.urls import image_path, manifest_path

LONGEST_SECONDS = 30.0
PAUSE_SECONDS = 0.02
MOST_FAULTS = 20


class TileReader:
    """Requests the tiles of pyramids, given as files of the store, in threads of its own while the context lasts.

    It also requests the manifests of `works`, which must not change meanwhile. Each thread waits for `pause` seconds
    between requests.
    """

    def __init__(
        self,
        address: str,
        pyramids: Mapping[str, bytes],
        works: Iterable[str] = (),
        threads: int = 2,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._host = urlsplit(address).netloc
        self._expected = dict(_tiles(pyramids))
        self._manifests = [manifest_path(work) for work in works]
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(threads)]
        self._pause = pause
        self._ended = threading.Event()
        self._tolerating = 0
        self._lock = threading.Lock()
        self.statuses: Counter[str] = Counter()
        self.slowest = 0.0
        self.faults: list[str] = []

    def __enter__(self) -> Self:
        for path in self._manifests:
            with urllib.request.urlopen(f"http://{self._host}{path}", timeout=LONGEST_SECONDS) as response:
                self._expected[path] = response.read()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def without_a_server(self) -> Iterator[None]:
        """Allow refused and broken connections in the block and for a second after it: the server itself is killed."""
        self._tolerating += 1
        try:
            yield
            time.sleep(1)
        finally:
            self._tolerating -= 1

    def assert_content(self) -> None:
        """Assert that every response was right, and that there were some with status 200."""
        assert not self.faults, "\n".join(self.faults[:MOST_FAULTS])
        assert self.statuses["200"] > 0, self.statuses

    def wait_for_a_tile(self, seconds: float) -> None:
        """Wait for another response with status 200."""
        before, deadline = self.statuses["200"], time.monotonic() + seconds
        while self.statuses["200"] == before:
            assert time.monotonic() < deadline, f"no tile came within {seconds:.0f} s: {self.statuses}"
            time.sleep(0.1)

    def _read(self, number: int) -> None:
        etags: dict[str, str] = {}
        turns = itertools.cycle(self._expected)
        for path in itertools.islice(turns, number * 7, None):
            if self._ended.wait(self._pause):
                return
            began, tolerant = time.monotonic(), self._tolerating > 0
            try:
                status, problem = self._request(path, etags)
            except (OSError, http.client.HTTPException) as fault:
                status, problem = "broken", repr(fault)
                if tolerant or self._tolerating:
                    status, problem = "no server", ""
            seconds = time.monotonic() - began
            if seconds > LONGEST_SECONDS:
                problem += f" after {seconds:.1f} s"
            self._record(status, f"{time.strftime('%T')} {path}: {status} {problem}" if problem else "", seconds)

    def _request(self, path: str, etags: dict[str, str]) -> tuple[str, str]:
        """Return the status, and what is wrong with the response ('' for nothing)."""
        connection = http.client.HTTPConnection(self._host, timeout=2 * LONGEST_SECONDS)
        try:
            etag = etags.pop(path, None)
            connection.request("GET", path, headers={"If-None-Match": etag} if etag else {})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status == 200:
            if response.headers["ETag"]:
                etags[path] = response.headers["ETag"]
            wrong = "" if body == self._expected[path] else f"WRONG BYTES: {len(body)}, not {len(self._expected[path])}"
        elif response.status == 304 and etag:
            wrong = ""
        elif response.status == 503:
            wrong = "" if response.headers["Retry-After"] else "without Retry-After"
        else:
            wrong = body[:300].decode("utf-8", "replace") or "unexpected"
        return str(response.status), wrong

    def _record(self, status: str, fault: str, seconds: float) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.slowest = max(self.slowest, seconds)
            if fault:
                self.faults.append(fault)


def _tiles(pyramids: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every tile, read by Python's zipfile instead of our own code."""
    for image, pyramid in pyramids.items():
        with zipfile.ZipFile(io.BytesIO(pyramid)) as archive:
            for name in archive.namelist():
                if name.endswith(".jpg"):
                    yield image_path(image, name), archive.read(name)
