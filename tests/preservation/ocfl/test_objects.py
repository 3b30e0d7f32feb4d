"""OCFL objects: written, versioned, read, and interrupted at every store operation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import ocfl
import pytest

from preservation.ocfl.inventory import Inventory
from preservation.ocfl.objects import (
    discard_content,
    file_key,
    prepare_storage_root,
    put_content,
    read_file,
    read_inventory,
    works,
    write_documents,
    write_version,
)
from preservation.ocfl.unfinished import UnfinishedVersion, put_record, read_record
from repository import paths
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
    """Two different masters, a third identical to the first, and a record."""
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
    """Stands for the death of the process: no handler may catch it."""


class DyingStore:
    """A store whose process dies before operation number `allowed`."""

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
        store = self._live()
        before = store.read(key) if store.exists(key) else None
        store.put(key, content)
        if before not in (None, store.read(key)):
            assert_may_change(store, key)

    def put_new(self, key: str, content: Content) -> None:
        self._live().put_new(key, content)

    def exists(self, key: str) -> bool:
        return self._live().exists(key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return self._live().list(prefix)

    def delete(self, key: str) -> None:
        store = self._live()
        assert_may_change(store, key, deletes=True)
        store.delete(key)


def assert_may_change(store: ObjectStore, key: str, *, deletes: bool = False) -> None:
    """Assert that a file is no preserved one: it is in the folder of the recorded version, or the root inventory."""
    if key == paths.unfinished_version(WORK) or (not deletes and key.rpartition("/")[0] == ROOT):
        return
    record = read_record(store, WORK)
    assert record
    assert key.startswith(f"{ROOT}/{record.folder}/")


def preserve(store: ObjectStore, content: dict[str, Path | bytes], turn: int = 0, known: bool = False) -> Inventory:
    prepare_storage_root(store)
    digests = digests_of(content) if known else None
    return write_version(store, WORK, content, message="ingest", created=TIMES[turn], digests=digests)


def test_object_preserves_a_work_byte_for_byte(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
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


def test_object_gives_ocfl_py_no_warning_but_the_digest_algorithm(
    deposit: dict[str, Path | bytes], tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "store")
    preserve(store, deposit)
    checked = ocfl.Object(path=str(tmp_path / "store" / ROOT))
    passed, validator = checked.validate(str(tmp_path / "store" / ROOT), log_warnings=True)
    assert passed
    assert set(validator.log.codes) == {"W004"}  # OCFL recommends sha512; this repository uses sha256


def test_object_written_with_known_digests_is_the_same(deposit: dict[str, Path | bytes]) -> None:
    unknown, known = memory_store(), memory_store()
    preserve(unknown, deposit)
    preserve(known, deposit, known=True)
    assert contents(unknown) == contents(known)


def test_next_version_stores_only_changed_content(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
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


def test_unchanged_state_creates_no_version_and_writes_nothing(deposit: dict[str, Path | bytes]) -> None:
    store = memory_store()
    first = preserve(store, deposit)
    before = contents(store)
    assert preserve(store, deposit, 1) == first
    assert preserve(store, deposit, 1, known=True) == first
    assert contents(store) == before


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True])
def test_writer_killed_before_any_operation_is_completed_by_the_next_run(
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
    open_dying: Callable[[], ObjectStore],
    store: ObjectStore,
    states: tuple[dict[str, Path | bytes], dict[str, Path | bytes]],
    known: bool,
) -> bool:
    """Write both versions in a process that may die, then again in one that does not; whether the first survived."""
    dying_store = open_dying()
    for turn, state in enumerate(states):
        try:
            preserve(dying_store, state, turn, known)
        except KilledError:
            read_inventory(store, WORK)  # a reader in between gets a complete version or none
            for again in range(turn, len(states)):
                preserve(store, states[again], again, known)
            return False
    return True


def test_object_keeps_nothing_of_an_incomplete_version_when_other_content_follows(
    deposit: dict[str, Path | bytes], tmp_path: Path
) -> None:
    """A version that was complete when its writer was killed is committed; of any other, no file is kept."""
    other: dict[str, Path | bytes] = {"metadata/work.json": b"{}", "masters/other.tif": b"other"}
    clean, both = memory_store(), memory_store()
    preserve(clean, other)
    preserve(both, deposit)
    preserve(both, other, 0)
    heads = []
    for allowed in range(3, 80):
        store = memory_store()
        try:
            preserve(DyingStore(store, allowed), deposit)
        except KilledError:
            heads.append(preserve(store, other).head)
            assert contents(store) == contents(clean if heads[-1] == "v1" else both), f"killed before {allowed}"
            assert_ocfl_py_accepts(store, tmp_path / str(allowed))
        else:
            break
    assert heads == sorted(heads)
    assert set(heads) == {"v1", "v2"}


def test_abandoned_version_is_deleted_when_the_head_state_is_written_again(
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


class CorruptingStore(DyingStore):
    """A store that returns other bytes than were put, for keys that end in `suffix`."""

    def __init__(self, store: ObjectStore, suffix: str) -> None:
        super().__init__(store, -1)
        self._suffix = suffix

    def chunks(self, key: str, size: int = 1 << 20) -> Iterator[bytes]:
        for chunk in super().chunks(key, size):
            yield bytes([chunk[0] ^ 1]) + chunk[1:] if key.endswith(self._suffix) else chunk


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("suffix", ["0001.tif", "0002.tif", "work.json"])
def test_object_is_not_committed_when_the_store_returns_other_bytes(
    deposit: dict[str, Path | bytes], suffix: str, known: bool
) -> None:
    store = memory_store()
    with pytest.raises(DigestMismatch, match=suffix):
        preserve(CorruptingStore(store, suffix), deposit, known=known)
    assert read_inventory(store, WORK) is None
    assert list(works(store)) == []


def test_master_that_changed_after_examination_is_not_preserved(deposit: dict[str, Path | bytes]) -> None:
    store = memory_store()
    digests = digests_of(deposit)
    changed = deposit["masters/卷一/0002.tif"]
    assert isinstance(changed, Path)
    changed.write_bytes(b"changed")
    with pytest.raises(DigestMismatch):
        write_version(store, WORK, deposit, message="m", created=TIMES[0], digests=digests)
    assert read_inventory(store, WORK) is None


def test_damaged_file_or_inventory_is_refused_when_read(deposit: dict[str, Path | bytes]) -> None:
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


def test_missing_work_has_no_inventory_and_no_files() -> None:
    store = memory_store()
    assert read_inventory(store, WORK) is None
    with pytest.raises(KeyNotFound):
        read_file(store, WORK, "metadata/work.json")
    assert list(works(store)) == []


def test_works_lists_all_objects_but_those_that_are_being_begun() -> None:
    store = memory_store()
    prepare_storage_root(store)
    names = {mint(Kind.WORK, str(number)) for number in range(20)}
    for work in names:
        write_version(store, work, {"inventory.json": b"misleading"}, message="m", created=TIMES[0])
    store.delete(f"{ocfl_object(min(names))}/inventory.json")
    store.put("ocfl/abc/def/012/shanben%3astray/inventory.json", b"in the wrong place")
    put_record(store, WORK, UnfinishedVersion(1, ""))
    store.put(f"{ROOT}/v1/content/inventory.json", b"not committed")
    found = list(works(store))
    assert set(found) == names
    assert len(found) == 20


def test_storage_root_may_be_prepared_repeatedly(tmp_path: Path) -> None:
    store = memory_store()
    prepare_storage_root(store)
    before = contents(store)
    prepare_storage_root(store)
    assert contents(store) == before
    assert_ocfl_py_accepts(store, tmp_path, 0)


def two_versions(deposit: dict[str, Path | bytes]) -> ObjectStore:
    store = memory_store()
    preserve(store, deposit)
    preserve(store, deposit | {"metadata/work.json": b"{}"}, 1)
    return store


def copy(store: ObjectStore, source: str, target: str) -> None:
    for name in ("inventory.json", "inventory.json.sha256"):
        store.put(f"{ROOT}{target}/{name}", store.read(f"{ROOT}{source}/{name}"))


def assert_refused(store: ObjectStore, reason: str, tmp_path: Path) -> None:
    """Assert that each operation which writes names what is wrong and changes nothing."""
    before = contents(store)
    new = tmp_path / "new.tif"
    new.write_bytes(b"new")
    with pytest.raises(ObjectInvalid, match=reason):
        preserve(store, {"metadata/work.json": b"other"}, 2)
    digest = hashlib.sha256(b"new").hexdigest()
    if read_record(store, WORK):
        with pytest.raises(ObjectInvalid, match=reason):
            discard_content(store, WORK)
        with suppress(ObjectInvalid):
            put_content(store, WORK, 2, "new.tif", source=new, digest=digest)
    else:
        discard_content(store, WORK)
        for version in (1, 2, 3):
            with pytest.raises(ObjectInvalid, match=reason):
                put_content(store, WORK, version, "new.tif", source=new, digest=digest)
    assert contents(store) == before


def test_object_without_its_root_inventory_is_refused_and_untouched(
    deposit: dict[str, Path | bytes], tmp_path: Path
) -> None:
    store = two_versions(deposit)
    store.delete(f"{ROOT}/inventory.json")
    with pytest.raises(ObjectInvalid, match="no usable inventory"):
        read_inventory(store, WORK)
    assert_refused(store, "no usable inventory", tmp_path)


def test_object_whose_root_inventory_is_older_than_its_versions_is_refused_and_untouched(
    deposit: dict[str, Path | bytes], tmp_path: Path
) -> None:
    store = two_versions(deposit)
    copy(store, "/v1", "")
    with pytest.raises(ObjectInvalid, match="ends at v1, and the object has v2"):
        read_inventory(store, WORK)
    assert_refused(store, "ends at v1", tmp_path)


@pytest.mark.parametrize("folder", ["v2", "v3", "v17"])
def test_file_that_no_version_and_no_record_explains_is_refused_and_untouched(
    deposit: dict[str, Path | bytes], folder: str, tmp_path: Path
) -> None:
    store = memory_store()
    preserve(store, deposit)
    store.put(f"{ROOT}/{folder}/content/masters/restored.tif", b"a master")
    assert read_inventory(store, WORK)
    assert_refused(store, "restored.tif", tmp_path)


def test_record_is_void_when_the_object_has_another_inventory(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
    store = two_versions(deposit)
    put_record(store, WORK, UnfinishedVersion(2, hashlib.sha256(b"an older inventory").hexdigest()))
    copy(store, "/v1", "")
    assert_refused(store, "ends at v1", tmp_path)
    copy(store, "/v2", "")
    discard_content(store, WORK)
    assert read_record(store, WORK) is None
    assert_ocfl_py_accepts(store, tmp_path / "copy")


def test_complete_version_is_committed_and_never_discarded(deposit: dict[str, Path | bytes]) -> None:
    store = two_versions(deposit)
    whole = contents(store)
    copy(store, "/v1", "")
    put_record(store, WORK, UnfinishedVersion(2, hashlib.sha256(store.read(f"{ROOT}/inventory.json")).hexdigest()))
    inventory = read_inventory(store, WORK)
    assert inventory
    assert inventory.head == "v1"
    discard_content(store, WORK)
    assert contents(store) == whole


@pytest.mark.parametrize("lost", ["v2/inventory.json", "v2/content/metadata/work.json"])
def test_recorded_version_that_no_killed_writer_leaves_is_refused_and_untouched(
    deposit: dict[str, Path | bytes], lost: str, tmp_path: Path
) -> None:
    store = two_versions(deposit)
    copy(store, "/v1", "")
    put_record(store, WORK, UnfinishedVersion(2, hashlib.sha256(store.read(f"{ROOT}/inventory.json")).hexdigest()))
    store.delete(f"{ROOT}/{lost}")
    assert_refused(store, "no usable inventory|is missing", tmp_path)


def test_recorded_version_that_the_root_sidecar_vouches_for_is_refused_and_untouched(
    deposit: dict[str, Path | bytes], tmp_path: Path
) -> None:
    store = two_versions(deposit)
    outdated = store.read(f"{ROOT}/v1/inventory.json")
    store.put(f"{ROOT}/inventory.json", outdated)
    store.delete(f"{ROOT}/v2/inventory.json.sha256")
    put_record(store, WORK, UnfinishedVersion(2, hashlib.sha256(outdated).hexdigest()))
    before = contents(store)
    source = tmp_path / "another"
    source.write_bytes(b"another")
    with pytest.raises(ObjectInvalid, match="ends at v1"):
        put_content(store, WORK, 2, "metadata/work.json", source=source, digest=hashlib.sha256(b"another").hexdigest())
    assert contents(store) == before
    assert_refused(store, "ends at v1", tmp_path)


def test_damaged_record_is_named_and_nothing_is_deleted(deposit: dict[str, Path | bytes], tmp_path: Path) -> None:
    store = memory_store()
    preserve(store, deposit)
    store.put(f"{ROOT}/v2/content/masters/new.tif", b"a master")
    store.put(paths.unfinished_version(WORK), b'{"version":')
    before = contents(store)
    with pytest.raises(ObjectInvalid, match="unfinished version"):
        preserve(store, {"metadata/work.json": b"other"}, 2)
    with pytest.raises(ObjectInvalid, match="unfinished version"):
        discard_content(store, WORK)
    assert contents(store) == before


def test_content_of_an_unfinished_version_is_replaced_and_discarded(
    deposit: dict[str, Path | bytes], tmp_path: Path
) -> None:
    store = memory_store()
    preserve(store, deposit)
    before = contents(store)
    page = tmp_path / "page.tif"
    for body in (b"first state", b"second state"):
        page.write_bytes(body)
        put_content(store, WORK, 2, "page.tif", source=page, digest=hashlib.sha256(body).hexdigest())
        assert store.read(f"{ROOT}/v2/content/page.tif") == body
    put_content(store, WORK, 1, "page.tif", source=page, digest=hashlib.sha256(b"second state").hexdigest())
    discard_content(store, WORK)
    assert contents(store) == before


def test_missing_or_damaged_root_sidecar_is_restored_by_the_next_writer(deposit: dict[str, Path | bytes]) -> None:
    store = two_versions(deposit)
    whole = contents(store)
    for damaged in (None, b"", b"0 inventory.json\n", store.read(f"{ROOT}/v1/inventory.json.sha256")):
        store.delete(f"{ROOT}/inventory.json.sha256")
        if damaged is not None:
            store.put(f"{ROOT}/inventory.json.sha256", damaged)
        assert read_inventory(store, WORK)
        preserve(store, deposit | {"metadata/work.json": b"{}"}, 2)
        assert contents(store) == whole


def preserve_third(store: ObjectStore, deposit: dict[str, Path | bytes]) -> None:
    preserve(store, deposit | {"metadata/work.json": b"third"}, 2)


def change_document(store: ObjectStore, deposit: dict[str, Path | bytes]) -> None:
    write_documents(store, WORK, {"metadata/access.json": b"{}"}, message="Change of access", created=TIMES[2])


WRITERS = pytest.mark.parametrize("write", [preserve_third, change_document])


@WRITERS
@pytest.mark.parametrize("harmed", [None, b"", b"damaged"])
@pytest.mark.parametrize("name", ["inventory.json", "inventory.json.sha256"])
def test_last_copy_of_an_inventory_is_kept_before_the_root_inventory_is_replaced(
    deposit: dict[str, Path | bytes], name: str, harmed: bytes | None, write: Callable[..., None], tmp_path: Path
) -> None:
    store = two_versions(deposit)
    whole = contents(store)
    store.delete(f"{ROOT}/v2/{name}")
    if harmed is not None:
        store.put(f"{ROOT}/v2/{name}", harmed)
    write(store, deposit)
    assert {key: body for key, body in contents(store).items() if key in whole and f"{ROOT}/v" in key} == {
        key: body for key, body in whole.items() if f"{ROOT}/v" in key
    }
    assert_ocfl_py_accepts(store, tmp_path / "copy")


@WRITERS
def test_root_inventory_that_differs_from_a_valid_one_of_its_version_is_refused_and_untouched(
    deposit: dict[str, Path | bytes], write: Callable[..., None]
) -> None:
    store, other = two_versions(deposit), memory_store()
    preserve(other, deposit)
    preserve(other, deposit | {"metadata/work.json": b"another history"}, 1)
    for name in ("inventory.json", "inventory.json.sha256"):
        store.put(f"{ROOT}/{name}", other.read(f"{ROOT}/{name}"))
    before = contents(store)
    with pytest.raises(ObjectInvalid, match="differs from the one in the folder v2"):
        write(store, deposit)
    assert contents(store) == before
