"""A work preserved in moto's S3 server: the bucket is created, parts are sent, the OCFL object is valid."""

from __future__ import annotations

import hashlib
from pathlib import Path

import ocfl
import pytest

from preservation.ocfl.objects import file_key, prepare_storage_root, read_inventory, works, write_version
from preservation.ocfl.validation import validate_object
from repository.config import Settings
from repository.identifiers import Kind, mint
from repository.paths import ocfl_object
from repository.storage.s3_admin import prepare_bucket
from repository.storage.store import open_store

WORK = mint(Kind.WORK, "拓片")


@pytest.mark.parametrize("known", [False, True])
def test_a_work_with_a_large_master_is_preserved_in_a_bucket(endpoint: str, tmp_path: Path, known: bool) -> None:
    settings = Settings(
        store=f"s3://rubbings-{known:d}/main", s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret"
    )
    prepare_bucket(settings.store, settings)
    store = open_store(settings)
    master = tmp_path / "0001.tif"
    with master.open("wb") as file:
        for number in range(40):
            file.write(bytes([number]) * (1 << 20))
    digest = hashlib.file_digest(master.open("rb"), "sha256").hexdigest()
    prepare_storage_root(store)
    inventory = write_version(
        store,
        WORK,
        {"masters/0001.tif": master, "metadata/work.json": b"{}"},
        message="m",
        created="2026-01-02T03:04:05Z",
        digests={"masters/0001.tif": digest} if known else None,
    )
    assert inventory.state["masters/0001.tif"] == digest
    assert read_inventory(store, WORK) == inventory
    assert store.size(file_key(inventory, WORK, "masters/0001.tif")) == 40 << 20
    assert list(works(store)) == [WORK]
    assert validate_object(store, ocfl_object(WORK)).errors == ()
    for entry in store.list("ocfl"):
        (tmp_path / entry.key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / entry.key).write_bytes(store.read(entry.key))
    assert ocfl.StorageRoot(root=str(tmp_path / "ocfl")).validate()
