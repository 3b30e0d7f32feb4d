from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocfl.layout_0003_hash_and_id_n_tuple import Layout_0003_Hash_And_Id_N_Tuple

from preservation.ocfl.layout import folder_identifier, layout_path, object_folder
from repository.identifiers import Kind, mint
from repository.paths import ocfl_id, ocfl_object

WORK = mint(Kind.WORK, "論語")


def test_layout_path_of_a_work_is_the_path_that_the_repository_uses() -> None:
    assert f"ocfl/{layout_path(ocfl_id(WORK))}" == ocfl_object(WORK)


@given(st.text(min_size=1, max_size=150))
def test_layout_path_agrees_with_ocfl_py(identifier: str) -> None:
    assert layout_path(identifier) == Layout_0003_Hash_And_Id_N_Tuple().identifier_to_path(identifier)


@given(st.text(min_size=1, max_size=8))
def test_folder_name_gives_the_identifier_back(identifier: str) -> None:
    assert folder_identifier(layout_path(identifier)) == identifier


@pytest.mark.parametrize("folder", ["000/000/000/shanben%3aw", "a", "abc/def/012/%ff", "abc/def/012/\udcff"])
def test_folder_outside_the_layout_gives_no_identifier(folder: str) -> None:
    assert folder_identifier(folder) is None


def test_object_folder_contains_the_files_below_it_only() -> None:
    folder = layout_path(ocfl_id(WORK))
    assert object_folder(f"{folder}/v1/content/a/b") == folder
    assert object_folder(folder) is None
    assert object_folder(f"xyz/{folder}/inventory.json") is None
