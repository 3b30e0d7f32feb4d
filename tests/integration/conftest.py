"""Fixtures for real servers, each started when the first test requests it.

`ceph` and `postgres` run as long as the test process, whose tests share them: a test may stop and start their daemons,
and must leave them running. A test that kills a storage daemon uses `durable_ceph`: `ceph` keeps its objects in memory.
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
    """An empty Redis for this test."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def rabbit(tmp_path: Path) -> Iterator[RabbitServer]:
    """An empty RabbitMQ for this test."""
    with RabbitServer(tmp_path / "rabbit") as server:
        yield server


@pytest.fixture(params=["redis", "rabbit"])
def broker(request: pytest.FixtureRequest) -> RedisServer | RabbitServer:
    """An empty broker of each kind; `url` is the value of SHANBEN_BROKER."""
    server: RedisServer | RabbitServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL shared by the tests of this process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    """The URL of a new database in PostgreSQL, the value of SHANBEN_DATABASE."""
    return postgres.create_database()


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephServer]:
    """An S3 server, in memory, shared by the tests of this process."""
    with CephServer(tmp_path_factory.mktemp("ceph")) as server:
        yield server


@pytest.fixture(scope="session")
def durable_ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephServer]:
    """An S3 server on disk, shared by the tests of this process: its daemons may be killed, and lose nothing."""
    with CephServer(tmp_path_factory.mktemp("durable"), durable=True) as server:
        yield server


@pytest.fixture
def bucket(ceph: CephServer) -> S3Settings:
    """A new bucket, as fields of `Settings`."""
    return ceph.settings(ceph.create_bucket())


@pytest.fixture
def s3_settings(bucket: S3Settings, tmp_path: Path) -> Settings:
    """Settings with a new bucket as the store; everything else is in a folder of this test, the database is SQLite."""
    return Settings(data=tmp_path / "var", **bucket)
