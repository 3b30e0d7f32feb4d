"""The S3 store on a real Ceph gateway: the contract of every store, and failures of network and server."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ceph_server import CephServer
from store_scenarios import *  # noqa: F403 -- every scenario is a test here
from store_scenarios import MEBIBYTE, keys
from tcp_proxy import TcpProxy

from repository.config import Settings
from repository.errors import KeyNotFound, StoreDenied, StoreFault, StoreFull
from repository.storage.address import S3Address, parse_address
from repository.storage.s3 import ObstoreStore, Timeouts, s3_store
from repository.storage.s3_admin import IncompleteUploads, prepare_bucket
from repository.storage.store import ObjectStore, open_replicas, open_store, open_store_at

pytestmark = pytest.mark.integration

MARK = b"<a mark that the proxy looks for>"
BRIEF = Timeouts(total=3, idle=3, retries=2, retry_period=5, longest_pause=0.5)
LARGE = 40 * MEBIBYTE


@pytest.fixture
def settings(s3_settings: Settings) -> Settings:
    """A store with a prefix that must be percent-encoded on the way, in a fresh bucket."""
    return dataclasses.replace(s3_settings, store=f"{s3_settings.store}/善 本/a%2Bb")


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return open_store(settings)


def bucket_of(settings: Settings) -> str:
    return place(settings).bucket


def place(settings: Settings) -> S3Address:
    address = parse_address(settings.store_url, settings)
    assert isinstance(address, S3Address)
    return address


def through(proxy: TcpProxy, settings: Settings) -> Settings:
    return dataclasses.replace(settings, s3_endpoint=proxy.endpoint)


def unfinished(ceph: CephServer, settings: Settings) -> list[str]:
    uploads = ceph.client().list_multipart_uploads(Bucket=bucket_of(settings)).get("Uploads", [])
    return sorted(upload["Key"] for upload in uploads)


class Damage:
    """Changes the mark in the first `times` pieces that contain it."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.done = 0

    def __call__(self, piece: bytes) -> bytes:
        if MARK not in piece or self.left == 0:
            return piece
        self.left -= 1
        self.done += 1
        return piece.replace(MARK, MARK.swapcase(), 1)


@pytest.mark.parametrize("before", [1000, 17 * MEBIBYTE])
def test_an_upload_damaged_in_transit_is_refused_and_can_be_repeated(
    ceph: CephServer, settings: Settings, before: int
) -> None:
    content = os.urandom(before) + MARK + os.urandom(1000)
    damage = Damage(1)
    with TcpProxy(settings.s3_endpoint, sent=damage) as proxy:
        store = open_store(through(proxy, settings))
        with pytest.raises(StoreFault, match="damaged in transit") as raised:
            store.put("master", content)
        assert raised.value.transient
        assert damage.done == 1
        assert not store.exists("master")
        assert unfinished(ceph, settings) == []
        store.put("master", content)
    assert open_store(settings).read("master") == content


@pytest.mark.parametrize("change", ["none", "one byte", "cut"])
def test_an_object_that_differs_from_what_was_sent_is_refused(
    ceph: CephServer, settings: Settings, change: str
) -> None:
    content = os.urandom(LARGE)
    other = {"none": content, "one byte": content[:-1] + bytes([content[-1] ^ 1]), "cut": content[:-1]}[change]

    def replace_object(piece: bytes) -> bytes:
        if piece.startswith(b"HEAD "):  # once, after the upload; an object put in one piece has another ETag
            ceph.client().put_object(Bucket=bucket_of(settings), Key=place(settings).key("master"), Body=other)
        return piece

    with TcpProxy(settings.s3_endpoint, sent=replace_object) as proxy:
        store = open_store(through(proxy, settings))
        if change == "none":
            store.put("master", content)
        else:
            with pytest.raises(StoreFault, match="not what was sent"):
                store.put("master", content)


