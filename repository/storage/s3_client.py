"""boto3 for the administration of an S3 store: its client, and its errors in our words. Objects go by obstore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import boto3
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

from repository.errors import StoreDenied, StoreFault
from repository.localized import LocalizedText
from repository.storage.address import S3Address
from repository.storage.s3_errors import fault_of, unreachable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def open_client(address: S3Address) -> S3Client:
    """A client for the server of an address; safe to use from many threads. Opens no connection."""
    return boto3.session.Session().client(
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
    """The S3 error code of an answer, or its HTTP status when it has none (to a HEAD)."""
    return str(fault.response.get("Error", {}).get("Code", ""))


def status_of(fault: ClientError) -> int:
    """The HTTP status of an answer that was an error."""
    return int(fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated(name: str) -> Iterator[None]:
    """The errors of boto3 about `name` as `StoreFault`s."""
    try:
        yield
    except ClientError as fault:
        code = code_of(fault)
        raise fault_of(name, "" if code.isdecimal() else code, status_of(fault)) from fault
    except NoCredentialsError as fault:
        raise StoreDenied(key=name, reason=LocalizedText("没有设置访问密钥", "no access key is set")) from fault
    except (ConnectTimeoutError, ReadTimeoutError) as fault:
        raise unreachable(name, timed_out=True) from fault
    except (EndpointConnectionError, ProxyConnectionError, HTTPClientError) as fault:
        raise unreachable(name, timed_out=False) from fault
    except ParamValidationError as fault:  # a name of a bucket that boto3 knows by itself to be none
        raise fault_of(name, "InvalidBucketName", HTTPStatus.BAD_REQUEST) from fault
    except BotoCoreError as fault:
        raise StoreFault(key=name, reason=str(fault).partition("\n")[0][:200]) from fault
