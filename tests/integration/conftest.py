"""Real servers for the tests here, each started when the first test asks for it.

`ceph` and `postgres` live as long as the test process, shared by its tests: a test may stop and start their daemons,
and must leave them running. What kills a storage daemon takes `durable_ceph`: `ceph` keeps its objects in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ceph_server import CephServer, S3Settings
from database_server import PostgresServer
from servers import RabbitServer, RedisServer

from repository.config import Settings


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """An empty Redis of this test's own."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def rabbit(tmp_path: Path) -> Iterator[RabbitServer]:
    """An empty RabbitMQ of this test's own."""
    with RabbitServer(tmp_path / "rabbit") as server:
        yield server


@pytest.fixture(params=["redis", "rabbit"])
def broker(request: pytest.FixtureRequest) -> RedisServer | RabbitServer:
    """An empty broker of this test's own, of each kind; its `url` is what SHANBEN_BROKER is set to."""
    server: RedisServer | RabbitServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL shared by the tests of this process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    """The address of a fresh, empty database of PostgreSQL: what SHANBEN_DATABASE is set to."""
    return postgres.create_database()


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephServer]:
    """An S3 server, in memory, shared by the tests of this process."""
    with CephServer(tmp_path_factory.mktemp("ceph")) as server:
        yield server


@pytest.fixture(scope="module")
def durable_ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephServer]:
    """An S3 server on disk, of this file's own: its daemons may be killed, and lose nothing."""
    with CephServer(tmp_path_factory.mktemp("durable"), durable=True) as server:
        yield server


@pytest.fixture
def bucket(ceph: CephServer) -> S3Settings:
    """Where a fresh bucket is, as fields of `Settings`."""
    return ceph.settings(ceph.create_bucket())


@pytest.fixture
def s3_settings(bucket: S3Settings, tmp_path: Path) -> Settings:
    """Settings whose store is a fresh bucket; the rest is in a folder of this test's own, the database SQLite."""
    return Settings(data=tmp_path / "var", **bucket)
