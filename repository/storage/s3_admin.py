"""Administration of S3 stores by boto3: buckets, lifecycle rules and incomplete multipart uploads.

Objects are read and written by obstore (`repository.storage.s3`). boto3 is slow to import, so users of this module
import it where they need it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
)
from botocore.loaders import Loader, create_loader

from repository import paths
from repository.config import Settings
from repository.errors import SettingInvalid, StoreDenied, StoreFault
from repository.localized import LocalizedText
from repository.storage.address import S3Address, parse_address
from repository.storage.s3_errors import fault_of_response, unreachable_fault

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, MultipartUploadTypeDef

_DEFAULT_REGION: Final = "us-east-1"  # the one region that must not be named when a bucket is created
_ALREADY_OURS: Final = "BucketAlreadyOwnedByYou"
_NO_BUCKET: Final = {"404", "NoSuchBucket"}
_UPLOAD_DAYS: Final = 7
_NONCURRENT_DAYS: Final = 30
_RULE_PREFIX: Final = "shanben-"
_DERIVED: Final = (paths.PYRAMIDS, paths.PUBLISHED, paths.SIMILAR, paths.SEARCH)
_UNSUPPORTED_STATUS: Final = {HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
_UNSUPPORTED: Final = {"NotImplemented", "MethodNotAllowed", "MalformedXML", "InvalidRequest", "InvalidArgument"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """The state of a bucket; `versioned` when it keeps old versions of objects that are overwritten or deleted."""

    name: str
    region: str
    versioned: bool


def prepare_bucket(address: str, settings: Settings) -> Bucket:
    """Create an address's bucket if it does not exist, enable versioning, and set lifecycle rules where supported.

    Repeating the call is harmless. The rules abort incomplete uploads after 7 days and expire old versions of pyramids
    and published documents after 30 days; other rules of the bucket stay. Old versions of masters and of the log do not
    expire: a rule selects by prefix, which does not separate the log's partial tiles from its full tiles. Raises
    `SettingInvalid`, `StoreFault`.
    """
    store = parse_address(address, settings)
    if isinstance(store, Path):
        raise SettingInvalid(name="store", reason=LocalizedText("文件夹没有存储桶", "a folder has no bucket"))
    client = create_client(store)
    with translated(store.bucket):
        if not _bucket_exists(client, store.bucket):
            _create_bucket(client, store)
        client.put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"})
        _put_rules(client, store)
        region = client.get_bucket_location(Bucket=store.bucket)["LocationConstraint"] or _DEFAULT_REGION
        versioned = client.get_bucket_versioning(Bucket=store.bucket).get("Status") == "Enabled"
    return Bucket(store.bucket, region, versioned)


def _bucket_exists(client: S3Client, name: str) -> bool:
    try:
        client.head_bucket(Bucket=name)
    except ClientError as fault:
        if code_of(fault) in _NO_BUCKET:
            return False
        raise
    return True


def _create_bucket(client: S3Client, store: S3Address) -> None:
    try:
        if store.region == _DEFAULT_REGION:
            client.create_bucket(Bucket=store.bucket)
        else:
            client.create_bucket(
                Bucket=store.bucket,
                CreateBucketConfiguration={"LocationConstraint": store.region},  # type: ignore[typeddict-item]
            )
    except ClientError as fault:
        if code_of(fault) != _ALREADY_OURS:  # another process created it meanwhile
            raise


def _put_rules(client: S3Client, store: S3Address) -> None:
    """Add the store's lifecycle rules to those of the bucket; do nothing where the server has no lifecycle rules."""
    try:
        before = _rules_of(client, store.bucket)
        ours = _store_rules(store)
        names = {rule.get("ID") for rule in ours}
        after = [*(rule for rule in before if rule.get("ID") not in names), *ours]
        if _comparable(after) != _comparable(before):
            client.put_bucket_lifecycle_configuration(
                Bucket=store.bucket,
                LifecycleConfiguration={"Rules": after},
            )
    except ClientError as fault:
        if code_of(fault) not in _UNSUPPORTED and _status_of(fault) not in _UNSUPPORTED_STATUS:
            raise


def _rules_of(client: S3Client, bucket: str) -> list[LifecycleRuleOutputTypeDef]:
    try:
        return client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as fault:
        if code_of(fault) == "NoSuchLifecycleConfiguration":
            return []
        raise


