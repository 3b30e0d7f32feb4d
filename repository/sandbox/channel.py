"""What a function that runs in a session uses to speak with the parent."""

from __future__ import annotations

import threading
from typing import Any

from repository.sandbox.frames import LARGEST_FRAME, FrameKind, FrameSocket, decode, encode


class Channel:
    """The child's end of a session. Several threads may use it, as libvips does."""

    def __init__(self, socket: FrameSocket) -> None:
        self._socket = socket
        self._requesting = threading.Lock()
        self._sending = threading.Lock()

    def request(self, value: object) -> Any:
        """Return the parent's response to `value`: numbers, texts, bytes, and lists of them."""
        with self._requesting:
            self._write(FrameKind.REQUEST, encode(value))
            _kind, payload = self._socket.receive(largest=1 << 32)
            return decode(payload, Any)

    def send(self, chunk: bytes) -> None:
        """Send a chunk of the output; block until the parent has read enough of the earlier ones.

        The parent receives a chunk of more than `LARGEST_FRAME` in several.
        """
        view = memoryview(chunk)
        for start in range(0, max(1, len(view)), LARGEST_FRAME):
            self._write(FrameKind.CHUNK, view[start : start + LARGEST_FRAME])

    def _write(self, kind: FrameKind, payload: bytes | memoryview) -> None:
        with self._sending:
            self._socket.send(kind, payload)
