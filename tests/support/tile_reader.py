"""A reader who never stops: asks for a work's tiles over and over, and compares every one with what it must be.

An answer must be what was asked for (200), or say that the reader has it (304), or ask for patience (503 with
Retry-After), and must come in time. Anything else is kept as a fault; a wrong byte is one whatever else happens.
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

IN_TIME = 30.0
PAUSE = 0.02
MOST_FAULTS = 20


class TileReader:
    """Reads the tiles of pyramids, given as the files in the store, in threads of its own while the context lasts.

    With them it reads the manifests of `works`, which are to stay as they are when it begins.
    """

    def __init__(
        self, address: str, pyramids: Mapping[str, bytes], works: Iterable[str] = (), threads: int = 2
    ) -> None:
        self._place = urlsplit(address).netloc
        self._expected = dict(_tiles(pyramids))
        self._manifests = [manifest_path(work) for work in works]
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(threads)]
        self._ended = threading.Event()
        self._forgiving = 0
        self._lock = threading.Lock()
        self.statuses: Counter[str] = Counter()
        self.slowest = 0.0
        self.faults: list[str] = []

    def __enter__(self) -> Self:
        for path in self._manifests:
            with urllib.request.urlopen(f"http://{self._place}{path}", timeout=IN_TIME) as answer:
                self._expected[path] = answer.read()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def without_a_server(self) -> Iterator[None]:
        """Meanwhile, and for a moment after, connections may be refused and broken off: the server itself is killed."""
        self._forgiving += 1
        try:
            yield
            time.sleep(1)
        finally:
            self._forgiving -= 1

    def assert_content(self) -> None:
        """Every answer was right, and tiles came."""
        assert not self.faults, "\n".join(self.faults[:MOST_FAULTS])
        assert self.statuses["200"] > 0, self.statuses

    def wait_for_a_tile(self, seconds: float) -> None:
        """Wait until a tile comes again."""
        before, deadline = self.statuses["200"], time.monotonic() + seconds
        while self.statuses["200"] == before:
            assert time.monotonic() < deadline, f"no tile came within {seconds:.0f} s: {self.statuses}"
            time.sleep(0.1)

    def _read(self, number: int) -> None:
        etags: dict[str, str] = {}
        turns = itertools.cycle(self._expected)
        for path in itertools.islice(turns, number * 7, None):
            if self._ended.wait(PAUSE):
                return
            began, lenient = time.monotonic(), self._forgiving > 0
            try:
                status, told = self._ask(path, etags)
            except (OSError, http.client.HTTPException) as fault:
                status, told = "broken", repr(fault)
                if lenient or self._forgiving:
                    status, told = "no server", ""
            took = time.monotonic() - began
            if took > IN_TIME:
                told += f" after {took:.1f} s"
            self._note(status, f"{time.strftime('%T')} {path}: {status} {told}" if told else "", took)

    def _ask(self, path: str, etags: dict[str, str]) -> tuple[str, str]:
        """The status, and what was wrong with the answer ('' for nothing)."""
        connection = http.client.HTTPConnection(self._place, timeout=2 * IN_TIME)
        try:
            etag = etags.pop(path, None)
            connection.request("GET", path, headers={"If-None-Match": etag} if etag else {})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status == 200:
            if answer.headers["ETag"]:
                etags[path] = answer.headers["ETag"]
            wrong = "" if body == self._expected[path] else f"WRONG BYTES: {len(body)}, not {len(self._expected[path])}"
        elif answer.status == 304 and etag:
            wrong = ""
        elif answer.status == 503:
            wrong = "" if answer.headers["Retry-After"] else "without Retry-After"
        else:
            wrong = body[:300].decode("utf-8", "replace") or "unexpected"
        return str(answer.status), wrong

    def _note(self, status: str, fault: str, took: float) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.slowest = max(self.slowest, took)
            if fault:
                self.faults.append(fault)


def _tiles(pyramids: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every tile, taken from the pyramids by another program than ours: Python's zipfile."""
    for image, pyramid in pyramids.items():
        with zipfile.ZipFile(io.BytesIO(pyramid)) as archive:
            for name in archive.namelist():
                if name.endswith(".jpg"):
                    yield image_path(image, name), archive.read(name)
