"""Ceph's S3 gateway for tests: one monitor, one storage daemon and one gateway, from Debian's packages.

The storage daemon keeps objects in memory, and loses them when it ends. With `durable` it keeps them in BlueStore,
where a SIGKILL loses nothing that was acknowledged. Ceph 16 accepts `If-None-Match` on PUT and ignores it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from ports import reserve_port
from server_process import READY_SECONDS, ServerFailed, ServerProcess, accepts, answers
from servers import program

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Name = Literal["mon", "osd", "rgw"]
STORED_BYTES = 8 << 30
PROBE = "readiness"

CONFIGURATION = """
[global]
fsid = {cluster}
mon_initial_members = a
mon_host = [v1:127.0.0.1:{monitor_port}]
public_network = 127.0.0.1/32
cluster_network = 127.0.0.1/32
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 0
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
run_dir = {folder}
log_file =
log_to_stderr = true
err_to_stderr = true
admin_socket =
pid_file =
crash_dir = {folder}
keyring = {folder}/keyring
[mon]
mon_data = {folder}/mon
[osd]
osd_data = {folder}/osd
osd_class_update_on_start = false
osd_op_num_shards = 1
osd_op_num_threads_per_shard = 4
osd_crush_update_on_start = false
osd_client_watch_timeout = 5
{objects}
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_thread_pool_size = 64
rgw_enable_usage_log = false
rgw_bucket_quota_ttl = 0
"""
IN_MEMORY = f"osd_objectstore = memstore\nmemstore_device_bytes = {STORED_BYTES}"
IN_A_FILE = f"""osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = {STORED_BYTES}
bluestore_cache_autotune = false
bluestore_cache_size = {64 << 20}
osd_memory_target = {512 << 20}"""


@dataclass(frozen=True)
class User:
    """A user of the gateway, with access keys."""

    access_key: str
    secret_key: str


class S3Settings(TypedDict):
    """The fields of `Settings` that name a bucket."""

    store: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str


class CephServer:
    """A gateway at `endpoint`, with a first user. `folder` is created, and kept for its logs."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder.resolve()
        self.durable = durable
        self.user = User("shanben", uuid.uuid4().hex)
        self.port, self._monitor_port = reserve_port(), reserve_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._cluster, self._storage = str(uuid.uuid4()), str(uuid.uuid4())
        commands: dict[Name, list[str]] = {
            "mon": [program("ceph-mon", "ceph-mon"), "-f", "-i", "a"],
            "osd": [program("ceph-osd", "ceph-osd"), "-f", "-i", "0"],
            "rgw": [program("radosgw", "radosgw"), "-f", "-n", "client.rgw"],
        }
        self._tools = {name: program(name, "ceph-common") for name in ("monmaptool", "osdmaptool", "radosgw-admin")}
        self._environment = {**os.environ, "CEPH_CONF": str(self.folder / "ceph.conf"), "CEPH_ARGS": ""}
        self.processes = {
            name: ServerProcess(name, command, self.folder / f"{name}.log", environment=self._environment)
            for name, command in commands.items()
        }

    def __enter__(self) -> Self:
        try:
            self._create_cluster()
            for name in ("mon", "osd"):
                self.start(name)
            self.create_user(self.user)
            self.start("rgw")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Kill every daemon: all data is temporary."""
        for name in reversed(self.processes):
            self.processes[name].kill()

    @property
    def access_key(self) -> str:
        """The first user's key."""
        return self.user.access_key

    @property
    def secret_key(self) -> str:
        """The first user's key."""
        return self.user.secret_key

    def start(self, name: Name) -> None:
        """Start a daemon unless it runs, and wait until the gateway answers or the monitor listens.

        The storage daemon serves some seconds later: see `wait_until_ready`.
        """
        ready = {
            "mon": lambda: accepts(self._monitor_port),
            "osd": lambda: True,
            "rgw": lambda: answers(self.endpoint),
        }
        self.processes[name].start(ready[name])

    def stop(self, name: Name, number: int = signal.SIGTERM) -> None:
        """End a daemon by a signal, and wait until it has ended."""
        self.processes[name].stop(number)

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until an object can be written and read. Raises `ServerFailed`."""
        client = self.client(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1})
        self.processes["rgw"].wait_until(lambda: self._works(client), seconds)

    def client(self, user: User | None = None, **options: Any) -> S3Client:
        """Return a boto3 client, for what a test does without our code; `options` are those of botocore's `Config`."""
        user = user or self.user
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=user.access_key,
            aws_secret_access_key=user.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, **options),
        )

    def create_user(self, user: User | None = None, *, quota_bytes: int | None = None) -> User:
        """Create a user with keys of its own; `quota_bytes` limits each of its buckets (403, QuotaExceeded)."""
        user = user or User(f"user-{uuid.uuid4().hex}", uuid.uuid4().hex)
        name = f"--uid={user.access_key}"
        keys = [f"--access-key={user.access_key}", f"--secret-key={user.secret_key}"]
        self._administer("user", "create", name, "--display-name=test", *keys)
        if quota_bytes is not None:
            scope = "--quota-scope=bucket"
            self._administer("quota", "set", name, scope, f"--max-size={quota_bytes}")
            self._administer("quota", "enable", name, scope)
        return user

    def create_bucket(self, name: str | None = None, user: User | None = None) -> str:
        """Create a bucket, by default with a new name, and return its name."""
        name = name or f"test-{uuid.uuid4().hex}"
        self.client(user).create_bucket(Bucket=name)
        return name

    def settings(self, bucket: str, user: User | None = None) -> S3Settings:
        """Return the fields of `Settings` that make this bucket the store."""
        user = user or self.user
        return {
            "store": f"s3://{bucket}",
            "s3_endpoint": self.endpoint,
            "s3_access_key": user.access_key,
            "s3_secret_key": user.secret_key,
        }

    def _works(self, client: S3Client) -> bool:
        try:
            client.create_bucket(Bucket=PROBE)
            client.put_object(Bucket=PROBE, Key=PROBE, Body=b"ready")
            return client.get_object(Bucket=PROBE, Key=PROBE)["Body"].read() == b"ready"
        except (BotoCoreError, ClientError):
            return False

    def _administer(self, *arguments: str) -> None:
        self._run(self._tools["radosgw-admin"], *arguments)

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=READY_SECONDS)
        if done.returncode != 0:
            logs = "\n".join(process.end_of_log() for process in self.processes.values())
            raise ServerFailed(f"{command[0]} ended with {done.returncode}\n{done.stderr}\n{logs}")

    def _create_cluster(self) -> None:
        """Create the monitor with a map that lists the storage daemon already."""
        for name in ("mon", "osd"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "ceph.conf").write_text(
            CONFIGURATION.format(
                cluster=self._cluster,
                monitor_port=self._monitor_port,
                folder=self.folder,
                port=self.port,
                objects=IN_A_FILE if self.durable else IN_MEMORY,
            )
        )
        monitors, storage = self.folder / "monitors", self.folder / "storage"
        address = f"[v1:127.0.0.1:{self._monitor_port}]"
        self._run(self._tools["monmaptool"], "--create", "--addv", "a", address, "--fsid", self._cluster, monitors)
        self._run(self._tools["osdmaptool"], "--createsimple", "1", storage)
        monitor, daemon = (self.processes[name].command[0] for name in ("mon", "osd"))
        self._run(monitor, "--mkfs", "-i", "a", "--monmap", monitors, "--osdmap", storage, "--fsid", self._cluster)
        self._run(daemon, "--mkfs", "-i", "0", "--osd-uuid", self._storage, "--no-mon-config")
