"""What an administrator does to an S3 store: its bucket, made and described, by boto3."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from repository import paths
from repository.config import Settings
from repository.errors import KeyNotFound, SettingInvalid
from repository.localized import LocalizedText
from repository.storage.address import S3Address, parse_address
from repository.storage.s3_client import code_of, open_client, status_of, translated

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import LifecycleRuleOutputTypeDef

_HOME_REGION: Final = "us-east-1"  # the one region that must not be named when a bucket is made
_ALREADY_OURS: Final = "BucketAlreadyOwnedByYou"
_ABSENT: Final = {"404", "NoSuchBucket"}
_UPLOAD_DAYS: Final = 7
_NONCURRENT_DAYS: Final = 30
_RULE: Final = "shanben-"
_DERIVED: Final = (paths.PYRAMIDS, paths.PUBLISHED)
_UNSUPPORTED_STATUS: Final = {405, 501}
_UNSUPPORTED: Final = {"NotImplemented", "MethodNotAllowed", "MalformedXML", "InvalidRequest", "InvalidArgument"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as it stands: whether it keeps the old versions of what is overwritten or deleted."""

    name: str
    region: str
    versioned: bool


def prepare_bucket(settings: Settings) -> Bucket:
    """Make ready the bucket of the settings' store; see `prepare_bucket_at`."""
    return prepare_bucket_at(settings.store_url, settings)


def prepare_bucket_at(address: str, settings: Settings) -> Bucket:
    """Make an address's bucket if it is absent, with versioning and, where the server can, rules for what to forget.

    Safe to repeat. The rules end unfinished uploads after 7 days, and let go of old versions of pyramids and of what
    is published after 30; rules of others stay. Old versions of masters and of the log are kept: a rule knows only
    prefixes, which do not tell partial tiles of the log from whole ones. Raises `SettingInvalid`, `StoreFault`.
    """
    place = _s3_address(address, settings)
    client = open_client(place)
    with translated(place.bucket):
        if not _is_there(client, place.bucket):
            _create(client, place)
        client.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
        _forget_by_rule(client, place)
    return _described(client, place)


def describe_bucket(settings: Settings) -> Bucket:
    """The bucket of the settings' store as it stands. Raises `KeyNotFound` when there is none, `StoreFault`."""
    place = _s3_address(settings.store_url, settings)
    return _described(open_client(place), place)


def _s3_address(address: str, settings: Settings) -> S3Address:
    parsed = parse_address(address, settings)
    if isinstance(parsed, Path):
        raise SettingInvalid(name="store", reason=LocalizedText("文件夹没有存储桶", "a folder has no bucket"))
    return parsed


def _described(client: S3Client, place: S3Address) -> Bucket:
    with translated(place.bucket):
        if not _is_there(client, place.bucket):
            raise KeyNotFound(key=place.bucket)
        region = client.get_bucket_location(Bucket=place.bucket)["LocationConstraint"] or _HOME_REGION
        versioned = client.get_bucket_versioning(Bucket=place.bucket).get("Status") == "Enabled"
    return Bucket(place.bucket, region, versioned)


def _is_there(client: S3Client, name: str) -> bool:
    try:
        client.head_bucket(Bucket=name)
    except ClientError as fault:
        if code_of(fault) in _ABSENT:
            return False
        raise
    return True


def _create(client: S3Client, place: S3Address) -> None:
    try:
        if place.region == _HOME_REGION:
            client.create_bucket(Bucket=place.bucket)
        else:
            client.create_bucket(
                Bucket=place.bucket,
                CreateBucketConfiguration={"LocationConstraint": place.region},  # type: ignore[typeddict-item]
            )
    except ClientError as fault:
        if code_of(fault) != _ALREADY_OURS:  # another process was quicker
            raise


def _forget_by_rule(client: S3Client, place: S3Address) -> None:
    try:
        before = _rules(client, place.bucket)
        ours = _rules_of(place)
        names = {rule.get("ID") for rule in ours}
        after = [*(rule for rule in before if rule.get("ID") not in names), *ours]
        if _told(after) != _told(before):
            client.put_bucket_lifecycle_configuration(
                Bucket=place.bucket,
                LifecycleConfiguration={"Rules": after},
            )
    except ClientError as fault:
        if code_of(fault) not in _UNSUPPORTED and status_of(fault) not in _UNSUPPORTED_STATUS:
            raise


def _rules(client: S3Client, bucket: str) -> list[LifecycleRuleOutputTypeDef]:
    try:
        return client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as fault:
        if code_of(fault) == "NoSuchLifecycleConfiguration":
            return []
        raise


def _rules_of(place: S3Address) -> list[LifecycleRuleOutputTypeDef]:
    """Our rules for one store. Several stores may lie in one bucket, so each rule is named after its prefix."""
    name = _RULE + hashlib.sha256(place.prefix.encode()).hexdigest()[:16]
    rules: list[LifecycleRuleOutputTypeDef] = [
        {
            "ID": f"{name}-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{place.prefix}/" if place.prefix else ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _UPLOAD_DAYS},
        }
    ]
    rules += [
        {
            "ID": f"{name}-{derived}",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{place.key(derived)}/"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": _NONCURRENT_DAYS},
        }
        for derived in _DERIVED
    ]
    return rules


def _told(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(repr(sorted(rule.items(), key=str)) for rule in rules)
