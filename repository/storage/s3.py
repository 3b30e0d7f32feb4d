"""The stores that obstore reaches: S3 and its likes, and memory.

Large content goes up in parts, a few at a time (`storage/multipart.py`). Every request carries the SHA-256 of its body,
signed, and the server refuses a body that has another; of the whole, the entity tag is checked. Conditional writes are
never relied on: a Ceph gateway accepts ``If-None-Match`` and ignores it.
"""

from __future__ import annotations

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
from repository.storage.content import CHUNK, Content, StoredObject, check_key
from repository.storage.multipart import PART, MultipartUpload
from repository.storage.s3_errors import error_code, fault_of_report

if TYPE_CHECKING:
    from obstore.store import S3Config

    from repository.storage.s3_admin import IncompleteUploads

_PARTS_AT_ONCE: Final = 4
_LISTED_AT_ONCE: Final = 1000
_SMALL: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a kind of request is waited for, in seconds, and how often it is tried again.

    A request may take `whole` in all and be without a sign of life for `silence`; after a refusal, a lost connection
    or a 5xx it is sent again up to `retries` times within `trying`, with random waits that grow to `longest_wait`.
    """

    whole: float
    silence: float
    retries: int
    trying: float
    longest_wait: float


SMALL_READS: Final = Timeouts(whole=4, silence=4, retries=2, trying=6, longest_wait=0.5)
"""A tile that does not come within about ten seconds is better refused, so that whoever wants it can ask again."""

LARGE_READS: Final = Timeouts(whole=86_400, silence=10, retries=2, trying=10, longest_wait=1)
"""A large object may take as long as its reader does; only silence ends it."""

WRITES: Final = Timeouts(whole=180, silence=180, retries=12, trying=120, longest_wait=5)
"""Writing waits out a server that is started again, for about half a minute of refusals (15 to 45 s, by chance), and
goes over slow lines: 3 minutes for a part.
"""


class ObstoreStore:
    """An `ObjectStore` over obstore. Safe to use from many threads; its connections are kept and used again.

    To be made after a process has forked: the connections belong to one process. `small` and `large` are the same
    store with other patience, for small and large reads.
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
        self._bucket_seen = address is None
        self._making = threading.Lock()

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        try:
            with _translated(key):
                return self._small.head(check_key(key))["size"]
        except KeyNotFound:
            self._look_for_bucket(key)
            raise

    def read(self, key: str) -> bytes:
        """The whole object."""
        with _translated(key):
            return self._large.get(check_key(key)).bytes().to_bytes()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, clipped to the object; a negative `start` counts from the end.

        Of up to 4 MiB it answers or fails within some ten seconds.
        """
        if length <= 0:
            return b""
        try:
            with _translated(key):
                return self._range(check_key(key), start, length)
        except KeyNotFound:
            raise
        except StoreFault as fault:
            # Stores refuse a range that begins at the end or beyond; it is merely empty here.
            if "range" in str(fault.__cause__).lower() and max(start, 0) >= self.size(key):
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
        with _translated(key):
            data = await self._small.get_range_async(check_key(key), start=start, length=length)
        return data.to_bytes()

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[bytes]:
        """The object in pieces of at most `size` bytes; asked for at the call, not at the first piece."""
        with _translated(key):
            arriving = iter(self._large.get(check_key(key)).stream(min_chunk_size=size))
        return _pieces(key, arriving, size)

    def put(self, key: str, content: Content) -> None:
        """Put under `key`, replacing what was there; durable when it returns.

        Content of more than 16 MiB goes up in parts, in at most 112 MiB of memory whatever its length (seven parts;
        66 to 77 were measured), and what lies in the store is then held against what was sent. Who has put a key
        ends every other upload of it that is not finished, of killed processes and of living ones: those see a
        passing `StoreFault` and put it again. A put that fails ends its own upload.
        """
        check_key(key)
        with _translated(key, reading=False):
            sending = MultipartUpload(content)
            if sending.small is not None:
                self._store.put(key, sending.small, use_multipart=False)
                return
            sending.send(lambda chunks: self._store.put(key, chunks, chunk_size=PART, max_concurrency=_PARTS_AT_ONCE))
        if self._address:
            self._confirm(key, sending)
            with suppress(StoreFault):  # the object is safe; what cannot be ended now is ended by age
                self._unfinished(self._address).abort_key(key)

    def _confirm(self, key: str, sending: MultipartUpload) -> None:
        """Hold what is stored against what was sent: by its tag, or where that means something else, by its bytes."""
        with _translated(key):
            found = self._store.head(key)
        if found["size"] == sending.size and (found["e_tag"] or "").strip('"') == sending.tag():
            return
        if found["size"] != sending.size or not sending.is_of(self.chunks(key)):
            raise StoreFault(
                key=key,
                reason=LocalizedText("存入的内容与所传不符；请重试", "what is stored is not what was sent; try again"),
            )

    def put_new(self, key: str, content: Content) -> None:
        """Put under a key that is free. Raises `KeyExists`. Looks, then puts: another writer may come between."""
        if self.exists(key):
            raise KeyExists(key=key)
        self.put(key, content)

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""
        try:
            self.size(key)
        except KeyNotFound:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix/`` (all for ''), in the order of the keys' bytes."""
        with _translated(prefix):
            for batch in self._large.list(check_key(prefix) if prefix else None, chunk_size=_LISTED_AT_ONCE):
                yield from (StoredObject(found["path"], found["size"]) for found in batch)

    def delete(self, key: str) -> None:
        """Take the object away; an absent key is no fault."""
        with suppress(KeyNotFound), _translated(key):
            self._store.delete(check_key(key))

    def remove_incomplete_uploads(self, older_than_seconds: float) -> int:
        """End the unfinished uploads begun so long ago; how many. Memory has none."""
        if not self._address:
            return 0
        return self._unfinished(self._address).abort(older_than_seconds=older_than_seconds)

    def _unfinished(self, address: S3Address) -> IncompleteUploads:
        # Imported here because boto3 takes as long to load as all else, and only large uploads need it.
        from repository.storage.s3_admin import IncompleteUploads  # noqa: PLC0415

        with self._making:
            self._uploads = self._uploads or IncompleteUploads(address)
            return self._uploads

    def _look_for_bucket(self, key: str) -> None:
        """The answer to a HEAD has no room to say that it is the bucket that is absent: ask once in another way."""
        if not self._bucket_seen:
            with suppress(KeyNotFound), _translated(key):
                self._small.get_range(key, start=0, length=1)
            self._bucket_seen = True


