"""Copies of works: complete, verified, never replacing a better copy, interrupted at every change of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import ocfl
import pytest

from preservation.ocfl.inventory import Inventory
from preservation.ocfl.objects import prepare_storage_root, read_inventory, write_version
from preservation.ocfl.validation import validate_object
from preservation.replication.transfer import NamedStore
from preservation.replication.works import replicate_work
from repository.errors import DigestMismatch, KeyNotFound, ObjectInvalid, StoreFault
from repository.identifiers import Kind, mint
from repository.paths import ocfl_object
from repository.storage.content import Content, StoredObject
from repository.storage.folder import FolderStore
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore

WORK = mint(Kind.WORK, "千字文")
ROOT = ocfl_object(WORK)
FIRST: dict[str, Path | bytes] = {"masters/1.tif": b"one" * 1_000_000, "masters/2.tif": b"two", "metadata/a": b""}
SECOND: dict[str, Path | bytes] = {**FIRST, "masters/2.tif": b"again", "masters/3.tif": b"one" * 1_000_000}
MASTER = f"{ROOT}/v1/content/masters/1.tif"


def preserve(store: ObjectStore, content: dict[str, Path | bytes], message: str = "m") -> Inventory:
    return write_version(store, WORK, content, message=message, created="2026-01-02T03:04:05Z")


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {found.key: store.read(found.key) for found in store.list()}


@pytest.fixture
def source() -> NamedStore:
    """A store with one work in two versions."""
    store = memory_store()
    prepare_storage_root(store)
    preserve(store, FIRST)
    preserve(store, SECOND)
    return NamedStore("s3://library/store", store)


@pytest.fixture
def target() -> NamedStore:
    """A store with an empty storage root."""
    store = memory_store()
    prepare_storage_root(store)
    return NamedStore("s3://elsewhere/copy", store)


def test_copy_has_all_versions_byte_for_byte_and_is_a_valid_object(
    source: NamedStore, target: NamedStore, tmp_path: Path
) -> None:
    amounts: list[int] = []
    copy = replicate_work(source, target, WORK, on_progress=amounts.append)
    assert contents(target.store) == contents(source.store)
    assert validate_object(target.store, ROOT).valid
    assert copy.version == 2
    sizes = [found.size for found in source.store.list(ROOT)]
    assert (copy.totals.objects, copy.totals.bytes) == (len(sizes), sum(sizes))
    assert (copy.totals.objects_put, copy.totals.bytes_put) == (copy.totals.objects, copy.totals.bytes)
    assert sum(amounts) == sum(sizes)
    for key, body in contents(target.store).items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(body)
    assert ocfl.StorageRoot(root=str(tmp_path / "ocfl")).validate()


def test_second_copy_reads_intact_files_and_puts_none(source: NamedStore, target: NamedStore) -> None:
    replicate_work(source, target, WORK)
    amounts: list[int] = []
    again = replicate_work(source, target, WORK, on_progress=amounts.append).totals
    assert (again.objects_put, again.bytes_put) == (0, 0)
    assert sum(amounts) == again.bytes == sum(found.size for found in source.store.list(ROOT))


def test_copy_of_a_new_version_puts_only_new_files(source: NamedStore, target: NamedStore) -> None:
    replicate_work(source, target, WORK)
    preserve(source.store, {**SECOND, "masters/4.tif": b"four"})
    copy = replicate_work(source, target, WORK)
    assert (copy.version, copy.totals.objects_put) == (3, 5)  # one master, two inventories with their sidecars
    assert contents(target.store) == contents(source.store)


@pytest.mark.parametrize(
    "path", ["v1/content/masters/1.tif", "inventory.json", "v1/inventory.json", "inventory.json.sha256"]
)
def test_damaged_and_missing_files_of_a_copy_are_replaced(source: NamedStore, target: NamedStore, path: str) -> None:
    replicate_work(source, target, WORK)
    target.store.put(f"{ROOT}/{path}", b"damaged")
    replicate_work(source, target, WORK)
    assert contents(target.store) == contents(source.store)
    target.store.delete(f"{ROOT}/{path}")
    assert replicate_work(source, target, WORK).totals.objects_put == 1
    assert contents(target.store) == contents(source.store)


@pytest.mark.parametrize("state", ["absent", "good", "damaged"])
def test_master_damaged_at_the_source_never_reaches_the_target(
    source: NamedStore, target: NamedStore, state: str
) -> None:
    if state != "absent":
        replicate_work(source, target, WORK)
    if state == "damaged":
        target.store.put(MASTER, b"damaged too")
    before = contents(target.store)
    source.store.put(MASTER, b"One" + b"one" * 999_999)
    if state == "good":
        assert replicate_work(source, target, WORK).totals.objects_put == 0
    else:
        with pytest.raises(DigestMismatch, match="s3://library/store → ocfl/.*/v1/content/masters/1.tif"):
            replicate_work(source, target, WORK)
    after = contents(target.store)
    assert after.get(MASTER) == before.get(MASTER)
    assert f"{ROOT}/inventory.json" in after or state == "absent"


@pytest.mark.parametrize("path", ["inventory.json", "v1/inventory.json", "v2/inventory.json.sha256"])
def test_invalid_inventory_at_the_source_is_reported_and_nothing_is_copied(
    source: NamedStore, target: NamedStore, path: str
) -> None:
    source.store.put(f"{ROOT}/{path}", source.store.read(f"{ROOT}/{path}")[:-2] + b"x\n")
    with pytest.raises((DigestMismatch, ObjectInvalid)):
        replicate_work(source, target, WORK)
    assert list(target.store.list(ROOT)) == []


def test_work_missing_at_the_source_is_reported(source: NamedStore, target: NamedStore) -> None:
    with pytest.raises(KeyNotFound, match="s3://library/store"):
        replicate_work(source, target, mint(Kind.WORK, "別"))


def test_replica_is_kept_when_the_source_is_an_old_backup(source: NamedStore, target: NamedStore) -> None:
    old = memory_store()
    preserve(old, FIRST)
    replicate_work(source, target, WORK)
    before = contents(target.store)
    with pytest.raises(ObjectInvalid, match="v2.*v1"):
        replicate_work(NamedStore("old", old), target, WORK)
    preserve(old, {**FIRST, "masters/2.tif": b"another second version"}, "other")
    with pytest.raises(ObjectInvalid, match="v2"):
        replicate_work(NamedStore("old", old), target, WORK)
    assert contents(target.store) == before


def test_masters_of_an_uncommitted_version_at_the_target_are_kept(source: NamedStore, target: NamedStore) -> None:
    """A copy of v3 was interrupted, then the source was restored to v2: the target may have the only masters of v3."""
    replicate_work(source, target, WORK)
    target.store.put(f"{ROOT}/v3/content/masters/9.tif", b"nine")
    with pytest.raises(ObjectInvalid, match="v3"):
        replicate_work(source, target, WORK)
    assert target.store.read(f"{ROOT}/v3/content/masters/9.tif") == b"nine"


class KilledError(BaseException):
    """Stands for the death of the process: no handler may catch it."""


class DyingStore:
    """A store whose process dies before change number `allowed`."""

    def __init__(self, store: ObjectStore, allowed: int) -> None:
        self._store = store
        self._allowed = allowed

    def put(self, key: str, content: Content) -> None:
        if self._allowed <= 0:
            raise KilledError
        self._allowed -= 1
        self._store.put(key, content)

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self._store, name)


def reads_as_an_object(store: ObjectStore) -> bool:
    """Return whether the target has a work to read: neither nothing nor an incomplete copy."""
    try:
        return read_inventory(store, WORK) is not None
    except ObjectInvalid:
        return False


def test_copy_killed_before_any_change_is_complete_or_absent_and_the_next_run_completes_it(
    source: NamedStore,
) -> None:
    changes = len(list(source.store.list(ROOT)))
    for allowed in range(changes + 1):
        store = memory_store()
        dying = NamedStore("copy", DyingStore(store, allowed))  # type: ignore[arg-type]
        try:
            replicate_work(source, dying, WORK)
        except KilledError:
            assert allowed < changes
        if reads_as_an_object(store):  # its root sidecar may be missing, which is put last
            assert {finding.code for finding in validate_object(store, ROOT).errors} <= {"E058"}
        again = replicate_work(source, NamedStore("copy", store), WORK).totals
        assert again.objects_put <= changes - allowed
        assert contents(store) == {found.key: source.store.read(found.key) for found in source.store.list(ROOT)}


class CorruptingStore(DyingStore):
    """A store that returns other bytes than were put."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store, 1 << 30)

    def chunks(self, key: str, size: int = 1 << 20) -> Iterator[bytes]:
        yield b"x"


def test_target_that_returns_other_bytes_is_named_and_gets_no_inventory(source: NamedStore, target: NamedStore) -> None:
    corrupting = NamedStore("corrupting", CorruptingStore(target.store))  # type: ignore[arg-type]
    with pytest.raises(DigestMismatch, match="corrupting → "):
        replicate_work(source, corrupting, WORK)
    assert not target.store.exists(f"{ROOT}/inventory.json")


class UnreachableStore(DyingStore):
    """A store that cannot be reached."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        raise StoreFault(key=prefix, reason="away")


def test_unreachable_store_is_a_transient_fault(source: NamedStore, target: NamedStore) -> None:
    with pytest.raises(StoreFault) as fault:
        replicate_work(source, NamedStore("away", UnreachableStore(target.store, 0)), WORK)  # type: ignore[arg-type]
    assert fault.value.transient


def test_copy_to_a_folder_and_back_is_identical(source: NamedStore, tmp_path: Path) -> None:
    folder = NamedStore("folder", FolderStore(tmp_path / "store"))
    replicate_work(source, folder, WORK)
    back = memory_store()
    replicate_work(folder, NamedStore("back", back), WORK)
    assert contents(back) == {found.key: source.store.read(found.key) for found in source.store.list(ROOT)}
