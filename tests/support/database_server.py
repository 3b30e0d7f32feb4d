"""PostgreSQL for tests: a temporary cluster that survives being killed, with a new database for each test."""

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
from temporary_files import parent_in_memory

ROLE = "shanben"
# These settings make the cluster smaller and quicker to start. Commits are as durable as with the default settings.
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
    """A cluster in a temporary folder, on 127.0.0.1; its only role is a superuser without a password."""

    def __init__(self) -> None:
        self._programs = binaries()
        self.port = reserve_port()
        # Not below pytest's folders, which the user cannot read as whom PostgreSQL runs when the test runs as root.
        self.folder = Path(tempfile.mkdtemp(prefix="shanben-postgres-", dir=parent_in_memory()))
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
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{ROLE}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Create a database, and return its SQLAlchemy URL."""
        name = f"test_{uuid.uuid4().hex}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open a connection in which every statement commits by itself."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=ROLE, dbname=database, connect_timeout=2, autocommit=True
        )

    def start(self) -> None:
        """Start it, with recovery when it was killed, and wait until it accepts clients."""
        self.process.start(self._accepts_clients)

    def kill(self) -> None:
        """End the postmaster and every process it started by SIGKILL."""
        self.process.kill()

    def stop(self) -> None:
        """Stop it if it runs, and disconnect its clients (a "fast" shutdown)."""
        self.process.stop(signal.SIGINT)

    def _accepts_clients(self) -> bool:
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
    """Return the folder of the newest release's programs, which Debian keeps out of PATH."""
    releases = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    found = releases[-1] if releases else shutil.which("postgres")
    return Path(require(found, "postgres (Debian's package postgresql)")).parent


def unprivileged_user() -> str | None:
    """Return the user to run PostgreSQL as, which refuses to run as root; None when the test does not run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
