"""The formats of features and of their index, and which parts of a picture are described."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import Box
from iiif_server.similarity import ranking
from iiif_server.similarity.records import FEATURE, DescribedPicture, Features, features_of
from iiif_server.similarity.shard_index import search_index, write_index
from iiif_server.similarity.shards import SHARD_PAGES, ShardEntry, ShardList, prefix_length, shard_name
from iiif_server.similarity.words import read_words
from iiif_server.similarity.work_features import is_current, pack, recipe, sections, unpack
from repository import paths
from repository.identifiers import Kind, mint


def some_features(seed: int, count: int) -> Features:
    """Return features whose descriptors lie near visual words."""
    rng = np.random.default_rng(seed)
    features = np.zeros(count, FEATURE)
    words = read_words()
    features["word"] = rng.integers(0, len(words), count)
    noise = np.packbits(rng.random((count, 256)) < 0.05, axis=1)
    features["descriptor"] = words[features["word"]] ^ noise
    features["angle"], features["octave"] = rng.integers(0, 256, count), rng.integers(0, 8, count)
    return features


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9000), st.binary(min_size=8, max_size=8)), max_size=5))
def test_features_of_a_work_are_read_as_they_were_written(pages: list[tuple[int, int, bytes]]) -> None:
    described = [
        (
            mint(Kind.IMAGE, str(number)),
            Box(0, 0, side, side),
            DescribedPicture(digest, some_features(1, count).tobytes(), 1, 1),
        )
        for number, (count, side, digest) in enumerate(pages)
    ]
    data = b"".join(pack(described))
    listed, start = unpack(data)
    assert [(page.image, Box(*page.box), bytes.fromhex(page.hash)) for page in listed] == [
        (image, box, picture.hash) for image, box, picture in described
    ]
    assert data[start:] == b"".join(picture.features for _, _, picture in described)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"format":0,"pages":[]}\n', b'{"format":1,"pages":[]}\nmore', b"\xff\n"]
)
def test_other_bytes_are_no_features(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of msgspec, or ours
        unpack(data)


@given(st.integers(64, 40_000), st.integers(64, 40_000))
def test_sections_cover_a_picture_and_are_never_long(width: int, height: int) -> None:
    parts = sections(width, height)
    for part in parts:
        assert 0 <= part.x <= part.x + part.width <= width
        assert 0 <= part.y <= part.y + part.height <= height
        assert max(part.width, part.height) <= 2.3 * min(part.width, part.height)
    ends = sorted((part.x, part.y, part.x + part.width, part.y + part.height) for part in parts)
    assert ends[0][:2] == (0, 0)
    assert ends[-1][2:] == (width, height)
    for before, after in pairwise(ends):
        assert after[0] < before[2]
        assert after[1] < before[3]


def test_a_long_scroll_has_overlapping_sections_and_a_page_has_one() -> None:
    assert sections(3000, 4000) == [Box(0, 0, 3000, 4000)]
    assert len(sections(31502, 1516)) == 20


def test_the_name_of_features_follows_from_what_is_shown() -> None:
    names = {recipe([("i1", "a", "()")]), recipe([("i1", "b", "()")]), recipe([("i1", "a", "(1,)")]), recipe([])}
    assert len(names) == 4
    assert {len(name) for name in names} == {16}
    assert all(map(is_current, names))
    work = mint(Kind.WORK, "1")
    key = paths.page_features(work, recipe([]))
    assert paths.parse_page_features(key) == (work, recipe([]))
    assert paths.parse_page_features(f"{key}x") is None


def test_shards_stay_small_as_the_library_grows() -> None:
    assert [prefix_length(pages) for pages in (0, SHARD_PAGES, SHARD_PAGES + 1, 29 * SHARD_PAGES + 1)] == [0, 0, 1, 2]
    assert shard_name("w1", ["a", "b"]) != shard_name("w1", ["a", "c"])
    listed = ShardList(shards=[ShardEntry("similar/shards/all-1", 2, 3, 4)])
    assert ShardList.of_json(listed.to_json()) == listed
    with pytest.raises(ValueError, match="format"):
        ShardList.of_json(b'{"format": 9}')


def test_a_search_finds_the_page_with_the_same_features_in_any_shard(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("shards")
    shards = [folder / "one.ivf", folder / "two.ivf", folder / "empty.ivf"]
    pages = [[some_features(seed, 100) for seed in seeds] for seeds in ((1, 2), (3, 4, 5), ())]
    for path, features in zip(shards, pages, strict=True):
        write_index(features, path)
    for shard, number, seed in ((0, 1, 2), (1, 2, 5)):
        sought = some_features(seed, 100)
        sought["angle"] += 64  # turned by a quarter
        (best, votes), *others = ranking.rank(sought, *search_index(shards, sought), 3)
        assert (best >> 24, best & 0xFFFFFF) == (shard, number)
        assert all(votes > 5 * other for _, other in others)


def test_no_features_have_no_matches(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("shards") / "index.ivf"
    write_index([features_of(b"")], path)
    nothing = some_features(1, 0)
    assert ranking.rank(nothing, *search_index([path], nothing), 3) == []
