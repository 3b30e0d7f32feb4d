"""Plans of image requests: regions, sizes, canonical forms, limits and the pixels to decode."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.request.geometry import RenderPlan, choose_source, plan, rotated_size
from iiif_server.request.grammar import parse
from iiif_server.request.limits import ImageLimits
from repository.errors import AccessRefused, RequestInvalid

OPEN = ImageLimits(64_000_000)


def asked(
    text: str, width: int = 300, height: int = 200, tile_size: int = 512, limits: ImageLimits = OPEN
) -> RenderPlan:
    return plan(parse(text), TileGrid(width, height, tile_size), limits)


@pytest.mark.parametrize(
    ("region", "box"),
    [
        ("full", (0, 0, 300, 200)),
        ("square", (50, 0, 200, 200)),
        ("125,15,120,140", (125, 15, 120, 140)),
        ("pct:41.6,7.5,40,70", (125, 15, 120, 140)),
        ("125,15,200,200", (125, 15, 175, 185)),
        ("pct:41.6,7.5,66.6,100", (125, 15, 175, 185)),
        ("299,199,10,10", (299, 199, 1, 1)),
        ("0,0,9999999999,1", (0, 0, 300, 1)),
    ],
)
def test_regions_of_the_specification(region: str, box: tuple[int, ...]) -> None:
    assert asked(f"{region}/max/0/default.jpg").region == box


@pytest.mark.parametrize("region", ["300,0,1,1", "0,200,1,1", "5,5,0,5", "5,5,5,0", "pct:100,0,1,1", "pct:0,0,0.1,9"])
def test_region_outside_the_image_or_empty_is_refused(region: str) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        asked(f"{region}/max/0/default.jpg")
    assert refusal.value.details["part"] == "region"


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ("max", (300, 200)),
        ("150,", (150, 100)),
        (",150", (225, 150)),
        ("pct:50", (150, 100)),
        ("225,100", (225, 100)),
        ("!225,100", (150, 100)),
        ("!300,200", (300, 200)),
        ("!299,9999", (299, 199)),
        ("!301,201", (300, 200)),
        ("!9999999999,9999999999", (300, 200)),
        ("!301,150", (225, 150)),
        ("^!301,9999", (301, 201)),
        ("^360,", (360, 240)),
        ("^,240", (360, 240)),
        ("^pct:120", (360, 240)),
        ("^360,360", (360, 360)),
        ("^!360,360", (360, 240)),
        ("^150,", (150, 100)),
        ("7,", (7, 5)),
        ("3,", (3, 2)),
    ],
)
def test_sizes_of_the_specification(size: str, sides: tuple[int, int]) -> None:
    task = asked(f"full/{size}/0/default.jpg")
    assert (task.width, task.height) == sides


@pytest.mark.parametrize(
    "size",
    ["301,", ",201", "pct:101", "301,1", "1,201", "0,", ",0", "0,0", "pct:0", "pct:0.1", "^0,", "!0,5"],
)
def test_size_below_a_pixel_or_beyond_the_region_is_refused(size: str) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        asked(f"full/{size}/0/default.jpg")
    assert refusal.value.details["part"] == "size"


def test_size_beyond_the_area_is_refused_and_max_stays_within() -> None:
    limits = ImageLimits(10_000)
    for size in ["max", "^max", "!300,200", "^!900,900"]:
        task = asked(f"full/{size}/0/default.jpg", limits=limits)
        assert 9_000 < task.width * task.height <= 10_000
        assert task.canonical == "full/max/0/default.jpg"
    for size in ["299,", "^400,", "101,100"]:
        with pytest.raises(RequestInvalid):
            asked(f"full/{size}/0/default.jpg", limits=limits)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0,0,300,200/300,/0/color.jpg", "full/max/0/default.jpg"),
        ("pct:0,0,100,100/!300,200/360/default.jpg", "full/max/0/default.jpg"),
        ("square/^max/!360/gray.png", "50,0,200,200/^max/!0/gray.png"),
        ("full/150,/22.50/default.jpg", "full/150,100/22.5/default.jpg"),
        ("full/^150,/0/default.jpg", "full/150,100/0/default.jpg"),
        ("full/^600,/0/default.jpg", "full/^600,400/0/default.jpg"),
        ("full/^600,1/0/default.jpg", "full/^600,1/0/default.jpg"),
    ],
)
def test_canonical_form(text: str, canonical: str) -> None:
    assert asked(text).canonical == canonical


@pytest.mark.parametrize(
    ("size", "sides"),
    [("512,", (512, 1)), ("1,", (1, 1)), (",1", (3000, 1)), ("!90,90", (90, 1)), ("pct:20", (600, 1))],
)
@pytest.mark.parametrize("turned", [False, True])
def test_narrow_picture_keeps_a_pixel_of_its_shorter_side(size: str, sides: tuple[int, int], turned: bool) -> None:
    if turned:
        size = {"512,": ",512", "1,": ",1", ",1": "1,"}.get(size, size)
        task = asked(f"full/{size}/0/default.jpg", 1, 3000)
        assert (task.height, task.width) == sides
    else:
        task = asked(f"full/{size}/0/default.jpg", 3000, 1)
        assert (task.width, task.height) == sides


grids = st.builds(TileGrid, st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([64, 100, 256, 512]))


@given(grids, st.data())
def test_every_spelling_of_a_tile_means_that_tile(grid: TileGrid, data: st.DataObject) -> None:
    ordinal = data.draw(st.integers(0, grid.count - 1))
    x, y, w, h, out_w, out_h = grid.request_of(ordinal)
    spellings = [f"{out_w},{out_h}", f"^{out_w},{out_h}", f"!{out_w},{out_h}"]
    spellings += [f"{out_w},", f",{out_h}"] if min(w, h) >= grid.tile_size else []
    spellings += ["max", "pct:100"] if (w, h) == (out_w, out_h) else []
    for size in spellings:
        for quality in ["default", "color"]:
            task = plan(parse(f"{x},{y},{w},{h}/{size}/0/{quality}.jpg"), grid, OPEN)
            assert task.tile == ordinal
            assert (task.width, task.height) == (out_w, out_h)


@given(grids, st.data())
def test_canonical_form_has_the_same_plan(grid: TileGrid, data: st.DataObject) -> None:
    text = f"{data.draw(regions)}/{data.draw(sizes)}/{data.draw(turns)}/default.{data.draw(formats)}"
    limits = ImageLimits(
        data.draw(st.sampled_from([50, 10_000, 64_000_000])), data.draw(st.none() | st.integers(1, 5000))
    )
    try:
        task = plan(parse(text), grid, limits)
    except (RequestInvalid, AccessRefused):
        assume(False)
        return
    assert plan(parse(task.canonical), grid, limits) == task
    assert 1 <= task.width * task.height <= limits.max_area
    assert 0 <= task.region.x < task.region.x + task.region.width <= grid.width
    assert 0 <= task.region.y < task.region.y + task.region.height <= grid.height
    source = choose_source(task, grid, limits)
    level = next(level for level in grid.levels if level.scale_factor == source.factor)
    whole = source.reduced or (level.width, level.height)
    assert min(source.box) >= 0
    assert source.box.width > 0
    assert source.box.height > 0
    assert source.box.x + source.box.width <= whole[0]
    assert source.box.y + source.box.height <= whole[1]
    if limits.max_size:
        assert max(whole) <= max(limits.max_size, 1)


numbers = st.integers(0, 4500)
regions = st.sampled_from(["full", "square"]) | st.builds("{},{},{},{}".format, numbers, numbers, numbers, numbers)
sizes = st.builds(
    "{}{}".format,
    st.sampled_from(["", "^"]),
    st.sampled_from(["max"])
    | numbers.map("{},".format)
    | numbers.map(",{}".format)
    | st.builds("{},{}".format, numbers, numbers)
    | st.builds("!{},{}".format, numbers, numbers)
    | st.integers(1, 200).map("pct:{}".format),
)
turns = st.sampled_from(["0", "90", "!180", "!0", "22.5"])
formats = st.sampled_from(["jpg", "png", "webp"])


def test_large_region_at_a_small_size_uses_a_small_level() -> None:
    grid = TileGrid(60_000, 60_000, 512)
    source = choose_source(plan(parse("full/600,600/0/default.jpg"), grid, OPEN), grid, OPEN)
    assert (source.factor, source.box) == (64, Box(0, 0, 938, 938))


def test_picture_squeezed_along_one_side_stays_within_the_memory_bound() -> None:
    grid = TileGrid(60_000, 60_000, 512)
    source = choose_source(plan(parse("full/60000,10/0/default.jpg"), grid, OPEN), grid, OPEN)
    assert source.box.width * source.box.height <= 4 * OPEN.max_area


@given(numbers, numbers, st.integers(1, 4500), st.integers(1, 4500), st.integers(1, 2000), st.integers(1, 2000))
def test_source_box_lies_within_half_a_pixel_of_its_region_and_has_every_pixel_asked_for(
    x: int, y: int, w: int, h: int, width: int, height: int
) -> None:
    grid = TileGrid(4501, 4503, 256)
    task = plan(parse(f"{x},{y},{w},{h}/^{width},{height}/0/default.jpg"), grid, OPEN)
    factor, box, _ = choose_source(task, grid, OPEN)
    region = task.region
    for start, length, whole, got, got_length in [
        (region.x, region.width, grid.width, box.x, box.width),
        (region.y, region.height, grid.height, box.y, box.height),
    ]:
        end = start + length
        assert 2 * abs(got * factor - start) <= factor
        assert 2 * abs((got + got_length) * factor - end) <= factor or (
            end == whole and got + got_length == -(-end // factor)
        )
    assert box.width >= min(task.width, region.width)
    assert box.height >= min(task.height, region.height)


@given(numbers, st.integers(1, 4500), st.integers(1, 4500))
def test_source_boxes_of_regions_that_meet_meet(x: int, left: int, right: int) -> None:
    grid = TileGrid(20_000, 20_000, 512)
    boxes = []
    for start, length in [(x, left), (x + left, right)]:
        task = plan(parse(f"{start},0,{length},4096/{max(1, length // 8)},512/0/default.jpg"), grid, OPEN)
        boxes.append(choose_source(task, grid, OPEN))
    if {source.factor for source in boxes} == {8}:
        assert boxes[0].box.x + boxes[0].box.width == boxes[1].box.x


class TestReducedAccess:
    """An image of 4,000 by 3,000 pixels that may be shown at 1,000 on its longest side."""

    grid = TileGrid(4000, 3000, 256)
    limits = ImageLimits(64_000_000, 1000)

    def task(self, text: str) -> RenderPlan:
        return plan(parse(f"{text}/0/default.jpg"), self.grid, self.limits)

    @pytest.mark.parametrize(
        "size", ["max", "^max", "1000,", ",750", "!4000,3000", "!1000,1000", "^!9000,9000", "pct:25"]
    )
    def test_whole_image_has_the_allowed_size(self, size: str) -> None:
        task = self.task(f"full/{size}")
        assert (task.width, task.height) == (1000, 750)
        assert task.canonical == "full/max/0/default.jpg"

    @pytest.mark.parametrize("size", ["1001,", ",751", "1001,750", "pct:25.1", "4000,3000", "^1001,", "^4001,3001"])
    def test_larger_size_is_refused(self, size: str) -> None:
        with pytest.raises(AccessRefused):
            self.task(f"full/{size}")

    def test_tiles_of_larger_levels_are_refused(self) -> None:
        for ordinal in range(self.grid.count):
            x, y, w, h, out_w, out_h = self.grid.request_of(ordinal)
            text = f"{x},{y},{w},{h}/{out_w},{out_h}"
            if w > out_w * 2:
                assert self.task(text).tile == ordinal
            else:
                with pytest.raises(AccessRefused):
                    self.task(text)

    def test_region_has_the_scale_of_the_whole(self) -> None:
        task = self.task("0,0,400,400/max")
        assert (task.width, task.height) == (100, 100)

    @pytest.mark.parametrize("region", ["7,7,1,1", "0,0,4,4", "1000,1000,400,1"])
    def test_region_is_never_rendered_from_a_larger_level(self, region: str) -> None:
        assert choose_source(self.task(f"{region}/max"), self.grid, self.limits).factor == 4

    def test_size_below_the_smallest_level_is_reduced_first(self) -> None:
        limits = ImageLimits(64_000_000, 100)
        task = plan(parse("40,40,40,40/max/0/default.jpg"), self.grid, limits)
        assert (task.width, task.height) == (1, 1)
        assert choose_source(task, self.grid, limits) == (16, Box(1, 1, 1, 1), (100, 75))


@pytest.mark.parametrize(
    ("text", "width", "height"),
    [
        ("full/max/0/default.pdf", 60_001, 10),
        ("full/max/90/default.webp", 10, 16_384),
        ("full/max/0/a.gif", 4000, 4001),
        ("full/max/0/a.jp2", 4000, 4001),
        ("full/max/0/a.avif", 32_769, 10),
    ],
)
def test_picture_too_large_for_its_format_is_refused(text: str, width: int, height: int) -> None:
    with pytest.raises(RequestInvalid) as refusal:
        asked(text.replace("/a.", "/default."), width, height)
    assert refusal.value.details["part"] == "format"


def test_rotated_strip_must_fit_the_area() -> None:
    with pytest.raises(RequestInvalid) as refusal:
        asked("full/max/45/default.png", 60_000, 1000)
    assert refusal.value.details["part"] == "rotation"
    assert asked("full/max/90/default.png", 60_000, 1000).width == 60_000


@pytest.mark.parametrize(
    ("degrees", "box"), [("0", (30, 20)), ("90", (20, 30)), ("180", (30, 20)), ("270", (20, 30)), ("45", (36, 36))]
)
def test_rotated_size_is_the_bounding_box(degrees: str, box: tuple[int, int]) -> None:
    assert rotated_size(30, 20, Decimal(degrees)) == box
