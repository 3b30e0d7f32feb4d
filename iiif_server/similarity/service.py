"""The search for the pages of which a picture was made.

1. **Describe** the picture in a sandboxed child: nobody else decodes it, and nothing of it is kept.
2. **Search** the shards on the local disk in another child for pages with the same features or hash.
3. **Decide access**: pages of works that may not be shown are left out, whether they match or not.
4. **Align** the picture with the others, the best first, and compare the pixels; pages that agree are the result.

One search runs at a time in each process, at a low priority; `WAITING` more may wait. A client has a budget. The
children start with the first search, and the serving process loads neither OpenCV nor faiss.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import Final

import msgspec

from iiif_server.image.client_budget import ClientBudget
from iiif_server.render.child_tiles import open_tiles
from iiif_server.similarity.errors import SearchBusy, SearchLimited, SearchOff
from iiif_server.similarity.functions import ALIGN_PAGE, DESCRIBE_PICTURE, SEARCH, confidence, is_match
from iiif_server.similarity.local_shards import LocalShards, SearchedShards
from iiif_server.similarity.pages import parts_of
from iiif_server.similarity.records import FEATURE, Alignment, Candidate, DescribedPicture
from repository.errors import IntegrityError, KeyNotFound
from repository.model.access import decide
from repository.model.work import HeldImage, Rectangle
from repository.repository import Repository
from repository.sandbox.functions import Quota
from repository.sandbox.pool import SandboxPool

CANDIDATES: Final = 24
"""Pages that the search of the index returns."""

ALIGNED: Final = 8
"""Pages, of those that may be shown, with which a picture is compared."""

WAITING: Final = 2
PATIENCE_SECONDS: Final = 20.0
SEARCHES_A_MINUTE: Final = 6
"""Searches of one client in each process, of which it may make 3 at once (`client_budget.BURST_SECONDS`)."""

_SECOND: Final = 0.3
"""The votes with which another copy of a page is still compared, at least, in parts of those of a copy that matches."""

_QUOTA: Final = Quota(seconds=20, memory=1 << 30, niceness=10, file_bytes=1 << 20)


@dataclass(frozen=True, slots=True)
class SimilarPage:
    """A page from which a picture was made: the part of the image that it shows, and how sure that is, from 0 to 1."""

    image: str
    work: str
    region: Rectangle
    confidence: float


@dataclass(frozen=True, slots=True)
class SimilarPages:
    """The result of a search: pages, the surest first, and how many of the images in the index were searched."""

    matches: tuple[SimilarPage, ...]
    searched: int
    total: int


class _Children:
    """The child that handles what readers send, and the one that searches the index; each starts when it is needed."""

    def __init__(self) -> None:
        scratch = Path(gettempdir())
        self.sandbox = SandboxPool([DESCRIBE_PICTURE, ALIGN_PAGE], 1, scratch, _QUOTA)
        self.searcher = SandboxPool([SEARCH], 1, scratch, _QUOTA, layers=())

    def close(self) -> None:
        """End both."""
        self.sandbox.close()
        self.searcher.close()


class SimilarPictures:
    """Searches for one repository, in one serving process. Safe to use from several threads."""

    def __init__(self, repository: Repository) -> None:
        settings = repository.settings
        self._store = repository.store
        self._catalogue = repository.catalogue
        self._now = repository.clock
        self._is_on = settings.similar_pages > 0
        self._shards = LocalShards(repository.store, settings.cache / "similar", settings.similar_pages)
        self._budget = ClientBudget(SEARCHES_A_MINUTE / 60, monotonic)
        self._budget_lock = threading.Lock()
        self._places = threading.BoundedSemaphore(1 + WAITING)
        self._turn = threading.Lock()
        self._children: _Children | None = None

    def find(self, data: bytes, client: str) -> SimilarPages:
        """Return the pages from which the picture of a file was made. `client` is '' for one without a budget.

        Raises `SearchOff`, `SearchLimited`, `SearchBusy`, `PictureUnreadable`, `SandboxFailed`, `StoreFault`,
        `DatabaseFault`.
        """
        if not self._is_on:
            raise SearchOff
        with self._budget_lock:
            seconds = self._budget.spend(client, 1.0)
        if seconds:
            raise SearchLimited(seconds=round(seconds))
        with self._place():
            shards = self._shards.current()
            children = self._children = self._children or _Children()
            picture = children.sandbox.call(DESCRIBE_PICTURE, data)
            return self._find(children, picture, shards)

    def close(self) -> None:
        """End the children. No search may be running."""
        if self._children:
            self._children.close()

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Wait for the turn. Raises `SearchBusy`."""
        if not self._places.acquire(blocking=False):
            raise SearchBusy
        try:
            if not self._turn.acquire(timeout=PATIENCE_SECONDS):
                raise SearchBusy
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def _find(self, children: _Children, picture: DescribedPicture, shards: SearchedShards) -> SimilarPages:
        sought = msgspec.structs.replace(picture, grey=b"")
        candidates = children.searcher.call(SEARCH, list(shards.paths), sought, CANDIDATES)
        best: dict[str, SimilarPage] = {}
        compared, enough = 0, 0.0
        for candidate in candidates:
            if compared >= ALIGNED or candidate.votes < enough:
                break
            held = self._shown(candidate)
            if held is None:
                continue
            compared += 1
            page = self._compare(children.sandbox, picture, candidate, held)
            if page and (page.image not in best or page.confidence > best[page.image].confidence):
                best[page.image] = page
                enough = max(enough, _SECOND * candidate.votes)
        matches = sorted(best.values(), key=lambda page: -page.confidence)
        return SimilarPages(tuple(matches), shards.images, shards.total)

    def _shown(self, candidate: Candidate) -> HeldImage | None:
        """Return the image of a candidate if it may be shown."""
        held = self._catalogue.image(candidate.image)
        return held if held and decide(held.rights, held.state, self._now()).shows_pixels else None

    def _compare(
        self, sandbox: SandboxPool, picture: DescribedPicture, candidate: Candidate, held: HeldImage
    ) -> SimilarPage | None:
        """Return the page if the picture was made from it; a page that cannot be read is left out."""
        length = candidate.count * FEATURE.itemsize
        try:
            features = self._store.read_range(candidate.key, candidate.start, length)
            grid, read = open_tiles(self._store, held.pyramid)
        except (KeyNotFound, IntegrityError):  # the work has just been changed, or a worker must remake its pyramid
            return None
        if len(features) != length:
            return None
        arguments = (picture, features, grid.sides, candidate.box, parts_of(held.redactions))
        aligned = sandbox.call(ALIGN_PAGE, *arguments, respond=read)
        if not is_match(aligned):
            return None
        return SimilarPage(candidate.image, held.work, _region(aligned, candidate.box), confidence(aligned))


def _region(aligned: Alignment, box: tuple[int, int, int, int]) -> Rectangle:
    """Return the part of the image that a picture shows, from the part of the described box."""
    left, top, width, height = box
    x, y, w, h = aligned.region
    return Rectangle(
        left + round(x * width), top + round(y * height), max(1, round(w * width)), max(1, round(h * height))
    )
