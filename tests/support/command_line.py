"""The `shanben` command with settings and a working folder of the test, in processes of its own or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, chdir
from pathlib import Path
from typing import Any, Final, NamedTuple

from click.testing import CliRunner
from server_process import running

from repository.config import PREFIX
from web.cli.main import main

SHANBEN: Final = Path(sys.executable).with_name("shanben")
COMMAND_SECONDS: Final = 120.0

# A shell that runs the tests in the background has them, and all that they start, ignore SIGINT.
INTERRUPTIBLE: Final = ("env", "--default-signal=SIGINT")


class Result(NamedTuple):
    """The result of a command: exit code, JSON document (None without one), standard output and standard error."""

    code: int
    document: Any
    output: str
    errors: str


class Shanben:
    """Runs the command in a folder, with `settings` named as in `Settings`; the data folder is `var` by default."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.environment = environment(data=folder / "var", LC_ALL="en_GB.UTF-8") | environment_of(settings)

    def run(self, *arguments: object, **settings: object) -> Result:
        """Run a command to its end, with further settings."""
        done = subprocess.run(
            [SHANBEN, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | environment_of(settings),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        return result(arguments, done.returncode, done.stdout, done.stderr)

    def run_json(self, *arguments: object, **settings: object) -> Result:
        """Run a command with ``--json``."""
        return self.run(*arguments, "--json", **settings)

    def start(
        self, *arguments: object, stdout: Any = subprocess.DEVNULL, stderr: Any = subprocess.DEVNULL
    ) -> AbstractContextManager[Any]:
        """Run a command beside the test; it is killed at the end of the context."""
        return running(
            [*INTERRUPTIBLE, SHANBEN, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )


class ShanbenHere(Shanben):
    """Runs the command in the process of the test, which takes half a second or a second less than another process.

    It is the same code from the arguments to the exit code. A test of what only a process has, such as its start, its
    signals and its log, uses `Shanben`.
    """

    def run(self, *arguments: object, stdin: str = "", **settings: object) -> Result:
        """Run a command to its end, with further settings. An exception that the command does not handle is raised."""
        runner = CliRunner(env=self.environment | environment_of(settings))
        with chdir(self.folder):
            done = runner.invoke(main, [str(part) for part in arguments], stdin, catch_exceptions=False)
        return result(arguments, done.exit_code, done.stdout, done.stderr)


def result(arguments: tuple[object, ...], code: int, output: str, errors: str) -> Result:
    """Return the result of a command, with the JSON document that it wrote if it was asked for one."""
    document = json.loads(output) if "--json" in arguments and output.strip() else None
    return Result(code, document, output, errors)


def environment(**settings: object) -> dict[str, str]:
    """Return the environment of the test with these settings alone; names in capitals are variables as they are."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | environment_of(settings)


def environment_of(settings: dict[str, object]) -> dict[str, str]:
    """Return the variables that set `settings`."""
    return {name if name.isupper() else PREFIX + name.upper(): str(value) for name, value in settings.items()}
