"""The functions that a child may run, the limits of a call, the layers of the boundary, and an error. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from repository.errors import ShanbenError, SystemFault
from repository.localized import LocalizedText

MEMORY: Final = 4 << 30
"""Default limit of a child's private memory in bytes (RLIMIT_DATA): twice what the longest accepted scroll needs."""

FILE_BYTES: Final = 64 << 30
"""Default limit of the length of a file that a child writes (RLIMIT_FSIZE)."""

Result = TypeVar("Result")


class Layer(StrEnum):
    """A part of the boundary around a child (`boundary.py`)."""

    USER = "user"
    """Another user id, without groups and capabilities, in an empty root directory; only for a parent run by root."""

    LANDLOCK = "landlock"
    """No file can be opened and, depending on the kernel, no TCP connection made and no other process signalled."""

    SECCOMP = "seccomp"
    """Only the system calls that computing, threads and open descriptors need."""


class SandboxNotStarted(SystemFault):
    """No child process could be started, or it could not give up its rights. No input is the cause."""

    code = "sandbox.start"
    text = LocalizedText(
        "无法启动子进程：{reason}；请检查本机的内存与系统限制后重试",
        "No child process can be started: {reason}; check the memory and the limits of this machine, then try again",
    )
    transient = True


@dataclass(frozen=True, slots=True)
class Quota:
    """The resources of one call: `seconds` of elapsed time, `memory` in bytes, `threads` for libvips in one child.

    `niceness` is added to the child's nice value, 0 to 19 (nice(2)). `file_bytes` bounds each file the child writes.
    """

    seconds: float
    memory: int = MEMORY
    threads: int = 1
    niceness: int = 0
    file_bytes: int = FILE_BYTES


@dataclass(frozen=True, slots=True)
class SandboxFunction(Generic[Result]):
    """A function that children may run, by its module and name.

    The child imports the module before it gives up its rights, so the module must import all that the function needs
    at its top. The parent need not import it. The function takes the channel if it runs in a session, then the
    descriptors of the passed files, then the arguments, whose types are its annotations.

    The parent believes nothing that a child sends: it accepts a result of type `result`, requests of type `request`,
    and errors of the classes `errors` and below. Everything else is a `SandboxFailed`.
    """

    module: str
    name: str
    result: type[Result]
    errors: tuple[type[ShanbenError], ...] = ()
    request: Any = None

    @property
    def address(self) -> str:
        """The module and the name, by which a call names the function."""
        return f"{self.module}:{self.name}"
