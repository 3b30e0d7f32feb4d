"""Objects written, versioned and read; and killed at every single store operation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import ocfl
import pytest

from preservation.ocfl.inventory import Inventory
from preservation.ocfl.objects import file_key, prepare_storage_root, read_file, read_inventory, works, write_version
from repository.errors import DigestMismatch, KeyNotFound, ObjectInvalid
from repository.identifiers import Kind, mint
from repository.paths import ocfl_object
from repository.storage.content import Content, StoredObject
from repository.storage.folder import FolderStore
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore

WORK = mint(Kind.WORK, "千字文")
TIMES = ("2026-01-02T03:04:05Z", "2026-02-03T04:05:06Z", "2026-03-04T05:06:07Z")
ROOT = ocfl_object(WORK)


@pytest.fixture
def deposit(tmp_path: Path) -> dict[str, Path | bytes]:
    """Two different masters, a third with the first's bytes, and a record."""
    content: dict[str, Path | bytes] = {"metadata/work.json": '{"title":"千字文"}'.encode()}
    for name, body in {
        "卷一/0001.tif": b"one" * 700_000,
        "卷一/0002.tif": b"two",
        "卷一/0003.tif": b"one" * 700_000,
    }.items():
        path = tmp_path / "deposit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        content[f"masters/{name}"] = path
    return content


def digests_of(content: dict[str, Path | bytes]) -> dict[str, str]:
    return {
        path: hashlib.sha256(source.read_bytes() if isinstance(source, Path) else source).hexdigest()
        for path, source in content.items()
        if isinstance(source, Path)
    }


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {found.key: store.read(found.key) for found in store.list()}


def assert_ocfl_py_accepts(store: ObjectStore, folder: Path, count: int = 1) -> None:
    for key, body in contents(store).items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(body)
    root = ocfl.StorageRoot(root=str(folder / "ocfl"))
    assert root.validate(), (root.errors, root.log.status_str())
    assert (root.num_objects, root.good_objects, root.errors) == (count, count, [])
    assert root.layout_name == "0003-hash-and-id-n-tuple-storage-layout"
    assert root.object_path(f"shanben:{WORK}") == ROOT.removeprefix("ocfl/")


class KilledError(BaseException):
    """As a killed process: no handler may catch it."""


