"""The versions that a versioned bucket keeps of objects, and the locks on them (S3 Object Lock), by boto3.

A plain deletion only hides an object of a versioned bucket: its versions stay. An erasure deletes them too. A lock is
never bypassed, not even in governance mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from repository.clock import timestamp
from repository.storage.address import S3Address
from repository.storage.content import ObjectLock
from repository.storage.s3_admin import code_of, create_client, translated

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_NO_LOCKS: Final = frozenset(
    {
        "ObjectLockConfigurationNotFoundError",
        "NotImplemented",
        "MethodNotAllowed",
        "InvalidRequest",
    }
)
"""The codes by which servers say that a bucket has no locks."""


class ObjectVersions:
    """The versions of the objects of one S3 store."""

    def __init__(self, address: S3Address) -> None:
        self._address = address
        self._client: S3Client = create_client(address)

    def lock_below(self, prefix: str) -> ObjectLock | None:
        """Return the lock that ends last; a legal hold, which has no end, ends after all others."""
        with translated(prefix):
            if not self._has_locks():
                return None
            locks = [
                lock
                for key, version, is_content in self._below(prefix)
                if is_content
                for lock in self._locks(key, version)
            ]
        return max(locks, key=lambda lock: (lock.until is None, lock.until or ""), default=None)

    def erase(self, prefix: str) -> int:
        """Delete all versions and delete markers of all objects below ``prefix/``; return how many."""
        erased = 0
        with translated(prefix):
            for key, version, _ in self._below(prefix):
                self._client.delete_object(Bucket=self._address.bucket, Key=key, VersionId=version)
                erased += 1
        return erased

    def _below(self, prefix: str) -> Iterator[tuple[str, str, bool]]:
        """Yield key in the bucket, version, and whether it is content and no delete marker."""
        pages = self._client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._address.bucket, Prefix=f"{self._address.key(prefix)}/"):
            for version in page.get("Versions", []):
                yield version["Key"], version["VersionId"], True
            for marker in page.get("DeleteMarkers", []):
                yield marker["Key"], marker["VersionId"], False

    def _has_locks(self) -> bool:
        try:
            found = self._client.get_object_lock_configuration(Bucket=self._address.bucket)
        except ClientError as fault:
            if code_of(fault) in _NO_LOCKS or code_of(fault).isdecimal():
                return False
            raise
        return found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def _locks(self, key: str, version: str) -> Iterator[ObjectLock]:
        """Yield the retention and the legal hold of a version."""
        shown = key.removeprefix(f"{self._address.prefix}/") if self._address.prefix else key
        head = self._client.head_object(Bucket=self._address.bucket, Key=key, VersionId=version)
        until = head.get("ObjectLockRetainUntilDate")
        if until is not None:
            yield ObjectLock(shown, timestamp(until.astimezone(UTC)))
        if head.get("ObjectLockLegalHoldStatus") == "ON":
            yield ObjectLock(shown, None)