def memory_store() -> ObstoreStore:
    """A store that is gone with its process."""
    return ObstoreStore(MemoryStore())


def s3_store(
    address: S3Address,
    small_reads: Timeouts = SMALL_READS,
    large_reads: Timeouts = LARGE_READS,
    writes: Timeouts = WRITES,
) -> ObstoreStore:
    """The store at an address; opens no connection.

    Without an access key, the machine's own credentials (of a cloud) are used.
    """
    return ObstoreStore(
        _client(address, writes),
        small=_client(address, small_reads),
        large=_client(address, large_reads),
        address=address,
    )


def _client(address: S3Address, patience: Timeouts) -> S3Store:
    config: S3Config = {
        "region": address.region,
        "virtual_hosted_style_request": False,
        "checksum_algorithm": "SHA256",
        "unsigned_payload": False,  # whatever the environment says: the server is to verify every body
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
            "timeout": timedelta(seconds=patience.whole),
            "read_timeout": timedelta(seconds=patience.silence),
            "pool_idle_timeout": timedelta(seconds=30),  # before a gateway closes it, commonly after 60
        },
        retry_config={
            "max_retries": patience.retries,
            "retry_timeout": timedelta(seconds=patience.trying),
            "backoff": {
                "init_backoff": timedelta(seconds=0.1),
                "max_backoff": timedelta(seconds=patience.longest_wait),
                "base": 6,  # each wait is drawn from the first to six times the last: it about doubles
            },
        },
    )


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
        if reading or error_code(str(fault)):
            raise _absence(key, fault) from fault
        raise StoreFault(key=key, reason=str(fault).partition("\n")[0]) from fault
    except (BaseError, ValueError, OSError) as fault:
        raise fault_of_report(key, str(fault)) from fault


def _absence(key: str, fault: FileNotFoundError) -> StoreFault:
    """What is not there: the key, unless the server names its bucket or its upload."""
    return fault_of_report(key, str(fault)) if error_code(str(fault)) else KeyNotFound(key=key)
