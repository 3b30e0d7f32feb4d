"""The stores that obstore reaches: S3 and its likes, and memory.

Large content goes up in parts, a few at a time. Conditional writes are never relied on: a Ceph gateway accepts
``If-None-Match`` and ignores it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Final

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import MemoryStore, S3Store

from repository.config import Settings
from repository.content import CHUNK, Content, Expendable, StoredObject, check_key
from repository.errors import KeyAbsent, KeyTaken, SettingInvalid, StoreFault
from repository.text import Text

S3_SCHEME: Final = "s3://"
_PART: Final = 16 << 20  # S3 takes 10,000 parts: 160 GB an object
_PARTS_AT_ONCE: Final = 4
_LISTED_AT_ONCE: Final = 1000


class RemoteStore:
    """An `ObjectStore` over obstore. Safe to use from many threads; holds no open connection between calls."""

    def __init__(self, store: S3Store | MemoryStore) -> None:
        self._store = store

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        with _translated(key):
            return self._store.head(check_key(key))["size"]

    def read(self, key: str) -> bytes:
        """The whole object."""
        with _translated(key):
            return self._store.get(check_key(key)).bytes().to_bytes()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, clipped to the object; a negative `start` counts from the end."""
        if length <= 0:
            return b""
        try:
            with _translated(key):
                return self._range(check_key(key), start, length)
        except KeyAbsent:
            raise
        except StoreFault:
            # Stores refuse a range that begins at the end or beyond; it is merely empty here.
            if max(start, 0) >= self.size(key):
                return b""
            raise

    def _range(self, key: str, start: int, length: int) -> bytes:
        if start >= 0:
            return self._store.get_range(key, start=start, length=length).to_bytes()
        tail = self._store.get(key, options={"range": {"suffix": -start}})
        return tail.bytes().to_bytes()[:length]

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[bytes]:
        """The object in pieces of at most `size` bytes; asked for at the call, not at the first piece."""
        with _translated(key):
            arriving = iter(self._store.get(check_key(key)).stream(min_chunk_size=size))
        return _pieces(key, arriving, size)

    def put(self, key: str, content: Content) -> None:
        """Put under `key`, replacing what was there; durable when it returns."""
        with _translated(key, reading=False):
            self._store.put(check_key(key), _uploadable(content), chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    def put_new(self, key: str, content: Content) -> None:
        """Put under a key that is free. Raises `KeyTaken`. Looks, then puts: another writer may come between."""
        if self.exists(key):
            raise KeyTaken(key=key)
        self.put(key, content)

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""
        try:
            self.size(key)
        except KeyAbsent:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix/`` (all for ''), in the order of the keys' bytes."""
        with _translated(prefix):
            for batch in self._store.list(check_key(prefix) if prefix else None, chunk_size=_LISTED_AT_ONCE):
                yield from (StoredObject(found["path"], found["size"]) for found in batch)

    def delete(self, key: str) -> None:
        """Take the object away; an absent key is no fault."""
        try:
            with _translated(key):
                self._store.delete(check_key(key))
        except KeyAbsent:
            return


def memory_store() -> RemoteStore:
    """A store that is gone with its process."""
    return RemoteStore(MemoryStore())


def s3_store(settings: Settings) -> RemoteStore:
    """The store at ``s3://bucket/prefix`` as the settings name it. Raises `SettingInvalid`; opens no connection.

    Without an access key in the settings, the machine's own credentials (of a cloud) are used.
    """
    bucket, prefix = split_s3_url(settings.store_url)
    return RemoteStore(
        S3Store(
            bucket,
            prefix=prefix or None,
            endpoint=settings.s3_endpoint or None,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key or None,
            secret_access_key=settings.s3_secret_key or None,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "120s"},
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
        )
    )


def split_s3_url(url: str) -> tuple[str, str]:
    """The bucket and the prefix ('' for none) of an ``s3://`` address. Raises `SettingInvalid`."""
    bucket, _, prefix = url.removeprefix(S3_SCHEME).partition("/")
    if not url.startswith(S3_SCHEME) or not bucket:
        raise SettingInvalid(name="store", reason=f"{url!r} ≠ s3://bucket/prefix")
    return bucket, prefix.strip("/")


def _uploadable(content: Content) -> bytes | Path | Iterator[bytes]:
    """What obstore takes. Few chunks become bytes: they go up in one request, and no chunks at all are no upload."""
    if isinstance(content, Expendable):
        return content.path
    if isinstance(content, (bytes, Path)):
        return content
    remaining = iter(content)
    head: list[bytes] = []
    gathered = 0
    for chunk in remaining:
        head.append(chunk)
        gathered += len(chunk)
        if gathered >= _PART:
            return chain(head, remaining)
    return b"".join(head)


def _pieces(key: str, arriving: Iterator[object], size: int) -> Iterator[bytes]:
    with _translated(key):
        for chunk in arriving:
            view = memoryview(chunk)  # type: ignore[arg-type]
            yield from (bytes(view[start : start + size]) for start in range(0, len(view), size))


@contextmanager
def _translated(key: str, *, reading: bool = True) -> Iterator[None]:
    """The errors of obstore in our words. A file that is not found when putting is the source, not the key."""
    try:
        yield
    except FileNotFoundError as fault:
        if "NoSuchBucket" in str(fault):
            raise StoreFault(
                key=key, reason=Text("存储桶不存在，请先创建", "there is no such bucket; create it")
            ) from fault
        if reading:
            raise KeyAbsent(key=key) from fault
        raise StoreFault(key=key, reason=str(fault).partition("\n")[0]) from fault
    except (PermissionDeniedError, UnauthenticatedError) as fault:
        raise StoreFault(
            key=key, reason=Text("凭据有误或权限不足", "the credentials are wrong or may not do this")
        ) from fault
    except (BaseError, ValueError, OSError) as fault:
        raise StoreFault(key=key, reason=str(fault).partition("\n")[0]) from fault