def test_connections_are_reused(settings: Settings) -> None:
    with TcpProxy(settings.s3_endpoint) as proxy:
        store = open_store(through(proxy, settings))
        store.put("pyramid", bytes(MEBIBYTE))
        for number in range(200):
            assert len(store.read_range("pyramid", number * 1000, 10_000)) == 10_000
        assert proxy.accepted <= 8


MEASURE = """
import sys
from pathlib import Path
from repository.config import Settings
from repository.storage.store import open_store

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) >> 10

def chunks(count):
    return (bytes([number % 251]) * (1 << 20) for number in range(count))

store = open_store(Settings(store=sys.argv[1], s3_endpoint=sys.argv[2], s3_access_key=sys.argv[3],
                            s3_secret_key=sys.argv[4]))
store.put("warm", chunks(17))  # boto3 and all else are loaded
Path("/proc/self/clear_refs").write_text("5")  # reset the peak
before = peak()
store.put("large", chunks(200) if sys.argv[5] == "chunks" else Path(sys.argv[5]))
print(peak() - before)
"""


@pytest.mark.parametrize("form", ["chunks", "path"])
def test_an_upload_of_any_length_needs_bounded_memory(settings: Settings, tmp_path: Path, form: str) -> None:
    (tmp_path / "master").write_bytes(os.urandom(MEBIBYTE) * 200)
    access = [settings.store, settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key]
    source = form if form == "chunks" else str(tmp_path / "master")
    done = subprocess.run([sys.executable, "-c", MEASURE, *access, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(f"{form}: {done.stdout.strip()} MiB more for 200 MiB")
    assert int(done.stdout) <= 112
    assert open_store(settings).size("large") == 200 * MEBIBYTE


DYING = """
import os, signal, sys, time
from repository.config import Settings
from repository.storage.store import open_store

def chunks():
    yield bytes(40 << 20)
    print("under way", flush=True)
    time.sleep(60)
    yield b""

store = open_store(Settings(store=sys.argv[1], s3_endpoint=sys.argv[2], s3_access_key=sys.argv[3],
                            s3_secret_key=sys.argv[4]))
store.put(sys.argv[5], chunks())
"""


def kill_during_upload(settings: Settings, key: str) -> None:
    """Start an upload of `key` in a process of its own, and kill that process."""
    access = [settings.store, settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key]
    process = subprocess.Popen([sys.executable, "-c", DYING, *access, key], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"under way\n"
    time.sleep(0.5)  # a part is being sent
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_put_aborts_the_upload_that_a_killed_process_left_for_its_key(ceph: CephServer, settings: Settings) -> None:
    for key in ("master", "master-2"):
        kill_during_upload(settings, key)
    below = place(settings).prefix
    assert unfinished(ceph, settings) == [f"{below}/master", f"{below}/master-2"]
    store = open_store(settings)
    assert keys(store) == []
    store.put("master", bytes(LARGE))
    assert unfinished(ceph, settings) == [f"{below}/master-2"]
    assert store.size("master") == LARGE


def test_incomplete_uploads_are_removed_by_age_and_only_in_their_own_store(
    ceph: CephServer, settings: Settings
) -> None:
    kill_during_upload(settings, "a/master")
    beside = dataclasses.replace(settings, store=f"{settings.store}-beside")
    kill_during_upload(beside, "b/master")
    store = open_store(settings)
    assert store.remove_incomplete_uploads(3600) == 0
    assert IncompleteUploads(place(settings)).abort("other") == 0
    assert store.remove_incomplete_uploads(0) == 1
    assert unfinished(ceph, settings) == [f"{place(beside).prefix}/b/master"]
    assert IncompleteUploads(place(beside)).abort("b") == 1
    assert unfinished(ceph, settings) == []


def test_the_slower_of_two_uploads_of_one_key_fails_and_can_be_repeated(settings: Settings) -> None:
    content = os.urandom(LARGE)
    store = open_store(settings)

    def overtaken() -> Iterator[bytes]:
        yield content[: 36 * MEBIBYTE]
        open_store(settings).put("master", content)
        yield content[36 * MEBIBYTE :]

    with pytest.raises(StoreFault, match="completed the same object") as raised:
        store.put("master", overtaken())
    assert raised.value.transient
    assert store.read("master") == content
    store.put("master", content)


def test_wrong_credentials_are_reported_and_not_retried(settings: Settings) -> None:
    for wrong in ({"s3_access_key": "nobody"}, {"s3_secret_key": "a-wrong-secret"}):
        store = open_store(dataclasses.replace(settings, **wrong))
        begun = time.monotonic()
        for fault in (*faults_of_every_call(store), fault_of(lambda s=store: s.remove_incomplete_uploads(0))):
            assert type(fault) is StoreDenied
            assert not fault.transient
            assert "credentials" in str(fault)
            assert_short_and_without_secrets(fault, settings)
        assert time.monotonic() - begun < 5
        refused = dataclasses.replace(settings, **wrong)
        with pytest.raises(StoreDenied):
            prepare_bucket(refused.store, refused)


def test_another_users_bucket_is_denied(ceph: CephServer, settings: Settings) -> None:
    other = ceph.create_user()
    theirs = dataclasses.replace(settings, s3_access_key=other.access_key, s3_secret_key=other.secret_key)
    for fault in faults_of_every_call(open_store(theirs)):
        assert type(fault) is StoreDenied


def test_a_missing_bucket_is_reported(settings: Settings) -> None:
    store = open_store(dataclasses.replace(settings, store="s3://no-such-bucket/x"))
    for fault in faults_of_every_call(store):
        assert type(fault) is StoreDenied
        assert "bucket does not exist" in str(fault)
        assert_short_and_without_secrets(fault, settings)


@pytest.mark.parametrize("size", [MEBIBYTE, LARGE])
def test_an_exhausted_quota_is_reported_as_a_full_store(ceph: CephServer, tmp_path: Path, size: int) -> None:
    user = ceph.create_user(quota_bytes=100_000)
    settings = Settings(data=tmp_path, **ceph.settings(ceph.create_bucket(user=user), user))
    store = open_store(settings)
    store.put("small", bytes(1000))
    with pytest.raises(StoreFull, match="free some space") as raised:
        store.put("large", bytes(size))
    assert raised.value.transient
    assert_short_and_without_secrets(raised.value, settings)
    assert keys(store) == ["small"]
    assert ceph.client(user).list_multipart_uploads(Bucket=bucket_of(settings)).get("Uploads", []) == []


def test_an_absent_gateway_is_reported_within_seconds_and_used_again_when_it_returns(
    ceph: CephServer, settings: Settings
) -> None:
    store = s3_store(place(settings), writes=BRIEF)
    store.put("page", b"bytes")
    ceph.stop("rgw")
    try:
        for fault in faults_of_every_call(store, within=10):
            assert type(fault) is StoreFault
            assert fault.transient
            assert "cannot be reached" in str(fault)
            assert_short_and_without_secrets(fault, settings)
    finally:
        ceph.start("rgw")
    assert store.read_range("page", 0, 5) == b"bytes"


def test_a_put_waits_for_a_gateway_that_restarts(ceph: CephServer, settings: Settings) -> None:
    content = os.urandom(LARGE)
    store = open_store(settings)

    def chunks() -> Iterator[bytes]:
        yield content[: 20 * MEBIBYTE]
        ceph.stop("rgw")
        again.start()
        yield content[20 * MEBIBYTE :]

    again = threading.Timer(3, ceph.start, ["rgw"])
    store.put("master", chunks())
    again.join()
    assert store.read("master") == content
    assert unfinished(ceph, settings) == []


@pytest.mark.parametrize(("refused", "goes_well"), [(1, True), (99, False)])
def test_requests_to_an_overloaded_server_are_retried_a_few_times(
    settings: Settings, refused: int, goes_well: bool
) -> None:
    open_store(settings).put("pyramid", bytes(1000))
    answers: list[bytes] = []

    def overloaded(piece: bytes) -> bytes:
        if piece.startswith(b"HTTP/1.1 206 Partial Content") and len(answers) < refused:
            answers.append(piece)
            return piece.replace(b" 206 Partial Content", b" 503 Slow Down", 1)
        return piece

    with TcpProxy(settings.s3_endpoint, received=overloaded) as proxy:
        store = open_store(through(proxy, settings))
        if goes_well:
            assert store.read_range("pyramid", 0, 10) == bytes(10)
        else:
            fault = fault_of(lambda: store.read_range("pyramid", 0, 10), within=11)
            assert fault.transient
            assert "HTTP 503" in str(fault)
            assert len(answers) == 3


@pytest.mark.slow
def test_an_absent_storage_daemon_is_reported_and_nothing_is_lost(durable_ceph: CephServer, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, **durable_ceph.settings(durable_ceph.create_bucket()))
    store = s3_store(place(settings), writes=BRIEF)
    store.put("page", b"bytes")
    durable_ceph.stop("osd", signal.SIGKILL)
    calls = (lambda: store.read_range("page", 0, 5), lambda: store.size("page"), lambda: store.put("new", b"x"))
    with ThreadPoolExecutor(3) as threads:
        faults = list(threads.map(lambda call: fault_of(call, within=12), calls))
    for fault in faults:
        assert fault.transient
        assert type(fault) is StoreFault
        assert "did not respond in time" in str(fault)
    durable_ceph.start("osd")
    durable_ceph.wait_until_ready()
    assert store.read_range("page", 0, 5) == b"bytes"
    store.put("new", b"x")


def test_a_read_from_a_silent_server_times_out(ceph: CephServer, settings: Settings) -> None:
    open_store(settings).put("pyramid", bytes(MEBIBYTE))
    silent = threading.Event()

    def delay(piece: bytes) -> bytes:
        if silent.is_set():
            time.sleep(30)
        return piece

    with TcpProxy(settings.s3_endpoint, received=delay) as proxy:
        store = open_store(through(proxy, settings))
        assert store.read_range("pyramid", 0, 3) == bytes(3)
        silent.set()
        fault = fault_of(lambda: store.read_range("pyramid", 0, 10_000), within=11)
        assert type(fault) is StoreFault
        assert "did not respond in time" in str(fault)


def test_a_read_over_a_very_slow_connection_times_out(ceph: CephServer, settings: Settings) -> None:
    open_store(settings).put("pyramid", bytes(MEBIBYTE))

    def slowed(piece: bytes) -> bytes:
        time.sleep(len(piece) / 65_536)
        return piece

    with TcpProxy(settings.s3_endpoint, received=slowed) as proxy:
        store = open_store(through(proxy, settings))
        assert len(store.read_range("pyramid", 0, 10_000)) == 10_000
        fault = fault_of(lambda: store.read_range("pyramid", 0, MEBIBYTE), within=14)
        assert "did not respond in time" in str(fault)


def test_a_consumer_slower_than_every_timeout_still_reads_everything(settings: Settings) -> None:
    content = os.urandom(8 * MEBIBYTE)
    impatient = Timeouts(total=60, idle=0.5, retries=0, retry_period=1, longest_pause=0.2)
    store = s3_store(place(settings), large_reads=impatient)
    store.put("master", content)
    read = []
    for number, chunk in enumerate(store.chunks("master")):
        read.append(chunk)
        time.sleep(0.8 if number < 3 else 0)
    assert b"".join(read) == content


def test_preparing_a_bucket_again_keeps_the_lifecycle_rules_of_others(ceph: CephServer, settings: Settings) -> None:
    client, bucket = ceph.client(), bucket_of(settings)
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "elsewhere/"}, "Expiration": {"Days": 1}}
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [theirs]})
    beside = dataclasses.replace(settings, store=f"s3://{bucket}")
    for _ in range(2):
        assert prepare_bucket(settings.store, settings).versioned
        assert prepare_bucket(beside.store, beside) == prepare_bucket(beside.store, beside)
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    actions = {
        (rule.get("Filter", rule).get("Prefix", ""), *(set(rule) - {"ID", "Status", "Filter", "Prefix"}))
        for rule in rules
    }
    below = place(settings).prefix
    assert actions == {
        ("elsewhere/", "Expiration"),
        ("", "AbortIncompleteMultipartUpload"),
        ("pyramids/", "NoncurrentVersionExpiration"),
        ("published/", "NoncurrentVersionExpiration"),
        ("similar/", "NoncurrentVersionExpiration"),
        ("search/", "NoncurrentVersionExpiration"),
        (f"{below}/", "AbortIncompleteMultipartUpload"),
        (f"{below}/pyramids/", "NoncurrentVersionExpiration"),
        (f"{below}/published/", "NoncurrentVersionExpiration"),
        (f"{below}/similar/", "NoncurrentVersionExpiration"),
        (f"{below}/search/", "NoncurrentVersionExpiration"),
    }
    assert len(rules) == len(actions)


