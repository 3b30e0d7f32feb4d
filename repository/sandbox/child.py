"""The main function of a child process.

1. Set the limits, and import the modules of all functions that the child may be asked to run.
2. Give up all rights (`boundary.py`).
3. Say so, and serve calls until the parent closes its end.
"""

from __future__ import annotations

import codecs
import os
import resource
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, get_type_hints

import msgspec

from repository.errors import ShanbenError
from repository.loading import loading
from repository.sandbox.boundary import give_up_rights
from repository.sandbox.channel import Channel
from repository.sandbox.frames import FrameKind, FrameSocket, SentCall, decode, describe_error, encode
from repository.sandbox.functions import Layer

_CODECS: Final = (
    "ascii",
    "latin-1",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "gb18030",
    "gbk",
    "big5",
)
"""The codecs that are loaded before the rights are given up: Python imports each when it is first used."""


class Orders(msgspec.Struct, frozen=True):
    """What a parent tells a child on its command line, as JSON.

    `socket` and `life` are descriptors; `path` is the parent's `sys.path`; `functions` are addresses
    (`SandboxFunction.address`); the other fields are those of `Quota` and `SandboxPool`.
    """

    socket: int
    life: int
    memory: int
    threads: int
    niceness: int
    file_bytes: int
    scratch: str
    path: list[str]
    functions: list[str]
    layers: list[Layer]


def run_child(argument: str) -> None:
    """Carry out the orders, an argument of the command line."""
    orders = msgspec.json.decode(argument, type=Orders)
    _limit(orders)  # 1
    with loading():
        for name in _CODECS:
            codecs.lookup(name)
        functions = {address: _load(address) for address in orders.functions}
    frames = FrameSocket(socket.socket(fileno=orders.socket))
    active = give_up_rights(orders.layers, orders.scratch)  # 2
    threading.Thread(target=_exit_with_parent, args=(orders.life,), daemon=True).start()
    frames.send(FrameKind.READY, encode(active))  # 3
    _serve_calls(frames, functions)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A function, and the types of all its parameters."""

    function: Callable[..., Any]
    types: tuple[Any, ...]


def _limit(orders: Orders) -> None:
    # libvips reads the first when it is loaded. OpenBLAS would start threads when NumPy is imported: see boundary.py.
    os.environ["VIPS_CONCURRENCY"] = str(orders.threads)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.nice(orders.niceness)
    for kind, limit in (
        (resource.RLIMIT_DATA, orders.memory),
        (resource.RLIMIT_FSIZE, orders.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def _load(address: str) -> _Loaded:
    module, _, name = address.partition(":")
    function = getattr(import_module(module), name)
    hints = get_type_hints(function)
    hints.pop("return", None)
    return _Loaded(function, tuple(hints.values()))


def _serve_calls(frames: FrameSocket, functions: Mapping[str, _Loaded]) -> None:
    """Run calls until the parent closes its end of the socket."""
    while True:
        try:
            _kind, payload, descriptors = frames.receive_with_descriptors()
        except EOFError:
            return
        frames.send(FrameKind.STARTED, b"")  # from here on a crash may be due to the call
        try:
            frames.send(*_answer(frames, functions, decode(payload, SentCall), descriptors))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def _answer(
    frames: FrameSocket, functions: Mapping[str, _Loaded], call: SentCall, descriptors: list[int]
) -> tuple[FrameKind, bytes]:
    loaded = functions[call.address]
    first: list[Any] = [Channel(frames)] if call.needs_channel else []
    first += descriptors
    types = tuple[loaded.types[len(first) :]]  # type: ignore[misc, valid-type]
    try:
        return FrameKind.RESULT, encode(loaded.function(*first, *decode(bytes(call.arguments), types)))
    except ShanbenError as error:
        return FrameKind.ERROR, encode(describe_error(error))


def _exit_with_parent(life: int) -> None:
    """Wait for the end of file of a pipe that nobody writes to, which is the end of the parent; then exit."""
    os.read(life, 1)
    os._exit(1)
