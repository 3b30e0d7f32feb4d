"""Checks that an installation has lost nothing: boto3 and hashlib read the stores themselves."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from instance import MACHINES, Instance

from preservation.log.sequencer import open_log
from preservation.ocfl.validation import validate_object
from preservation.premis import parse_event
from preservation.replication.status import replication_status_of
from repository import paths
from repository.database.outbox import JobState
from repository.errors import DatabaseFault

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.WAITING.value)
LOG_COPY_SECONDS = 60
LASTING = {"cache", "database.lock", "keys", "locks", "log.lock", "log.signed", "metrics"}


def wait_for_all_jobs(instance: Instance, seconds: float) -> None:
    """Wait until every job has ended; none may have failed."""
    deadline = time.monotonic() + seconds
    while unfinished := _unfinished(instance):
        assert time.monotonic() < deadline, f"not done after {seconds:.0f} s: {unfinished}\n{instance.logs()}"
        time.sleep(0.2)
    failed = instance.repository.jobs.failed()
    assert not failed, f"failed: {[(job.key, job.result) for job in failed]}\n{instance.logs()}"


def assert_nothing_is_lost(instance: Instance, books: Mapping[str, Path], new: Collection[str] | None = None) -> None:
    """Assert that both stores hold every master, record and pyramid of these works, and nothing half-written.

    `books` maps the identifiers of all works to their deposits; with `new`, only the masters of these works are read.
    No job may be unfinished.
    """
    new = books.keys() if new is None else new
    client = instance.ceph.client(max_pool_connections=16)
    for bucket in instance.buckets.values():
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        assert not uploads, [upload["Key"] for upload in uploads]
        for work in new:
            _assert_masters(client, bucket, work, books[work])
    for store in (instance.repository.store, *instance.repository.replicas.values()):
        for work in new:
            assert validate_object(store, paths.ocfl_object(work)).errors == ()
    assert all(replication_status_of(instance.repository, work).preserved for work in books)
    _assert_pyramids(instance, client, books)
    _assert_log(instance, client, books)


def assert_no_temporary_files(instance: Instance) -> None:
    """Assert that the machines of an installation that was stopped hold no temporary file."""
    left = [
        path for name in MACHINES for path in instance.data(name).iterdir() if path.name not in {*LASTING, "staging"}
    ]
    left += [path for name in MACHINES for path in (instance.data(name) / "staging").rglob("*")]
    left += [path for name in MACHINES for path in instance.data(name).rglob(".incoming/*")]
    assert not left, left


def pyramids_of(instance: Instance, work: str) -> dict[str, bytes]:
    """Read the pyramid of every image of a work from the store."""
    client = instance.ceph.client(max_pool_connections=16)
    keys = {image: pyramid.key for image, pyramid in instance.repository.catalogue.pyramids(work).items()}
    with ThreadPoolExecutor(8) as pool:
        bodies = pool.map(lambda key: _read(client, instance.buckets["store"], key), keys.values())
        return dict(zip(keys, bodies, strict=True))


def _unfinished(instance: Instance) -> str:
    try:
        counts = instance.repository.jobs.counts()
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
        digests = pool.map(lambda key: hashlib.sha256(_read(client, bucket, key)).hexdigest(), keys)
        assert dict(zip(keys, digests, strict=True)) == keys


def _assert_pyramids(instance: Instance, client: S3Client, books: Mapping[str, Path]) -> None:
    """Assert that every image has a readable pyramid, and that the store holds no other."""
    known = {pyramid.key for work in books for pyramid in instance.repository.catalogue.pyramids(work).values()}
    assert len(known) == sum(len(list(deposit.glob("*.tif"))) for deposit in books.values())
    assert set(_keys(client, instance.buckets["store"], paths.PYRAMIDS)) == known
    for work in books:
        for image, pyramid in pyramids_of(instance, work).items():
            with zipfile.ZipFile(io.BytesIO(pyramid)) as archive:
                assert archive.testzip() is None, image


def _assert_log(instance: Instance, client: S3Client, books: Mapping[str, Path]) -> None:
    """Assert that the log is valid and has one entry for each work and each image, and that the replica has it too."""
    log = open_log(instance.repository)
    assert log.verify().problems == ()
    every = (parse_event(entry) for entry in log.entries(0, log.size))
    events = [event for event in every if event.work]  # a check of a whole store is an event of no work
    counts = Counter((event.type, event.work, event.image) for event in events)
    assert len(events) == len({event.identifier for event in events})
    assert set(counts.values()) == {1}, [event for event, times in counts.items() if times > 1]
    images = {(work, image) for work in books for image in instance.repository.catalogue.pyramids(work)}
    assert {(event.work, event.image) for event in events if event.image} == images
    assert len(events) == len(images) + len(books)
    # A scheduled sweep may end meanwhile: it adds an event, and the copy of the log follows.
    deadline = time.monotonic() + LOG_COPY_SECONDS
    while len({_read(client, bucket, paths.LOG_CHECKPOINT) for bucket in instance.buckets.values()}) > 1:
        assert time.monotonic() < deadline, f"the replica's log stays behind\n{instance.logs()}"
        time.sleep(0.2)


def _keys(client: S3Client, bucket: str, folder: str) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder}/"):
        yield from (item["Key"] for item in page.get("Contents", []))


def _read(client: S3Client, bucket: str, key: str) -> bytes:
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()
