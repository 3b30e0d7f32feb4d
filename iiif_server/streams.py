"""Pictures that flow through libvips without ever being whole: strips in at one end, encoded bytes out at the other.

libvips calls back into Python for both, from threads of its own, where nobody hears an error. So what goes wrong is
kept, the flow is ended, and whoever set it going is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import numpy
import pyvips
from numpy.typing import NDArray

from repository.errors import ShanbenError

Sink = Callable[[bytes], object]
"""Takes the encoded picture part by part."""

Value = TypeVar("Value")

_KINDS: Final = {1: b"P5", 3: b"P6"}


class StripImage:
    """A picture for libvips made of strips that lie one below the other, each used once, from the top.

    `image` is to be read once, from the top: one operation that ends in an encoder. Afterwards, whether or not that
    failed, `check` tells what was wrong with the strips.
    """

    def __init__(self, width: int, height: int, strips: Iterator[NDArray[numpy.uint8]]) -> None:
        first = next(strips)
        bands = first.shape[2] if first.ndim > 2 else 1
        self._rest = strips
        self._header = b"%s %d %d 255\n" % (_KINDS[bands], width, height)
        self._pending = memoryview(self._header + first.tobytes())
        self._fault: ShanbenError | None = None
        self._source = pyvips.SourceCustom()
        self._source.on_read(self._read)
        self.image: Any = pyvips.Image.new_from_source(self._source, "", access="sequential")

    def check(self) -> None:
        """Raises what was raised while the strips were made."""
        if self._fault:
            raise self._fault

    def _read(self, length: int) -> bytes:
        """The next bytes of the picture as a portable pixmap; none when it is at its end, or at fault."""
        if not self._pending:
            self._pending = self._next()
        data, self._pending = self._pending[:length], self._pending[length:]
        return bytes(data)

    def _next(self) -> memoryview:
        try:
            strip = next(self._rest, None)
        except ShanbenError as fault:
            self._fault = fault
            strip = None
        return memoryview(b"" if strip is None else strip.tobytes())


def written_to(sink: Sink, write: Callable[[Any], Value]) -> None:
    """Let `write` write to a target of libvips whose bytes go to `sink`. Raises what either raises."""
    faults: list[OSError | ShanbenError] = []

    def take(data: Any) -> int:
        if faults:
            return -1
        try:
            sink(bytes(data))
        except (OSError, ShanbenError) as fault:
            faults.append(fault)
            return -1
        return len(data)

    target = pyvips.TargetCustom()
    target.on_write(take)
    try:
        write(target)
    except pyvips.Error as error:
        raise faults[0] if faults else error from error
    if faults:
        raise faults[0]
