"""Whether a house that was struck has lost anything: found out from the stores themselves, by boto3 and hashlib."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from instance import MACHINES, House

from preservation.log.sequencer import open_log
from preservation.ocfl.validation import validate_object
from preservation.premis import parse_event
from repository import paths
from repository.database.outbox import JobState
from repository.errors import DatabaseFault

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.WAITING.value)
LASTING = {"cache", "database.lock", "keys", "locks", "log.lock", "log.signed", "metrics"}


def wait_until_quiet(house: House, seconds: float) -> None:
    """Wait until every job has ended; none may have failed."""
    deadline = time.monotonic() + seconds
    while unfinished := _unfinished(house):
        assert time.monotonic() < deadline, f"not done after {seconds:.0f} s: {unfinished}\n{house.logs()}"
        time.sleep(0.2)
    failed = house.repository.jobs.failed()
    assert not failed, f"failed: {[(job.key, job.result) for job in failed]}\n{house.logs()}"


def assert_nothing_lost(house: House, books: Mapping[str, Path]) -> None:
    """Both stores hold every master of these works, and all that is said of them, and nothing half-done.

    `books` leads from the works' identifiers to the deposits they came from. The house must be quiet.
    """
    client = house.ceph.client(max_pool_connections=16)
    for bucket in house.buckets.values():
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        assert not uploads, [upload["Key"] for upload in uploads]
        for work, deposit in books.items():
            _assert_masters(client, bucket, work, deposit)
    for store in (house.repository.store, *house.repository.replicas.values()):
        for work in books:
            assert validate_object(store, paths.ocfl_object(work)).errors == ()
    stores = list(house.repository.replicas)
    assert all(house.repository.replica_status.is_preserved(work, stores) for work in books)
    _assert_pyramids(house, client, books)
    _assert_log(house, client, books)


def assert_nothing_left(house: House) -> None:
    """The machines of a house that was ended in order hold nothing temporary."""
    left = [path for name in MACHINES for path in house.data(name).iterdir() if path.name not in {*LASTING, "staging"}]
    left += [path for name in MACHINES for path in (house.data(name) / "staging").rglob("*")]
    left += [path for name in MACHINES for path in house.data(name).rglob(".incoming/*")]
    assert not left, left


def pyramids_of(house: House, work: str) -> dict[str, bytes]:
    """The pyramid of every image of a work, as it lies in the store."""
    client = house.ceph.client(max_pool_connections=16)
    keys = {image: pyramid.key for image, pyramid in house.repository.catalogue.pyramids(work).items()}
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda key: _read(client, house.buckets["store"], key), keys.values())
        return dict(zip(keys, found, strict=True))


def _unfinished(house: House) -> str:
    try:
        counts = house.repository.jobs.counts()
    except DatabaseFault as fault:
        return str(fault)
    return str(counts) if any(counts[state] for state in UNFINISHED) else ""


def _assert_masters(client: S3Client, bucket: str, work: str, deposit: Path) -> None:
    root = paths.ocfl_object(work)
    manifest = json.loads(_read(client, bucket, f"{root}/inventory.json"))["manifest"]
    masters = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in deposit.glob("*.tif")}
    assert not masters.keys() - manifest.keys(), f"{bucket} does not list {masters.keys() - manifest.keys()}"
    keys = {f"{root}/{path}": digest for digest in masters for path in manifest[digest]}
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda key: hashlib.sha256(_read(client, bucket, key)).hexdigest(), keys)
        assert dict(zip(keys, found, strict=True)) == keys


def _assert_pyramids(house: House, client: S3Client, books: Mapping[str, Path]) -> None:
    """Every image has its pyramid, whole, and there is none besides."""
    known = {pyramid.key for work in books for pyramid in house.repository.catalogue.pyramids(work).values()}
    assert len(known) == sum(len(list(deposit.glob("*.tif"))) for deposit in books.values())
    assert set(_listed(client, house.buckets["store"], paths.PYRAMIDS)) == known
    for work in books:
        for image, pyramid in pyramids_of(house, work).items():
            with zipfile.ZipFile(io.BytesIO(pyramid)) as archive:
                assert archive.testzip() is None, image


def _assert_log(house: House, client: S3Client, books: Mapping[str, Path]) -> None:
    verdict = house.ask("log", "verify")
    log = open_log(house.repository)
    events = [parse_event(entry) for entry in log.entries(0, log.size)]
    told = Counter((event.type, event.work, event.image) for event in events)
    assert len(events) == verdict["size"] == len({event.identifier for event in events})
    assert set(told.values()) == {1}, [what for what, times in told.items() if times > 1]
    images = {(work, image) for work in books for image in house.repository.catalogue.pyramids(work)}
    assert {(event.work, event.image) for event in events if event.image} == images
    assert len(events) == len(images) + len(books)
    head, copy = (_read(client, bucket, paths.LOG_CHECKPOINT) for bucket in house.buckets.values())
    assert head == copy


def _listed(client: S3Client, bucket: str, folder: str) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder}/"):
        yield from (found["Key"] for found in page.get("Contents", []))


def _read(client: S3Client, bucket: str, key: str) -> bytes:
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()
