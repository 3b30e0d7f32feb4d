"""The stores that obstore provides: S3 and memory.

Large content is uploaded in parallel parts (`storage/multipart.py`). Every request carries the SHA-256 of its body in
its signature, and the server refuses a body that does not match; of the whole object, the entity tag is verified.
Conditional writes are not used: a Ceph gateway accepts ``If-None-Match`` and ignores it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from obstore.exceptions import BaseError
from obstore.store import MemoryStore, S3Store

from repository.errors import KeyExists, KeyNotFound, StoreFault
from repository.localized import LocalizedText
from repository.storage.address import S3Address
from repository.storage.content import CHUNK, Content, ObjectLock, StoredObject, check_key
from repository.storage.multipart import PART, MultipartUpload
from repository.storage.s3_errors import error_code, fault_of_report

if TYPE_CHECKING:
    from obstore.store import S3Config

    from repository.storage.s3_admin import IncompleteUploads
    from repository.storage.s3_versions import ObjectVersions

_PARALLEL_PARTS: Final = 4
_LIST_SIZE: Final = 1000
_SMALL: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time limits of a kind of request, in seconds, and its retries.

    A request may take `total` and receive nothing for `idle`. After a refused or lost connection or a 5xx it is retried
    up to `retries` times within `retry_period`, after random pauses that grow to `longest_pause`.
    """

    total: float
    idle: float
    retries: int
    retry_period: float
    longest_pause: float


SMALL_READS: Final = Timeouts(total=4, idle=4, retries=2, retry_period=6, longest_pause=0.5)
"""A tile that takes more than about ten seconds is better refused, so that the viewer can request it again."""

LARGE_READS: Final = Timeouts(total=86_400, idle=10, retries=2, retry_period=10, longest_pause=1)
"""A large object may take as long as its reader; only an idle connection is given up."""

WRITES: Final = Timeouts(total=180, idle=180, retries=12, retry_period=120, longest_pause=5)
"""Writes survive the restart of a server, with about half a minute of refused connections (15 to 45 s, by chance), and
slow lines, with 3 minutes for a part.
"""


