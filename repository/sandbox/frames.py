"""The frames between a parent and its child: a kind, a length, and a payload in MessagePack or plain bytes.

::

    kind      1 byte   `FrameKind`
    length    4 bytes  little-endian, of the payload
    payload            MessagePack (https://msgpack.org) of a type that the receiver knows; the bytes of a CHUNK

Nothing in a frame names code to run, and a payload that is not of the expected type is refused: a child that was taken
over can send wrong pixels, and no more. File descriptors travel beside the header of a CALL (SCM_RIGHTS, unix(7)).
"""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Sequence
from enum import IntEnum
from time import monotonic
from typing import Any, Final

import msgspec

from repository.errors import ShanbenError
from repository.localized import LocalizedText

LARGEST_FRAME: Final = 4 << 20
"""The longest payload in bytes that a parent accepts from a child."""

_HEADER: Final = struct.Struct("<BI")
_DESCRIPTORS: Final = 8
_TEXT: Final = 2000
"""The longest text in an error, in characters."""

Detail = int | float | str | LocalizedText | None


class FrameKind(IntEnum):
    """What a frame is."""

    READY = 1
    """From the child, once: it has given up its rights. The names of the active layers."""
    CALL = 2
    """To the child: the address of a function and its arguments."""
    STARTED = 3
    """From the child: it has received the call. Empty."""
    REQUEST = 4
    """From the child in a session: a value."""
    RESPONSE = 5
    """To the child: the response to a request."""
    CHUNK = 6
    """From the child in a session: bytes of the output."""
    RESULT = 7
    """From the child, the last of a call: the returned value."""
    ERROR = 8
    """From the child, the last of a call: a `SentError`."""


class FrameInvalid(Exception):
    """A frame that a child of ours would not send."""


class SentCall(msgspec.Struct, frozen=True, array_like=True):
    """A call: the function's address, its encoded arguments, and whether it takes the channel."""

    address: str
    arguments: msgspec.Raw
    needs_channel: bool


class SentError(msgspec.Struct, frozen=True, array_like=True):
    """A domain error: the name of its class, and its details."""

    kind: str
    details: dict[str, Detail]


def encode(value: object) -> bytes:
    """Return a value in MessagePack. Raises `TypeError` for a value that has no form there."""
    return msgspec.msgpack.encode(value)


def decode(payload: bytes, kind: Any) -> Any:
    """Return the value of a payload, which must be of the type `kind`. Raises `FrameInvalid`."""
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except (ValueError, RecursionError, OverflowError, TypeError) as fault:  # msgspec's errors are ValueErrors
        raise FrameInvalid(str(fault)) from fault


def describe_error(error: ShanbenError) -> SentError:
    """Return an error as it is sent."""
    return SentError(type(error).__name__, {name: _detail(value) for name, value in error.details.items()})


def rebuild_error(sent: SentError, allowed: Sequence[type[ShanbenError]]) -> ShanbenError:
    """Return the error that a child describes, if it is one of `allowed` or below. Raises `FrameInvalid`."""
    found = next((kind for kind in _with_subclasses(allowed) if kind.__name__ == sent.kind), None)
    if found is None:
        raise FrameInvalid(f"error {sent.kind[:80]!r}")
    try:
        return found(**{name: _detail(value) for name, value in sent.details.items()})
    except (KeyError, TypeError, ValueError, IndexError) as fault:  # details that the text of the class does not fit
        raise FrameInvalid(f"details of {sent.kind}") from fault


def _detail(value: object) -> Detail:
    if isinstance(value, LocalizedText):
        return LocalizedText(value.zh[:_TEXT], value.en[:_TEXT])
    return value if isinstance(value, int | float | None) else str(value)[:_TEXT]


def _with_subclasses(kinds: Sequence[type[ShanbenError]]) -> list[type[ShanbenError]]:
    return [*kinds, *(below for kind in kinds for below in _with_subclasses(kind.__subclasses__()))]


class FrameSocket:
    """One end of the socket pair. A deadline of None waits for ever: for a child, which trusts its parent."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(
        self,
        kind: FrameKind,
        payload: bytes | memoryview,
        deadline: float | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        """Send a frame. Raises `TimeoutError` at the deadline (`time.monotonic`), `OSError` when the other end died."""
        header = _HEADER.pack(kind, len(payload))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._wait_until(deadline)
        sent = self._socket.sendmsg([header, payload], rights)
        rest = memoryview(payload)[max(0, sent - len(header)) :]
        if sent < len(header):
            raise ConnectionError("a header was cut")
        while rest:
            self._wait_until(deadline)
            rest = rest[self._socket.send(rest) :]

    def receive(self, deadline: float | None = None, largest: int = LARGEST_FRAME) -> tuple[FrameKind, bytes]:
        """Return the kind and payload of the next frame.

        Raises `TimeoutError` at the deadline, `EOFError` and `OSError` when the other end died, `FrameInvalid`.
        """
        return self._receive_rest(self._exactly(_HEADER.size, deadline), deadline, largest)

    def receive_with_descriptors(self) -> tuple[FrameKind, bytes, list[int]]:
        """Return the next frame and the descriptors that came with it, which the caller closes. Waits for ever."""
        space = socket.CMSG_LEN(_DESCRIPTORS * array.array("i").itemsize)
        header, rights, _flags, _address = self._socket.recvmsg(_HEADER.size, space)
        descriptors = array.array("i")
        for _level, _kind, data in rights:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        header += self._exactly(_HEADER.size - len(header), None) if header else b""
        if not header:
            raise EOFError
        return *self._receive_rest(header, None, 1 << 32), list(descriptors)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _receive_rest(self, header: bytes, deadline: float | None, largest: int) -> tuple[FrameKind, bytes]:
        number, length = _HEADER.unpack(header)
        if length > largest:
            raise FrameInvalid(f"{length} bytes")
        try:
            kind = FrameKind(number)
        except ValueError as fault:
            raise FrameInvalid(f"kind {number}") from fault
        return kind, self._exactly(length, deadline)

    def _exactly(self, length: int, deadline: float | None) -> bytes:
        """Return `length` bytes."""
        buffer = bytearray(length)
        rest = memoryview(buffer)
        while rest:
            self._wait_until(deadline)
            count = self._socket.recv_into(rest)
            if not count:
                raise EOFError
            rest = rest[count:]
        return bytes(buffer)

    def _wait_until(self, deadline: float | None) -> None:
        """Make the next system call end at the deadline. Raises `TimeoutError` after it, even if data is there."""
        if deadline is not None:
            seconds = deadline - monotonic()
            if seconds <= 0:
                raise TimeoutError
            self._socket.settimeout(seconds)
