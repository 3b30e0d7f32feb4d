"""A restore that is killed at any write goes on when it is run again, and harms no store that it reads."""

from __future__ import annotations

import itertools
from typing import Any, cast

import pytest
from planted_faults import FAULTS, MASTER, flip
from repairable_library import FailingStore, RepairableLibrary, build_library, contents
from silent_progress import SilentProgress

from preservation.replication.transfer import NamedStore
from repository.errors import StoreFull
from repository.paths import ocfl_object
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore
from workers.deposit.examiner import ChildDepositExaminer
from workers.maintenance.restore_store import StoreRestored, restore_store


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> RepairableLibrary:
    return build_library(tmp_path_factory.mktemp("library"), examiner)


def restored(library: RepairableLibrary, target: object) -> StoreRestored:
    source = NamedStore("replica", library.store("replica"))
    return restore_store(library.repository, [source], NamedStore("new", cast(Any, target)), SilentProgress())


class Killed(BaseException):
    """Stands for the process that ends here."""


@pytest.mark.parametrize("moment", ["put", "was put"])
def test_restore_killed_at_any_write_goes_on_when_it_is_run_again(original: RepairableLibrary, moment: str) -> None:
    source, complete = contents(original.store("replica")), memory_store()
    restored(original, complete)
    whole = contents(complete)  # without the tiles of the log that wider ones have replaced
    assert source.items() >= whole.items()
    assert {key for key in source if key.startswith("ocfl/")} <= whole.keys()
    for number in itertools.count(0, 3):
        target = memory_store()
        if not killed_at(original, target, moment, number):
            break
        assert all(whole.get(key) == content for key, content in contents(target).items()), number
        assert restored(original, target).missing == []
        assert contents(target) == whole, number
    assert contents(original.store("replica")) == source
    assert number > 20


def killed_at(library: RepairableLibrary, target: ObjectStore, moment: str, number: int) -> bool:
    numbers = itertools.count()

    def kill(action: str, _: str) -> None:
        if action == moment and next(numbers) == number:
            raise Killed

    try:
        restored(library, FailingStore(target, kill))
    except Killed:
        return True
    return False


def test_full_target_ends_the_restore(original: RepairableLibrary) -> None:
    def refuse(action: str, key: str) -> None:
        if action == "put" and "/masters/" in key:
            raise StoreFull(key=key, reason="no")

    with pytest.raises(StoreFull):
        restored(original, FailingStore(memory_store(), refuse))


def test_forged_copy_is_not_restored_and_its_work_is_named(original: RepairableLibrary) -> None:
    library = original.on(memory_store)
    root, target = ocfl_object(library.works[0]), memory_store()
    FAULTS["master_replaced_with_its_inventories"](library.store("replica"), root)
    done = restored(library, target)
    assert {missing.work for missing in done.missing} == {library.works[0]}
    assert not target.exists(f"{root}/{MASTER}")
    assert target.exists(f"{ocfl_object(library.works[1])}/inventory.json")


def test_damaged_file_is_missing_and_the_rest_of_its_work_is_restored(original: RepairableLibrary) -> None:
    library = original.on(memory_store)
    root, target = ocfl_object(library.works[0]), memory_store()
    flip(library.store("replica"), f"{root}/{MASTER}")
    done = restored(library, target)
    assert [missing.key for missing in done.missing] == [f"{root}/{MASTER}"]
    assert target.exists(f"{root}/v1/content/masters/0001.tif")
    assert target.exists(f"{root}/inventory.json")
