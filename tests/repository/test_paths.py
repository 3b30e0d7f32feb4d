"""Object keys and their inverses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository import paths
from repository.identifiers import Kind, mint

INDEXES = st.integers(0, 10**12)
WIDTHS = st.integers(1, 256)


@pytest.mark.parametrize("name", ["top", "2026-01-31t08-59", "a.json"])
def test_collection_keys_have_an_inverse(name):
    assert paths.name_of_collection(paths.collection(name)) == name


@pytest.mark.parametrize(
    "key", ["published/collections/top", "published/collections/.json", "published/collections/a/b.json", "top.json"]
)
def test_other_keys_name_no_collection(key):
    assert paths.name_of_collection(key) is None


@given(st.text())
def test_ocfl_identifiers_have_an_inverse(name):
    work = mint(Kind.WORK, name)
    assert paths.work_of_ocfl_id(paths.ocfl_id(work)) == work


@given(st.integers(0, 63), INDEXES, WIDTHS)
def test_log_tile_paths_have_an_inverse(level, index, width):
    path = paths.log_tile(level, index, width).removeprefix("log/")
    assert paths.parse_log_path(path) == (str(level), index, width)


@given(INDEXES, WIDTHS)
def test_entry_bundle_paths_have_an_inverse(index, width):
    path = paths.log_entries(index, width).removeprefix("log/")
    assert paths.parse_log_path(path) == ("entries", index, width)


def test_log_tile_paths_match_the_example_of_the_specification():
    assert paths.log_tile(0, 1234067) == "log/tile/0/x001/x234/067"


@pytest.mark.parametrize(
    "path",
    [
        "tile",
        "tile/0",
        "tile/00/000",
        "tile/0/0",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/257",
        "tile/64/000",
        "tile/0/000.p/256",
        "tile/-1/000",
        "tile/0/../000",
        "tile/entries/000.p/",
        "checkpoint",
        "tile/0/٠٠٠",
        "tile/0/000.p/٥",
    ],
)
def test_other_spellings_of_a_path_name_no_tile(path):
    assert paths.parse_log_path(path) is None


@pytest.mark.parametrize("key", [paths.LOG_COSIGNED, paths.log_witness("0a1b"), paths.log_timestamped(1 << 62)])
def test_attested_checkpoints_are_recognised_by_their_keys(key):
    assert paths.is_attested_checkpoint(key)


@pytest.mark.parametrize(
    "key",
    [
        paths.LOG_CHECKPOINT,
        paths.log_tile(0, 0),
        "log/cosigned/x",
        "log/witnesses/",
        "log/witnesses/a/b",
        "log/timestamped/3",
        "log/timestamped/",
        "cosigned",
    ],
)
def test_other_keys_are_those_of_no_attested_checkpoint(key):
    assert not paths.is_attested_checkpoint(key)