class ObstoreStore:
    """An `ObjectStore` over obstore. Safe to use from many threads; connections are kept and reused.

    Create it after a fork, because connections belong to one process. `small` and `large` are the same store with other
    timeouts, for small and large reads.
    """

    def __init__(
        self,
        store: S3Store | MemoryStore,
        small: S3Store | None = None,
        large: S3Store | None = None,
        address: S3Address | None = None,
    ) -> None:
        self._store = store
        self._small = small or store
        self._large = large or store
        self._address = address
        self._uploads: IncompleteUploads | None = None
        self._bucket_checked = address is None
        self._creating = threading.Lock()

    def size(self, key: str) -> int:
        """Return the object's size in bytes."""
        try:
            with _translated(key):
                return self._small.head(check_key(key))["size"]
        except KeyNotFound:
            self._check_bucket(key)
            raise

    def read(self, key: str) -> bytes:
        """Return the whole object."""
        with _translated(key):
            return self._large.get(check_key(key)).bytes().to_bytes()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, clipped to the object; a negative `start` counts from the end.

        A range of up to 4 MiB is returned, or fails, within about ten seconds.
        """
        if length <= 0:
            return b""
        try:
            with _translated(key):
                return self._range(check_key(key), start, length)
        except StoreFault as fault:
            if _is_about_range(fault) and max(start, 0) >= self.size(key):
                return b""
            raise

    def _range(self, key: str, start: int, length: int) -> bytes:
        store = self._small if length <= _SMALL else self._large
        if start >= 0:
            return store.get_range(key, start=start, length=length).to_bytes()
        tail = store.get(key, options={"range": {"suffix": -start}})
        return tail.bytes().to_bytes()[:length]

    async def read_range_async(self, key: str, start: int, length: int) -> bytes:
        """Return what `read_range` returns, awaiting the store. `start` is not negative and `length` at most 4 MiB."""
        if length <= 0:
            return b""
        try:
            with _translated(key):
                data = await self._small.get_range_async(check_key(key), start=start, length=length)
        except StoreFault as fault:
            if _is_about_range(fault):
                return await asyncio.to_thread(self.read_range, key, start, length)
            raise
        return data.to_bytes()

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[memoryview]:
        """Return the object in chunks of at most `size` bytes. The call itself sends the request."""
        with _translated(key):
            received = iter(self._large.get(check_key(key)).stream(min_chunk_size=size))
        return _split(key, received, size)

    def put(self, key: str, content: Content) -> None:
        """Store an object, replacing an existing one; it is durable when the call returns.

        Content of more than 16 MiB is uploaded in parts, in at most 112 MiB of memory whatever its length (seven parts;
        66 to 77 MiB were measured), and then the stored object is compared with what was sent. A successful put aborts
        every other incomplete upload of the key, of killed processes and of running ones: the latter get a transient
        `StoreFault` and put again. A put that fails aborts its own upload.
        """
        check_key(key)
        with _translated(key, reading=False):
            upload = MultipartUpload(content)
            if upload.body is not None:
                self._store.put(key, upload.body, use_multipart=False)
                return
            upload.send(lambda chunks: self._store.put(key, chunks, chunk_size=PART, max_concurrency=_PARALLEL_PARTS))
        if self._address:
            self._verify(key, upload)
            with suppress(StoreFault):  # the object is stored; uploads that cannot be aborted now are aborted by age
                self._incomplete_uploads(self._address).abort_key(key)

    def _verify(self, key: str, upload: MultipartUpload) -> None:
        """Compare the stored object with what was sent, by its entity tag, or by its bytes where the tag differs."""
        with _translated(key):
            stored = self._store.head(key)
        if stored["size"] == upload.size and (stored["e_tag"] or "").strip('"') == upload.entity_tag():
            return
        if stored["size"] != upload.size or not upload.matches(self.chunks(key)):
            raise StoreFault(
                key=key,
                reason=LocalizedText(
                    "存入的内容与所传不符；请重试", "the stored object is not what was sent; try again"
                ),
            )

    def put_new(self, key: str, content: Content) -> None:
        """Store an object under a new key. Raises `KeyExists`. Another writer may put between the check and the put."""
        if self.exists(key):
            raise KeyExists(key=key)
        self.put(key, content)

    def exists(self, key: str) -> bool:
        """Return whether an object exists."""
        try:
            self.size(key)
        except KeyNotFound:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield every object whose key starts with ``prefix/`` (all for ''), in the byte order of the keys."""
        with _translated(prefix):
            for batch in self._large.list(check_key(prefix) if prefix else None, chunk_size=_LIST_SIZE):
                yield from (StoredObject(entry["path"], entry["size"]) for entry in batch)

    def delete(self, key: str) -> None:
        """Delete the object if it exists."""
        with suppress(KeyNotFound), _translated(key):
            self._store.delete(check_key(key))

    def lock_below(self, prefix: str) -> ObjectLock | None:
        """Return the lock, of any version of any object below ``prefix/``, that ends last; None if none is locked."""
        check_key(prefix)
        return self._versions(self._address).lock_below(prefix) if self._address else None

    def erase(self, prefix: str) -> int:
        """Delete every object below ``prefix/`` with all its versions; return how many versions and objects."""
        check_key(prefix)
        if self._address:
            return self._versions(self._address).erase(prefix)
        stored = list(self.list(prefix))
        for each in stored:
            self.delete(each.key)
        return len(stored)

    def _versions(self, address: S3Address) -> ObjectVersions:
        from repository.storage.s3_versions import ObjectVersions  # noqa: PLC0415 - as `_incomplete_uploads`

        return ObjectVersions(address)

    def remove_incomplete_uploads(self, older_than_seconds: float) -> int:
        """Abort incomplete uploads of this age; return how many. A store in memory has none."""
        if not self._address:
            return 0
        return self._incomplete_uploads(self._address).abort(older_than_seconds=older_than_seconds)

    def _incomplete_uploads(self, address: S3Address) -> IncompleteUploads:
        # Imported here because importing boto3 takes as long as everything else, and only large uploads need it.
        from repository.storage.s3_admin import IncompleteUploads  # noqa: PLC0415

        with self._creating:
            self._uploads = self._uploads or IncompleteUploads(address)
            return self._uploads

    def _check_bucket(self, key: str) -> None:
        """Read a byte once, because the response to a HEAD does not say whether the key or the bucket is missing."""
        if not self._bucket_checked:
            with suppress(KeyNotFound), _translated(key):
                self._small.get_range(key, start=0, length=1)
            self._bucket_checked = True


