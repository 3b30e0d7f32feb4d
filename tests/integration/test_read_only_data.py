"""Auditing, status and serving where the data folder can only be read: a read-only mount, and another user's folder.

Modes of files do not bind root. A mount does: `unshare` gives the command a mount of its own (it needs root), and
`setpriv` lets it run as nobody.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import reserve_port
from prerequisites import require
from server_process import ServerProcess, answers

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")
FIXTURE = Path(__file__).parents[1] / "fixtures" / "data-0.1.0.tar.xz"
MOUNT = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder with two works, closed by this release, that every user may read."""
    if os.geteuid():
        pytest.skip("only root can mount")
    with tempfile.TemporaryDirectory(prefix="shanben-read-only-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.unpack_archive(FIXTURE, folder)
        assert subprocess.run([SHANBEN, "status"], env=environment(folder / "var"), check=False).returncode == 0
        yield folder / "var"


def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "SHANBEN_DATA": str(data)}


def read_only(data: Path, *command: str | Path) -> list[str | Path]:
    """Return the command that runs another one where the data folder is mounted read-only."""
    unshare = require(shutil.which("unshare"), "Debian's package util-linux")
    return [unshare, "--mount", "--propagation", "private", "sh", "-c", MOUNT, "sh", data, *command]


def run(data: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        read_only(data, *command), env=environment(data), capture_output=True, text=True, timeout=100, check=False
    )


def snapshot(data: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


def test_the_folder_of_these_tests_cannot_be_written(data: Path) -> None:
    assert run(data, "touch", data / "new").returncode != 0
    assert run(data, "touch", data.parent / "beside").returncode == 0


def test_audit_and_status_read_a_folder_that_cannot_be_written(data: Path) -> None:
    before = snapshot(data)
    audit = run(data, SHANBEN, "log", "verify", "--json")
    assert (audit.returncode, json.loads(audit.stdout)["ok"]) == (0, True)
    status = run(data, SHANBEN, "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["works"]) == (0, 2)
    assert run(data, SHANBEN, "store", "validate").returncode == 0
    assert run(data, SHANBEN, "check", data.parent / "first").returncode == 0
    assert snapshot(data) == before


@pytest.mark.parametrize("arguments", [["ingest", "first"], ["retry"], ["rebuild"], ["init"]])
def test_command_that_writes_says_that_the_folder_cannot_be_written(data: Path, arguments: list[str]) -> None:
    paths = [str(data.parent / name) if name == "first" else name for name in arguments]
    done = run(data, SHANBEN, *paths)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "可写" in done.stderr
    assert "writ" in done.stderr


def test_status_reads_beside_a_writer(data: Path, tmp_path: Path) -> None:
    """The write-ahead log of a writer who has not closed the database is read too."""
    copy = tmp_path / "var"
    shutil.copytree(data, copy)
    writer = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode=WAL');"
        "c.execute('PRAGMA wal_autocheckpoint=0'); c.execute(\"UPDATE works SET title = 'waiting'\"); c.commit();"
        "print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", writer, copy / "shanben.sqlite"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert (copy / "shanben.sqlite-wal").stat().st_size > 0
        done = run(copy, SHANBEN, "status", "--json")
        assert (done.returncode, json.loads(done.stdout)["works"]) == (0, 2)


def test_site_is_served_from_a_folder_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    before = snapshot(data)
    port = reserve_port()
    command = read_only(data, SHANBEN, "serve", "--port", str(port), "--workers", "1")
    log = tmp_path / "web.log"
    server = ServerProcess("shanben serve", [str(part) for part in command], log, environment=environment(data))
    base = f"http://127.0.0.1:{port}"
    try:
        server.start(lambda: answers(f"{base}/health/ready"))
        with urllib.request.urlopen(f"{base}/iiif/presentation/3/collection/top", timeout=20) as response:
            works = [item["id"].split("/")[-2] for item in json.load(response)["items"]]
        assert len(works) == 2
        for work in works:
            with urllib.request.urlopen(f"{base}/iiif/presentation/3/{work}/manifest", timeout=20) as response:
                body = json.load(response)["items"][0]["items"][0]["items"][0]["body"]
            for address in (f"{base}/works/{work}", f"{base}/works/{work}/read", body["id"], body["service"][0]["id"]):
                with urllib.request.urlopen(address, timeout=20) as response:
                    assert response.status == 200
                    assert response.read()
    finally:
        server.stop()
    assert "Traceback" not in log.read_text()
    assert snapshot(data) == before


def test_another_user_audits_a_folder_of_root(data: Path) -> None:
    setpriv = require(shutil.which("setpriv"), "Debian's package util-linux")
    nobody = [setpriv, "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
    reachable = subprocess.run([*nobody, "test", "-x", SHANBEN, "-a", "-r", data / "shanben.sqlite"], check=False)
    if reachable.returncode:
        pytest.skip("nobody cannot run the program of these tests")
    for arguments in (["log", "verify"], ["status"]):
        done = subprocess.run(
            [*nobody, SHANBEN, *arguments], env=environment(data), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
