"""Uploads in parts that were begun and never finished: an S3 server keeps, and charges for, their parts for ever.

A process that fails ends its own upload; one that is killed cannot. What it left is taken away in three ways: by the
next upload of the same key once that has succeeded (`ObstoreStore.put`), by age (`remove_incomplete_uploads`), and by
the server itself after a week (`buckets.prepare_bucket`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from repository.config import Settings
from repository.storage.address import S3Address, parse_address
from repository.storage.s3_client import code_of, open_client, translated

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import MultipartUploadTypeDef

    Unfinished = MultipartUploadTypeDef


def abort_uploads(address: str, settings: Settings, prefix: str = "", older_than_seconds: float = 0) -> int:
    """End every unfinished upload under ``prefix/`` (all for '') of a store that was begun so long ago.

    Returns how many; 0 for a folder, which has none. Raises `SettingInvalid`, `StoreFault`.
    """
    parsed = parse_address(address, settings)
    return UnfinishedUploads(parsed).abort(prefix, older_than_seconds) if isinstance(parsed, S3Address) else 0


class UnfinishedUploads:
    """The unfinished uploads of one S3 store. Safe to use from many threads."""

    def __init__(self, address: S3Address) -> None:
        self._address = address
        self._client: S3Client | None = None
        self._making = threading.Lock()

    def abort(self, prefix: str = "", older_than_seconds: float = 0) -> int:
        """End those of keys under ``prefix/`` (all for '') that are so old, by the server's clock; how many."""
        below = self._address.key(prefix)
        with translated(prefix or self._address.bucket):
            return self._end(self._listed(f"{below}/" if below else "", older_than_seconds))

    def abort_key(self, key: str) -> int:
        """End every one of one key; how many."""
        with translated(key):
            named = self._address.key(key)
            return self._end(upload for upload in self._listed(named, 0) if upload["Key"] == named)

    def _listed(self, prefix: str, older_than_seconds: float) -> Iterator[Unfinished]:
        pages = self._opened().get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self._address.bucket, Prefix=prefix):
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
            latest = now - timedelta(seconds=older_than_seconds)
            yield from (upload for upload in page.get("Uploads", []) if _begun(upload) <= latest)

    def _end(self, uploads: Iterator[Unfinished]) -> int:
        ended = 0
        for upload in list(uploads):  # the list is whole before it changes
            try:
                self._opened().abort_multipart_upload(
                    Bucket=self._address.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
            except ClientError as fault:
                if code_of(fault) != "NoSuchUpload":  # ended, or finished, meanwhile
                    raise
                continue
            ended += 1
        return ended

    def _opened(self) -> S3Client:
        with self._making:
            self._client = self._client or open_client(self._address)
            return self._client


def _begun(upload: Unfinished) -> datetime:
    """When an upload was begun, rounded down to a second as the header that tells the server's time is."""
    return upload["Initiated"].replace(microsecond=0)
