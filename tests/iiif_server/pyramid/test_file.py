"""The pyramid file: what the writer writes, and what the reader refuses."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from iiif_server.pyramid import zip_directory
from iiif_server.pyramid.file import (
    PLACEHOLDER_ID,
    PyramidDirectory,
    check_tile_stream,
    level0_info,
    read_directory,
    recipe,
    write_pyramid,
)
from iiif_server.pyramid.grid import TileGrid
from repository.errors import PyramidCorrupt
from repository.storage.folder import FolderStore
from repository.storage.s3 import memory_store

pytestmark = pytest.mark.slow

SIZES = [(1, 1), (511, 3), (512, 512), (513, 512), (1023, 1025), (1025, 1025), (2049, 40), (7, 2600)]


def ramp(width: int, height: int, bands: int = 3) -> pyvips.Image:
    """Return an image of smooth gradients, in which every position has another colour."""
    across, down = pyvips.Image.xyz(width, height).bandsplit()
    ramps = [(across * 0.4) % 256, (down * 0.3) % 256, ((across + down) * 0.2) % 256]
    return ramps[0].bandjoin(ramps[1:bands]).cast("uchar").copy(interpretation="srgb" if bands == 3 else "b-w")


def noise(width: int, height: int) -> pyvips.Image:
    return pyvips.Image.gaussnoise(width, height, mean=128, sigma=40, seed=7).cast("uchar")


def reader_of(file: bytes) -> Callable[[int, int], bytes]:
    def read_range(start: int, length: int) -> bytes:
        assert length < 1 << 28, "a damaged file must not make the reader ask for the moon"
        start = max(0, len(file) + start) if start < 0 else start
        return file[start : start + length]

    return read_range


def read(file: bytes) -> PyramidDirectory:
    return read_directory(reader_of(file), "pyramids/x")


def places(directory: PyramidDirectory) -> list[tuple[int, int, int]]:
    return [directory.locate(ordinal) for ordinal in range(directory.grid.count)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A pyramid of 131 by 131 pixels in tiles of 64: 13 tiles with odd edges and no repeated corner."""
    target = tmp_path_factory.mktemp("small") / "pyramid.zip"
    write_pyramid(noise(131, 131), target, 64, 80)
    return target.read_bytes()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_tile_is_a_jpeg_of_its_exact_size_showing_its_region(width: int, height: int, tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    image = ramp(width, height)
    summary = write_pyramid(image, target, 512, 90)
    file = target.read_bytes()
    directory = read(file)
    assert (summary.width, summary.height, summary.bytes) == (width, height, len(file))
    assert summary.fingerprint == directory.fingerprint
    for ordinal in range(directory.grid.count):
        x, y, w, h, out_w, out_h = directory.grid.request_of(ordinal)
        offset, length, crc = directory.locate(ordinal)
        jpeg = file[offset : offset + length]
        assert zlib.crc32(jpeg) == crc
        tile = Image.open(io.BytesIO(jpeg))
        assert (tile.size, tile.mode) == ((out_w, out_h), "RGB")
        if (w, h) == (out_w, out_h):
            region = image.crop(x, y, w, h).numpy().astype(int)
            assert abs(numpy.asarray(tile).astype(int) - region).mean() < 4


@pytest.mark.parametrize("length", [7, 1000, 1 << 20])
def test_one_pass_over_the_bytes_checks_every_tile(small: bytes, length: int) -> None:
    directory = read(small)

    def checked(file: bytes) -> None:
        chunks = (file[start : start + length] for start in range(0, len(file), length))
        check_tile_stream(chunks, directory, "pyramids/x")

    checked(small)
    end = max(offset + size for offset, size, _ in places(directory))
    for place in range(0, end, 389):
        with pytest.raises(PyramidCorrupt):
            checked(small[:place] + bytes([small[place] ^ 1]) + small[place + 1 :])
    for other in (small[:-1], small + b"\0", small[:end], b""):
        with pytest.raises(PyramidCorrupt):
            checked(other)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_zipfile_finds_the_tiles_of_dzsave_and_an_info_json(width: int, height: int, tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    write_pyramid(ramp(width, height), target, 512, 80)
    grid = TileGrid(width, height, 512)
    archive = zipfile.ZipFile(target)
    whole = ["full/max/0/default.jpg"] if grid.count == 1 else []
    assert archive.namelist() == ["info.json", *grid.names(), *whole]
    assert archive.testzip() is None
    assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    bare = ramp(width, height).dzsave_buffer(
        layout="iiif3", tile_size=512, overlap=0, suffix=".jpg[Q=80]", imagename="", keep="none"
    )
    other = zipfile.ZipFile(io.BytesIO(bare))
    assert all(other.read(name) == archive.read(name) for name in grid.names())


def test_info_json_describes_a_static_image_service(tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    write_pyramid(ramp(1300, 700), target, 512, 80)
    assert json.loads(zipfile.ZipFile(target).read("info.json")) == {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": PLACEHOLDER_ID,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level0",
        "width": 1300,
        "height": 700,
        "sizes": [{"width": 325, "height": 175}],
        "tiles": [{"width": 512, "height": 512, "scaleFactors": [1, 2, 4]}],
    }


def test_longest_info_json_fits_its_limit() -> None:
    assert len(level0_info(TileGrid(999_999_999, 999_999_999, 1))) < 900


def test_grey_image_has_grey_tiles(tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    write_pyramid(ramp(600, 30, bands=1), target, 512, 80)
    archive = zipfile.ZipFile(target)
    tile = Image.open(io.BytesIO(archive.read("full/300,15/0/default.jpg")))
    assert (tile.mode, tile.size) == ("L", (300, 15))


@pytest.mark.parametrize("image", [pyvips.Image.black(9, 9, bands=4), pyvips.Image.black(9, 9).cast("ushort")])
def test_write_pyramid_refuses_an_image_that_is_neither_grey_nor_srgb(image: pyvips.Image, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither 8-bit grey nor sRGB"):
        write_pyramid(image, tmp_path / "pyramid.zip", 512, 80)


def test_pyramid_contains_neither_metadata_of_the_master_nor_the_time(tmp_path: Path) -> None:
    master = tmp_path / "private-name.tif"
    image = ramp(700, 600).copy()
    for name in ("exif-ifd0-Artist", "jpeg-comment", "png-comment-0-Author", "anything"):
        image.set_type(pyvips.GValue.gstr_type, name, "private-words")
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x>private-words</x>")
    image.tiffsave(str(master), xres=300 / 25.4, yres=300 / 25.4)
    fingerprints = set()
    for loaded in (image, pyvips.Image.new_from_file(str(master), access="sequential")):
        target = tmp_path / "pyramid.zip"
        fingerprints.add(write_pyramid(loaded, target, 512, 80).fingerprint)
        assert b"private" not in target.read_bytes()
        assert b"Exif" not in target.read_bytes()
    assert len(fingerprints) == 1


def test_fingerprint_depends_on_every_pixel_and_on_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    image = noise(1025, 1025).copy_memory()  # its corner is named by two levels
    first = {write_pyramid(image, target, 512, 80).fingerprint for _ in range(4)}
    changed = image.draw_rect([255], 700, 900, 8, 8)
    assert len(first) == 1
    assert write_pyramid(changed, target, 512, 80).fingerprint not in first
    assert write_pyramid(image, target, 512, 81).fingerprint not in first


def test_fingerprint_is_the_digest_of_names_sizes_and_checksums(small: bytes) -> None:
    archive = zipfile.ZipFile(io.BytesIO(small))
    tiles = [archive.getinfo(name) for name in TileGrid(131, 131, 64).names()]
    lines = "".join(f"{tile.filename} {tile.file_size} {tile.CRC:08x}\n" for tile in tiles)
    assert read(small).fingerprint == hashlib.sha256(lines.encode()).hexdigest()


def test_recipe_depends_on_tile_size_and_quality() -> None:
    recipes = {recipe(512, 80), recipe(512, 81), recipe(256, 80), recipe(512, 80)}
    assert len(recipes) == 3
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in recipes)


def test_target_may_have_any_file_name(tmp_path: Path) -> None:
    target = tmp_path / "卷一 [Q=5] 100%.zip"
    write_pyramid(ramp(600, 10), target, 512, 80)
    assert zipfile.ZipFile(target).testzip() is None


@pytest.mark.parametrize(("side", "reads"), [(700, 1), (3000, 2)])
def test_directory_takes_one_read_or_two_when_long(side: int, reads: int, tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    write_pyramid(pyvips.Image.black(side, side), target, 64, 80)
    whole = reader_of(target.read_bytes())
    asked: list[tuple[int, int]] = []

    def read_range(start: int, length: int) -> bytes:
        asked.append((start, length))
        return whole(start, length)

    directory = read_directory(read_range, "pyramids/x")
    assert directory.grid == TileGrid(side, side, 64)
    assert len(asked) == reads
    assert asked[0] == (-65_536, 65_536)
    assert directory.memory < 16 * directory.grid.count + 2000


def test_pyramid_is_read_from_every_store(small: bytes, tmp_path: Path) -> None:
    for store in (FolderStore(tmp_path / "store"), memory_store()):
        store.put("pyramids/x.zip", small)
        directory = read_directory(lambda start, length, s=store: s.read_range("pyramids/x.zip", start, length), "x")
        assert places(directory) == places(read(small))


def test_pyramid_larger_than_four_gigabytes_is_read(tmp_path: Path) -> None:
    """The file is sparse: the hole of its repeated corner is widened to five gigabytes."""
    target = tmp_path / "pyramid.zip"
    write_pyramid(noise(1025, 1025), target, 512, 80)
    file = target.read_bytes()
    end = zip_directory.read_end(file)
    entries = list(zip_directory.read_entries(file[end.offset : end.offset + end.size]))
    in_place = sorted(entries, key=lambda entry: entry.offset)
    (after_hole,) = [entry.offset for before, entry in pairwise(in_place) if entry.offset > before.end]
    wider = 5 << 30
    directory = b"".join(
        zip_directory.record(e.name, e.size, e.crc, e.offset + wider * (e.offset >= after_hole), e.streamed)
        for e in entries
    )
    with target.open("r+b") as sparse:
        sparse.seek(after_hole + wider)
        sparse.write(file[after_hole : end.offset] + directory)
        sparse.write(zip_directory.end_record(end.count, end.offset + wider, len(directory)))

    def read_range(start: int, length: int) -> bytes:
        with target.open("rb") as sparse:
            sparse.seek(start, 2 if start < 0 else 0)
            return sparse.read(length)

    found = places(read_directory(read_range, "pyramids/x"))
    assert max(offset for offset, _, _ in found) > wider
    assert all(zlib.crc32(read_range(offset, length)) == crc for offset, length, crc in found)
    assert zipfile.ZipFile(target).testzip() is None


def rebuilt(file: bytes, change: Callable[[list[zip_directory.Entry]], list[bytes]]) -> bytes:
    """Return the file with another directory, whose records `change` returns."""
    end = zip_directory.read_end(file)
    entries = list(zip_directory.read_entries(file[end.offset : end.offset + end.size]))
    records = change(entries)
    directory = b"".join(records)
    return file[: end.offset] + directory + zip_directory.end_record(len(records), end.offset, len(directory))


def records_with(entries: list[zip_directory.Entry], index: int, **changes: int | bytes) -> list[bytes]:
    entry = entries[index]._replace(**changes)
    changed = zip_directory.record(entry.name, entry.size, entry.crc, entry.offset, entry.streamed)
    return [changed if place == index else other.record for place, other in enumerate(entries)]


DAMAGES: dict[str, Callable[[list[zip_directory.Entry]], list[bytes]]] = {
    "a tile is missing": lambda e: [entry.record for entry in e[:-1]],
    "a tile is there twice": lambda e: [entry.record for entry in (*e, e[-1])],
    "a tile stands for another": lambda e: [entry.record for entry in (*e[:-1], e[-2])],
    "two tiles changed places": lambda e: [entry.record for entry in (e[0], e[2], e[1], *e[3:])],
    "something else is there": lambda e: [*(entry.record for entry in e), zip_directory.record(b"notes.txt", 1, 2, 3)],
    "info.json is missing": lambda e: [entry.record for entry in e[1:]],
    "a tile is empty": lambda e: records_with(e, 3, size=0),
    "a tile is longer than it is": lambda e: records_with(e, 3, size=e[3].size + 1),
    "a tile is shorter than it is": lambda e: records_with(e, 3, size=e[3].size - 1),
    "a tile is larger than the file": lambda e: records_with(e, 3, size=0xFFFFFFF0),
    "a tile lies elsewhere": lambda e: records_with(e, 3, offset=e[3].offset + 1),
    "a tile at the offset of another": lambda e: records_with(e, 3, offset=e[4].offset),
    "a tile lies beyond the file": lambda e: records_with(e, 3, offset=1 << 60),
    "a tile has another name": lambda e: records_with(e, 3, name=b"../../../etc/passwd"),
    "a tile has no descriptor": lambda e: records_with(e, 3, streamed=False),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_directory_that_differs_from_its_grid_is_refused(damage: str, small: bytes) -> None:
    assert places(read(rebuilt(small, lambda entries: [entry.record for entry in entries]))) == places(read(small))
    with pytest.raises(PyramidCorrupt):
        read(rebuilt(small, DAMAGES[damage]))


def test_plain_zip_of_the_same_tiles_is_refused(small: bytes) -> None:
    source, other = zipfile.ZipFile(io.BytesIO(small)), io.BytesIO()
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    with pytest.raises(PyramidCorrupt):
        read(other.getvalue())


def test_info_json_of_other_sides_is_refused(small: bytes) -> None:
    for sides in (b'"width":132,"height":131', b'"width":131,"height":  1', b'"width":000,"height":131'):
        with pytest.raises(PyramidCorrupt):
            read(small.replace(b'"width":131,"height":131', sides))


def test_truncated_file_is_refused(small: bytes) -> None:
    for length in (*range(0, len(small) - 2000, 97), *range(len(small) - 2000, len(small))):
        with pytest.raises(PyramidCorrupt):
            read(small[:length])


def test_file_that_lost_or_gained_bytes_is_refused(small: bytes) -> None:
    for file in (small[1:], b"x" + small, small + b"x", small[:500] + small[501:], small[:500] + b"x" + small[500:]):
        with pytest.raises(PyramidCorrupt):
            read(file)


def test_large_pyramid_that_lost_its_first_byte_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    write_pyramid(pyvips.Image.black(3000, 3000), target, 64, 80)
    with pytest.raises(PyramidCorrupt):
        read(target.read_bytes()[1:])


@pytest.mark.parametrize(("length", "accepted"), [(0, False), (1, True), (90_000, True), (200_000, False)])
def test_tile_of_implausible_size_is_refused(length: int, accepted: bool) -> None:
    """The file is a forged but consistent pyramid of one tile of 64 by 64 pixels."""
    grid, content = TileGrid(64, 64, 64), bytes(length)
    file, records = b"", []
    for name, what, streamed in (
        (b"full/64,64/0/default.jpg", content, True),
        (b"full/max/0/default.jpg", content, False),
        (b"info.json", level0_info(grid), False),
    ):
        crc = zlib.crc32(what)
        records.append(zip_directory.record(name, len(what), crc, len(file), streamed))
        file += zip_directory.local_entry(name, len(what), crc) + what + bytes(16 * streamed)
    directory = records[2] + records[0] + records[1]
    file += directory + zip_directory.end_record(3, len(file), len(directory))
    if accepted:
        assert read(file).locate(0) == (30 + 24, length, zlib.crc32(content))
    else:
        with pytest.raises(PyramidCorrupt):
            read(file)


def test_flipped_bit_after_the_tiles_is_refused_or_changes_the_fingerprint_or_is_irrelevant(small: bytes) -> None:
    whole = read(small)
    end = zip_directory.read_end(small)
    first = max(offset + length for offset, length, _ in places(whole))
    assert first < end.offset
    outcomes = {"refused": 0, "shown": 0, "silent": 0}
    for bit in range(8 * (first + 16), 8 * len(small)):
        flipped = bytearray(small)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = read(bytes(flipped))
        except PyramidCorrupt:
            outcomes["refused"] += 1
        else:
            same = found.fingerprint == whole.fingerprint
            assert not same or (found.grid, places(found)) == (whole.grid, places(whole))
            outcomes["silent" if same else "shown"] += 1
    tiles = whole.grid.count
    assert outcomes["shown"] == 8 * 4 * tiles, "just the bits of the checksums"
    assert outcomes["silent"] == 8 * (2 + 2 + 2 + 2 + 2 + 4) * tiles, "versions, hour, day and modes say nothing"


@given(st.binary(max_size=400))
def test_read_directory_refuses_garbage(garbage: bytes) -> None:
    with pytest.raises(PyramidCorrupt):
        read(garbage)


@settings(max_examples=300)
@given(data=st.data())
def test_mangled_pyramid_is_refused_or_unchanged(small: bytes, data: st.DataObject) -> None:
    mangled = bytearray(small)
    end = zip_directory.read_end(small)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(end.offset - 400, len(small) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=12))
        mangled[place : place + len(patch)] = patch
    try:
        found = read(bytes(mangled))
    except PyramidCorrupt:
        return
    assert found.fingerprint != read(small).fingerprint or places(found) == places(read(small))


@settings(max_examples=300)
@given(numbers=st.tuples(*[st.integers(0, (1 << 63) - 1)] * 3), padding=st.sampled_from([0, 300, 70_000]))
def test_false_end_record_is_refused_with_bounded_reads(numbers: tuple[int, int, int], padding: int) -> None:
    end = zip_directory.end_record(*numbers)
    with pytest.raises(PyramidCorrupt):
        read(bytes(padding) + end)


WRITE_UNDER_LIMIT = """
import resource, sys
from pathlib import Path
import pyvips
from iiif_server.pyramid.file import write_pyramid
from repository.errors import PyramidCorrupt
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
image = pyvips.Image.gaussnoise(1500, 1500, seed=1).cast("uchar")
try:
    write_pyramid(image, Path(sys.argv[1]), 512, 80)
except (pyvips.Error, OSError, PyramidCorrupt) as fault:
    print("refused", type(fault).__name__)
"""


@pytest.mark.parametrize("missing", [1, 100, 2_000, 300_000])
def test_full_disk_is_an_error_and_never_a_pyramid(missing: int, tmp_path: Path) -> None:
    target = tmp_path / "pyramid.zip"
    image = pyvips.Image.gaussnoise(1500, 1500, seed=1).cast("uchar")
    size = write_pyramid(image, target, 512, 80).bytes
    command = [sys.executable, "-c", WRITE_UNDER_LIMIT, str(target), str(size - missing)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert done.stdout.startswith("refused"), done.stderr


WRITE_TALL = """
import resource, sys
from pathlib import Path
import pyvips
from iiif_server.pyramid.file import write_pyramid
image = pyvips.Image.new_from_file(sys.argv[1], access="sequential")
write_pyramid(image, Path(sys.argv[2]), 512, 80)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_grows_with_the_width_but_not_with_the_height(tmp_path: Path) -> None:
    peaks = []
    for height in (3_000, 60_000):
        master = tmp_path / f"{height}.tif"
        ramp(1000, height).tiffsave(str(master))
        command = [sys.executable, "-c", WRITE_TALL, str(master), str(tmp_path / "pyramid.zip")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 20_000, "kilobytes; the image itself is 180,000"