def test_a_listing_of_many_pages_is_complete_and_can_be_deleted(store: ObjectStore) -> None:
    expected = [f"many/{number:04d}" for number in range(1_010)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda key: store.put(key, b""), expected))
        assert keys(store, "many") == expected
        list(threads.map(store.delete, expected))
    assert keys(store) == []


def test_a_replica_is_reached_by_its_address_alone(ceph: CephServer, s3_settings: Settings, tmp_path: Path) -> None:
    other = ceph.create_user()
    access = f"access_key={other.access_key}&secret_key={other.secret_key}"
    address = f"s3://replica-{other.secret_key}/%E5%89%AF%E6%9C%AC%2C1?endpoint={ceph.endpoint}&{access}"
    settings = dataclasses.replace(s3_settings, replicas=(address, str(tmp_path / "replica")))
    assert prepare_bucket(address, settings).versioned
    replicas = open_replicas(settings)
    for store in replicas.values():
        store.put("a/b", b"x")
    assert open_store_at(address, Settings()).read("a/b") == b"x"
    assert not open_store(settings).exists("a/b")
    with pytest.raises(KeyNotFound):
        open_store(settings).read("a/b")


def faults_of_every_call(store: ObjectStore, within: float = 60) -> list[StoreFault]:
    """Return the fault that each operation of the store raises."""
    calls: list[Callable[[], object]] = [
        lambda: store.read_range("a/b", 0, 10),
        lambda: store.read_range("a/b", -10, 10),
        lambda: store.read("a/b"),
        lambda: store.size("a/b"),
        lambda: store.exists("a/b"),
        lambda: list(store.chunks("a/b")),
        lambda: list(store.list("a")),
        lambda: store.put("a/b", b"x"),
        lambda: store.put("a/b", bytes(17 * MEBIBYTE)),
        lambda: store.put_new("a/c", b"x"),
        lambda: store.delete("a/b"),
    ]
    return [fault_of(call, within) for call in random.Random(1).sample(calls, len(calls))]


def fault_of(call: Callable[[], object], within: float = 60) -> StoreFault:
    begun = time.monotonic()
    with pytest.raises(StoreFault) as raised:
        call()
    assert time.monotonic() - begun < within
    return raised.value


def assert_short_and_without_secrets(fault: StoreFault, settings: Settings) -> None:
    assert len(str(fault)) < 250
    assert "\n" not in str(fault)
    assert settings.s3_secret_key not in str(fault)


def test_asynchronous_ranges_are_those_of_read_range(store: ObjectStore) -> None:
    assert isinstance(store, ObstoreStore)
    content = random.Random(5).randbytes(300_000)
    store.put("pyramids/二 册/a%2Bb+c.zip", content)
    ranges = [(start, length) for start in (0, 1, 70_000, 299_000, 300_000) for length in (1, 500, 1000)]

    async def read_all() -> list[bytes]:
        with pytest.raises(KeyNotFound):
            await store.read_range_async("pyramids/absent.zip", 0, 10)
        return await asyncio.gather(*(store.read_range_async("pyramids/二 册/a%2Bb+c.zip", *args) for args in ranges))

    assert asyncio.run(read_all()) == [content[start : start + length] for start, length in ranges]