def memory_store() -> ObstoreStore:
    """Return a store in memory, which ends with the process."""
    return ObstoreStore(MemoryStore())


def s3_store(
    address: S3Address,
    small_reads: Timeouts = SMALL_READS,
    large_reads: Timeouts = LARGE_READS,
    writes: Timeouts = WRITES,
) -> ObstoreStore:
    """Return the store at an address, without connecting.

    Without an access key, it uses the credentials that a cloud gives to the machine.
    """
    return ObstoreStore(
        _client(address, writes),
        small=_client(address, small_reads),
        large=_client(address, large_reads),
        address=address,
    )


def _client(address: S3Address, timeouts: Timeouts) -> S3Store:
    config: S3Config = {
        "region": address.region,
        "virtual_hosted_style_request": False,
        "checksum_algorithm": "SHA256",
        "unsigned_payload": False,  # even if the environment sets it: the server must verify every body
    }
    if address.endpoint:
        config["endpoint"] = address.endpoint
    if address.access_key:
        config["access_key_id"] = address.access_key
        config["secret_access_key"] = address.secret_key
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        config=config,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=3),
            "timeout": timedelta(seconds=timeouts.total),
            "read_timeout": timedelta(seconds=timeouts.idle),
            "pool_idle_timeout": timedelta(seconds=30),  # before a gateway closes it, commonly after 60
        },
        retry_config={
            "max_retries": timeouts.retries,
            "retry_timeout": timedelta(seconds=timeouts.retry_period),
            "backoff": {
                "init_backoff": timedelta(seconds=0.1),
                "max_backoff": timedelta(seconds=timeouts.longest_pause),
                "base": 6,  # each pause is drawn between the first and six times the last: it about doubles
            },
        },
    )


def _is_about_range(fault: StoreFault) -> bool:
    """Return whether a fault may mean that the range begins at the object's end or beyond.

    S3 refuses such a range; `ObjectStore` defines it as empty.
    """
    return not isinstance(fault, KeyNotFound) and "range" in str(fault.__cause__).lower()


def _split(key: str, received: Iterator[object], size: int) -> Iterator[memoryview]:
    with _translated(key):
        for chunk in received:
            view = memoryview(chunk)  # type: ignore[arg-type]
            yield from (view[start : start + size] for start in range(0, len(view), size))


@contextmanager
def _translated(key: str, *, reading: bool = True) -> Iterator[None]:
    """Raise obstore's errors as `StoreFault`. `FileNotFoundError` of a put is about the content, not the key."""
    try:
        yield
    except FileNotFoundError as fault:
        if reading or error_code(str(fault)):
            raise _not_found(key, fault) from fault
        raise StoreFault(key=key, reason=str(fault).partition("\n")[0]) from fault
    except (BaseError, ValueError, OSError) as fault:
        raise fault_of_report(key, str(fault)) from fault


def _not_found(key: str, fault: FileNotFoundError) -> StoreFault:
    """Return the fault for a missing key, unless the server reports a missing bucket or upload."""
    return fault_of_report(key, str(fault)) if error_code(str(fault)) else KeyNotFound(key=key)
