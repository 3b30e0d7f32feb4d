"""Malformed requests and damaged files, the same for the same `random.Random`. (pure)"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from urllib.parse import quote

from iiif_server.urls import image_service_path

IMAGES = image_service_path("")
NUMBERS = (
    "0", "1", "2", "3", "64", "255", "256", "257", "512", "699", "700", "701", "899", "900", "2147483647",
    "2147483648", "4294967296", "9223372036854775808", "18446744073709551617", "1" + "0" * 40, "9" * 250, "-1", "-0",
    "+5", " 5", "05", "1_000", "1e3", "0x10", "1.5", "33.333333333333333333", ".5", "5.", "NaN", "inf", "", "٣", "１２",
    "%31", "99.99", "100", "100.0001", "0.0000001",
)  # fmt: skip
REGIONS = ("full", "square", "{0},{1},{2},{3}", "pct:{0},{1},{2},{3}", "{0},{1},{2}", "Full", "pct:", "")
SIZES = ("max", "^max", "full", "{0},", ",{0}", "{0},{1}", "!{0},{1}", "pct:{0}", "^{0},", "^!{0},{1}", "^pct:{0}", "")
ROTATIONS = ("0", "90", "180", "270", "!0", "!90", "{0}", "!{0}", "45", "22.5", "359.9999999", "360", "361", "1e2", "")
QUALITIES = ("default", "color", "gray", "bitonal", "native", "grey", "DEFAULT", "", "default.jpg")
FORMATS = ("jpg", "png", "webp", "gif", "tif", "jp2", "avif", "pdf", "jpeg", "JPG", "exe", "", "jpg.", "php%00.jpg")
CLIMBS = (
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "%252e%252e%252f", "....//", "%c0%ae%c0%ae/", "..;/",
    "/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "%00", "\u2025/", "C:\\",
)  # fmt: skip
SPLINTERS = (
    b"%", b"%zz", b"%u1234", b"%00", b"%0d%0aX: y", b"%ff", b"%c3%28", b"\xff\xfe", "善本".encode(), b"%E5%96%84",
    b"/", b"//", b";", b"?", b"?a=b&a=c", b"#", b".", b",", b"~", b"'", b'"', b"<script>", b"%25", b"{}", b"|", b"\t",
    b"\x00", b"\x7f", b"\xe2\x80\xae", b"a" * 300, b"%41" * 200, b"/" * 500,
)  # fmt: skip

Chance = random.Random


def image_request(chance: Chance) -> str:
    """Return an image request that is right in some parts and nearly right in others."""
    region = chance.choice(REGIONS).format(*chance.choices(NUMBERS, k=4))
    size = chance.choice(SIZES).format(*chance.choices(NUMBERS, k=2))
    rotation = chance.choice(ROTATIONS).format(chance.choice(NUMBERS))
    parts = [region, size, rotation, f"{chance.choice(QUALITIES)}.{chance.choice(FORMATS)}"]
    if chance.random() < 0.5:  # otherwise only the first of many faults would be tested
        likely = ["full", "200,", "0", "default.jpg"]
        wrong = chance.randrange(4)
        parts = [part if place == wrong else likely[place] for place, part in enumerate(parts)]
    return "/".join(parts)


def identifier(chance: Chance, known: Sequence[str]) -> str:
    """Return a known identifier, a similar one, or a path that leaves the folder."""
    name = chance.choice(known)
    tricks: tuple[Callable[[], str], ...] = (
        lambda: name,
        lambda: name,
        lambda: name,
        name.upper,
        lambda: quote(name[: chance.randrange(len(name))]),
        lambda: "".join(f"%{ord(letter):02x}" for letter in name),
        lambda: chance.choice(CLIMBS) * chance.randrange(1, 9) + name,
        lambda: name + chance.choice(CLIMBS),
        lambda: chance.choice(CLIMBS) * 6 + "etc/passwd",
        lambda: name * chance.randrange(2, 400),
    )
    return chance.choice(tricks)()


def target(chance: Chance, known: Sequence[str], others: Sequence[str]) -> bytes:
    """Return a request target: an image request or one of `others`, with mutations of its grammar and its bytes."""
    if chance.random() < 0.75:
        prefix = (
            IMAGES if chance.random() < 0.7 else chance.choice(["/iiif/image/2/", "/iiif//image/3/", "/iiif/image/"])
        )
        rest = image_request(chance) if chance.random() < 0.85 else chance.choice(["info.json", "", "info.xml", "x/y"])
        text = f"{prefix}{identifier(chance, known)}/{rest}"
    else:
        text = chance.choice(others).replace("*", identifier(chance, known))
    made = text.encode("utf-8", "surrogatepass")
    for _ in range(chance.choice([0, 0, 0, 1, 1, 2, 5])):
        made = mangled(chance, made)
    return made.replace(b"\r", b"").replace(b"\n", b"").replace(b" ", b"%20" if chance.random() < 0.9 else b"") or b"/"


def mangled(chance: Chance, data: bytes) -> bytes:
    """Return `data` with a piece inserted, removed, repeated or percent-encoded, or with a bit flipped."""
    place, end = sorted(chance.choices(range(len(data) + 1), k=2))
    piece = data[place:end]
    tricks: tuple[Callable[[], bytes], ...] = (
        lambda: data[:place] + chance.choice(SPLINTERS) + data[place:],
        lambda: data[:place] + data[end:],
        lambda: data[:end] + piece * chance.randrange(1, 5) + data[end:],
        lambda: data[:place] + b"".join(b"%%%02X" % byte for byte in piece) + data[end:],
        lambda: flipped(chance, data, 1),
        lambda: data + b"a" * chance.choice([1, 255, 4_000, 70_000]),
    )
    return chance.choice(tricks)()


def flipped(chance: Chance, data: bytes, bits: int) -> bytes:
    """Return `data` with `bits` bits flipped at random positions."""
    changed = bytearray(data)
    for _ in range(bits if changed else 0):
        place = chance.randrange(8 * len(changed))
        changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def locally_damaged(chance: Chance, data: bytes) -> bytes:
    """Return a file with one small damage: bytes replaced, zeroed or lost, a bit flipped, or its end cut off."""
    place = chance.randrange(len(data))
    end = min(len(data), place + chance.choice((1, 2, 16, 200)))
    tricks: tuple[Callable[[], bytes], ...] = (
        lambda: data[:place] + chance.randbytes(end - place) + data[end:],
        lambda: data[:place] + bytes(end - place) + data[end:],
        lambda: flipped(chance, data, 1),
        lambda: data[:place] + data[end:],
        lambda: data[:place],
    )
    while (result := chance.choice(tricks)()) == data:
        pass
    return result


def damaged(chance: Chance, data: bytes) -> bytes:
    """Return a file as a failing disk or an interrupted copy leaves it; never the same as `data`."""
    place, end = sorted(chance.choices(range(len(data) + 1), k=2))
    tricks: tuple[Callable[[], bytes], ...] = (
        lambda: flipped(chance, data, 1),
        lambda: flipped(chance, data, 200),
        lambda: data[: -chance.randrange(1, 300)],
        lambda: data[: len(data) // 4] + flipped(chance, data[len(data) // 4 :], 20),
        lambda: flipped(chance, data[:64], 3) + data[64:],
        lambda: data[:place],
        lambda: data[end:],
        lambda: data[:place] + bytes(end - place) + data[end:],
        lambda: data[:place] + chance.randbytes(min(4096, end - place)) + data[place:],
        lambda: data + chance.randbytes(chance.randrange(1, 300)),
        lambda: b"",
    )
    while (result := chance.choice(tricks)()) == data:
        pass
    return result
