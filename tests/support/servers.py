"""Redis, RabbitMQ and nginx for tests, each on reserved ports and in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Self

from kombu import Connection
from ports import reserve_port
from prerequisites import require
from server_process import ServerProcess, accepts, answers

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def program(name: str, package: str) -> str:
    """Return the path of a program of a Debian package; skip, or fail where CI is set, when it is absent."""
    return require(shutil.which(name, path=PATH), f"{name} (Debian's package {package})")


class RedisServer:
    """A Redis without persistence: it restarts empty, on the same port."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = reserve_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command = [program("redis-server", "redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        self.process = ServerProcess("redis-server", command, folder / "redis.log")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, empty, and wait until it accepts connections."""
        self.process.start(lambda: accepts(self.port))

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()

    def stop(self) -> None:
        """Stop it if it runs."""
        self.process.stop()


IDLE_SCHEDULERS = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""Options of Erlang: schedulers without work sleep, and leave the processor to what a test waits for."""


class RabbitServer:
    """A RabbitMQ without persistence: it restarts empty, on the same port. It has an `epmd` of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port, epmd_port, distribution_port = reserve_port(), reserve_port(), reserve_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        environment = {
            "PATH": PATH,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {{127,0,0,1}} {IDLE_SCHEDULERS}",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }
        command = [require("/usr/lib/rabbitmq/bin/rabbitmq-server", "RabbitMQ (Debian's package rabbitmq-server)")]
        self.process = ServerProcess("rabbitmq", command, folder / "rabbitmq.log", environment=environment)
        epmd = [program("epmd", "rabbitmq-server"), "-port", str(epmd_port), "-address", "127.0.0.1"]
        self._epmd = ServerProcess("epmd", epmd, folder / "epmd.log")
        self._epmd_port = epmd_port

    def __enter__(self) -> Self:
        self._epmd.start(lambda: accepts(self._epmd_port))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._epmd.stop()

    def start(self) -> None:
        """Start it, empty, and wait until a client can log in."""
        shutil.rmtree(self._folder / "mnesia", ignore_errors=True)
        self.process.start(self._accepts_clients)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()

    def _accepts_clients(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=5) as connection:
                connection.connect()
        except OSError:
            return False
        return True


class NginxServer:
    """An nginx with a configuration of the test, in a temporary prefix.

    `configuration` receives the prefix and a reserved port, and returns the text of nginx.conf. The directives that a
    temporary prefix needs (foreground, pid file, error log, the user when the test runs as root) are prepended.
    `temporary_paths` returns those of the http block.
    """

    def __init__(self, folder: Path, configuration: Callable[[Path, int], str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = reserve_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.error_log = folder / "error.log"
        self._configuration = configuration
        command: list[str | Path] = [program("nginx", "nginx-light"), "-p", folder, "-e", self.error_log]
        command += ["-c", folder / "nginx.conf"]
        self.process = ServerProcess("nginx", command, folder / "nginx.log")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Write the configuration, start, and wait until it listens."""
        self._write()
        self.process.start(lambda: accepts(self.port))

    def reload(self, configuration: Callable[[Path, int], str] | None = None) -> None:
        """Reload the configuration, or load another, by SIGHUP; old workers finish their requests."""
        self._configuration = configuration or self._configuration
        self._write()
        self.process.send(signal.SIGHUP)
        self.process.wait_until(lambda: answers(self.address))

    def kill(self) -> None:
        """End the master and its workers by SIGKILL."""
        self.process.kill()

    def stop(self) -> None:
        """Stop it if it runs."""
        self.process.stop()

    def _write(self) -> None:
        user = "user root;\n" if os.geteuid() == 0 else ""
        own = f"{user}daemon off;\npid {self.folder}/nginx.pid;\nerror_log {self.error_log};\n"
        (self.folder / "nginx.conf").write_text(own + self._configuration(self.folder, self.port))


def temporary_paths(folder: Path) -> str:
    """Return the directives of the http block that keep nginx's temporary files in the prefix."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{kind}_temp_path {folder}/temporary_{kind};\n" for kind in kinds)
