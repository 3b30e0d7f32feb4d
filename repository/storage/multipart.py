"""Content on its way into a store in parts: what was sent is counted and summed as it goes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Full, Queue
from typing import Final

from repository.storage.content import Content, chunks_of

PART: Final = 16 << 20
"""Bytes of every part but the last. S3 takes 10,000 parts: 160 GB an object."""

_WAITING: Final = 2
_LOOK_SECONDS: Final = 0.1


class MultipartUpload:
    """One content being sent. Reads its first 16 MiB: `small` is all of it when there is no more, else None.

    Raises `OSError` for a source that cannot be read, here or while it is sent.
    """

    def __init__(self, content: Content) -> None:
        self._remaining = iter(chunks_of(content))
        self._head: list[bytes] = []
        self.small: bytes | None = None
        self.size = 0
        self._sums: list[bytes] = []
        self._sum = hashlib.md5(usedforsecurity=False)
        if isinstance(content, bytes) and len(content) <= PART:
            self.small = content
            return
        gathered = 0
        while gathered <= PART:
            chunk = next(self._remaining, None)
            if chunk is None:
                self.small = b"".join(self._head)
                return
            if chunk:
                self._head.append(chunk)
                gathered += len(chunk)

    def send(self, upload: Callable[[Iterator[bytes]], object]) -> None:
        """Let `upload` take all the content, once; it is counted and summed as it passes.

        The upload has a thread of its own, because what makes the content may itself read from a store: inside
        obstore's own calls it may not. What the content or the upload raises is raised here.
        """
        queue: Queue[bytes | None] = Queue(_WAITING)
        with ThreadPoolExecutor(1, "upload") as thread:
            uploading = thread.submit(upload, _arriving(queue))
            end: bytes | None = None
            try:
                for chunk in self._chunks():
                    if not _offer(queue, chunk, uploading):
                        break
                end = b""
            finally:
                _offer(queue, end, uploading)
            uploading.result()

    def _chunks(self) -> Iterator[bytes]:
        self._head.reverse()
        while self._head:
            yield self._passed(self._head.pop())
        for chunk in self._remaining:
            if chunk:
                yield self._passed(chunk)

    def tag(self) -> str:
        """The entity tag S3 gives to an upload of these parts: the MD5 of their MD5s, and their number.

        So it is with Ceph, MinIO and Amazon's S3 unless it encrypts with keys of the customer.
        """
        sums = self._all_sums()
        return f"{hashlib.md5(b''.join(sums), usedforsecurity=False).hexdigest()}-{len(sums)}"

    def is_of(self, chunks: Iterator[bytes]) -> bool:
        """Whether these chunks are the bytes that were sent."""
        other = MultipartUpload(b"")
        for chunk in chunks:
            other._passed(chunk)
        return other._all_sums() == self._all_sums()

    def _passed(self, chunk: bytes) -> bytes:
        view = memoryview(chunk)
        while view:
            room = PART - self.size % PART
            self._sum.update(view[:room])
            self.size += min(room, len(view))
            if self.size % PART == 0:
                self._sums.append(self._sum.digest())
                self._sum = hashlib.md5(usedforsecurity=False)
            view = view[room:]
        return chunk

    def _all_sums(self) -> list[bytes]:
        return [*self._sums, self._sum.digest()] if self.size % PART else self._sums


class _BrokenOffError(Exception):
    """The content broke off; so must its upload."""


def _arriving(queue: Queue[bytes | None]) -> Iterator[bytes]:
    """What is offered, up to an empty piece. Raises `_BrokenOffError` at None."""
    while chunk := queue.get():
        yield chunk
    if chunk is None:
        raise _BrokenOffError


def _offer(queue: Queue[bytes | None], chunk: bytes | None, uploading: Future[object]) -> bool:
    """Wait until there is room for a piece; False when the upload has ended and nothing more is wanted."""
    while not uploading.done():
        try:
            queue.put(chunk, timeout=_LOOK_SECONDS)
        except Full:
            continue
        return True
    return False
