"""A repository in memory as it was when it was saved, for tests that begin with the same works.

An ingest takes a tenth of a second of processor time and more, a copy of what it made a few milliseconds.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

from repository.clock import Clock
from repository.repository import Repository, memory_repository
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore, open_replicas


class SavedRepository:
    """A repository in memory, its replicas in memory, and the files of a folder: data folder, other replicas, deposits.

    One process has one copy at a time, because the files return to the folder that they were saved from: addresses of
    replicas and deposits stay those that the database has.
    """

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._settings, self._clock = repository.settings, repository.clock
        self._objects = _objects(repository.store)
        in_settings = open_replicas(self._settings)
        self._replicas = {
            name: _objects(store) for name, store in repository.replicas.items() if name not in in_settings
        }
        self._database = _connection(repository).serialize()
        self._folder = folder
        self._files = shutil.copytree(folder, folder.with_name(f"{folder.name}.saved"))

    def copy(self, clock: Clock | None = None) -> Repository:
        """Return a repository with what was saved, and make the files again what they were; by default, its clock."""
        shutil.rmtree(self._folder)
        shutil.copytree(self._files, self._folder)
        repository = memory_repository(self._settings, clock or self._clock)
        _put(repository.store, self._objects)
        _connection(repository).deserialize(self._database)
        replicas = {name: memory_store() for name in self._replicas}
        for name, objects in self._replicas.items():
            _put(replicas[name], objects)
        return replace(repository, replicas={**repository.replicas, **replicas})


def _objects(store: ObjectStore) -> dict[str, bytes]:
    return {item.key: store.read(item.key) for item in store.list()}


def _put(store: ObjectStore, objects: dict[str, bytes]) -> None:
    for key, content in objects.items():
        store.put(key, content)


def _connection(repository: Repository) -> sqlite3.Connection:
    """Return the only connection of a database in memory."""
    with repository.catalogue._sessions() as session:
        connection = session.connection().connection.driver_connection
    assert isinstance(connection, sqlite3.Connection)
    return connection
