"""ICC profiles written by hand (ICC.1:2010): display profiles of three primaries, or of grey. (pure)"""

from __future__ import annotations

import numpy

D50 = (0.9642, 1.0, 0.8249)


def matrix_profile(primaries: list[tuple[float, float]], white: tuple[float, float], gamma: float) -> bytes:
    """Return a profile with the given primaries, white point and gamma."""

    def tall(x: float, y: float) -> numpy.ndarray:
        return numpy.array([x / y, 1, (1 - x - y) / y])

    bradford = numpy.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    columns = numpy.array([tall(*primary) for primary in primaries]).T
    columns = columns * numpy.linalg.solve(columns, tall(*white))
    gains = numpy.diag((bradford @ numpy.array(D50)) / (bradford @ tall(*white)))
    adapted = numpy.linalg.inv(bradford) @ gains @ bradford @ columns
    colours = {name: _place(*adapted[:, place]) for place, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(b"RGB ", {**colours, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))})


def grey_profile(gamma: float) -> bytes:
    """Return a profile of grey with the given gamma."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def table_profile(corners: numpy.ndarray) -> bytes:
    """Return an RGB profile with one table, for the perceptual intent (ICC.1:2010, 10.10), as scanners have.

    `corners` has Lab in 8 bits of the eight corners of the RGB cube, of shape (2, 2, 2, 3).
    """
    ramp = bytes(range(256)) * 3
    identity = b"".join(_number(float(row == column)) for row in range(3) for column in range(3))
    table = b"mft1" + bytes(4) + bytes([3, 3, 2, 0]) + identity + ramp + corners.astype(numpy.uint8).tobytes() + ramp
    return _profile(b"RGB ", {b"A2B0": table}, connection=b"Lab ")


def _profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    words = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"test\0" + bytes(78) + bytes(1)
    tags = {b"desc": words, b"wtpt": _place(*D50), b"cprt": b"text" + bytes(4) + b"none" + bytes(4), **tags}
    place_of, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content = content + bytes(-len(content) % 4)  # noqa: PLW2901
        table += name + (place_of + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += content
    size = place_of + len(body)
    header = (
        size.to_bytes(4, "big") + bytes(4) + b"\x02\x40\0\0mntr" + space + connection + bytes(12) + b"acsp" + bytes(28)
    )
    header += b"".join(_number(value) for value in D50) + bytes(48)
    return header + len(tags).to_bytes(4, "big") + table + body


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + bytes(2)


def _place(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_number(value) for value in values)


def _number(value: float) -> bytes:
    return round(float(value) * 65536).to_bytes(4, "big", signed=True)


ADOBE = matrix_profile([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], (0.3127, 0.3290), 2.19921875)
PROPHOTO = matrix_profile([(0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)], (0.3457, 0.3585), 1.8)
