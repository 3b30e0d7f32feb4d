"""Functions that tests run in a sandbox, and what a child that was taken over would try."""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

from repository.errors import AccessRefused, RenderingBusy, StoreFault
from repository.localized import LocalizedText
from repository.sandbox.channel import Channel
from repository.sandbox.frames import FrameKind, FrameSocket
from repository.sandbox.functions import Result, SandboxFunction


def sandboxed(
    function: Callable[..., Any], result: type[Result], *errors: type[Any], request: Any = None
) -> SandboxFunction[Result]:
    """Return a function of this module as a pool takes it."""
    return SandboxFunction(__name__, function.__name__, result, errors, request)


def add(first: int, second: int) -> int:
    """Return the sum."""
    return first + second


def divide(first: int, second: int) -> float:
    """Return the quotient."""
    return first / second


def process() -> int:
    """Return the id of the child."""
    return os.getpid()


def sleep(seconds: float) -> None:
    """Take a time."""
    time.sleep(seconds)


def raise_signal(number: int) -> None:
    """Send a signal to the child itself."""
    signal.raise_signal(number)


def read_null() -> None:
    """Crash in native code."""
    ctypes.string_at(0)


def allocate(size: int) -> int:
    """Return the length of a new block of memory."""
    return len(bytearray(size))


def share(size: int) -> int:
    """Return the length of new memory that is shared with child processes, written to its end."""
    with mmap.mmap(-1, size) as shared:
        for start in range(0, size, 1 << 20):
            shared[start] = 1
        return len(shared)


def complain(text: str) -> None:
    """Write to both outputs, as decoders do."""
    os.write(2, text.encode())
    print(text)


def niceness() -> int:
    """Return the nice value of the child."""
    return os.getpriority(os.PRIO_PROCESS, 0)


def read_file(descriptor: int, length: int) -> bytes:
    """Return bytes of a passed file."""
    return os.pread(descriptor, length, 0)


def write_file(descriptor: int, content: bytes) -> int:
    """Write to a passed file; return how much was written."""
    return os.pwrite(descriptor, content, 0)


def refuse(reason: LocalizedText) -> None:
    """Raise a domain error."""
    raise StoreFault(key="a", reason=reason)


def refuse_access() -> None:
    """Raise a domain error that the caller does not expect."""
    raise AccessRefused(what="a")


def send_chunks(channel: Channel, count: int, size: int, pause: float) -> int:
    """Send `count` chunks of `size` bytes, each filled with its number."""
    for number in range(count):
        time.sleep(pause)
        channel.send(bytes([number % 256]) * size)
    return count


def request_twice(channel: Channel, first: int, second: int) -> None:
    """Send the parent's responses to two requests."""
    for value in (first, second):
        channel.send(channel.request(value))


def send_and_raise_domain_error(channel: Channel) -> None:
    """Raise a domain error after the first chunk."""
    channel.send(b"first")
    raise RenderingBusy


def send_and_crash(channel: Channel) -> None:
    """Raise an exception that is no domain error after the first chunk."""
    channel.send(b"first")
    raise ZeroDivisionError


def request_while_sending(channel: Channel, count: int) -> int:
    """Make requests in one thread while another sends chunks; return the total length of the responses."""
    sender = threading.Thread(target=send_chunks, args=(channel, count, 100_000, 0))
    sender.start()
    total = sum(len(channel.request(number)) for number in range(count))
    sender.join()
    return total


ADD = sandboxed(add, int)
DIVIDE = sandboxed(divide, float)
PROCESS = sandboxed(process, int)
SLEEP = sandboxed(sleep, NoneType)
RAISE_SIGNAL = sandboxed(raise_signal, NoneType)
READ_NULL = sandboxed(read_null, NoneType)
ALLOCATE = sandboxed(allocate, int)
SHARE = sandboxed(share, int)
COMPLAIN = sandboxed(complain, NoneType)
NICENESS = sandboxed(niceness, int)
READ_FILE = sandboxed(read_file, bytes)
WRITE_FILE = sandboxed(write_file, int)
REFUSE = sandboxed(refuse, NoneType, StoreFault)
REFUSE_ACCESS = sandboxed(refuse_access, NoneType, StoreFault)
SEND_CHUNKS = sandboxed(send_chunks, int)
REQUEST_TWICE = sandboxed(request_twice, NoneType, request=int)
SEND_AND_RAISE = sandboxed(send_and_raise_domain_error, NoneType, RenderingBusy)
SEND_AND_CRASH = sandboxed(send_and_crash, NoneType)
REQUEST_WHILE_SENDING = sandboxed(request_while_sending, int, request=int)

