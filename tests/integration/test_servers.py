"""The servers and ports that tests use: what survives a kill, and that no process remains."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psycopg
import pytest
from botocore.exceptions import ClientError
from ceph_server import CephServer
from database_server import PostgresServer
from ports import reserve_port
from redis import Redis
from server_process import descendants, is_alive, wait_for_end
from servers import NginxServer, RedisServer, temporary_paths

pytestmark = pytest.mark.integration


def test_a_reserved_port_refuses_connections_until_a_server_listens_on_it_again_and_again() -> None:
    port = reserve_port()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_reserved_port_is_given_to_no_other_socket() -> None:
    port = reserve_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    assert port not in {reserve_port() for _ in range(200)}


def test_a_killed_redis_restarts_empty(redis: RedisServer) -> None:
    with Redis.from_url(redis.url) as client:
        client.set("message", "sent")
        redis.kill()
        redis.start()
        assert client.keys() == []


def test_a_killed_postgresql_keeps_what_was_committed(postgres: PostgresServer) -> None:
    database = postgres.create_database().rpartition("/")[2]
    with postgres.connect(database) as connection:
        connection.execute("CREATE TABLE works (name text)")
        connection.execute("INSERT INTO works VALUES ('committed')")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO works VALUES ('under way')")
        assert postgres.process.pid is not None
        family = descendants(postgres.process.pid)
        postgres.kill()
        assert not any(is_alive(pid) for pid in family)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres.start()
    with postgres.connect(database) as connection:
        assert connection.execute("SELECT name FROM works").fetchall() == [("committed",)]


def test_ceph_on_disk_keeps_objects_when_its_storage_daemon_is_killed(durable_ceph: CephServer) -> None:
    bucket, body = durable_ceph.create_bucket(), os.urandom(3 << 20)
    client = durable_ceph.client()
    client.put_object(Bucket=bucket, Key="master", Body=body)
    durable_ceph.stop("osd", signal.SIGKILL)
    durable_ceph.start("osd")
    durable_ceph.wait_until_ready()
    assert client.get_object(Bucket=bucket, Key="master")["Body"].read() == body


def test_a_restarted_gateway_serves_the_same_objects(ceph: CephServer) -> None:
    bucket = ceph.create_bucket()
    ceph.client().put_object(Bucket=bucket, Key="tile", Body=b"jpeg")
    ceph.stop("rgw")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(ceph.endpoint, timeout=5)
    ceph.start("rgw")
    assert ceph.client().get_object(Bucket=bucket, Key="tile")["Body"].read() == b"jpeg"


def test_ceph_refuses_objects_beyond_a_quota(ceph: CephServer) -> None:
    user = ceph.create_user(quota_bytes=1 << 20)
    bucket = ceph.create_bucket(user=user)
    client = ceph.client(user)
    client.put_object(Bucket=bucket, Key="first", Body=bytes(900_000))
    with pytest.raises(ClientError, match="QuotaExceeded"):
        client.put_object(Bucket=bucket, Key="second", Body=bytes(900_000))


def saying(word: str) -> str:
    return f'events {{}} http {{ access_log off; %s server {{ listen 127.0.0.1:%d; return 200 "{word}"; }} }}'


def test_nginx_serves_another_configuration_after_a_reload(tmp_path: Path) -> None:
    def first(folder: Path, port: int) -> str:
        return saying("first") % (temporary_paths(folder), port)

    def second(folder: Path, port: int) -> str:
        return saying("second") % (temporary_paths(folder), port)

    def said() -> bytes:
        with urllib.request.urlopen(nginx.address, timeout=5) as answer:
            return answer.read()

    with NginxServer(tmp_path / "nginx", first) as nginx:
        assert said() == b"first"
        nginx.reload(second)
        nginx.process.wait_until(lambda: said() == b"second", 5)


def test_stopped_servers_leave_no_process_and_no_folder(tmp_path: Path) -> None:
    with PostgresServer() as postgres, CephServer(tmp_path / "ceph") as ceph, RedisServer(tmp_path / "redis") as redis:
        servers = [postgres.process, redis.process, *ceph.processes.values()]
        leaders = [server.pid for server in servers if server.pid]
        family = leaders + [child for pid in leaders for child in descendants(pid)]
        assert len(leaders) == len(servers)
        assert len(family) > len(leaders)
    assert not any(is_alive(pid) for pid in family)
    assert not postgres.folder.exists()


def test_a_server_ends_when_its_test_process_is_killed(tmp_path: Path) -> None:
    program = f"""
import pathlib, time
from servers import RedisServer
with RedisServer(pathlib.Path({str(tmp_path)!r})) as server:
    print(server.process.pid, flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE) as test:
        assert test.stdout is not None
        server = int(test.stdout.readline())
        assert is_alive(server)
        test.kill()
    wait_for_end([server], 5)
