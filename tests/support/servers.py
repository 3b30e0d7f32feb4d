"""Redis, RabbitMQ and nginx for tests: each on ports and in a folder of its own. Ceph and PostgreSQL stand beside."""

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
    """The path of a program of a Debian package; skips, or fails where CI is set, when it is absent."""
    return require(shutil.which(name, path=PATH), f"{name} (Debian's package {package})")


class RedisServer:
    """A Redis that keeps nothing: started again it is empty, on the same port."""

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
        """Start it, empty, and wait until it answers."""
        self.process.start(lambda: accepts(self.port))

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    def stop(self) -> None:
        """End it; nothing happens when it does not run."""
        self.process.stop()


class RabbitServer:
    """A RabbitMQ that keeps nothing: started again it is empty, on the same port. It has an `epmd` of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port, names, between = reserve_port(), reserve_port(), reserve_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        environment = {
            "PATH": PATH,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(between),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(folder / "held"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }
        command = [require("/usr/lib/rabbitmq/bin/rabbitmq-server", "RabbitMQ (Debian's package rabbitmq-server)")]
        self.process = ServerProcess("rabbitmq", command, folder / "rabbitmq.log", environment=environment)
        register = [program("epmd", "rabbitmq-server"), "-port", str(names), "-address", "127.0.0.1"]
        self._register = ServerProcess("epmd", register, folder / "epmd.log")
        self._names = names

    def __enter__(self) -> Self:
        self._register.start(lambda: accepts(self._names))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._register.stop()

    def start(self) -> None:
        """Start it, empty, and wait until it lets programs in."""
        shutil.rmtree(self._folder / "held", ignore_errors=True)
        self.process.start(self._lets_in)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    def _lets_in(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=5) as connection:
                connection.connect()
        except OSError:
            return False
        return True


class NginxServer:
    """An nginx with a configuration of the test's own, in a throwaway prefix.

    `configuration` is given the prefix and a free port, and returns the text of nginx.conf. What must be set for a
    throwaway prefix (foreground, pid file, error log, the user when the test runs as root) is added in front; temporary
    folders of the http block are the configuration's own affair: `temporary_paths` writes them.
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
        """Read the configuration, or another one, anew, as SIGHUP does it: the old workers end in their own time."""
        self._configuration = configuration or self._configuration
        self._write()
        self.process.send(signal.SIGHUP)
        self.process.wait_until(lambda: answers(self.address))

    def kill(self) -> None:
        """SIGKILL to the master and its workers."""
        self.process.kill()

    def stop(self) -> None:
        """End it; nothing happens when it does not run."""
        self.process.stop()

    def _write(self) -> None:
        user = "user root;\n" if os.geteuid() == 0 else ""
        own = f"{user}daemon off;\npid {self.folder}/nginx.pid;\nerror_log {self.error_log};\n"
        (self.folder / "nginx.conf").write_text(own + self._configuration(self.folder, self.port))


def temporary_paths(folder: Path) -> str:
    """The directives of nginx's http block that keep its temporary files in the throwaway prefix."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{kind}_temp_path {folder}/temporary_{kind};\n" for kind in kinds)
