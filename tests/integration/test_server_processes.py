"""The processes of `shanben serve`: replaced when they end, and none left when it ends, however that comes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from deployed_edge import make_certificate
from ports import reserve_port
from server_process import descendants, is_alive, wait_for_end
from web_server import NO_LOCAL_WORKER

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")


class Serving:
    """The command, started with this number of processes."""

    def __init__(self, folder: Path, processes: int, settings: Mapping[str, str]) -> None:
        self.port = reserve_port()
        environment = {"PATH": os.environ["PATH"], "SHANBEN_DATA": str(folder / "var"), **settings}
        # A shell that runs the tests in the background has them ignore SIGINT, and all that they start.
        command = ["env", "--default-signal=SIGINT", SHANBEN, "serve", "--port", str(self.port)]
        command += ["--workers", str(processes)]
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def serves_by_two(self) -> bool:
        """Whether both processes have begun: the first answers while the second may yet read its settings."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
                told = answer.read().decode()
        except OSError:
            return False
        begun = {int(pid) for pid in re.findall(r'shanben_process_start_time_seconds\{pid="(\d+)"', told)}
        return len(begun) == 2 and begun == set(self.workers())

    def workers(self) -> list[int]:
        return [pid for pid in descendants(self.process.pid) if b"spawn_main" in command_of(pid)]

    def local_workers(self) -> list[int]:
        return [pid for pid in descendants(self.process.pid) if b"local_worker" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@contextmanager
def serving(folder: Path, processes: int = 1, **settings: str) -> Iterator[Serving]:
    server = Serving(folder, processes, settings)
    try:
        yield server
    finally:
        family = descendants(server.process.pid)
        server.process.kill()
        server.process.wait(10)
        wait_for_end(family, 20)
        assert server.process.stderr
        server.process.stderr.close()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server for the tests that leave it whole."""
    with serving(tmp_path_factory.mktemp("server"), 2, **NO_LOCAL_WORKER) as server:
        wait_until(server.answers)
        yield server


def wait_until(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_interrupt_ends_serve_and_all_its_processes(tmp_path: Path) -> None:
    with serving(tmp_path, 2) as server:
        wait_until(server.answers)
        wait_until(lambda: len(server.workers()) == 2)
        family = descendants(server.process.pid)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        wait_for_end(family, 5)


def test_the_processes_of_serve_end_when_it_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        wait_until(server.answers)
        family = descendants(server.process.pid)
        assert len(family) >= 2
        server.process.kill()
        wait_for_end(family, 10)


def test_serve_replaces_a_killed_process(shared_server: Serving) -> None:
    wait_until(lambda: len(shared_server.workers()) == 2)
    before = shared_server.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(shared_server.workers()) - set(before)) == 2)
    wait_until(shared_server.answers)
    assert not any(is_alive(pid) for pid in before)


def test_serve_reports_a_port_in_use(shared_server: Serving, tmp_path: Path) -> None:
    command = [SHANBEN, "serve", "--port", str(shared_server.port)]
    environment = {"PATH": os.environ["PATH"], "SHANBEN_DATA": str(tmp_path / "other")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, "Traceback" in ended.stderr) == (3, False)
    assert str(shared_server.port) in ended.stderr


def test_serve_reports_a_setting_it_cannot_use_and_ends(tmp_path: Path) -> None:
    with serving(tmp_path, SHANBEN_WATERMARK=str(tmp_path / "absent.png")) as server:
        assert server.process.wait(60) == 1
        assert server.process.stderr
        told = server.process.stderr.read()
        assert "absent.png" in told
        assert "Traceback" not in told


def test_serve_starts_while_the_store_is_unavailable(tmp_path: Path) -> None:
    away = {
        "SHANBEN_STORE": "s3://shanben/library",
        "SHANBEN_S3_ENDPOINT": f"http://127.0.0.1:{reserve_port()}",
        "SHANBEN_S3_ACCESS_KEY": "key",
        "SHANBEN_S3_SECRET_KEY": "secret",
    }
    environment = {"PATH": os.environ["PATH"], "SHANBEN_DATA": str(tmp_path / "other"), **away}
    # Both try for seconds to reach the store; `init` then gives up.
    init = subprocess.Popen([SHANBEN, "init"], cwd=tmp_path, env=environment, stdout=-1, stderr=-1, text=True)
    with init, serving(tmp_path, **away) as server:
        wait_until(server.answers)
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/health/ready", timeout=60)
        answer.value.close()
        assert answer.value.code == 503
        family = descendants(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        wait_for_end(family, 5)
        assert server.process.stderr
        told = server.process.stderr.read()
        assert "网站照常启动" in told
        assert "The site starts without it" in told
        assert "Traceback" not in told
        output, errors = init.communicate(timeout=60)
    assert (init.returncode, output) == (3, "")
    assert "无法连接存储服务" in errors


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000, b"HTTP/1.1 400 "),
        (b"GET /" + b"a" * 40_000, b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 4000, b"HTTP/1.1 400 "),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 414 "),
        (b"GET /?" + b"q" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 414 "),
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400 "),
    ],
    ids=["header field", "request line", "many header fields", "path", "query", "no request"],
)
def test_an_oversized_or_malformed_request_gets_a_clear_4xx(
    shared_server: Serving, sent: bytes, expected: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=30) as connection:
        connection.sendall(sent)
        assert connection.recv(4096).startswith(expected)
    assert shared_server.answers()


def test_tls_is_served_by_two_settings(tmp_path: Path) -> None:
    trusted = make_certificate(tmp_path, "localhost")
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "key.pem"
    settings = {"SHANBEN_TLS_CERTIFICATE": str(certificate), "SHANBEN_TLS_KEY": str(key), **NO_LOCAL_WORKER}

    def answer() -> bytes:
        address = f"https://localhost:{server.port}/"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=10, context=trusted) as response:
            return bytes(response.read())
        return b""

    with serving(tmp_path, **settings) as server:
        wait_until(answer)
        assert b"https://localhost" in answer()
    with serving(tmp_path, SHANBEN_TLS_CERTIFICATE=str(certificate)) as incomplete:
        assert incomplete.process.wait(60) == 2
        assert incomplete.process.stderr
        message = incomplete.process.stderr.read()
        assert "tls_key" in message
        assert "Traceback" not in message


def test_a_reload_with_unusable_settings_keeps_the_old_processes(tmp_path: Path) -> None:
    with serving(tmp_path, 2) as server:
        wait_until(server.serves_by_two)
        before, local_workers = set(server.workers()), server.local_workers()
        assert len(local_workers) == 1
        for setting in ('watermark = "/absent.png"', "nonsense = 1"):
            (tmp_path / "shanben.toml").write_text(f"{setting}\n")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: set(server.workers()) > before)
            wait_until(lambda: set(server.workers()) == before)
            assert server.answers()
            assert server.local_workers() == local_workers
        (tmp_path / "shanben.toml").write_text("")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(server.workers()) & before)
        assert server.answers()
        wait_until(lambda: server.local_workers() and server.local_workers() != local_workers)
        server.process.terminate()
        assert server.process.stderr
        told = server.process.stderr.read()
        assert "/absent.png" in told
        assert "nonsense" in told
        assert "Traceback" not in told