class DyingStore:
    """A store whose process dies before its operation number `allowed`."""

    def __init__(self, store: ObjectStore, allowed: int) -> None:
        self._store = store
        self._allowed = allowed

    def _live(self) -> ObjectStore:
        if self._allowed == 0:
            raise KilledError
        self._allowed -= 1
        return self._store

    def size(self, key: str) -> int:
        return self._live().size(key)

    def read(self, key: str) -> bytes:
        return self._live().read(key)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        return self._live().read_range(key, start, length)

    def chunks(self, key: str, size: int = 1 << 20) -> Iterator[bytes]:
        return self._live().chunks(key, size)

    def put(self, key: str, content: Content) -> None:
        self._live().put(key, content)

    def put_new(self, key: str, content: Content) -> None:
        self._live().put_new(key, content)

    def exists(self, key: str) -> bool:
        return self._live().exists(key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return self._live().list(prefix)

    def delete(self, key: str) -> None:
        self._live().delete(key)


def preserve(store: ObjectStore, content: dict[str, Path | bytes], turn: int = 0, known: bool = False) -> Inventory:
    prepare_storage_root(store)
    digests = digests_of(content) if known else None
    return write_version(store, WORK, content, message="ingest", created=TIMES[turn], digests=digests)


def test_a_work_is_preserved_byte_for_byte(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    inventory = preserve(store, deposit)
    assert read_inventory(store, WORK) == inventory
    assert read_file(store, WORK, "metadata/work.json") == deposit["metadata/work.json"]
    for path, source in deposit.items():
        body = source.read_bytes() if isinstance(source, Path) else source
        assert b"".join(store.chunks(file_key(inventory, WORK, path))) == body
    stored = [found.key for found in store.list(f"{ROOT}/v1/content")]
    assert len(stored) == 3, "the same bytes are stored once"
    assert_ocfl_py_accepts(store, tmp_path / "copy")
    assert all(source.exists() for source in deposit.values() if isinstance(source, Path))


def test_no_validator_has_anything_to_warn_of_but_the_digest(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    preserve(store, deposit)
    checked = ocfl.Object(path=str(tmp_path / "store" / ROOT))
    passed, validator = checked.validate(str(tmp_path / "store" / ROOT), log_warnings=True)
    assert passed
    assert set(validator.log.codes) == {"W004"}  # OCFL would rather have sha512; sha256 is our choice


def test_known_digests_give_the_same_object(deposit: dict[str, Path | bytes]) -> None:
    slow, fast = memory_store(), memory_store()
    preserve(slow, deposit)
    preserve(fast, deposit, known=True)
    assert contents(slow) == contents(fast)


def test_a_next_version_stores_only_what_changed(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
    store = memory_store()
    first = preserve(store, deposit)
    changed = deposit | {"metadata/work.json": b"{}"}
    del changed["masters/卷一/0002.tif"]
    second = preserve(store, changed, 1)
    assert second.head == "v2"
    assert [found.key for found in store.list(f"{ROOT}/v2/content")] == [f"{ROOT}/v2/content/metadata/work.json"]
    assert read_file(store, WORK, "metadata/work.json") == b"{}"
    assert file_key(second, WORK, "masters/卷一/0001.tif") == file_key(first, WORK, "masters/卷一/0001.tif")
    with pytest.raises(KeyNotFound):
        file_key(second, WORK, "masters/卷一/0002.tif")
    assert preserve(store, deposit, 2).head == "v3"
    assert list(store.list(f"{ROOT}/v3/content")) == []
    assert_ocfl_py_accepts(store, tmp_path / "copy")


def test_an_unchanged_state_makes_no_version_and_writes_nothing(deposit: dict[str, Path | bytes]) -> None:
    store = memory_store()
    first = preserve(store, deposit)
    before = contents(store)
    assert preserve(store, deposit, 1) == first
    assert preserve(store, deposit, 1, known=True) == first
    assert contents(store) == before


@pytest.mark.parametrize("known", [False, True])
def test_killed_before_any_operation_the_next_run_ends_as_a_clean_one(
    deposit: dict[str, Path | bytes], tmp_path: Path, known: bool
) -> None:
    second = deposit | {"metadata/work.json": b"{}", "masters/卷二/0001.tif": b"new page"}
    clean = memory_store()
    for turn, state in enumerate((deposit, second)):
        preserve(clean, state, turn, known)
    deaths = 0
    for allowed in range(10_000):
        store = memory_store()
        survived = _both_versions(lambda s=store, n=allowed: DyingStore(s, n), store, (deposit, second), known)
        assert contents(store) == contents(clean), f"killed before operation {allowed}"
        assert_ocfl_py_accepts(store, tmp_path / str(allowed))
        if survived:
            break
        deaths += 1
    assert deaths > 30


def _both_versions(
    dying: Callable[[], ObjectStore],
    store: ObjectStore,
    states: tuple[dict[str, Path | bytes], dict[str, Path | bytes]],
    known: bool,
) -> bool:
    """Both versions in a process that dies somewhere; then again in one that lives. Whether the first lived."""
    mortal = dying()
    for turn, state in enumerate(states):
        try:
            preserve(mortal, state, turn, known)
        except KilledError:
            read_inventory(store, WORK)  # whoever looks in between sees a whole version or none
            for again in range(turn, len(states)):
                preserve(store, states[again], again, known)
            return False
    return True


def test_after_a_death_the_work_may_come_back_changed(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
    """Nothing of a run that was not committed stays in the object, whatever is handed in next."""
    other: dict[str, Path | bytes] = {"metadata/work.json": b"{}", "masters/other.tif": b"other"}
    clean = memory_store()
    preserve(clean, other)
    for allowed in range(3, 60):
        store = memory_store()
        try:
            preserve(DyingStore(store, allowed), deposit)
        except KilledError:
            committed = read_inventory(store, WORK)
        else:
            break
        preserve(store, other)
        if committed is None:
            assert contents(store) == contents(clean)
        assert_ocfl_py_accepts(store, tmp_path / str(allowed))


def test_an_abandoned_next_version_goes_when_the_old_state_is_written_again(
    deposit: dict[str, Path | bytes], tmp_path: Path
) -> None:
    clean = memory_store()
    preserve(clean, deposit)
    for allowed in range(5, 60):
        store = memory_store()
        preserve(store, deposit)
        try:
            preserve(DyingStore(store, allowed), deposit | {"metadata/work.json": b"{}"}, 1)
        except KilledError:
            if preserve(store, deposit, 2).head == "v1":
                assert contents(store) == contents(clean)
            assert_ocfl_py_accepts(store, tmp_path / str(allowed))
        else:
            break


class LyingStore(DyingStore):
    """A store that gives back other bytes than it took, for keys that end in `suffix`."""

    def __init__(self, store: ObjectStore, suffix: str) -> None:
        super().__init__(store, -1)
        self._suffix = suffix

    def chunks(self, key: str, size: int = 1 << 20) -> Iterator[bytes]:
        for chunk in super().chunks(key, size):
            yield bytes([chunk[0] ^ 1]) + chunk[1:] if key.endswith(self._suffix) else chunk


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("suffix", ["0001.tif", "0002.tif", "work.json"])
def test_a_store_that_does_not_give_back_what_it_took_is_not_trusted(
    deposit: dict[str, Path | bytes], suffix: str, known: bool
) -> None:
    store = memory_store()
    with pytest.raises(DigestMismatch, match=suffix):
        preserve(LyingStore(store, suffix), deposit, known=known)
    assert read_inventory(store, WORK) is None
    assert list(works(store)) == []


def test_a_master_that_changed_since_it_was_examined_is_not_preserved(deposit: dict[str, Path | bytes]) -> None:
    store = memory_store()
    digests = digests_of(deposit)
    changed = deposit["masters/卷一/0002.tif"]
    assert isinstance(changed, Path)
    changed.write_bytes(b"changed")
    with pytest.raises(DigestMismatch):
        write_version(store, WORK, deposit, message="m", created=TIMES[0], digests=digests)
    assert read_inventory(store, WORK) is None


def test_damage_is_found_when_read(deposit: dict[str, Path | bytes]) -> None:
    store = memory_store()
    inventory = preserve(store, deposit)
    store.put(file_key(inventory, WORK, "metadata/work.json"), b"{}")
    with pytest.raises(DigestMismatch):
        read_file(store, WORK, "metadata/work.json")
    whole = store.read(f"{ROOT}/inventory.json")
    store.put(f"{ROOT}/inventory.json", whole.replace(b"ingest", b"INGEST"))
    with pytest.raises(DigestMismatch):
        read_inventory(store, WORK)
    store.put(f"{ROOT}/inventory.json", whole[:100])
    with pytest.raises((DigestMismatch, ObjectInvalid)):
        read_inventory(store, WORK)


def test_a_work_that_is_not_held_is_not_made_up() -> None:
    store = memory_store()
    assert read_inventory(store, WORK) is None
    with pytest.raises(KeyNotFound):
        read_file(store, WORK, "metadata/work.json")
    assert list(works(store)) == []


def test_the_works_of_a_store_are_those_committed(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
    store = memory_store()
    prepare_storage_root(store)
    names = {mint(Kind.WORK, str(number)) for number in range(20)}
    for work in names:
        write_version(store, work, {"inventory.json": b"misleading"}, message="m", created=TIMES[0])
    store.put(f"{ROOT}/v1/content/inventory.json", b"not committed")
    store.put("ocfl/abc/def/012/shanben%3astray/inventory.json", b"in the wrong place")
    found = list(works(store))
    assert set(found) == names
    assert len(found) == 20


def test_a_storage_root_is_prepared_once_and_again(tmp_path: Path) -> None:
    store = memory_store()
    prepare_storage_root(store)
    before = contents(store)
    prepare_storage_root(store)
    assert contents(store) == before
    assert_ocfl_py_accepts(store, tmp_path, 0)
