"""What an administrator does to an S3 store: its bucket, made and described. The only user of boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from repository.config import Settings
from repository.errors import KeyAbsent, StoreFault
from repository.remote_store import split_s3_url

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_HOME_REGION: Final = "us-east-1"  # the one region that must not be named when a bucket is made
_ALREADY_OURS: Final = "BucketAlreadyOwnedByYou"
_ABSENT: Final = {"404", "NoSuchBucket"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as it stands: whether it keeps the old versions of what is overwritten or deleted."""

    name: str
    region: str
    versioned: bool


def prepare_bucket(settings: Settings) -> Bucket:
    """Make the settings' bucket if it is absent and turn versioning on; safe to repeat. Raises `StoreFault`."""
    name, _ = split_s3_url(settings.store_url)
    client = _client(settings)
    with _translated(name):
        if not _is_there(client, name):
            _create(client, name, settings.s3_region)
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return describe_bucket(settings)


def describe_bucket(settings: Settings) -> Bucket:
    """The settings' bucket as it stands. Raises `KeyAbsent` when there is none, `StoreFault`."""
    name, _ = split_s3_url(settings.store_url)
    client = _client(settings)
    with _translated(name):
        region = client.get_bucket_location(Bucket=name)["LocationConstraint"] or _HOME_REGION
        versioned = client.get_bucket_versioning(Bucket=name).get("Status") == "Enabled"
    return Bucket(name, region, versioned)


def _client(settings: Settings) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint or None,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key or None,
        aws_secret_access_key=settings.s3_secret_key or None,
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=60, retries={"max_attempts": 3}),
    )


def _is_there(client: S3Client, name: str) -> bool:
    try:
        client.head_bucket(Bucket=name)
    except ClientError as fault:
        if _code(fault) in _ABSENT:
            return False
        raise
    return True


def _create(client: S3Client, name: str, region: str) -> None:
    try:
        if region == _HOME_REGION:
            client.create_bucket(Bucket=name)
        else:
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]
    except ClientError as fault:
        if _code(fault) != _ALREADY_OURS:  # another process was quicker
            raise


def _code(fault: ClientError) -> str:
    return str(fault.response.get("Error", {}).get("Code", ""))


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as fault:
        if _code(fault) in _ABSENT:
            raise KeyAbsent(key=name) from fault
        raise StoreFault(key=name, reason=str(fault)) from fault
    except BotoCoreError as fault:
        raise StoreFault(key=name, reason=str(fault)) from fault