# What a child that was taken over would try. Each returns what it got, or raises OSError where it is refused.


def open_file(path: str) -> bytes:
    """Read a file by its path."""
    return Path(path).read_bytes()[:100]


def create_file(path: str) -> None:
    """Make a file."""
    Path(path).write_text("taken over")


def list_folder(path: str) -> list[str]:
    """List a folder."""
    return os.listdir(path)


def own_environment() -> dict[str, str]:
    """Return the environment of the child."""
    return dict(os.environ)


def open_socket(path: str) -> None:
    """Connect to a socket of the file system, as that of a database."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def connect(port: int) -> None:
    """Connect to a port of this machine."""
    with socket.socket() as client:
        client.connect(("127.0.0.1", port))


def send_datagram(port: int) -> None:
    """Send a datagram to this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"secret", ("127.0.0.1", port))


def run_program(path: str) -> None:
    """Start another program."""
    subprocess.run([sys.executable, "-c", f"open({path!r}, 'w')"], check=True, capture_output=True)


def fork() -> None:
    """Start a process, which would outlive its call."""
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def send_signal(process: int) -> None:
    """Signal another process."""
    os.kill(process, signal.SIGUSR1)


def attach(process: int) -> None:
    """Trace another process (PTRACE_SEIZE)."""
    _checked(ctypes.CDLL(None, use_errno=True).ptrace(0x4206, process, None, None))


def read_memory(process: int, address: int) -> bytes:
    """Read the memory of another process (process_vm_readv)."""
    buffer = ctypes.create_string_buffer(16)
    local = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 16)
    remote = (ctypes.c_void_p * 2)(address, 16)
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.process_vm_readv(process, local, ctypes.c_ulong(1), remote, ctypes.c_ulong(1), ctypes.c_ulong(0)))
    return buffer.raw


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Shell:
    """An object whose unpickling runs code in the process that unpickles it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def send_frame(channel: Channel, kind: int, payload: bytes) -> int:
    """Send a frame of the child's choice."""
    _frames(channel).send(kind, payload)  # type: ignore[arg-type]
    time.sleep(20)
    return 1


def send_bytes(channel: Channel, content: bytes) -> int:
    """Send bytes that are no frame."""
    _frames(channel)._socket.sendall(content)
    time.sleep(20)
    return 1


def send_pickle(channel: Channel, kind: int, path: str) -> int:
    """Send a pickle that would make a folder."""
    _frames(channel).send(FrameKind(kind), pickle.dumps(Shell(path)))
    time.sleep(20)
    return 1


def never_read(channel: Channel) -> int:
    """Ask again and again, and read no response."""
    while True:
        _frames(channel).send(FrameKind.REQUEST, b"\x01")


def send_for_ever(channel: Channel) -> int:
    """Send so many chunks that there is always one to read."""
    chunks = struct.pack("<BI", FrameKind.CHUNK, 0) * 10_000
    while True:
        _frames(channel)._socket.sendall(chunks)


def _frames(channel: Channel) -> FrameSocket:
    return channel._socket


ATTEMPTS = {
    function.__name__: sandboxed(function, NoneType)
    for function in (
        create_file,
        open_socket,
        connect,
        send_datagram,
        run_program,
        fork,
        send_signal,
        attach,
    )
}
OPEN_FILE = sandboxed(open_file, bytes)
LIST_FOLDER = sandboxed(list_folder, list)
READ_MEMORY = sandboxed(read_memory, bytes)
OWN_ENVIRONMENT = sandboxed(own_environment, dict)
SEND_FRAME = sandboxed(send_frame, int, StoreFault, request=int)
SEND_BYTES = sandboxed(send_bytes, int, StoreFault, request=int)
SEND_PICKLE = sandboxed(send_pickle, int, StoreFault, request=int)
NEVER_READ = sandboxed(never_read, int, request=int)
SEND_FOR_EVER = sandboxed(send_for_ever, int, request=int)

FUNCTIONS = [value for value in list(globals().values()) if isinstance(value, SandboxFunction)]
FUNCTIONS += ATTEMPTS.values()
