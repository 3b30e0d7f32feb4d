"""The record of a version that is being written: it alone tells an unfinished version from a preserved one.

A writer puts the record while the folder of the next version is empty, before its first file, and deletes it after the
commit. The record is outside the object, in the same store, so that it survives the loss of the database. What is in
the folder of a recorded version, and only that, was written by an ingest that has not ended: the next run of it may
overwrite and delete these files. No ingest deletes any other file of an object.

The record states which inventory the version follows. It is void when the object has another inventory: the version
was committed, or the object was restored from elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

import rfc8785

from repository import paths
from repository.errors import ObjectInvalid
from repository.json_values import decode_json
from repository.localized import LocalizedText
from repository.storage.store import ObjectStore, read_if_present


@dataclass(frozen=True, slots=True)
class UnfinishedVersion:
    """A version that is being written: its number, and the SHA-256 of the root inventory that it follows.

    `base` is '' for the first version of an object.
    """

    version: int
    base: str

    @property
    def folder(self) -> str:
        """The version's folder in the object."""
        return f"v{self.version}"


def read_record(store: ObjectStore, work: str) -> UnfinishedVersion | None:
    """Return the record of the unfinished version of a work; None without one. Raises `ObjectInvalid`, `StoreFault`."""
    key = paths.unfinished_version(work)
    document = read_if_present(store, key)
    try:
        return None if document is None else decode_json(document, UnfinishedVersion)
    except ValueError as fault:
        raise ObjectInvalid(
            key=paths.ocfl_object(work),
            reason=LocalizedText(
                f"未完成版本的记录 {key} 无法读取（{fault}）；未作改动，请核对对象后移走此记录",
                f"the record of its unfinished version, {key}, cannot be read ({fault}); nothing was changed: check the"
                " object, then move the record away",
            ),
        ) from fault


def put_record(store: ObjectStore, work: str, unfinished: UnfinishedVersion) -> None:
    """Record a version, whose folder the caller has found empty or recorded. Raises `StoreFault`."""
    store.put(paths.unfinished_version(work), rfc8785.dumps(asdict(unfinished)))


def delete_record(store: ObjectStore, work: str) -> None:
    """Delete the record of a version that was committed, or of which no file is left. Raises `StoreFault`."""
    store.delete(paths.unfinished_version(work))


def delete_files(store: ObjectStore, work: str, unfinished: UnfinishedVersion, keep: Collection[str] = ()) -> None:
    """Delete the files of a recorded version, except for the paths in `keep`. Raises `StoreFault`.

    The caller has checked that the record is valid and that the version is not complete. Besides this function, only a
    decided deletion (`preservation/deletion.py`) and the quarantine (`fixity/quarantine.py`) delete files of an object.
    """
    root = paths.ocfl_object(work)
    for stored in list(store.list(f"{root}/{unfinished.folder}")):
        if stored.key.removeprefix(f"{root}/") not in keep:
            store.delete(stored.key)
