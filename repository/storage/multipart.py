"""Multipart uploads, which count and hash the content while it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Full, Queue
from typing import Final

from repository.storage.content import Chunk, Content, chunks_of

PART: Final = 16 << 20
"""The size in bytes of every part but the last. S3 accepts 10,000 parts: 168 GB for an object."""

_QUEUE_SIZE: Final = 2
_POLL_SECONDS: Final = 0.1


class MultipartUpload:
    """The upload of one content. The constructor reads the first 16 MiB.

    `body` is the content when it is no longer than that, and is then put in one request; otherwise it is None. Raises
    `OSError` when the content cannot be read, in the constructor or while it is sent.
    """

    def __init__(self, content: Content) -> None:
        self._remaining = iter(chunks_of(content))
        self._head: list[Chunk] = []
        self.body: bytes | None = None
        self.size = 0
        self._digests: list[bytes] = []
        self._hash = hashlib.md5(usedforsecurity=False)
        if isinstance(content, bytes) and len(content) <= PART:
            self.body = content
            return
        size = 0
        while size <= PART:
            chunk = next(self._remaining, None)
            if chunk is None:
                self.body = b"".join(self._head)
                return
            if chunk:
                self._head.append(chunk)
                size += len(chunk)

    def send(self, upload: Callable[[Iterator[Chunk]], object]) -> None:
        """Call `upload` with an iterator of the content, and count and hash it meanwhile. May be called once.

        The upload runs in a thread of its own, because the content may come from another store, and obstore does not
        allow its functions to be called from within its own calls. Errors of the content and of the upload are raised.
        """
        queue: Queue[Chunk | None] = Queue(_QUEUE_SIZE)
        with ThreadPoolExecutor(1, "upload") as thread:
            uploading = thread.submit(upload, _received(queue))
            end: Chunk | None = None
            try:
                for chunk in self._chunks():
                    if not _offer(queue, chunk, uploading):
                        break
                end = b""
            finally:
                _offer(queue, end, uploading)
            uploading.result()

    def _chunks(self) -> Iterator[Chunk]:
        self._head.reverse()
        while self._head:
            yield self._count(self._head.pop())
        for chunk in self._remaining:
            if chunk:
                yield self._count(chunk)

    def entity_tag(self) -> str:
        """Return the entity tag that S3 assigns to these parts: the MD5 of their MD5s, and their number.

        Ceph, MinIO and Amazon S3 do so, the latter unless it encrypts with keys of the customer.
        """
        digests = self._all_digests()
        return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"

    def matches(self, chunks: Iterator[Chunk]) -> bool:
        """Return whether these chunks are the content that was sent."""
        other = MultipartUpload(b"")
        for chunk in chunks:
            other._count(chunk)
        return other._all_digests() == self._all_digests()

    def _count(self, chunk: Chunk) -> Chunk:
        view = memoryview(chunk)
        while view:
            space = PART - self.size % PART
            self._hash.update(view[:space])
            self.size += min(space, len(view))
            if self.size % PART == 0:
                self._digests.append(self._hash.digest())
                self._hash = hashlib.md5(usedforsecurity=False)
            view = view[space:]
        return chunk

    def _all_digests(self) -> list[bytes]:
        return [*self._digests, self._hash.digest()] if self.size % PART else self._digests


class _ContentFailedError(Exception):
    """The content ended with an error, so the upload must fail too."""


def _received(queue: Queue[Chunk | None]) -> Iterator[Chunk]:
    """Yield the chunks of the queue until an empty one. Raises `_ContentFailedError` for None."""
    while chunk := queue.get():
        yield chunk
    if chunk is None:
        raise _ContentFailedError


def _offer(queue: Queue[Chunk | None], chunk: Chunk | None, uploading: Future[object]) -> bool:
    """Put a chunk on the queue, waiting for space; return False when the upload has ended."""
    while not uploading.done():
        try:
            queue.put(chunk, timeout=_POLL_SECONDS)
        except Full:
            continue
        return True
    return False
