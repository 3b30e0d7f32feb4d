"""PostgreSQL for tests: a throwaway cluster, which survives being killed, with a fresh database for each test."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Self

import psycopg
from ports import reserve_port
from prerequisites import require
from server_process import ServerProcess

ROLE = "shanben"
# Everything here makes it smaller or quicker to start; what is committed is as safe as with the settings of a library.
SETTINGS = {
    "autovacuum_naptime": "10min",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
}


class PostgresServer:
    """A cluster in a temporary folder, on 127.0.0.1 alone; its only role may do everything, without a password."""

    def __init__(self) -> None:
        self._programs = binaries()
        self.port = reserve_port()
        # Not below pytest's folders: those are closed to the user PostgreSQL runs as when the test runs as root.
        self.folder = Path(tempfile.mkdtemp(prefix="shanben-postgres-"))
        self._user = unprivileged_user()
        if self._user:
            shutil.chown(self.folder, self._user)
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self.folder)}
        command: list[str | Path] = [self._programs / "postgres", "-D", self.folder / "cluster"]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.process = ServerProcess("postgres", command, self.folder / "postgres.log", user=self._user)

    def __enter__(self) -> Self:
        try:
            self._create_cluster()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy address of a database."""
        return f"postgresql+psycopg://{ROLE}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """The SQLAlchemy address of a fresh, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the test's own, in which every statement commits by itself."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=ROLE, dbname=database, connect_timeout=2, autocommit=True
        )

    def start(self) -> None:
        """Start it, with recovery when it was killed, and wait until it answers questions."""
        self.process.start(self._answers)

    def kill(self) -> None:
        """SIGKILL to the postmaster and to every process it started."""
        self.process.kill()

    def stop(self) -> None:
        """End it, breaking off what is connected (a "fast" shutdown); nothing happens when it does not run."""
        self.process.stop(signal.SIGINT)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_cluster(self) -> None:
        command: list[str | Path] = [self._programs / "initdb", "--pgdata", self.folder / "cluster", "--no-sync"]
        command += ["--username", ROLE, "--auth", "trust", "--encoding", "UTF8", "--no-locale"]
        done = subprocess.run(
            command,
            user=self._user,
            group=self._user and pwd.getpwnam(self._user).pw_gid,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def binaries() -> Path:
    """The folder of PostgreSQL's programs, the newest release first: Debian keeps those of a server out of the path."""
    releases = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    found = releases[-1] if releases else shutil.which("postgres")
    return Path(require(found, "postgres (Debian's package postgresql)")).parent


def unprivileged_user() -> str | None:
    """Whom PostgreSQL, which refuses to run as root, runs as; None when the test does not run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