def _store_rules(store: S3Address) -> list[LifecycleRuleOutputTypeDef]:
    """Return the rules of one store. A bucket may hold several stores, so the names of rules depend on the prefix."""
    name = _RULE_PREFIX + hashlib.sha256(store.prefix.encode()).hexdigest()[:16]
    rules: list[LifecycleRuleOutputTypeDef] = [
        {
            "ID": f"{name}-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{store.prefix}/" if store.prefix else ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _UPLOAD_DAYS},
        }
    ]
    rules += [
        {
            "ID": f"{name}-{derived}",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{store.key(derived)}/"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": _NONCURRENT_DAYS},
        }
        for derived in _DERIVED
    ]
    return rules


def _comparable(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(repr(sorted(rule.items(), key=str)) for rule in rules)


class IncompleteUploads:
    """The incomplete multipart uploads of one S3 store, whose parts the server keeps and charges for until aborted.

    A process that fails aborts its own upload; one that is killed cannot. Its uploads are aborted by the next
    successful upload of the same key (`ObstoreStore.put`), by age (`remove_incomplete_uploads`), and by the server
    after 7 days (`prepare_bucket`). Safe to use from many threads.
    """

    def __init__(self, address: S3Address) -> None:
        self._address = address
        self._client: S3Client | None = None
        self._creating = threading.Lock()

    def abort(self, prefix: str = "", older_than_seconds: float = 0) -> int:
        """Abort uploads of keys under ``prefix/`` (all for '') of this age by the server's clock; return how many."""
        below = self._address.key(prefix)
        with translated(prefix or self._address.bucket):
            return self._abort_all(self._list(f"{below}/" if below else "", older_than_seconds))

    def abort_key(self, key: str) -> int:
        """Abort every upload of a key; return how many."""
        with translated(key):
            full_key = self._address.key(key)
            return self._abort_all(upload for upload in self._list(full_key, 0) if upload["Key"] == full_key)

    def _list(self, prefix: str, older_than_seconds: float) -> Iterator[MultipartUploadTypeDef]:
        pages = self._open_client().get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self._address.bucket, Prefix=prefix):
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
            latest = now - timedelta(seconds=older_than_seconds)
            yield from (upload for upload in page.get("Uploads", []) if _initiated(upload) <= latest)

    def _abort_all(self, uploads: Iterator[MultipartUploadTypeDef]) -> int:
        aborted = 0
        for upload in list(uploads):  # list all pages before the first abort changes them
            try:
                self._open_client().abort_multipart_upload(
                    Bucket=self._address.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
            except ClientError as fault:
                if code_of(fault) != "NoSuchUpload":  # aborted or completed meanwhile
                    raise
                continue
            aborted += 1
        return aborted

    def _open_client(self) -> S3Client:
        with self._creating:
            self._client = self._client or create_client(self._address)
            return self._client


def _initiated(upload: MultipartUploadTypeDef) -> datetime:
    """Return when an upload was initiated, rounded down to a second like the server's Date header."""
    return upload["Initiated"].replace(microsecond=0)


@lru_cache(1)
def _descriptions() -> Loader:
    """Return botocore's descriptions of services: parsing them is most of what the first client of a process takes."""
    return create_loader()


def create_client(address: S3Address) -> S3Client:
    """Return a client for the server of an address; it opens no connection and may be used from many threads."""
    session = botocore.session.Session()
    session.register_component("data_loader", _descriptions())
    return boto3.session.Session(botocore_session=session).client(
        "s3",
        endpoint_url=address.endpoint or None,
        region_name=address.region,
        aws_access_key_id=address.access_key or None,
        aws_secret_access_key=address.secret_key or None,
        config=Config(
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 4, "mode": "standard"},  # exponential, with jitter
        ),
    )


def code_of(fault: ClientError) -> str:
    """Return the S3 error code of a response, or the HTTP status of a response without a body (to a HEAD)."""
    return str(fault.response.get("Error", {}).get("Code", ""))


def _status_of(fault: ClientError) -> int:
    return int(fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise boto3's errors as `StoreFault`; `name` is the key or bucket."""
    try:
        yield
    except ClientError as fault:
        code = code_of(fault)
        raise fault_of_response(name, "" if code.isdecimal() else code, _status_of(fault)) from fault
    except NoCredentialsError as fault:
        raise StoreDenied(key=name, reason=LocalizedText("没有设置访问密钥", "no access key is set")) from fault
    except (ConnectTimeoutError, ReadTimeoutError) as fault:
        raise unreachable_fault(name, timed_out=True) from fault
    except (EndpointConnectionError, ProxyConnectionError, HTTPClientError) as fault:
        raise unreachable_fault(name, timed_out=False) from fault
    except ParamValidationError as fault:  # boto3 refuses a bucket name without asking the server
        raise fault_of_response(name, "InvalidBucketName", HTTPStatus.BAD_REQUEST) from fault
    except BotoCoreError as fault:
        raise StoreFault(key=name, reason=str(fault).partition("\n")[0][:200]) from fault
